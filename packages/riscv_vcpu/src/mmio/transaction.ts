/**
 * A device access under way: from the exit that asks for it to the completed instruction. The program counter moves only
 * then, so that an access to which nothing answers is a precise fault. An atomic operation takes two exits, a load and a
 * store.
 */
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { ALL_ONES } from '../fields.ts';
import { F } from './access.ts';
import type { DeviceInstruction } from './instruction.ts';

export type MmioExit = Extract<AxVCpuExitReason, { readonly reason: 'MmioRead' | 'MmioWrite' }>;

/** What a transaction does to its vCPU. */
export interface Registers {
  /** Register 0-31 x, 32-63 f. */
  getRegister(index: number): bigint;
  setRegister(index: number, value: bigint): void;
  advance(bytes: number): void;
}

/** The low bits of the address of an aligned access. */
const OFFSET: Readonly<Record<AccessWidth, bigint>> = { 1: 0n, 2: 1n, 4: 3n, 8: 7n };

/** With constants: the runtime has no instructions for a truncation to a width that it does not know. */
const TRUNCATE: Readonly<Record<AccessWidth, (value: bigint) => bigint>> = {
  1: (value) => BigInt.asUintN(8, value),
  2: (value) => BigInt.asUintN(16, value),
  4: (value) => BigInt.asUintN(32, value),
  8: (value) => BigInt.asUintN(64, value),
};
const ofWidth = (value: bigint, width: AccessWidth): bigint => TRUNCATE[width](value);

/** `value` as an f register holds it: narrower formats with all upper bits set (unprivileged specification, "NaN Boxing of Narrower Values"). */
const nanBoxed = (value: bigint, width: AccessWidth): bigint => ofWidth(value, width) | (ALL_ONES ^ ofWidth(ALL_ONES, width));

export class MmioTransaction {
  readonly #registers: Registers;
  /** What is under way, and what it waits for: the value of a load, or that a store is not refused. */
  #instruction: DeviceInstruction | undefined;
  #waitsFor: 'load' | 'store' | undefined;
  #addr = 0n as GuestPhysAddr;
  /** The value an atomic operation loaded. */
  #old = 0n;
  /** The next exit without entering the guest. */
  #next: MmioExit | undefined;
  /** The bytes an LR reserved. */
  #reserved: { readonly addr: bigint; readonly width: AccessWidth } | undefined;

  constructor(registers: Registers) {
    this.#registers = registers;
  }

  /** Starts the access of `instruction` at `addr`. `undefined` if no device can answer it: misaligned, or SC without its LR. */
  begin(instruction: DeviceInstruction, addr: GuestPhysAddr): MmioExit | undefined {
    this.cancel();
    const { access } = instruction;
    const { width } = access;
    if ((addr & OFFSET[width]) !== 0n) return undefined;
    if (access.kind === 'sc') {
      const matches = this.#reserved?.addr === addr && this.#reserved.width === width;
      this.#reserved = undefined;
      if (!matches) return undefined;
    }
    this.#instruction = instruction;
    this.#addr = addr;
    if (access.kind === 'store' || access.kind === 'sc') return this.#write(width, this.#operand(access.rs2, width));
    this.#waitsFor = 'load';
    return { reason: 'MmioRead', addr, width, reg: access.rd, regWidth: 8, signedExt: access.kind !== 'load' || access.signed };
  }

  /** Takes the value of a load; `false` if none of register `rd` is waiting. */
  completeLoad(rd: number, value: bigint): boolean {
    const access = this.#instruction?.access;
    if (access === undefined || this.#waitsFor !== 'load' || access.kind === 'store' || access.rd !== rd) return false;
    this.#waitsFor = undefined;
    if (access.kind === 'amo') {
      const { operation, rs2, width } = access;
      this.#old = value;
      this.#next = this.#write(width, ofWidth(operation(ofWidth(value, width), this.#operand(rs2, width), 8 * width), width));
      return true;
    }
    if (access.kind === 'lr') this.#reserved = { addr: this.#addr, width: access.width };
    this.#finish(rd, access.kind === 'load' && rd >= F ? nanBoxed(value, access.width) : value);
    return true;
  }

  /** Before the guest goes on: completes a store, or returns the next exit of the same instruction. */
  resume(): MmioExit | undefined {
    const next = this.#next;
    if (next !== undefined) {
      this.#next = undefined;
      return next;
    }
    const access = this.#waitsFor === 'store' ? this.#instruction?.access : undefined;
    if (access?.kind === 'amo') this.#finish(access.rd, this.#old);
    else if (access?.kind === 'sc') this.#finish(access.rd, 0n);
    else if (access !== undefined) this.#advance();
    this.cancel();
    return undefined;
  }

  /** Forgets the access: it was refused, or the vCPU starts anew. */
  cancel(): void {
    this.#waitsFor = undefined;
    this.#next = undefined;
  }

  #operand(register: number, width: AccessWidth): bigint {
    return ofWidth(this.#registers.getRegister(register), width);
  }

  #write(width: AccessWidth, data: bigint): MmioExit {
    this.#waitsFor = 'store';
    return { reason: 'MmioWrite', addr: this.#addr, width, data };
  }

  #finish(rd: number, value: bigint): void {
    this.#registers.setRegister(rd, value);
    this.#advance();
  }

  #advance(): void {
    this.#registers.advance((this.#instruction as DeviceInstruction).length);
  }
}
