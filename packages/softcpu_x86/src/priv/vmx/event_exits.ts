/** Exits for exceptions and faults of the second stage: whether there is one, and what it says (SDM vol. 3, 26.2 and 28.2). */
import type { FaultRecord } from '../abort.ts';
import { setsResume } from '../events.ts';
import { EVENT, INFO, V } from '../fields.ts';
import type { DeliveredEvent } from '../guest.ts';
import type { Paging } from '../paging.ts';
import type { ExitDetails } from './exit.ts';
import { F, type Vmcs } from './vmcs.ts';

/** Whether an exception exits. @param bitmap - the exception bitmap. */
export function exceptionExits(vmcs: Vmcs, bitmap: number, { vector, errorCode }: DeliveredEvent): boolean {
  const exits = ((bitmap >>> vector) & 1) !== 0;
  if (vector !== V.PF) return exits;
  const matches = (errorCode & vmcs.lo(F.pageFaultErrorCodeMask)) === vmcs.lo(F.pageFaultErrorCodeMatch);
  return matches ? exits : !exits;
}

/** @param unblocked - the instruction is an IRET that ended blocking by NMI. */
export function exceptionDetails(fault: FaultRecord, { vector, kind, hasError, errorCode, length }: DeliveredEvent, unblocked: boolean): ExitDetails {
  const isPageFault = vector === V.PF;
  return {
    length,
    qualificationLo: isPageFault || vector === V.DB ? fault.lo : 0,
    qualificationHi: isPageFault ? fault.hi : 0,
    information: vector | (kind << 8) | (hasError ? INFO.errorValid : 0) | (unblocked ? INFO.nmiUnblocking : 0) | INFO.valid,
    errorCode,
    resume: kind === EVENT.hardware && setsResume(vector),
  };
}

/** Exit qualification of an EPT violation; `unblocked` as above. */
export function eptQualification({ qualification, linear, tableWalk }: FaultRecord, paging: Paging, unblocked: boolean): number {
  const ofAddress = linear ? 1 << 7 : 0;
  const ofTranslation = linear && !tableWalk ? (1 << 8) | (paging.user ? 1 << 9 : 0) | (paging.writable ? 1 << 10 : 0) | (paging.noExecute ? 1 << 11 : 0) : 0;
  return qualification | ofAddress | ofTranslation | (unblocked ? 1 << 12 : 0);
}
