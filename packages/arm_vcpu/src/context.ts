/**
 * The state of a vCPU that is not on a processing element: one frame of physical memory, so that the processor can load and store it and
 * every thread sees it.
 *
 * | offset | content |
 * |---|---|
 * | 0 | x0 … x30, v0 … v31: the register context of `enterGuest` |
 * | 768 | the system registers of {@link SAVED}, 8 bytes each |
 * | 2048 | pins (32-bit words, accessed atomically) |
 */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { GUEST_CONTEXT_SIZE, GUEST_CONTEXT_V } from '@axvisor/axvisor_api/arch/arm';
import { axError } from '@axvisor/axvisor_api/errors';
import { allocFrame, deallocFrame, physMemory } from '@axvisor/axvisor_api/memory';
import { SAVED, type SavedKey } from './saved.ts';

const FRAME_SIZE = 4096;
const CONTROL = 2048;
const V_BASE = GUEST_CONTEXT_V / 8;
const REG_BASE = GUEST_CONTEXT_SIZE / 8;
const REG_INDEX = Object.fromEntries(SAVED.map(({ key }, i) => [key, REG_BASE + i])) as Readonly<Record<SavedKey, number>>;

/** The register that is zero as a source and nowhere as a destination. */
export const XZR = 31;

/** 32-bit words for other threads, at offset 2048. */
export const Control = { pins: 0 } as const;

export class VCpuContext implements Disposable {
  readonly address: HostPhysAddr;
  /** Another thread made it and gives it back. */
  readonly #isShared: boolean;
  /** The frame as 64-bit words. */
  readonly #longs: BigUint64Array;
  /** The control words. */
  readonly control: Int32Array;

  /** @param shared - where another thread made it. @throws {AxError} NoMemory */
  constructor(shared?: HostPhysAddr) {
    const frame = shared ?? allocFrame();
    if (frame === undefined) throw axError('NoMemory', 'no frame for the context of a vCPU');
    this.#isShared = shared !== undefined;
    this.address = frame;
    const { longs, words } = physMemory();
    const first = Number(frame);
    this.#longs = longs.subarray(first / 8, (first + FRAME_SIZE) / 8);
    this.control = words.subarray((first + CONTROL) / 4, (first + CONTROL) / 4 + Object.keys(Control).length);
    if (!this.#isShared) this.#longs.fill(0n);
  }

  /** All registers zero, as after power-on. Pins are wires, and stay as they are. */
  clear(): void {
    this.#longs.fill(0n, 0, CONTROL / 8);
  }

  x(i: number): bigint {
    return i === XZR ? 0n : (this.#longs[i] as bigint);
  }

  setX(i: number, value: bigint): void {
    if (i !== XZR) this.#longs[i] = value;
  }

  /** A half of a SIMD and floating-point register: 0 low, 1 high. */
  v(i: number, half: 0 | 1): bigint {
    return this.#longs[V_BASE + 2 * i + half] as bigint;
  }

  setV(i: number, half: 0 | 1, value: bigint): void {
    this.#longs[V_BASE + 2 * i + half] = value;
  }

  reg(key: SavedKey): bigint {
    return this.#longs[REG_INDEX[key]] as bigint;
  }

  setReg(key: SavedKey, value: bigint): void {
    this.#longs[REG_INDEX[key]] = value;
  }

  [Symbol.dispose](): void {
    if (!this.#isShared) deallocFrame(this.address);
  }
}
