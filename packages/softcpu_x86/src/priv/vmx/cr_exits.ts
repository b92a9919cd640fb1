/** Accesses to control registers in VMX non-root operation: which exit, with what qualification, and what the others do (SDM vol. 3, 26.1.3 and 26.3). */
import { ProcControl } from '@axvisor/axvisor_api/arch/x86';
import { CR0 } from '../fields.ts';
import { FIXED } from './capabilities.ts';
import { F, type Vmcs } from './vmcs.ts';

/** In place of a qualification: the access does not exit. */
export const STAYS = -1;
/** Type of access in the qualification. */
const Access = { write: 0, read: 1 << 4, clts: 2 << 4, lmsw: 3 << 4 } as const;
/** The source of LMSW is memory. */
const MEMORY = 1 << 6;

const maskOf = (vmcs: Vmcs, cr: number): number => vmcs.lo(cr === 0 ? F.cr0GuestHostMask : F.cr4GuestHostMask);
const shadowOf = (vmcs: Vmcs, cr: number): number => vmcs.lo(cr === 0 ? F.cr0ReadShadow : F.cr4ReadShadow);

/** MOV to a control register. @param primary - primary processor-based controls. */
export function ofCrWrite(vmcs: Vmcs, primary: number, cr: number, gpr: number, lo: number, hi: number): number {
  let exits = false;
  if (cr === 0 || cr === 4) exits = ((lo ^ shadowOf(vmcs, cr)) & maskOf(vmcs, cr)) !== 0;
  else if (cr === 3) exits = (primary & ProcControl.cr3LoadExiting) !== 0 && !isTarget(vmcs, lo, hi);
  else if (cr === 8) exits = (primary & ProcControl.cr8LoadExiting) !== 0;
  return exits ? cr | Access.write | (gpr << 8) : STAYS;
}

/** Whether a value of CR3 is among those that never exit. */
function isTarget(vmcs: Vmcs, lo: number, hi: number): boolean {
  const count = vmcs.lo(F.cr3TargetCount);
  for (let i = 0; i < count; i++) if (vmcs.lo(F.cr3TargetValue0 + 2 * i) === lo && vmcs.hi(F.cr3TargetValue0 + 2 * i) === hi) return true;
  return false;
}

/** MOV from a control register. */
export function ofCrRead(primary: number, cr: number, gpr: number): number {
  const exits = (cr === 3 && (primary & ProcControl.cr3StoreExiting) !== 0) || (cr === 8 && (primary & ProcControl.cr8StoreExiting) !== 0);
  return exits ? cr | Access.read | (gpr << 8) : STAYS;
}

export const ofClts = (vmcs: Vmcs): number => ((maskOf(vmcs, 0) & shadowOf(vmcs, 0) & CR0.TS) !== 0 ? Access.clts : STAYS);

/** LMSW of a value. */
export function ofLmsw(vmcs: Vmcs, value: number, inMemory: boolean): number {
  const mask = maskOf(vmcs, 0);
  const shadow = shadowOf(vmcs, 0);
  const others = (CR0.MP | CR0.EM | CR0.TS) & mask & (value ^ shadow);
  if (others === 0 && (mask & value & ~shadow & CR0.PE) === 0) return STAYS;
  return Access.lmsw | (inMemory ? MEMORY : 0) | (value << 16);
}

/** What a guest reads where CR0 or CR4 is `value`. */
export const visible = (vmcs: Vmcs, cr: number, value: number): number => (value & ~maskOf(vmcs, cr)) | (shadowOf(vmcs, cr) & maskOf(vmcs, cr));

/** What a write of `value` leaves where `old` was. */
export const merged = (vmcs: Vmcs, cr: number, old: number, value: number): number => (old & maskOf(vmcs, cr)) | (value & ~maskOf(vmcs, cr));

/** Whether the fixed bits are as VMX operation has them. */
export function allowed(unrestricted: boolean, cr0: number, cr4: number): boolean {
  const ones = unrestricted ? FIXED.cr0Zero & ~(CR0.PE | CR0.PG) : FIXED.cr0Zero;
  return (cr0 & ones) === ones && (cr4 & FIXED.cr4Zero) === FIXED.cr4Zero;
}
