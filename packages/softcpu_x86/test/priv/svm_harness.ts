/** A hypervisor for tests: SVM on, a VMCB whose guest is in 64-bit mode and passes every check, and memory mapped to itself. */
import { SvmIntercept4, Vmcb, VmcbSave, toVmcbAttributes } from '@axvisor/axvisor_api/arch/x86';
import { GDT, Harness, IDT, SEL, flatTables } from './harness.ts';

export const VMCB = 0xe_0000;
export const CONTEXT = 0xe_6000;
export const IOPM = 0xe_2000;
export const MSRPM = 0xe_8000;
export const NPT = 0xe_a000;

/** The codes of all exits that a test file looked at. */
export const CODES_SEEN: Set<number> = new Set();

export class SvmHarness extends Harness {
  constructor() {
    super({ hosted: true, vendor: 'amd' });
    this.lp.native.wrmsr(0xc000_0080, this.lp.native.rdmsr(0xc000_0080) | 0x1000n);
    this.setUp();
  }

  get svm(): NonNullable<Harness['lp']['svm']> {
    return this.lp.svm as NonNullable<Harness['lp']['svm']>;
  }

  segment(at: number, selector: number, rights: number, limit = 0xffff_ffff, base = 0n): void {
    this.view.setUint16(VMCB + at, selector, true);
    this.view.setUint16(VMCB + at + 2, toVmcbAttributes(rights), true);
    this.write32(VMCB + at + 4, limit);
    this.write64(VMCB + at + 8, base);
  }

  set64(at: number, value: bigint | number): void {
    this.write64(VMCB + at, BigInt.asUintN(64, BigInt(value)));
  }

  get64(at: number): bigint {
    return this.read64(VMCB + at);
  }

  /** A guest in 64-bit mode that passes all checks. */
  setUp(): void {
    this.bytes.fill(0, VMCB, VMCB + 4096);
    flatTables(this);
    this.write64(0xf_0000, 0xf_1007n);
    this.write64(0xf_1000, 0x87n);
    this.write64(NPT, BigInt(NPT + 0x1000) | 7n);
    this.write64(NPT + 0x1000, 0x87n);
    this.write32(VMCB + Vmcb.intercept4, SvmIntercept4.VMRUN);
    this.write32(VMCB + Vmcb.guestAsid, 1);
    this.set64(Vmcb.iopmBasePa, IOPM);
    this.set64(Vmcb.msrpmBasePa, MSRPM);
    this.set64(Vmcb.nestedCr3, NPT);
    for (const at of [VmcbSave.es, VmcbSave.ss, VmcbSave.ds]) this.segment(at, SEL.data0, 0xc093);
    this.segment(VmcbSave.cs, SEL.code64, 0xa09b);
    this.segment(VmcbSave.gdtr, 0, 0, 0xff, BigInt(GDT));
    this.segment(VmcbSave.idtr, 0, 0, 0xfff, BigInt(IDT));
    this.set64(VmcbSave.efer, 0x1500);
    this.set64(VmcbSave.cr0, 0x8000_0011n);
    this.set64(VmcbSave.cr3, 0xf_0000);
    this.set64(VmcbSave.cr4, 0x20);
    this.set64(VmcbSave.dr6, 0xffff_0ff0n);
    this.set64(VmcbSave.dr7, 0x400);
    this.set64(VmcbSave.rflags, 2);
    this.set64(VmcbSave.rip, 0x5000);
    this.set64(VmcbSave.rsp, 0x9000);
  }

  enable(word: number, bits: number): void {
    this.write32(VMCB + word, this.read32(VMCB + word) | bits);
  }

  start(): void {
    this.lp.vmRun(BigInt(VMCB), CONTEXT);
    if (this.lp.exited) throw new Error(`the guest does not run: ${this.svm.refused?.name}, exit code ${this.get64(Vmcb.exitCode).toString(16)}`);
  }

  get exit(): readonly [code: number, info1: bigint, info2: bigint, nextRip: bigint] {
    CODES_SEEN.add(Number(this.get64(Vmcb.exitCode)));
    return [Number(this.get64(Vmcb.exitCode)), this.get64(Vmcb.exitInfo1), this.get64(Vmcb.exitInfo2), this.get64(Vmcb.nextRip)];
  }
}
