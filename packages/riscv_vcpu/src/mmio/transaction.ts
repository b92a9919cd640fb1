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

const ofWidth = (value: bigint, width: AccessWidth): bigint => BigInt.asUintN(8 * width, value);

/** `value` as an f register holds it: narrower formats with all upper bits set (unprivileged specification, "NaN Boxing of Narrower Values"). */
const nanBoxed = (value: bigint, width: AccessWidth): bigint => ofWidth(value, width) | (ALL_ONES ^ ofWidth(ALL_ONES, width));

export class MmioTransaction {
  readonly #registers: Registers;
  /** Waits for the value of a load of `rd`. */
  #load: { readonly rd: number; readonly done: (value: bigint) => void } | undefined;
  /** The next exit without entering the guest. */
  #next: MmioExit | undefined;
  /** What completes a store that was not refused. */
  #store: (() => void) | undefined;
  /** The bytes an LR reserved. */
  #reserved: { readonly addr: bigint; readonly width: AccessWidth } | undefined;

  constructor(registers: Registers) {
    this.#registers = registers;
  }

  /** Starts the access of `instruction` at `addr`. `undefined` if no device can answer it: misaligned, or SC without its LR. */
  begin({ access, length }: DeviceInstruction, addr: GuestPhysAddr): MmioExit | undefined {
    this.cancel();
    const { width } = access;
    if ((addr & BigInt(width - 1)) !== 0n) return undefined;
    const registers = this.#registers;
    const operand = (index: number): bigint => ofWidth(registers.getRegister(index), width);
    const finish = (rd: number, value: bigint): void => {
      registers.setRegister(rd, value);
      registers.advance(length);
    };
    switch (access.kind) {
      case 'load':
        return this.#read(addr, width, access.rd, access.signed, (value) => finish(access.rd, access.rd >= F ? nanBoxed(value, width) : value));
      case 'lr':
        return this.#read(addr, width, access.rd, true, (value) => {
          this.#reserved = { addr, width };
          finish(access.rd, value);
        });
      case 'store':
        return this.#write(addr, width, operand(access.rs2), () => registers.advance(length));
      case 'sc': {
        const matches = this.#reserved?.addr === addr && this.#reserved.width === width;
        this.#reserved = undefined;
        return matches ? this.#write(addr, width, operand(access.rs2), () => finish(access.rd, 0n)) : undefined;
      }
      case 'amo': {
        const { operation, rd, rs2 } = access;
        return this.#read(addr, width, rd, true, (old) => {
          const data = ofWidth(operation(ofWidth(old, width), operand(rs2), 8 * width), width);
          this.#next = this.#write(addr, width, data, () => finish(rd, old));
        });
      }
    }
  }

  /** Takes the value of a load; `false` if none of register `rd` is waiting. */
  completeLoad(rd: number, value: bigint): boolean {
    const load = this.#load;
    if (load?.rd !== rd) return false;
    this.#load = undefined;
    load.done(value);
    return true;
  }

  /** Before the guest goes on: completes a store, or returns the next exit of the same instruction. */
  resume(): MmioExit | undefined {
    const next = this.#next;
    if (next !== undefined) {
      this.#next = undefined;
      return next;
    }
    const store = this.#store;
    this.cancel();
    store?.();
    return undefined;
  }

  /** Forgets the access: it was refused, or the vCPU starts anew. */
  cancel(): void {
    this.#load = undefined;
    this.#next = undefined;
    this.#store = undefined;
  }

  #read(addr: GuestPhysAddr, width: AccessWidth, reg: number, signedExt: boolean, done: (value: bigint) => void): MmioExit {
    this.#load = { rd: reg, done };
    return { reason: 'MmioRead', addr, width, reg, regWidth: 8, signedExt };
  }

  #write(addr: GuestPhysAddr, width: AccessWidth, data: bigint, done: () => void): MmioExit {
    this.#store = done;
    return { reason: 'MmioWrite', addr, width, data };
  }
}
