/**
 * The state of a vCPU that is neither on a processor nor in the control structure: one frame of physical memory, so that the processor can load and
 * store it and every thread sees it.
 *
 * | offset | content |
 * |---|---|
 * | 0 | general registers: the register context of entries |
 * | 1024 | x87, SSE and AVX state, as XSAVE writes it |
 * | 2048 | 64-bit words: what vCPUs share on a processor (shared_state.ts), then MSRs (msr.ts) |
 * | 3840 | 32-bit words, accessed atomically: {@link Control}, then the vectors asserted without a local APIC |
 */
import { GUEST_CONTEXT_SIZE, Gpr, XSAVE_AREA_SIZE } from '@axvisor/axvisor_api/arch/x86';
import { hpa, type HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { allocFrame, deallocFrame, physMemory } from '@axvisor/axvisor_api/memory';

const FRAME = 4096;
const XSAVE_OFFSET = 1024;
const WORDS = 2048;
const CONTROL = 3840;
/** 64-bit words there are room for. */
const MAX_WORDS = (CONTROL - WORDS) / 8;
/** XSTATE_BV, behind the legacy region. */
const XSTATE_BV = XSAVE_OFFSET + 512;
/** Where the legacy region has XMM0, and the AVX component in standard form the upper half of YMM0. */
const XMM = XSAVE_OFFSET + 160;
const UPPER = XSAVE_OFFSET + 576;
/** x87 in the legacy region: status word and the place of its TOP, tags in a bit each, the stack from ST0 on. */
const FSW = XSAVE_OFFSET + 2;
const TOP_SHIFT = 11;
const FTW = XSAVE_OFFSET + 4;
const ST0 = XSAVE_OFFSET + 32;
/** Bits of XSTATE_BV. */
const X87 = 1n;
const SSE = 2n;
const AVX = 4n;
const FCW_RESET = 0x37f;
const MXCSR_RESET = 0x1f80;

/** 32-bit words that other threads read or write while the vCPU runs. */
export const Control = {
  /** Pins of the local APIC that are asserted, a bit each in the order of `ApicPin`. */
  pins: 0,
  /** Nonzero: it waits for a startup IPI. */
  waitsForSipi: 1,
  /** The first of 8 words: vectors asserted without a local APIC, a bit each. */
  requests: 2,
  /** The CPU, plus 1, on which the vCPU ran last, whose translations are still true; 0: none. */
  translations: 10,
} as const;
const CONTROL_WORDS = 11;

/** A zeroed frame. @throws {AxError} NoMemory */
export function zeroedFrame(): HostPhysAddr {
  const frame = allocFrame();
  if (frame === undefined) throw axError('NoMemory', 'no frame for a vCPU');
  physMemory().bytes.fill(0, Number(frame), Number(frame) + FRAME);
  return frame;
}

export class Context implements Disposable {
  readonly address: HostPhysAddr;
  readonly xsaveArea: HostPhysAddr;
  /** The control words. */
  readonly control: Int32Array;
  /** Another thread made it and gives it back. */
  readonly #isShared: boolean;
  readonly #view: DataView;
  /** Words given out by {@link Context.words}. */
  #given = 0;

  /** @param shared - where another thread made it. @throws {AxError} NoMemory */
  constructor(shared?: HostPhysAddr) {
    this.#isShared = shared !== undefined;
    this.address = shared ?? zeroedFrame();
    this.xsaveArea = hpa(this.address + BigInt(XSAVE_OFFSET));
    const { bytes, words } = physMemory();
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + Number(this.address), FRAME);
    const control = (Number(this.address) + CONTROL) / 4;
    this.control = words.subarray(control, control + CONTROL_WORDS);
  }

  /** The next `count` 64-bit words of the frame; whoever asks in the same order gets the same ones. */
  words(count: number): BigUint64Array {
    ensure(this.#given + count <= MAX_WORDS, 'BadState', `the context has no ${count} more words`);
    const { longs } = physMemory();
    const first = (Number(this.address) + WORDS) / 8 + this.#given;
    this.#given += count;
    return longs.subarray(first, first + count);
  }

  /** Power-on state: zeroes, x87 and SSE as after INIT of the units. */
  clear(): void {
    const { bytes } = physMemory();
    const start = Number(this.address);
    bytes.fill(0, start, start + GUEST_CONTEXT_SIZE);
    bytes.fill(0, start + XSAVE_OFFSET, start + XSAVE_OFFSET + XSAVE_AREA_SIZE);
    this.#view.setUint16(XSAVE_OFFSET, FCW_RESET, true);
    this.#view.setUint32(XSAVE_OFFSET + 24, MXCSR_RESET, true);
    this.#view.setBigUint64(XSTATE_BV, 3n, true);
  }

  /** A general register but RSP, which is the control structure's. */
  get(index: number): bigint {
    return this.#view.getBigUint64(index * 8, true);
  }

  set(index: number, value: bigint): void {
    this.#view.setBigUint64(index * 8, BigInt.asUintN(64, value), true);
  }

  /** The low 32 bits of a register, as a number. */
  low(index: number): number {
    return this.#view.getUint32(index * 8, true);
  }

  /** Sets a register to 32 bits, zero-extended. */
  setLow(index: number, value: number): void {
    this.#view.setUint32(index * 8, value, true);
    this.#view.setUint32(index * 8 + 4, 0, true);
  }

  /** EDX:EAX, as CPUID, RDMSR and their like have it. */
  get edxEax(): bigint {
    return (BigInt(this.low(Gpr.RDX)) << 32n) | BigInt(this.low(Gpr.RAX));
  }

  set edxEax(value: bigint) {
    this.set(Gpr.RAX, BigInt.asUintN(32, value));
    this.set(Gpr.RDX, BigInt.asUintN(64, value) >> 32n);
  }

  /** What any MMX instruction does to the x87 state in the XSAVE area: registers are numbered from R0 on, and all valid (SDM vol. 1, 9.5.1). */
  beginMmx(): void {
    const view = this.#view;
    const states = view.getBigUint64(XSTATE_BV, true);
    if ((states & X87) === 0n) {
      for (let at = ST0; at < XMM; at += 8) view.setBigUint64(at, 0n, true);
      view.setBigUint64(XSAVE_OFFSET, BigInt(FCW_RESET), true);
      view.setBigUint64(XSTATE_BV, states | X87, true);
    }
    const status = view.getUint16(FSW, true);
    const stack = Array.from({ length: 8 }, (_, i) => [view.getBigUint64(ST0 + 16 * i, true), view.getBigUint64(ST0 + 16 * i + 8, true)] as const);
    for (const [i, [low, high]] of stack.entries()) {
      const at = ST0 + 16 * ((i + (status >> TOP_SHIFT)) & 7);
      view.setBigUint64(at, low, true);
      view.setBigUint64(at + 8, high, true);
    }
    view.setUint16(FSW, status & ~(7 << TOP_SHIFT), true);
    view.setUint8(FTW, 0xff);
  }

  /** An MMX register behind {@link beginMmx}. */
  mmx(index: number): bigint {
    return this.#view.getBigUint64(ST0 + 16 * index, true);
  }

  setMmx(index: number, value: bigint): void {
    this.#view.setBigUint64(ST0 + 16 * index, value, true);
    this.#view.setUint16(ST0 + 16 * index + 8, 0xffff, true);
  }

  /** Half of an XMM register in the XSAVE area. */
  xmm(index: number, half: 0 | 1): bigint {
    return this.#view.getBigUint64(XMM + index * 16 + half * 8, true);
  }

  setXmm(index: number, half: 0 | 1, value: bigint): void {
    this.#view.setBigUint64(XMM + index * 16 + half * 8, value, true);
    this.#view.setBigUint64(XSTATE_BV, this.#view.getBigUint64(XSTATE_BV, true) | SSE, true);
  }

  /** A quarter of a YMM register: half of its upper half. */
  upper(index: number, half: 0 | 1): bigint {
    return (this.#view.getBigUint64(XSTATE_BV, true) & AVX) === 0n ? 0n : this.#view.getBigUint64(UPPER + index * 16 + half * 8, true);
  }

  setUpper(index: number, half: 0 | 1, value: bigint): void {
    const present = this.#view.getBigUint64(XSTATE_BV, true);
    if ((present & AVX) === 0n) for (let at = UPPER; at < XSAVE_OFFSET + XSAVE_AREA_SIZE; at += 8) this.#view.setBigUint64(at, 0n, true);
    this.#view.setBigUint64(UPPER + index * 16 + half * 8, value, true);
    this.#view.setBigUint64(XSTATE_BV, present | AVX, true);
  }

  [Symbol.dispose](): void {
    if (!this.#isShared) deallocFrame(this.address);
  }
}
