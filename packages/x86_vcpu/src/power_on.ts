/** The state of a processor after RESET, and after a startup IPI (SDM vol. 3, table 9-1, 8.4.3). */
import { Cr0, Cr4, Efer } from '@axvisor/axvisor_api/arch/x86';
import type { X86Start } from '@axvisor/axvisor_api/vcpu';
import { SEGMENTS, type Guest, type Segment } from './guest.ts';

const PAT_RESET = 0x0007_0406_0007_0406n;
const LIMIT = 0xffff;
/** Read/write data, accessed, present. */
const DATA = 0x93;
const CODE = 0x9b;
const LDT = 0x82;
/** A busy 32-bit TSS. */
const TSS = 0x8b;

const real = (rights: number, selector = 0, base = 0n): Segment => ({ selector, base, limit: LIMIT, rights });

/** Registers as RESET leaves them, execution in real mode at `cs:ip`. */
export function resetRegisters(guest: Guest, codeSelector: number, codeBase: bigint, ip: bigint): void {
  for (const name of SEGMENTS) guest.setSegment(name, real(name === 'ldtr' ? LDT : name === 'tr' ? TSS : DATA));
  guest.setSegment('cs', real(CODE, codeSelector, codeBase));
  guest.set('efer', 0n);
  guest.set('cr0', Cr0.CD | Cr0.NW | Cr0.ET);
  guest.set('cr3', 0n);
  guest.set('cr4', 0n);
  guest.set('rflags', 2n);
  guest.set('rip', ip);
  guest.set('rsp', 0n);
  guest.set('dr7', 0x400n);
  guest.set('pat', PAT_RESET);
  guest.set('debugctl', 0n);
  for (const register of ['sysenter_cs', 'sysenter_esp', 'sysenter_eip', 'gdtr.base', 'idtr.base'] as const) guest.set(register, 0n);
  for (const register of ['gdtr.limit', 'idtr.limit'] as const) guest.set(register, BigInt(LIMIT));
}

/** Flat 32-bit segments: code, of 64 bits with L instead of D; data. */
const CODE_32 = 0xc09b;
const CODE_64 = 0xa09b;
const DATA_FLAT = 0xc093;

/** The state that a boot protocol asks for. */
export function startRegisters(guest: Guest, { mode, rip, code, data, codeBase, gdt, cr3 }: X86Start): void {
  const realBase = mode === 'real' ? BigInt(code) << 4n : 0n;
  resetRegisters(guest, code, codeBase ?? realBase, rip);
  if (gdt !== undefined) {
    guest.set('gdtr.base', gdt.base);
    guest.set('gdtr.limit', BigInt(gdt.limit));
  }
  const flat = mode !== 'real';
  for (const name of ['es', 'ss', 'ds', 'fs', 'gs'] as const) {
    guest.setSegment(name, { selector: data, base: flat ? 0n : BigInt(data) << 4n, limit: flat ? 0xffff_ffff : LIMIT, rights: flat ? DATA_FLAT : DATA });
  }
  if (!flat) return;
  const long = mode === 'long';
  guest.setSegment('cs', { selector: code, base: codeBase ?? 0n, limit: 0xffff_ffff, rights: long ? CODE_64 : CODE_32 });
  if (long) {
    // IA-32e mode wants a 64-bit TSS.
    guest.set('efer', Efer.LME | Efer.LMA);
    guest.set('cr4', Cr4.PAE);
    guest.set('cr3', cr3 ?? 0n);
  }
  guest.set('cr0', Cr0.PE | Cr0.ET | (long ? Cr0.PG : 0n));
}

/** Where a power-on entry lies: the last 64 KiB of 4 GiB have the reset vector's own code segment, the first MiB a paragraph's. */
export function entryPoint(entry: bigint): { readonly selector: number; readonly base: bigint; readonly ip: bigint } {
  if (entry >= 0xffff_0000n && entry <= 0xffff_ffffn) return { selector: 0xf000, base: 0xffff_0000n, ip: entry - 0xffff_0000n };
  return { selector: 0, base: 0n, ip: entry };
}
