/**
 * The state of a vCPU that is not on a hart: one frame of physical memory, so that the processor can load and store it and
 * every thread sees it.
 *
 * | offset | content |
 * |---|---|
 * | 0 | x0 … x31 (x0 is ignored) |
 * | 256 | f0 … f31 |
 * | 512 | the CSRs of {@link SAVED}, 8 bytes each |
 * | 1024 | 32-bit words that are accessed atomically, see {@link Control} |
 * | 1088 | ranges of fences that are requested, see {@link VCpuContext.ranges} |
 */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { GUEST_CONTEXT_SIZE } from '@axvisor/axvisor_api/arch/riscv';
import { axError } from '@axvisor/axvisor_api/errors';
import { allocFrame, deallocFrame, physMemory } from '@axvisor/axvisor_api/memory';
import { guestCpus } from '@axvisor/axvisor_api/smp';

/** The CSRs of a vCPU, in the order of the frame. */
export const SAVED = [
  'sepc', 'sstatus', 'hstatus', 'vsstatus', 'vsie', 'vstvec', 'vsscratch', 'vsepc', 'vscause', 'vstval', 'vsatp', 'vstimecmp',
  'htimedelta', 'hvip', 'hcounteren', 'scounteren', 'senvcfg', 'fcsr',
] as const;
export type SavedCsr = (typeof SAVED)[number];

const FRAME_SIZE = 4096;
const CONTROL = 1024;
const F_BASE = 32;
const CSR_BASE = GUEST_CONTEXT_SIZE / 8;
const CSR_INDEX = Object.fromEntries(SAVED.map((name, i) => [name, CSR_BASE + i])) as Readonly<Record<SavedCsr, number>>;

/** 32-bit words for other threads, at offset 1024. */
export const Control = {
  pending: 0,
  changed: 1,
  requests: 2,
  /** The CPU on which it is in the guest or about to enter it, plus 1. */
  running: 3,
  /** Someone is at {@link VCpuContext.ranges}. */
  rangesHeld: 4,
  /** How many there are. */
  ranges: 5,
  /** It waits in hart_suspend or system_suspend. */
  suspended: 6,
} as const;

/** Most ranges that are kept. */
export const MAX_RANGES = 4;
const RANGES = 1088;

export class VCpuContext implements Disposable {
  readonly address: HostPhysAddr;
  /** The frame as 64-bit words. */
  readonly #longs: BigUint64Array;
  /** The control words. */
  readonly control: Int32Array;
  /** Of each range the first page's address, and the number of pages below the address space plus 1 in the upper half, 0 for all. */
  readonly ranges: BigUint64Array;

  /** vCPUs run on other threads. */
  readonly hasOthers: boolean = guestCpus() > 0;
  readonly #owned: boolean;

  /**
   * @param address - of a context that another thread made; default: a new one
   * @throws {AxError} NoMemory
   */
  constructor(address?: HostPhysAddr) {
    this.#owned = address === undefined;
    const frame = address ?? allocFrame();
    if (frame === undefined) throw axError('NoMemory', 'no frame for the context of a vCPU');
    this.address = frame;
    const { longs, words } = physMemory();
    const first = Number(frame);
    this.#longs = longs.subarray(first / 8, (first + FRAME_SIZE) / 8);
    this.control = words.subarray((first + CONTROL) / 4, (first + CONTROL) / 4 + Object.keys(Control).length);
    this.ranges = this.#longs.subarray(RANGES / 8, RANGES / 8 + 2 * MAX_RANGES);
    if (this.#owned) this.clear();
  }

  /** Everything zero, as after power-on. */
  clear(): void {
    this.#longs.fill(0n);
  }

  get suspended(): boolean {
    return Atomics.load(this.control, Control.suspended) !== 0;
  }

  /** By the thread that runs it. */
  set suspended(suspended: boolean) {
    if (this.suspended !== suspended) Atomics.store(this.control, Control.suspended, Number(suspended));
  }

  x(i: number): bigint {
    return i === 0 ? 0n : (this.#longs[i] as bigint);
  }

  setX(i: number, value: bigint): void {
    if (i !== 0) this.#longs[i] = value;
  }

  f(i: number): bigint {
    return this.#longs[F_BASE + i] as bigint;
  }

  setF(i: number, value: bigint): void {
    this.#longs[F_BASE + i] = value;
  }

  csr(name: SavedCsr): bigint {
    return this.#longs[CSR_INDEX[name]] as bigint;
  }

  setCsr(name: SavedCsr, value: bigint): void {
    this.#longs[CSR_INDEX[name]] = value;
  }

  [Symbol.dispose](): void {
    if (this.#owned) deallocFrame(this.address);
  }
}
