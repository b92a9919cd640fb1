/**
 * What walks in generated code (`emit/walk.ts`) have to know: the roots and shapes of stage 1 of EL1&0, which memory attributes are those of Normal
 * memory. They walk tables of 4 KiB below 4 GiB, with both stages on.
 */
import { TLB_LARGE, TLB_LARGE_BITS, WALK_BLOCKS, WALK_BLOCK_COUNT, WALK_LOWER, WALK_NORMAL, WALK_UPPER, WalkRange } from '../state.ts';
import { Hcr, Sctlr } from './fields.ts';
import type { State } from './registers.ts';
import { slot } from './stored.ts';
import type { WalkConfig, WalkConfigs } from './walk_config.ts';

const { SCTLR_EL1, HCR_EL2, MAIR_EL1 } = slot;
const BLOCK = 0x20_0000;
const LIMIT = 2 ** 32;

export class Walks {
  /** The words are those of the registers. */
  isReady = false;
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  /** Nothing is found from now on: the registers change, or nobody knows yet that something is cached. */
  stop(): void {
    this.isReady = false;
    for (const range of [WALK_LOWER, WALK_UPPER]) this.state.words[this.state.at(range + WalkRange.root)] = 0;
  }

  /** Takes up what the registers say now. */
  start(configs: WalkConfigs): void {
    this.isReady = true;
    const { state } = this;
    const { sys, words } = state;
    const hcr = sys[HCR_EL2]!;
    if ((sys[SCTLR_EL1]! & Sctlr.M) === 0 || (hcr & (Hcr.VM | Hcr.DC | Hcr.TGE)) !== Hcr.VM) return;
    let normal = 0;
    for (let i = 0; i < 8; i++) if (((sys[MAIR_EL1 + (i >>> 2)]! >>> ((i & 3) * 8 + 4)) & 0xf) !== 0) normal |= 1 << i;
    words[state.at(WALK_NORMAL)] = normal;
    this.range(WALK_LOWER, configs.lower);
    this.range(WALK_UPPER, configs.upper);
  }

  private range(field: number, { disabled, baseFault, granule, base, startLevel, stride, rootMask, inputBits }: WalkConfig): void {
    if (disabled || baseFault || granule !== 12 || base >= LIMIT) return;
    const { words } = this.state;
    const at = this.state.at(field);
    words[at + WalkRange.shift / 4] = granule + stride * (3 - startLevel);
    words[at + WalkRange.mask / 4] = rootMask;
    words[at + WalkRange.inputBits / 4] = inputBits;
    words[at + WalkRange.root / 4] = base;
  }

  /** A leaf of stage 1 above 4 KiB was noted, so that pieces of it may be cached. */
  noted(vaLo: number, vaHi: number, size: number): void {
    const { words } = this.state;
    const large = this.state.at(TLB_LARGE);
    if (size !== BLOCK) {
      words.fill(-1, large, large + TLB_LARGE_BITS / 32);
      return;
    }
    const number = (vaLo >>> 21) | (vaHi << 11);
    const at = this.state.at(WALK_BLOCKS) + 2 * (number & (WALK_BLOCK_COUNT - 1));
    words[at] = number;
    words[at + 1] = vaHi >>> 21;
    const hash = (number ^ (number >>> 12)) & (TLB_LARGE_BITS - 1);
    words[large + (hash >>> 5)]! |= 1 << (hash & 31);
  }

  /** Leaves of stage 1 that were noted are not any more. */
  forgetNoted(): void {
    const first = this.state.at(WALK_BLOCKS);
    this.state.words.fill(-1, first, first + 2 * WALK_BLOCK_COUNT);
    const large = this.state.at(TLB_LARGE);
    this.state.words.fill(0, large, large + TLB_LARGE_BITS / 32);
  }
}
