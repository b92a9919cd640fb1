/**
 * What the translation control registers say about a walk, decoded once and kept until one of them changes (Arm ARM, chapter
 * D8, "Translation table walk properties"). Armv8.0 sizes: at most 48 bits of input and output, no TTST, LPA or LVA.
 */

import { Vtcr } from './fields.ts';
import type { State } from './registers.ts';
import { slot } from './stored.ts';

const { TCR_EL1, TTBR0_EL1, TTBR1_EL1, TCR_EL2, TTBR0_EL2, VTCR_EL2, VTTBR_EL2 } = slot;

/** Bits of physical address by PARange, IPS and PS; reserved values mean the largest. */
const sizeBits: readonly number[] = [32, 36, 40, 42, 44, 48, 48, 48];

/** log2 of the granule by TG0 (also of VTCR_EL2), and by TG1; a reserved value means 4 KiB. */
const tg0: readonly number[] = [12, 16, 14, 12];
const tg1: readonly number[] = [12, 14, 12, 16];

/** Stage 2 start level by granule and SL0, -1 reserved. */
const startLevels: Readonly<Record<number, readonly number[]>> = { 12: [2, 1, 0, -1], 14: [3, 2, 1, -1], 16: [3, 2, 1, -1] };

/** Least PA size for the start level that SL0 = 0b10 asks for. */
const sl0Needs: Readonly<Record<number, number>> = { 12: 44, 14: 42, 16: 44 };

/** PARange as bits of physical address. */
export function paBits(state: State): number {
  return sizeBits[state.options.paRange ?? 2]!;
}

/** One table root and how it is walked. */
export class WalkConfig {
  /** log2 of the granule, bits resolved by a full table, bits of input. */
  granule = 12;
  stride = 9;
  inputBits = 48;
  startLevel = 0;
  /** Index mask of the first table, which may be smaller, or for stage 2 larger, than the others. */
  rootMask = 0x1ff;
  /** Physical (or intermediate physical) address of the first table. */
  base = 0;
  /** Bits of output address. */
  outputBits = 48;
  /** Walks are disabled or the sizes reserved: a level 0 translation fault. */
  disabled = false;
  /** The root lies beyond the output size: a level 0 address size fault. */
  baseFault = false;
  /** The top byte of the input is ignored. */
  tbi = false;
  /** Hardware sets the Access flag; hardware manages dirty state. */
  ha = false;
  hd = false;

  set(granule: number, tsz: number, ttbrLo: number, ttbrHi: number, outputBits: number, startLevel: number | undefined): void {
    this.granule = granule;
    this.stride = granule - 3;
    this.inputBits = 64 - tsz;
    this.outputBits = outputBits;
    // Smaller than 39 needs TTST, larger than 48 LVA.
    this.disabled = tsz < 16 || tsz > 39;
    if (this.disabled) return;
    this.startLevel = startLevel ?? 4 - Math.ceil((this.inputBits - granule) / this.stride);
    const rootBits = this.inputBits - granule - (3 - this.startLevel) * this.stride;
    // Stage 2 may concatenate up to 16 tables.
    if (rootBits < 1 || rootBits > this.stride + (startLevel === undefined ? 0 : 4)) {
      this.disabled = true;
      return;
    }
    this.rootMask = (1 << rootBits) - 1;
    const align = rootBits + 3;
    const hi = ttbrHi & 0xffff;
    this.base = hi * 0x1_0000_0000 + ((ttbrLo & ~((1 << align) - 1)) >>> 0);
    this.baseFault = hi >>> (outputBits - 32) !== 0;
  }
}

/** The four walks of a processing element. */
export class WalkConfigs {
  readonly lower: WalkConfig = new WalkConfig();
  readonly upper: WalkConfig = new WalkConfig();
  readonly el2: WalkConfig = new WalkConfig();
  readonly stage2: WalkConfig = new WalkConfig();
  private controls = -1;

  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  /** Decodes the registers again if one has changed. */
  update(): void {
    const { state } = this;
    if (this.controls === state.controls) return;
    this.controls = state.controls;
    const { sys } = state;
    const pa = paBits(state);
    const output = (ps: number): number => Math.min(pa, sizeBits[ps & 7]!);

    const tcr = sys[TCR_EL1]!;
    const tcrHi = sys[TCR_EL1 + 1]!;
    const ips = output(tcrHi);
    const { lower, upper, el2, stage2 } = this;
    lower.set(tg0[(tcr >>> 14) & 3]!, tcr & 0x3f, sys[TTBR0_EL1]!, sys[TTBR0_EL1 + 1]!, ips, undefined);
    upper.set(tg1[tcr >>> 30]!, (tcr >>> 16) & 0x3f, sys[TTBR1_EL1]!, sys[TTBR1_EL1 + 1]!, ips, undefined);
    lower.disabled ||= (tcr & (1 << 7)) !== 0;
    upper.disabled ||= (tcr & (1 << 23)) !== 0;
    lower.tbi = (tcrHi & (1 << 5)) !== 0;
    upper.tbi = (tcrHi & (1 << 6)) !== 0;
    lower.ha = upper.ha = (tcrHi & (1 << 7)) !== 0;
    lower.hd = upper.hd = lower.ha && (tcrHi & (1 << 8)) !== 0;

    const tcr2 = sys[TCR_EL2]!;
    el2.set(tg0[(tcr2 >>> 14) & 3]!, tcr2 & 0x3f, sys[TTBR0_EL2]!, sys[TTBR0_EL2 + 1]!, output(tcr2 >>> 16), undefined);
    el2.tbi = (tcr2 & (1 << 20)) !== 0;
    el2.ha = (tcr2 & (1 << 21)) !== 0;
    el2.hd = el2.ha && (tcr2 & (1 << 22)) !== 0;

    const vtcr = sys[VTCR_EL2]!;
    const granule = tg0[(vtcr >>> 14) & 3]!;
    const sl0 = (vtcr >>> 6) & 3;
    const start = startLevels[granule]![sl0]!;
    stage2.set(granule, vtcr & 0x3f, sys[VTTBR_EL2]!, sys[VTTBR_EL2 + 1]!, output(vtcr >>> 16), Math.max(start, 0));
    stage2.disabled ||= start < 0 || (sl0 === 2 && pa < sl0Needs[granule]!);
    stage2.ha = (vtcr & Vtcr.HA) !== 0;
    stage2.hd = stage2.ha && (vtcr & Vtcr.HD) !== 0;
  }
}
