/** MOV to CR0, CR4 and CR8, CLTS, LMSW and XSETBV where they leave the guest (SDM vol. 3, 2.5, 2.6, 5.3; vol. 2, MOV—Control Registers). */
import { Cr0, Cr4, Efer, SegmentAccess, Vector, Xcr0 } from '@axvisor/axvisor_api/arch/x86';
import type { Guest } from './guest.ts';
import type { NestedMemory } from './nested.ts';
import { GuestFault, loadPdptes } from './paging.ts';

const CR0_BITS = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;

const generalProtection = (): GuestFault => new GuestFault(Vector.GP, 0);
const check = (holds: boolean): void => {
  if (!holds) throw generalProtection();
};

/** What a change of drops translations (SDM vol. 3, 4.10.4.1). */
const CR4_PAGING = Cr4.PSE | Cr4.PAE | Cr4.PGE | Cr4.PCIDE | Cr4.SMEP | Cr4.LA57;

/** @param memory - where PAE paging has its first table. @throws {GuestFault} #GP */
export function writeCr0(guest: Guest, memory: NestedMemory, value: bigint): void {
  const is = (bit: bigint): boolean => (value & bit) !== 0n;
  const old = guest.get('cr0');
  const efer = guest.get('efer');
  const cr4 = guest.get('cr4');
  check(value >> 32n === 0n);
  check(!is(Cr0.PG) || is(Cr0.PE));
  check(!is(Cr0.NW) || is(Cr0.CD));
  const longCode = (efer & Efer.LMA) !== 0n && (guest.segment('cs').rights & SegmentAccess.L) !== 0;
  const wasPaged = (old & Cr0.PG) !== 0n;
  if (is(Cr0.PG) && !wasPaged && (efer & Efer.LME) !== 0n) {
    check((cr4 & Cr4.PAE) !== 0n && (guest.segment('cs').rights & SegmentAccess.L) === 0);
    guest.set('efer', efer | Efer.LMA);
  }
  if (!is(Cr0.PG) && wasPaged) {
    check(!longCode && (cr4 & Cr4.PCIDE) === 0n);
    guest.set('efer', efer & ~Efer.LMA);
  }
  const reloads = ((value ^ old) & (Cr0.PG | Cr0.CD | Cr0.NW)) !== 0n && is(Cr0.PG) && (cr4 & Cr4.PAE) !== 0n && (efer & Efer.LME) === 0n;
  if (reloads) check(loadPdptes(guest, memory, guest.get('cr3')));
  if (((value ^ old) & (Cr0.PG | Cr0.WP)) !== 0n) guest.flushTranslations();
  // ET is fixed at 1; reserved bits below bit 32 are ignored.
  guest.set('cr0', (value & CR0_BITS) | Cr0.ET);
}

/** The bits of CR4 that a guest may set are those the processor lets through but VMXE and SMXE. @throws {GuestFault} #GP */
export function writeCr4(guest: Guest, value: bigint, allowed: bigint): void {
  check((value & ~allowed) === 0n);
  const efer = guest.get('efer');
  const old = guest.get('cr4');
  if ((efer & Efer.LMA) !== 0n) check((value & Cr4.PAE) !== 0n && (value & Cr4.LA57) === (old & Cr4.LA57));
  if ((value & Cr4.PCIDE) !== 0n && (old & Cr4.PCIDE) === 0n) check((efer & Efer.LMA) !== 0n && (guest.get('cr3') & 0xfffn) === 0n);
  if (((value ^ old) & CR4_PAGING) !== 0n) guest.flushTranslations();
  guest.set('cr4', value);
}

/** LMSW loads PE, MP, EM and TS, and cannot clear PE. */
export function loadMachineStatus(guest: Guest, memory: NestedMemory, source: number): void {
  const old = guest.get('cr0');
  writeCr0(guest, memory, (old & ~0xen) | BigInt(source & 0xf) | (old & Cr0.PE));
}

/** Whether XCR0 may have a value, of a processor that has `supported` (SDM vol. 1, 13.3). */
export function isValidXcr0(value: bigint, supported: bigint): boolean {
  const has = (bits: bigint): boolean => (value & bits) === bits;
  const any = (bits: bigint): boolean => (value & bits) !== 0n;
  if ((value & ~supported) !== 0n || !has(Xcr0.X87)) return false;
  if (any(Xcr0.AVX) && !has(Xcr0.SSE)) return false;
  if (any(Xcr0.BNDREGS | Xcr0.BNDCSR) && !has(Xcr0.BNDREGS | Xcr0.BNDCSR)) return false;
  return !any(Xcr0.AVX512) || has(Xcr0.AVX512 | Xcr0.AVX);
}

/** Bits of EFER that guests may set, where CPUID offers them. */
const EFER_BITS = Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE;

/** WRMSR of IA32_EFER where it leaves the guest. @throws {GuestFault} #GP */
export function writeEfer(guest: Guest, value: bigint): void {
  const old = guest.get('efer');
  check((value & ~EFER_BITS) === 0n);
  const paged = (guest.get('cr0') & Cr0.PG) !== 0n;
  check(!paged || (value & Efer.LME) === (old & Efer.LME));
  guest.set('efer', (value & ~Efer.LMA) | (old & Efer.LMA));
}
