/**
 * A platform-level interrupt controller (RISC-V PLIC specification 1.0.0): priorities, enables, thresholds and claim/complete
 * for each context, level-triggered gateways. Fully virtual: one for each VM.
 *
 * Contexts are numbered as on a board whose harts have M- and S-mode: 2h is hart h in M-mode (never delivered to a guest),
 * 2h + 1 is hart h in S-mode, delivered as VSEI.
 */
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import type { Device, DeviceRegion, IrqLine } from '@axvisor/axvisor_api/device';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { ensure } from '@axvisor/axvisor_api/errors';
import type { IntcContext, InterruptController } from '@axvisor/axvisor_api/intc';

/** The specification's limits. */
export const MAX_SOURCES = 1023;
export const MAX_CONTEXTS = 15872;

/** Register blocks (specification, chapter 3). */
export const PRIORITY_BASE = 0x0;
export const PENDING_BASE = 0x1000;
export const ENABLE_BASE = 0x2000;
export const ENABLE_STRIDE = 0x80;
export const CONTEXT_BASE = 0x20_0000;
export const CONTEXT_STRIDE = 0x1000;
const CONTEXT_THRESHOLD = 0;
const CONTEXT_CLAIM = 4;

/** Three bits of priority, as the PLIC of the `virt` board has. */
const MAX_PRIORITY = 7;
/** Bytes of the register file of the `virt` board. */
const MIN_SIZE = 0x60_0000;

/** The interrupt a context drives: virtual supervisor external. */
const VSEI = 10;

const CONTEXTS_PER_HART = 2;
const S_MODE = 1;

export class Plic implements Device, InterruptController {
  readonly name: string;
  readonly model = 'plic';
  readonly regions: readonly DeviceRegion[];
  readonly devices: readonly Device[] = [this];
  /** Completions. */
  readonly posted: readonly number[];
  readonly sources: number;
  readonly #context: IntcContext;
  readonly #words: number;
  readonly #contexts: number;
  readonly #priority: Uint8Array;
  /** Bit sets over sources, 32 to a word. Source 0 does not exist. */
  readonly #level: Uint32Array;
  readonly #pending: Uint32Array;
  /** Claimed and not completed: the gateway holds back further requests. */
  readonly #claimed: Uint32Array;
  readonly #enable: Uint32Array[];
  readonly #threshold: Uint8Array;
  readonly #output: boolean[];

  /** @throws {AxError} InvalidInput */
  constructor({ base, sources = 95 }: { readonly base: bigint; readonly sources?: number }, context: IntcContext) {
    ensure(Number.isInteger(sources) && sources >= 1 && sources <= MAX_SOURCES, 'InvalidInput', `a PLIC has 1 to ${MAX_SOURCES} sources, not ${sources}`);
    this.#contexts = CONTEXTS_PER_HART * context.vcpuCount;
    ensure(context.vcpuCount >= 1 && this.#contexts <= MAX_CONTEXTS, 'InvalidInput', `a PLIC has at most ${MAX_CONTEXTS} contexts`);
    this.name = `plic@${base.toString(16)}`;
    this.#context = context;
    this.sources = sources;
    this.#words = (sources >> 5) + 1;
    const size = Math.max(MIN_SIZE, CONTEXT_BASE + this.#contexts * CONTEXT_STRIDE);
    this.regions = [{ space: 'mmio', range: rangeFromStartSize(gpa(base), BigInt(size)) }];
    this.#priority = new Uint8Array(sources + 1);
    this.#level = new Uint32Array(this.#words);
    this.#pending = new Uint32Array(this.#words);
    this.#claimed = new Uint32Array(this.#words);
    this.#enable = Array.from({ length: this.#contexts }, () => new Uint32Array(this.#words));
    this.#threshold = new Uint8Array(this.#contexts);
    this.posted = Array.from({ length: this.#contexts }, (_, i) => CONTEXT_BASE + i * CONTEXT_STRIDE + CONTEXT_CLAIM);
    this.#output = Array.from({ length: context.vcpuCount }, () => false);
  }

  /** @throws {AxError} OutOfRange */
  line(irq: number): IrqLine {
    ensure(Number.isInteger(irq) && irq >= 1 && irq <= this.sources, 'OutOfRange', `the PLIC has sources 1 to ${this.sources}, not ${irq}`);
    const word = irq >> 5;
    const bit = 1 << (irq & 31);
    return {
      irq,
      set: (level) => {
        const was = (this.#level[word] as number) & bit;
        if ((was !== 0) === level) return;
        if (level) {
          (this.#level[word] as number) |= bit;
          if (((this.#claimed[word] as number) & bit) === 0) (this.#pending[word] as number) |= bit;
        } else {
          (this.#level[word] as number) &= ~bit;
          (this.#pending[word] as number) &= ~bit;
        }
        this.#update();
      },
    };
  }

  reset(): void {
    for (const array of [this.#priority, this.#pending, this.#claimed, this.#threshold, ...this.#enable]) array.fill(0);
    this.#pending.set(this.#level);
    this.#update();
  }

  /** Registers are 32 bits wide; other widths read 0 and write nothing. */
  read(offset: number, width: AccessWidth): bigint {
    if (width !== 4 || (offset & 3) !== 0) return 0n;
    return BigInt(this.#read(offset) >>> 0);
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    if (width !== 4 || (offset & 3) !== 0) return;
    this.#write(offset, Number(value));
  }

  #read(offset: number): number {
    if (offset < PENDING_BASE) return this.#priority[(offset - PRIORITY_BASE) >> 2] ?? 0;
    if (offset < ENABLE_BASE) return this.#pending[(offset - PENDING_BASE) >> 2] ?? 0;
    if (offset < CONTEXT_BASE) return this.#enable[Math.floor((offset - ENABLE_BASE) / ENABLE_STRIDE)]?.[((offset - ENABLE_BASE) % ENABLE_STRIDE) >> 2] ?? 0;
    const context = Math.floor((offset - CONTEXT_BASE) / CONTEXT_STRIDE);
    const register = (offset - CONTEXT_BASE) % CONTEXT_STRIDE;
    if (context >= this.#contexts) return 0;
    if (register === CONTEXT_THRESHOLD) return this.#threshold[context] ?? 0;
    return register === CONTEXT_CLAIM ? this.#claim(context) : 0;
  }

  #write(offset: number, value: number): void {
    if (offset < PENDING_BASE) {
      const source = (offset - PRIORITY_BASE) >> 2;
      if (source >= 1 && source <= this.sources) this.#priority[source] = value & MAX_PRIORITY;
    } else if (offset < ENABLE_BASE) {
      return; // pending bits are read-only
    } else if (offset < CONTEXT_BASE) {
      const enable = this.#enable[Math.floor((offset - ENABLE_BASE) / ENABLE_STRIDE)];
      const word = ((offset - ENABLE_BASE) % ENABLE_STRIDE) >> 2;
      if (enable !== undefined && word < this.#words) enable[word] = value & this.#existing(word);
    } else {
      const context = Math.floor((offset - CONTEXT_BASE) / CONTEXT_STRIDE);
      const register = (offset - CONTEXT_BASE) % CONTEXT_STRIDE;
      if (context >= this.#contexts) return;
      if (register === CONTEXT_THRESHOLD) this.#threshold[context] = value & MAX_PRIORITY;
      else if (register === CONTEXT_CLAIM) this.#complete(context, value);
      else return;
    }
    this.#update();
  }

  /** Mask of the sources that exist in a word. */
  #existing(word: number): number {
    const first = word << 5;
    const upTo = this.sources - first + 1;
    const mask = upTo >= 32 ? 0xffff_ffff : (1 << upTo) - 1;
    return word === 0 ? mask & ~1 : mask;
  }

  /** The highest-priority pending and enabled source above `threshold`; the lowest number wins a tie; 0: none. */
  #best(context: number, threshold: number): number {
    const enable = this.#enable[context] as Uint32Array;
    let best = 0;
    let bestPriority = threshold;
    for (let word = 0; word < this.#words; word++) {
      let bits = ((this.#pending[word] as number) & (enable[word] as number)) >>> 0;
      while (bits !== 0) {
        const source = (word << 5) + (31 - Math.clz32(bits & -bits));
        bits &= bits - 1;
        const priority = this.#priority[source] as number;
        if (priority > bestPriority) {
          best = source;
          bestPriority = priority;
        }
      }
    }
    return best;
  }

  /** Claiming ignores the threshold (specification, chapter 7). */
  #claim(context: number): number {
    const source = this.#best(context, 0);
    if (source !== 0) {
      const bit = 1 << (source & 31);
      (this.#pending[source >> 5] as number) &= ~bit;
      (this.#claimed[source >> 5] as number) |= bit;
      this.#update();
    }
    return source;
  }

  /** A completion of a source that is not enabled for the context is ignored (specification, chapter 9). */
  #complete(context: number, source: number): void {
    if (source < 1 || source > this.sources) return;
    const word = source >> 5;
    const bit = 1 << (source & 31);
    if (((this.#enable[context]?.[word] ?? 0) & bit) === 0) return;
    (this.#claimed[word] as number) &= ~bit;
    if (((this.#level[word] as number) & bit) !== 0) (this.#pending[word] as number) |= bit;
  }

  /** Drives the interrupt of every hart's S-mode context. */
  #update(): void {
    for (let hart = 0; hart < this.#output.length; hart++) {
      const context = CONTEXTS_PER_HART * hart + S_MODE;
      const level = this.#best(context, this.#threshold[context] as number) !== 0;
      if (level === this.#output[hart]) continue;
      this.#output[hart] = level;
      this.#context.setVcpuInterrupt(hart, VSEI, level);
    }
  }
}
