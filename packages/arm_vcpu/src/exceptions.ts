/** Exceptions that software lets a guest take to EL1, as AArch64.TakeException does (Arm ARM, D1.3.1 and J1 "AArch64.TakeException"). */
import { ExceptionClass } from '@axvisor/axvisor_api/arch/arm';
import { Esr, Sctlr, Spsr } from './fields.ts';
import type { SavedKey } from './saved.ts';

/** The registers of a guest. */
export interface GuestRegisters {
  reg(key: SavedKey): bigint;
  setReg(key: SavedKey, value: bigint): void;
  readonly hasPan: boolean;
}

/** The syndrome of an exception class. */
export const syndrome = (exceptionClass: number, iss = 0n): bigint => (BigInt(exceptionClass) << Esr.EC_SHIFT) | Esr.IL | iss;

export const exceptionClassOf = (esr: bigint): number => Number((esr >> Esr.EC_SHIFT) & 0x3fn);

/** Whether PSTATE is EL0. */
export const isEl0 = (pstate: bigint): boolean => (pstate & (Spsr.M | Spsr.M_AARCH32)) === Spsr.EL0t || (pstate & Spsr.M_AARCH32) !== 0n;

/** Offset in the vector table by where the exception comes from. */
function vectorOffset(pstate: bigint): bigint {
  if ((pstate & Spsr.M_AARCH32) !== 0n) return 0x600n;
  if (isEl0(pstate)) return 0x400n;
  return (pstate & 1n) === 0n ? 0n : 0x200n;
}

/** Takes a synchronous exception to EL1; without `far` FAR_EL1 stays. */
export function takeException(guest: GuestRegisters, esr: bigint, far?: bigint): void {
  const pstate = guest.reg('SPSR_EL2');
  const sctlr = guest.reg('SCTLR_EL1');
  guest.setReg('SPSR_EL1', pstate);
  guest.setReg('ELR_EL1', guest.reg('ELR_EL2'));
  guest.setReg('ESR_EL1', esr);
  if (far !== undefined) guest.setReg('FAR_EL1', far);
  guest.setReg('ELR_EL2', BigInt.asUintN(64, (guest.reg('VBAR_EL1') & ~0x7ffn) + vectorOffset(pstate)));
  const kept = pstate & (Spsr.NZCV | Spsr.DIT | Spsr.PAN);
  const pan = guest.hasPan && (sctlr & Sctlr.SPAN) === 0n ? Spsr.PAN : 0n;
  const ssbs = (sctlr & Sctlr.DSSBS) === 0n ? 0n : Spsr.SSBS;
  guest.setReg('SPSR_EL2', kept | pan | ssbs | Spsr.DAIF | Spsr.EL1h);
}

/** The instruction does not exist for the guest. */
export function injectUndefined(guest: GuestRegisters): void {
  takeException(guest, syndrome(ExceptionClass.unknown));
}

/** An exception class "from a lower exception level" as EL1 sees it when it comes from EL1 itself. */
const SAME_LEVEL: ReadonlyMap<number, number> = new Map([
  [ExceptionClass.instAbortLower, ExceptionClass.instAbortSame],
  [ExceptionClass.dataAbortLower, ExceptionClass.dataAbortSame],
  [ExceptionClass.breakpointLower, ExceptionClass.breakpointSame],
  [ExceptionClass.stepLower, ExceptionClass.stepSame],
  [ExceptionClass.watchpointLower, ExceptionClass.watchpointSame],
]);

/** Lets EL1 take the exception that came to EL2 with `esr`. */
export function reflect(guest: GuestRegisters, esr: bigint, far?: bigint): void {
  const exceptionClass = exceptionClassOf(esr);
  const seen = isEl0(guest.reg('SPSR_EL2')) ? exceptionClass : (SAME_LEVEL.get(exceptionClass) ?? exceptionClass);
  takeException(guest, (BigInt(seen) << Esr.EC_SHIFT) | (esr & (Esr.IL | Esr.ISS)), far);
}
