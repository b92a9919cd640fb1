/** One instruction that the hypervisor carries out for the guest, from its first transfer to the last. */
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import { MappingFlags } from '@axvisor/axvisor_api/addrspace';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { GuestFault } from '../paging.ts';
import type { Steps, Transfer } from './machine.ts';
import type { JUMPED, Next, SHADOWED } from './operands.ts';
import { Unfinished } from './string.ts';

/** The register in which exits say that a value read is for the instruction that is being emulated. */
export const EMULATED = 16;

/** The instruction turns out to do what is not emulated. */
export class Unsupported extends Error {}

/** How an emulated instruction ended. */
export type Outcome = 'running' | 'done' | typeof JUMPED | typeof SHADOWED | 'again' | 'unsupported' | GuestFault;

export type TransferExit = Extract<AxVCpuExitReason, { readonly reason: 'NestedPageFault' | 'MmioRead' | 'MmioWrite' | 'IoRead' | 'IoWrite' }>;

function exitOf(transfer: Transfer): TransferExit {
  switch (transfer.kind) {
    case 'fault':
      return { reason: 'NestedPageFault', addr: transfer.gpa as GuestPhysAddr, accessFlags: transfer.write ? MappingFlags.WRITE : MappingFlags.READ };
    case 'read':
      return { reason: 'MmioRead', addr: transfer.gpa as GuestPhysAddr, width: transfer.width, reg: EMULATED, regWidth: 8, signedExt: false };
    case 'write':
      return { reason: 'MmioWrite', addr: transfer.gpa as GuestPhysAddr, width: transfer.width, data: transfer.data };
    case 'in':
      return { reason: 'IoRead', port: transfer.port, width: transfer.width };
    case 'out':
      return { reason: 'IoWrite', port: transfer.port, width: transfer.width, data: transfer.data };
  }
}

/** Answers transfers that the vCPU carries out itself (its local APIC): the value, or undefined if they are the hypervisor's. */
export type Local = (transfer: Transfer) => bigint | undefined;

/** An instruction that is being carried out. */
export interface Emulated {
  /** Bytes of the instruction. */
  readonly length: number;
  readonly outcome: Outcome;
  /** The value that a transfer read. */
  answer(value: bigint): void;
  /** Goes on to the next transfer that the hypervisor has to carry out; undefined: the instruction ended, see {@link outcome}. */
  next(): TransferExit | undefined;
}

export class Emulation implements Emulated {
  readonly #steps: Steps<Next>;
  readonly #local: Local;
  readonly length: number;
  outcome: Outcome = 'running';
  /** What the last transfer read. */
  #value = 0n;

  constructor(steps: Steps<Next>, length: number, local: Local) {
    this.#steps = steps;
    this.length = length;
    this.#local = local;
  }

  answer(value: bigint): void {
    this.#value = value;
  }

  next(): TransferExit | undefined {
    try {
      for (;;) {
        const { done, value: transfer } = this.#steps.next(this.#value);
        this.#value = 0n;
        if (done === true) {
          this.outcome = transfer ?? 'done';
          return undefined;
        }
        const answer = this.#local(transfer);
        if (answer === undefined) return exitOf(transfer);
        this.#value = answer;
      }
    } catch (e) {
      if (e instanceof GuestFault) this.outcome = e;
      else if (e instanceof Unfinished) this.outcome = 'again';
      else if (e instanceof Unsupported) this.outcome = 'unsupported';
      else throw e;
      return undefined;
    }
  }
}
