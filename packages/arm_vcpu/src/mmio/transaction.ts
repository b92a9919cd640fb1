/**
 * A device access under way: one exit for each transfer, and at the end the registers and the program counter. Nothing changes before the last
 * transfer is done, so that an access to which nothing answers is a precise fault.
 */
import { gpa, type GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { extendLoad, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import type { DeviceAccess, LoadTarget, Transfer } from './access.ts';

export type MmioExit = Extract<AxVCpuExitReason, { readonly reason: 'MmioRead' | 'MmioWrite' }>;

/** What a transaction does to its vCPU. */
export interface Registers {
  x(index: number): bigint;
  setX(index: number, value: bigint): void;
  v(index: number, half: 0 | 1): bigint;
  setV(index: number, half: 0 | 1, value: bigint): void;
  /** The stack pointer of the guest's exception level. */
  setSp(value: bigint): void;
  /** Data accesses of the guest are big-endian now. */
  readonly bigEndian: boolean;
  advance(bytes: number): void;
}

/** Where the v registers begin in the numbering of exits. */
export const V = 32;

const INSTRUCTION_BYTES = 4;

/** Bits of an address that say how it is aligned. */
const LOW = 0xfn;

const ofWidth = (value: bigint, width: number): bigint => BigInt.asUintN(8 * width, value);

function swapped(value: bigint, width: AccessWidth): bigint {
  let result = 0n;
  for (let i = 0; i < width; i++) result = (result << 8n) | ((value >> BigInt(8 * i)) & 0xffn);
  return result;
}

/** Replaces `width` bytes from `byte` on of a 16-byte register. */
function insert(registers: Registers, reg: number, byte: number, width: number, value: bigint): void {
  const half = (byte >> 3) as 0 | 1;
  const shift = BigInt(8 * (byte & 7));
  const mask = ((1n << BigInt(8 * width)) - 1n) << shift;
  registers.setV(reg, half, (registers.v(reg, half) & ~mask) | ((value << shift) & mask));
}

function load(registers: Registers, target: LoadTarget, width: AccessWidth, value: bigint): void {
  switch (target.kind) {
    case 'x':
      return registers.setX(target.reg, extendLoad(value, width, target.regWidth, target.signed));
    case 'v':
      if (target.clear) for (const half of [0, 1] as const) registers.setV(target.reg, half, 0n);
      return insert(registers, target.reg, target.byte, width, value);
    case 'replicate':
      for (const half of [0, 1] as const) registers.setV(target.reg, half, 0n);
      for (let byte = 0; byte < target.bytes; byte += width) insert(registers, target.reg, byte, width, value);
  }
}

interface Running {
  readonly access: DeviceAccess;
  readonly start: GuestPhysAddr;
  readonly values: bigint[];
}

export class MmioTransaction {
  readonly #registers: Registers;
  #running: Running | undefined;
  /** The register number of the load that waits for its value. */
  #waiting: number | undefined;

  constructor(registers: Registers) {
    this.#registers = registers;
  }

  /** Starts `access` at `start`. `undefined` if no device can answer it: misaligned. */
  begin(access: DeviceAccess, start: GuestPhysAddr): MmioExit | undefined {
    this.cancel();
    const low = Number(start & LOW);
    if (!access.transfers.every(({ offset, width }) => ((low + offset) & (width - 1)) === 0)) return undefined;
    this.#running = { access, start, values: [] };
    return this.#next();
  }

  /** Takes the value of a load; `false` if none of register `reg` is waiting. */
  completeLoad(reg: number, value: bigint): boolean {
    if (this.#running === undefined || this.#waiting !== reg) return false;
    this.#waiting = undefined;
    this.#running.values.push(value);
    if (this.#running.values.length === this.#running.access.transfers.length) this.#finish(this.#running);
    return true;
  }

  /** Before the guest goes on: what was not refused is done; returns the next exit of the same instruction. */
  resume(): MmioExit | undefined {
    const running = this.#running;
    if (running === undefined) return undefined;
    // Nobody answered: the instruction is executed again.
    if (this.#waiting !== undefined) return this.cancel();
    const { values, access } = running;
    if (!access.isLoad) values.push(0n);
    if (values.length < access.transfers.length) return this.#next();
    this.#finish(running);
    return undefined;
  }

  /** Forgets the access: it was refused, or the vCPU starts anew. */
  cancel(): undefined {
    this.#running = undefined;
    this.#waiting = undefined;
  }

  #finish({ access, values }: Running): void {
    this.cancel();
    const registers = this.#registers;
    access.transfers.forEach((transfer, i) => {
      if (transfer.kind !== 'load') return;
      const raw = ofWidth(values[i] as bigint, transfer.width);
      load(registers, transfer.target, transfer.width, registers.bigEndian ? swapped(raw, transfer.width) : raw);
    });
    const { writeback } = access;
    if (writeback?.reg === 31) registers.setSp(writeback.value);
    else if (writeback !== undefined) registers.setX(writeback.reg, writeback.value);
    registers.advance(INSTRUCTION_BYTES);
  }

  #next(): MmioExit | undefined {
    const { access, start, values } = this.#running as Running;
    const transfer = access.transfers[values.length] as Transfer;
    const { width, offset } = transfer;
    const addr = offset === 0 ? start : gpa(BigInt.asUintN(64, start + BigInt(offset)));
    const { bigEndian } = this.#registers;
    if (transfer.kind === 'store') {
      const { kind, reg, byte } = transfer.source;
      const register = kind === 'x' ? this.#registers.x(reg) : this.#registers.v(reg, (byte >> 3) as 0 | 1);
      const data = ofWidth(register >> BigInt(8 * (byte & 7)), width);
      return { reason: 'MmioWrite', addr, width, data: bigEndian ? swapped(data, width) : data };
    }
    const { target } = transfer;
    const reg = target.kind === 'x' ? target.reg : V + target.reg;
    this.#waiting = reg;
    const extension = target.kind === 'x' && !bigEndian ? { regWidth: target.regWidth, signedExt: target.signed } : ({ regWidth: 8, signedExt: false } as const);
    return { reason: 'MmioRead', addr, width, reg, ...extension };
  }
}
