/** What a VM exit says, and the parts of the processor that deciding about it takes. */
import type { Events } from '../events.ts';
import type { Linear } from '../linear.ts';
import type { Paging } from '../paging.ts';
import type { Physical } from '../physical.ts';
import type { Registers } from '../registers.ts';
import type { Vmcs } from './vmcs.ts';

/** What an exit says beside its reason. */
export interface ExitDetails {
  readonly qualificationLo?: number;
  readonly qualificationHi?: number;
  readonly length?: number;
  /** VM-exit interruption information and error code. */
  readonly information?: number;
  readonly errorCode?: number;
  /** RFLAGS.RF is saved as 1. */
  readonly resume?: boolean;
}

/** Completes an exit: saves the guest and loads the host. */
export type Leave = (reason: number, details: ExitDetails) => void;

export interface VmxParts {
  readonly regs: Registers;
  readonly linear: Linear;
  readonly paging: Paging;
  readonly physical: Physical;
  readonly events: Events;
  readonly vmcs: Vmcs;
  readonly leave: Leave;
  /** Takes the pending host interrupt; its vector. */
  readonly acknowledge: () => number;
  readonly tsc: () => bigint;
}
