/** Hypervisors for tests: a guest in 64-bit mode at 0x5000 behind a second stage of translation, under VMX and under SVM. */
import { SvmIntercept3, SvmIntercept4, Vmcb, VmcbSave, VmcsField as F, toVmcbAttributes } from '@axvisor/axvisor_api/arch/x86';
import type { Execution } from '@axvisor/softcpu';
import { Machine, type Place } from './machine.ts';

const VMXON = 0xe_0000n;
const VMCS = 0xe_1000n;
const VMCB = 0xe_2000;
const CONTEXT = 0xe_6000;
/** Four levels of second-stage tables, a page each. */
export const TABLES = 0xe_8000;
export const ENTRY = 0x5000;

export abstract class Hosted extends Machine {
  /** Flags of a page's entry in the second stage. */
  abstract readonly pageFlags: bigint;
  /** The exit reason, or code, at the end of the guest's time: an interrupt of the host. */
  abstract readonly interrupted: number;

  /** Enters the guest. */
  abstract enter(): void;
  /** The last exit's reason, or code. */
  abstract get reason(): number;
  /** What else describes it. */
  abstract get details(): readonly bigint[];
  abstract rip: bigint;
  /** Goes on behind the instruction that left. */
  abstract skip(): void;
  /** All exceptions leave the guest. */
  abstract interceptExceptions(): void;
  /** The guest has five levels of page tables, whose root is at `root`. */
  abstract fiveLevels(root: bigint): void;
  /** Changes of the second stage are seen. */
  abstract invalidate(): void;

  protected abstract readonly isSvm: boolean;

  /** Runs until an exit. */
  run(steps = 100_000): string {
    this.enter();
    const end = this.lp.run(steps);
    this.lp.priv.saveContext(CONTEXT, this.isSvm);
    return end;
  }

  gpr(number: number): bigint {
    return this.view.getBigUint64(CONTEXT + 8 * number, true);
  }

  setGpr(number: number, value: bigint): void {
    this.view.setBigUint64(CONTEXT + 8 * number, value, true);
  }

  /** 4 KiB pages mapped to themselves, all of RAM. */
  protected identity(): void {
    for (let level = 0; level < 3; level++) this.view.setBigUint64(TABLES + 0x1000 * level, BigInt(TABLES + 0x1000 * (level + 1)) | 7n, true);
    for (let i = 0; i < 256; i++) this.view.setBigUint64(TABLES + 0x3000 + 8 * i, BigInt(i * 4096) | this.pageFlags, true);
  }

  /** Identity paging for the guest, 1 GiB by one leaf, and a code segment in its GDT. */
  protected guestTables(): void {
    this.view.setBigUint64(0xf_0000, 0xf_1007n, true);
    this.view.setBigUint64(0xf_1000, 0x87n, true);
    this.view.setBigUint64(0x1008, 0x00af_9b00_0000_ffffn, true);
  }
}

export class VmxMachine extends Hosted {
  readonly pageFlags = 0x37n;
  readonly interrupted = 1;
  protected readonly isSvm = false;
  #launch = true;

  constructor(engine: Execution, eptFlags = 0x5en, place: Place = {}) {
    super(engine, { hosted: true }, place);
    this.guestTables();
    this.identity();
    const { native } = this.lp.priv;
    this.view.setUint32(Number(VMXON), 0x4158, true);
    this.view.setUint32(Number(VMCS), 0x4158, true);
    native.wrmsr(0x3a, 5n);
    native.writeCr(4, native.readCr(4) | 0x2000n);
    const { vmx } = this;
    if (vmx.vmxon(VMXON) !== 0 || vmx.vmclear(VMCS) !== 0 || vmx.vmptrld(VMCS) !== 0) throw new Error('no VMX');
    this.write({
      [F.pinBasedControls]: 0x17, [F.primaryProcessorBasedControls]: 0x8400_61f2n, [F.secondaryProcessorBasedControls]: 0x22, [F.exitControls]: 0x3_efff,
      [F.entryControls]: 0x13ff, [F.virtualProcessorIdentifier]: 1, [F.eptPointer]: BigInt(TABLES) | eptFlags, [F.vmcsLinkPointer]: -1n,
      [F.hostCsSelector]: 8, [F.hostSsSelector]: 16, [F.hostTrSelector]: 24, [F.hostCr0]: native.readCr(0), [F.hostCr4]: native.readCr(4),
      [F.guestCr0]: 0x8000_0031n, [F.guestCr3]: 0xf_0000, [F.guestCr4]: 0x2020, [F.guestRip]: ENTRY, [F.guestRsp]: 0x9000, [F.guestRflags]: 2,
      [F.guestDr7]: 0x400, [F.guestCsSelector]: 8, [F.guestCsLimit]: 0xffff_ffff, [F.guestCsAccessRights]: 0xa09b, [F.guestTrAccessRights]: 0x8b,
      [F.guestTrLimit]: 0x67, [F.guestLdtrAccessRights]: 0x1_0000, [F.guestGdtrBase]: 0x1000, [F.guestGdtrLimit]: 0xff, [F.guestIdtrBase]: 0x2000,
      [F.guestIdtrLimit]: 0xfff,
    });
    for (const name of ['Es', 'Ss', 'Ds', 'Fs', 'Gs'] as const) this.write({ [F[`guest${name}AccessRights`]]: 0x1_0000 });
  }

  get vmx(): NonNullable<Machine['lp']['priv']['vmx']> {
    return this.lp.priv.vmx as NonNullable<Machine['lp']['priv']['vmx']>;
  }

  write(fields: Readonly<Record<number, bigint | number>>): void {
    for (const [field, value] of Object.entries(fields)) {
      const result = this.vmx.vmwrite(Number(field), BigInt.asUintN(64, BigInt(value)));
      if (result !== 0) throw new Error(`VMWRITE of ${Number(field).toString(16)}: error ${result}`);
    }
  }

  read(field: number): bigint {
    const result = this.vmx.vmread(field);
    if ('failure' in result) throw new Error(`VMREAD of ${field.toString(16)}: error ${result.failure}`);
    return result.value;
  }

  enter(): void {
    const result = this.lp.priv.vmEnter(this.#launch, CONTEXT);
    if (result !== 0) throw new Error(`VM entry: error ${result}`);
    this.#launch = false;
  }

  get reason(): number {
    return Number(this.read(F.exitReason));
  }

  get details(): readonly bigint[] {
    return [F.exitQualification, F.guestPhysicalAddress, F.guestLinearAddress, F.exitInterruptionInformation, F.idtVectoringInformation].map((field) => this.read(field));
  }

  get rip(): bigint {
    return this.read(F.guestRip);
  }

  set rip(value: bigint) {
    this.write({ [F.guestRip]: value, [F.guestInterruptibilityState]: 0, [F.guestActivityState]: 0 });
  }

  skip(): void {
    this.write({ [F.guestRip]: this.read(F.guestRip) + this.read(F.exitInstructionLength), [F.guestInterruptibilityState]: 0 });
  }

  interceptExceptions(): void {
    this.write({ [F.exceptionBitmap]: 0xffff_ffff });
  }

  fiveLevels(root: bigint): void {
    this.write({ [F.guestCr3]: root, [F.guestCr4]: 0x3020 });
  }

  invalidate(): void {
    this.vmx.invept(1, this.read(F.eptPointer));
  }
}

export class SvmMachine extends Hosted {
  readonly pageFlags = 7n;
  readonly interrupted = 0x60;
  protected readonly isSvm = true;

  constructor(engine: Execution, place: Place = {}) {
    super(engine, { hosted: true, vendor: 'amd' }, place);
    this.guestTables();
    this.identity();
    const { native } = this.lp.priv;
    native.wrmsr(0xc000_0080, native.rdmsr(0xc000_0080) | 0x1000n);
    this.put32(Vmcb.intercept3, SvmIntercept3.CPUID | SvmIntercept3.HLT | SvmIntercept3.INTR | SvmIntercept3.SHUTDOWN);
    this.put32(Vmcb.intercept4, SvmIntercept4.VMRUN);
    this.put32(Vmcb.guestAsid, 1);
    this.put(Vmcb.nestedPaging, 1);
    this.put(Vmcb.nestedCr3, TABLES);
    this.put(Vmcb.virtualInterrupt, 1 << 24);
    this.setSegment(VmcbSave.cs, 8, toVmcbAttributes(0xa09b));
    this.setSegment(VmcbSave.ss, 0, toVmcbAttributes(0xc093));
    this.put32(VmcbSave.idtr + 4, 0xfff);
    this.put(VmcbSave.idtr + 8, 0x2000);
    this.put32(VmcbSave.gdtr + 4, 0xff);
    this.put(VmcbSave.gdtr + 8, 0x1000);
    this.put(VmcbSave.efer, 0x1500);
    this.put(VmcbSave.cr0, 0x8000_0011n);
    this.put(VmcbSave.cr3, 0xf_0000);
    this.put(VmcbSave.cr4, 0x20);
    this.put(VmcbSave.rflags, 2);
    this.put(VmcbSave.rip, ENTRY);
    this.put(VmcbSave.rsp, 0x9000);
  }

  put(at: number, value: bigint | number): void {
    this.view.setBigUint64(VMCB + at, BigInt.asUintN(64, BigInt(value)), true);
  }

  put32(at: number, value: number): void {
    this.view.setUint32(VMCB + at, value, true);
  }

  setByte(at: number, value: number): void {
    this.view.setUint8(VMCB + at, value);
  }

  /** The segment register whose fields begin at an offset. */
  setSegment(at: number, selector: number, attributes: number): void {
    this.view.setUint16(VMCB + at, selector, true);
    this.view.setUint16(VMCB + at + 2, attributes, true);
  }

  get(at: number): bigint {
    return this.view.getBigUint64(VMCB + at, true);
  }

  enter(): void {
    this.lp.priv.vmRun(BigInt(VMCB), CONTEXT);
  }

  get reason(): number {
    return Number(this.get(Vmcb.exitCode));
  }

  get details(): readonly bigint[] {
    return [this.get(Vmcb.exitInfo1), this.get(Vmcb.exitInfo2), this.get(Vmcb.exitIntInfo)];
  }

  get rip(): bigint {
    return this.get(VmcbSave.rip);
  }

  set rip(value: bigint) {
    this.put(VmcbSave.rip, value);
    this.put(Vmcb.interruptShadow, 0);
  }

  skip(): void {
    this.rip = this.get(Vmcb.nextRip);
  }

  interceptExceptions(): void {
    this.put32(Vmcb.interceptExceptions, 0xffff_ffff);
  }

  fiveLevels(root: bigint): void {
    this.put(VmcbSave.cr3, root);
    this.put(VmcbSave.cr4, 0x1020);
  }

  invalidate(): void {
    this.lp.priv.invalidateNested();
  }
}
