/** What VMX is programmed with, and the state of a processor after RESET. */
import { expect, test } from 'vitest';
import { ExitReason, Msr, VmcsField } from '@axvisor/axvisor_api/arch/x86';
import { newArchVCpu } from '@axvisor/axvisor_api/vcpu';
import { controls } from '../src/index.ts';
import type { X86VCpu } from '../src/vcpu.ts';
import { gpa, withMachine } from './fixture.ts';

const F = VmcsField;

test('controls are what must be, what is required, and what is wanted and there', () => {
  const allowed = { mustBe1: 0x16, mayBe1: 0x7f };
  expect(controls('pin-based', allowed, 0x9)).toBe(0x1f);
  expect(controls('pin-based', allowed, 0x9, 0xc0)).toBe(0x5f);
  expect(() => controls('pin-based', allowed, 0x80)).toThrow('no pin-based controls 0x80');
  expect(() => controls('pin-based', allowed, 0, 0, 0x10)).toThrow('cannot clear');
  expect(() => controls('pin-based', allowed, 8, 0, 8)).toThrow('required and forbidden');
});

test('the guest is left for what the hypervisor has to know', () => {
  withMachine(({ cpu }) => {
    const primary = Number(cpu.field(F.primaryProcessorBasedControls));
    // TSC offset, HLT, MWAIT, RDPMC, CR8, I/O, MSR bitmaps, MONITOR, secondary; never CR3.
    for (const bit of [3, 7, 10, 11, 19, 20, 24, 28, 29, 31]) expect((primary >>> bit) & 1, `bit ${bit}`).toBe(1);
    expect(primary & 0x1_8000).toBe(0);
    expect(cpu.field(F.pinBasedControls)).toBe(0x3fn);
    // EPT, RDTSCP, VPID, unrestricted guest, pause loops, INVPCID, XSAVES.
    expect(cpu.field(F.secondaryProcessorBasedControls)).toBe(0x10_14aan);
    expect(cpu.field(F.eptPointer) & 0xfffn).toBe(0x5en);
    expect(cpu.field(F.virtualProcessorIdentifier)).toBe(65n);
    expect(cpu.field(F.vmcsLinkPointer)).toBe(0xffff_ffff_ffff_ffffn);
  });
});

test('translations are dropped where they may not be true', () => {
  withMachine(({ cpu, vcpu, space, run, code }) => {
    const dropped = (): readonly string[] => cpu.invalidations.splice(0).map((what) => what.split(' ')[0] as string);
    const all = ['invept', 'invvpid'];
    run();
    expect(dropped()).toEqual(all);
    // The vCPU was aside, and comes back: nothing has changed.
    vcpu.unbind();
    vcpu.bind();
    run();
    expect(dropped()).toEqual([]);
    // The guest switches paging off by a MOV to CR0 that leaves it.
    code(0x0f, 0x22, 0xc0);
    cpu.setField(F.guestCr0, 0x8000_0031n);
    vcpu.setGpr(0, 0x31n);
    run((guest) => guest.exit(ExitReason.crAccess, 0, 3));
    run();
    expect(dropped()).toEqual(all);
    vcpu.unbind();
    vcpu.setEptRoot(space.root, 1);
    vcpu.bind();
    run();
    expect(dropped()).toEqual(all);
    vcpu.unbind();
    vcpu.setup();
    vcpu.bind();
    run();
    expect(dropped()).toEqual(all);
  });
});

test('RESET: real mode at the entry, VMXE hidden', () => {
  withMachine(({ cpu, vcpu }) => {
    expect(cpu.field(F.guestCr0)).toBe(0x30n);
    expect(cpu.field(F.cr0ReadShadow)).toBe(0x6000_0010n);
    expect(cpu.field(F.guestCr4)).toBe(0x2000n);
    const state = vcpu.dump();
    expect(state).toMatchObject({ cr0: 0x6000_0010n, cr4: 0n, rip: 0x8000n, rflags: 2n, 'cs.rights': 0x9bn, 'ss.rights': 0x93n, 'tr.rights': 0x8bn, 'ldtr.rights': 0x82n, efer: 0n, dr7: 0x400n });
    vcpu.setEntry(gpa(0xffff_fff0n));
    vcpu.setup();
    expect(vcpu.dump()).toMatchObject({ rip: 0xfff0n, 'cs.selector': 0xf000n, 'cs.base': 0xffff_0000n });
  });
});

test('registers by name, as boot protocols want them', () => {
  withMachine(({ cpu, vcpu }) => {
    (vcpu as X86VCpu).setRegisters({ rip: 0x100_0200n, rsi: 0x7000n, cr0: 0x8000_0011n, cr4: 0x20n, efer: 0x500n, 'cs.rights': 0xa09bn, 'cs.selector': 0x10n });
    expect(vcpu.dump()).toMatchObject({ rip: 0x100_0200n, rsi: 0x7000n, cr0: 0x8000_0011n, cr4: 0x20n, efer: 0x500n, 'cs.rights': 0xa09bn });
    // IA-32e mode guest follows LMA.
    expect(cpu.field(F.entryControls) & 0x200n).toBe(0x200n);
    expect(() => (vcpu as X86VCpu).setRegisters({ r99: 0n })).toThrow('no register r99');
  });
});

test('other processors wait for a startup IPI', () => {
  withMachine(({ space }) => {
    const second = newArchVCpu(1, 1, { cpuId: 1n });
    second.setEptRoot(space.root, 1);
    second.setup();
    second.bind();
    expect(second.run()).toEqual({ reason: 'Halt' });
    second.unbind();
    second[Symbol.dispose]();
  });
});

test('firmware that switched VMX off is respected', () => {
  withMachine(({ cpu }) => {
    expect(cpu.msrs.get(Msr.IA32_FEATURE_CONTROL)).toBe(5n);
    expect(cpu.on).toBe(true);
  });
});
