import { SvmIntercept3, SvmIntercept4, Vmcb, VmcbSave, VmcsField as F, toVmcbAttributes } from '@axvisor/axvisor_api/arch/x86';
import { expect, test } from 'vitest';
import { Machine } from './machine.ts';

const engines = ['interpreter', 'translator'] as const;
const VMXON = 0xe_0000n;
const VMCS = 0xe_1000n;
const VMCB = 0xe_2000;
const CONTEXT = 0xe_6000;
const TABLES = 0xe_8000;

/** 2 MiB of second stage: 4 KiB pages mapped to themselves, page 0x30 absent. */
function secondStage(m: Machine, flags: bigint): void {
  m.view.setBigUint64(TABLES, BigInt(TABLES + 0x1000) | 7n, true);
  m.view.setBigUint64(TABLES + 0x1000, BigInt(TABLES + 0x2000) | 7n, true);
  m.view.setBigUint64(TABLES + 0x2000, BigInt(TABLES + 0x3000) | 7n, true);
  for (let i = 0; i < 256; i++) m.view.setBigUint64(TABLES + 0x3000 + 8 * i, i === 0x30 ? 0n : BigInt(i * 4096) | flags, true);
}

/** What the guest does: the sum of 1 to 1000 by CPUID's leave, memory that is not there, then HLT with interrupts on. */
const GUEST = `
        xor ebx, ebx
        mov ecx, 1000
again:  add rbx, rcx
        dec ecx
        jnz again
        mov r8, rbx
        mov eax, 0x12345
        cpuid
        add r8, rax
        mov qword ptr [0x30010], r8
        mov r9, [0x30018]
        sti
        hlt
        mov r10d, 77
        hlt
handler: inc r11
        iretq
`;

/** Identity paging for the guest, 1 GiB by one leaf, and the handler of vector 0x40. */
function guestMemory(m: Machine): ReadonlyMap<string, bigint> {
  m.view.setBigUint64(0xf_0000, 0xf_1007n, true);
  m.view.setBigUint64(0xf_1000, 0x87n, true);
  const symbols = m.load(0x5000, GUEST, 64);
  const handler = symbols.get('handler') as bigint;
  m.view.setBigUint64(0x2000 + 0x400, (handler & 0xffffn) | (8n << 16n) | (0x8en << 40n), true);
  m.view.setBigUint64(0x1008, 0x00af_9b00_0000_ffffn, true);
  return symbols;
}

test.each(engines)('%s: a VMX guest runs, exits and goes on', (engine) => {
  const m = new Machine(engine, { hosted: true });
  const { priv } = m.lp;
  guestMemory(m);
  secondStage(m, 0x37n);
  m.view.setUint32(Number(VMXON), 0x4158, true);
  m.view.setUint32(Number(VMCS), 0x4158, true);
  priv.native.wrmsr(0x3a, 5n);
  priv.native.writeCr(4, priv.native.readCr(4) | 0x2000n);
  const vmx = priv.vmx as NonNullable<typeof priv.vmx>;
  expect([vmx.vmxon(VMXON), vmx.vmclear(VMCS), vmx.vmptrld(VMCS)]).toEqual([0, 0, 0]);
  const write = (fields: Readonly<Record<number, bigint | number>>): void => {
    for (const [field, value] of Object.entries(fields)) expect(vmx.vmwrite(Number(field), BigInt.asUintN(64, BigInt(value)))).toBe(0);
  };
  const read = (field: number): bigint => {
    const result = vmx.vmread(field);
    return 'value' in result ? result.value : -1n;
  };
  write({
    [F.pinBasedControls]: 0x17, [F.primaryProcessorBasedControls]: 0x8400_61f2n, [F.secondaryProcessorBasedControls]: 0x22, [F.exitControls]: 0x3_efff,
    [F.entryControls]: 0x13ff, [F.virtualProcessorIdentifier]: 1, [F.eptPointer]: BigInt(TABLES) | 0x5en, [F.vmcsLinkPointer]: -1n,
    [F.hostCsSelector]: 8, [F.hostSsSelector]: 16, [F.hostTrSelector]: 24, [F.hostCr0]: priv.native.readCr(0), [F.hostCr4]: priv.native.readCr(4),
    [F.guestCr0]: 0x8000_0031n, [F.guestCr3]: 0xf_0000, [F.guestCr4]: 0x2020, [F.guestRip]: 0x5000, [F.guestRsp]: 0x9000, [F.guestRflags]: 2,
    [F.guestDr7]: 0x400, [F.guestCsSelector]: 8, [F.guestCsLimit]: 0xffff_ffff, [F.guestCsAccessRights]: 0xa09b, [F.guestTrAccessRights]: 0x8b,
    [F.guestTrLimit]: 0x67, [F.guestLdtrAccessRights]: 0x1_0000, [F.guestGdtrBase]: 0x1000, [F.guestGdtrLimit]: 0xff, [F.guestIdtrBase]: 0x2000,
    [F.guestIdtrLimit]: 0xfff,
  });
  for (const name of ['Es', 'Ss', 'Ds', 'Fs', 'Gs'] as const) write({ [F[`guest${name}AccessRights`]]: 0x1_0000 });
  let launch = true;
  const run = (): number => {
    expect(priv.vmEnter(launch, CONTEXT)).toBe(0);
    launch = false;
    expect(m.lp.run(100_000)).toBe('exited');
    priv.saveContext(CONTEXT, false);
    return Number(read(F.exitReason));
  };
  const skip = (): void => write({ [F.guestRip]: read(F.guestRip) + read(F.exitInstructionLength), [F.guestInterruptibilityState]: 0 });
  const gpr = (i: number): bigint => m.view.getBigUint64(CONTEXT + 8 * i, true);
  expect([run(), gpr(0), gpr(3)]).toEqual([10, 0x12345n, 500_500n]);
  m.view.setBigUint64(CONTEXT, 5n, true);
  skip();
  // The store: not there, then mapped.
  expect([run(), read(F.exitQualification), read(F.guestPhysicalAddress), read(F.guestLinearAddress)]).toEqual([48, 0x782n, 0x3_0010n, 0x3_0010n]);
  m.view.setBigUint64(TABLES + 0x3000 + 8 * 0x30, 0x3_0031n, true); // readable alone
  vmx.invept(1, BigInt(TABLES) | 0x5en);
  expect([run(), read(F.exitQualification)]).toEqual([48, 0x78an]);
  m.view.setBigUint64(TABLES + 0x3000 + 8 * 0x30, 0x3_0037n, true);
  vmx.invept(1, BigInt(TABLES) | 0x5en);
  expect([run(), m.view.getBigUint64(0x3_0010, true), read(F.guestInterruptibilityState)]).toEqual([12, 500_505n, 1n]);
  // EPT accessed and dirty flags.
  expect(m.view.getBigUint64(TABLES + 0x3000 + 8 * 0x30, true) & 0x300n).toBe(0x300n);
  skip();
  write({ [F.entryInterruptionInformation]: 0x8000_0040n });
  expect([run(), gpr(10), gpr(11), read(F.guestRsp)]).toEqual([12, 77n, 1n, 0x9000n]);
  // A kick ends a guest that never leaves.
  m.load(0x7000, 'here: jmp here', 64);
  write({ [F.guestRip]: 0x7000, [F.guestActivityState]: 0 });
  priv.vmEnter(false, CONTEXT);
  expect(m.lp.run(1000)).toBe('budget');
  priv.setHostInterrupt(true);
  expect([m.lp.run(1000), read(F.exitReason), read(F.exitInterruptionInformation)]).toEqual(['exited', 1n, 0x8000_00f0n]);
  // PAUSE, if it is asked for; then loops of it that last, while time goes on.
  m.load(0x7800, 'pause\nagain: pause\njmp again', 64);
  write({ [F.guestRip]: 0x7800, [F.guestInterruptibilityState]: 0, [F.primaryProcessorBasedControls]: 0xc400_61f2n });
  expect([run(), read(F.guestRip)]).toEqual([40, 0x7800n]);
  write({ [F.primaryProcessorBasedControls]: 0x8400_61f2n, [F.secondaryProcessorBasedControls]: 0x422, [F.pleGap]: 10, [F.pleWindow]: 1000 });
  expect([priv.vmEnter(false, CONTEXT), m.lp.priv.exited]).toEqual([0, false]);
  let rounds = 0;
  while (m.lp.run(10) === 'budget' && rounds++ < 1000) m.now += 20n;
  expect([read(F.exitReason), read(F.guestRip) & ~3n]).toEqual([40n, 0x7800n]);
  // 5 a round, 4 ticks apart: within the gap.
  expect(rounds).toBeGreaterThan(40);
  expect(rounds).toBeLessThan(70);
});

test.each(engines)('%s: an SVM guest does the same', (engine) => {
  const m = new Machine(engine, { hosted: true, vendor: 'amd' });
  const { priv } = m.lp;
  guestMemory(m);
  secondStage(m, 7n);
  priv.native.wrmsr(0xc000_0080, priv.native.rdmsr(0xc000_0080) | 0x1000n);
  const put = (at: number, value: bigint | number): void => m.view.setBigUint64(VMCB + at, BigInt.asUintN(64, BigInt(value)), true);
  const get = (at: number): bigint => m.view.getBigUint64(VMCB + at, true);
  m.view.setUint32(VMCB + Vmcb.intercept3, SvmIntercept3.CPUID | SvmIntercept3.HLT | SvmIntercept3.INTR, true);
  m.view.setUint32(VMCB + Vmcb.intercept4, SvmIntercept4.VMRUN, true);
  m.view.setUint32(VMCB + Vmcb.guestAsid, 1, true);
  put(Vmcb.nestedPaging, 1);
  put(Vmcb.nestedCr3, TABLES);
  put(Vmcb.virtualInterrupt, 1 << 24);
  m.view.setUint16(VMCB + VmcbSave.cs, 8, true);
  m.view.setUint16(VMCB + VmcbSave.cs + 2, toVmcbAttributes(0xa09b), true);
  m.view.setUint16(VMCB + VmcbSave.ss + 2, toVmcbAttributes(0xc093), true);
  m.view.setUint32(VMCB + VmcbSave.idtr + 4, 0xfff, true);
  put(VmcbSave.idtr + 8, 0x2000);
  m.view.setUint32(VMCB + VmcbSave.gdtr + 4, 0xff, true);
  put(VmcbSave.gdtr + 8, 0x1000);
  put(VmcbSave.efer, 0x1500);
  put(VmcbSave.cr0, 0x8000_0011n);
  put(VmcbSave.cr3, 0xf_0000);
  put(VmcbSave.cr4, 0x20);
  put(VmcbSave.rflags, 2);
  put(VmcbSave.rip, 0x5000);
  put(VmcbSave.rsp, 0x9000);
  const run = (): number => {
    priv.vmRun(BigInt(VMCB), CONTEXT);
    expect(m.lp.run(100_000)).toBe('exited');
    priv.saveContext(CONTEXT, true);
    return Number(get(Vmcb.exitCode));
  };
  const skip = (): void => (put(VmcbSave.rip, get(Vmcb.nextRip)), put(Vmcb.interruptShadow, 0));
  const gpr = (i: number): bigint => m.view.getBigUint64(CONTEXT + 8 * i, true);
  expect([run(), get(VmcbSave.rax), gpr(3)]).toEqual([0x72, 0x12345n, 500_500n]);
  put(VmcbSave.rax, 5);
  skip();
  expect([run(), get(Vmcb.exitInfo1), get(Vmcb.exitInfo2)]).toEqual([0x400, 0x1_0000_0006n, 0x3_0010n]);
  m.view.setBigUint64(TABLES + 0x3000 + 8 * 0x30, 0x3_0007n, true);
  expect([run(), m.view.getBigUint64(0x3_0010, true), get(Vmcb.interruptShadow) & 1n]).toEqual([0x78, 500_505n, 1n]);
  skip();
  put(Vmcb.eventInjection, 0x8000_0040n);
  expect([run(), gpr(10), gpr(11), get(VmcbSave.rsp)]).toEqual([0x78, 77n, 1n, 0x9000n]);
  m.load(0x7000, 'here: jmp here', 64);
  put(VmcbSave.rip, 0x7000);
  priv.vmRun(BigInt(VMCB), CONTEXT);
  expect(m.lp.run(1000)).toBe('budget');
  priv.setHostInterrupt(true);
  expect([m.lp.run(1000), get(Vmcb.exitCode)]).toEqual(['exited', 0x60n]);
  priv.setHostInterrupt(false);
  // What generated code executes, if it is intercepted.
  m.load(0x7800, 'pause\npushfq\npopfq', 64);
  m.view.setUint32(VMCB + Vmcb.intercept3, SvmIntercept3.PAUSE | SvmIntercept3.PUSHF | SvmIntercept3.POPF, true);
  put(VmcbSave.rip, 0x7800);
  for (const [code, at] of [[0x77, 0x7800n], [0x70, 0x7802n], [0x71, 0x7803n]] as const) {
    expect([run(), get(VmcbSave.rip)]).toEqual([code, at]);
    skip();
  }
});
