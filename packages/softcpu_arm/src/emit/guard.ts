/** What all instructions on SIMD&FP registers begin with. */
import { i32 } from '@axvisor/softcpu';
import type { Emitter } from '@axvisor/softcpu';
import { FP_TRAP } from '../state.ts';

/** Service that takes the exception of a SIMD&FP access that is trapped. */
export const FP_FAULT = 'fpTrap';

/** Takes the exception if accesses to SIMD&FP registers trap. */
export function checkFp(e: Emitter): void {
  e.if(i32.ne(e.state('i32.load', FP_TRAP), i32.const(0)), () => e.fault(FP_FAULT), undefined, false);
}
