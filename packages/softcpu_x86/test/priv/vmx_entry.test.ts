import { ExitReason, Msr, VmInstructionError } from '@axvisor/axvisor_api/arch/x86';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Candidate } from '../../src/priv/vmx/checks.ts';
import { controlRules } from '../../src/priv/vmx/check_controls.ts';
import { guestRules } from '../../src/priv/vmx/check_guest.ts';
import { hostRules } from '../../src/priv/vmx/check_host.ts';
import { Vmcs } from '../../src/priv/vmx/vmcs.ts';
import { CONTEXT, ENTRY, EXIT, F, PIN, PROC, VAPIC, VMCS, VMXON_REGION, VmxHarness } from './vmx_harness.ts';

type Breaks = (h: VmxHarness) => void;
const BEYOND = 1n << 50n;
/** In the 57 bits that the processor has. */
const NON_CANONICAL = 1n << 56n;
const inject = (type: number, vector: number, more = 0): Breaks => (h) => h.w(F.entryInterruptionInformation, 0x8000_0000 + (type << 8) + vector + more);

/** For every rule, changes to a good VMCS that break it and none before it. */
const CONTROLS: Readonly<Record<string, Breaks>> = {
  'pin-based controls: reserved bits': (h) => h.w(F.pinBasedControls, PIN & ~2),
  'primary processor-based controls: reserved bits': (h) => h.w(F.primaryProcessorBasedControls, PROC | 1),
  'secondary processor-based controls: reserved bits': (h) => h.enable(F.secondaryProcessorBasedControls, 1),
  'CR3-target count': (h) => h.w(F.cr3TargetCount, 5),
  'I/O bitmaps': (h) => (h.enable(F.primaryProcessorBasedControls, 1 << 25), h.w(F.ioBitmapB, 0x800)),
  'MSR bitmaps': (h) => (h.enable(F.primaryProcessorBasedControls, 1 << 28), h.w(F.msrBitmaps, BEYOND)),
  'virtual-APIC address': (h) => (h.enable(F.primaryProcessorBasedControls, 1 << 21), h.w(F.virtualApicAddress, 1)),
  'TPR threshold: reserved bits': (h) => (h.enable(F.primaryProcessorBasedControls, 1 << 21), h.w(F.tprThreshold, 16)),
  'TPR threshold and VTPR': (h) => (h.enable(F.primaryProcessorBasedControls, 1 << 21), h.w(F.tprThreshold, 3), h.write32(VAPIC + 0x80, 0x2f)),
  'virtual NMIs need NMI exiting': (h) => h.w(F.pinBasedControls, PIN | 0x20),
  'NMI-window exiting needs virtual NMIs': (h) => h.enable(F.primaryProcessorBasedControls, 1 << 22),
  VPID: (h) => h.enable(F.secondaryProcessorBasedControls, 1 << 5),
  'EPT pointer': (h) => (h.enable(F.secondaryProcessorBasedControls, 2), h.w(F.eptPointer, 0x16)),
  'unrestricted guest needs EPT': (h) => h.enable(F.secondaryProcessorBasedControls, 1 << 7),
  'TSC multiplier': (h) => h.enable(F.secondaryProcessorBasedControls, 1 << 25),
  'VM-exit controls: reserved bits': (h) => h.w(F.exitControls, EXIT | (1 << 12)),
  'saving the preemption timer needs the timer': (h) => h.w(F.exitControls, EXIT | (1 << 22)),
  'VM-exit MSR-store list': (h) => (h.w(F.exitMsrStoreCount, 1), h.w(F.exitMsrStoreAddress, 8)),
  'VM-exit MSR-load list': (h) => (h.w(F.exitMsrLoadCount, 2), h.w(F.exitMsrLoadAddress, (1n << 46n) - 16n)),
  'VM-entry controls: reserved bits': (h) => h.w(F.entryControls, ENTRY & ~1),
  'VM-entry interruption information: type': inject(1, 32),
  'VM-entry interruption information: vector': inject(2, 3),
  'VM-entry interruption information: error code valid': inject(3, 13),
  'VM-entry interruption information: reserved bits': inject(0, 32, 1 << 12),
  'VM-entry interruption information: error code': (h) => (inject(3, 13, 0x800)(h), h.w(F.entryExceptionErrorCode, 0x1_0000)),
  'VM-entry interruption information: instruction length': (h) => (inject(4, 32)(h), h.w(F.entryInstructionLength, 16)),
  'VM-entry MSR-load list': (h) => (h.w(F.entryMsrLoadCount, 513), h.w(F.entryMsrLoadAddress, 0)),
};
/** Those that no value of this processor's control words can reach. */
const UNREACHABLE = new Set(['entry to SMM', 'IA-32e-mode guest needs a 64-bit host', 'host SS selector: null']);

const HOST: Readonly<Record<string, Breaks>> = {
  'host CR0': (h) => h.w(F.hostCr0, 0x31),
  'host CR4': (h) => h.w(F.hostCr4, 0x20),
  'host CR3': (h) => h.w(F.hostCr3, BEYOND),
  'host IA32_SYSENTER_ESP': (h) => h.w(F.hostIa32SysenterEsp, NON_CANONICAL),
  'host IA32_SYSENTER_EIP': (h) => h.w(F.hostIa32SysenterEip, NON_CANONICAL),
  'host IA32_PAT': (h) => (h.enable(F.exitControls, 1 << 19), h.w(F.hostIa32Pat, 2)),
  'host IA32_EFER': (h) => (h.enable(F.exitControls, 1 << 21), h.w(F.hostIa32Efer, 0x100)),
  ...Object.fromEntries((['Es', 'Cs', 'Ss', 'Ds', 'Fs', 'Gs', 'Tr'] as const).map((name) => [`host ${name.toUpperCase()} selector: TI and RPL`, (h: VmxHarness) => h.w(F[`host${name}Selector`], 0x13)])),
  'host CS selector: null': (h) => h.w(F.hostCsSelector, 0),
  'host TR selector: null': (h) => h.w(F.hostTrSelector, 0),
  ...Object.fromEntries((['Fs', 'Gs', 'Tr', 'Gdtr', 'Idtr'] as const).map((name) => [`host ${name.toUpperCase()} base`, (h: VmxHarness) => h.w(F[`host${name}Base`], NON_CANONICAL)])),
  'host address-space size': (h) => h.w(F.exitControls, EXIT & ~0x200),
  'host CR4.PAE': (h) => h.w(F.hostCr4, 0x2000),
  'host RIP': (h) => h.w(F.hostRip, NON_CANONICAL),
};

const V86 = 1 << 17;
/** Makes the guest one of virtual-8086 mode. */
const v86: Breaks = (h) => {
  h.w(F.entryControls, ENTRY);
  h.w(F.guestCr4, 0x2000);
  h.w(F.guestRflags, V86 | 2);
  h.w(F.guestRip, 0x500);
  for (const name of ['Es', 'Cs', 'Ss', 'Ds', 'Fs', 'Gs'] as const) {
    h.w(F[`guest${name}Selector`], 0x100);
    h.w(F[`guest${name}Base`], 0x1000);
    h.w(F[`guest${name}Limit`], 0xffff);
    h.w(F[`guest${name}AccessRights`], 0xf3);
  }
};
const after = (first: Breaks, then: Breaks): Breaks => (h) => (first(h), then(h));
const SIX = ['Cs', 'Ss', 'Ds', 'Es', 'Fs', 'Gs'] as const;
const each = <N extends string>(names: readonly N[], what: string, breaks: (name: N) => Breaks): Readonly<Record<string, Breaks>> =>
  Object.fromEntries(names.map((name) => [`guest ${name.toUpperCase()} ${what}`, breaks(name)]));
const rights = (name: (typeof SIX)[number] | 'Ldtr' | 'Tr', value: number): Breaks => (h) => h.w(F[`guest${name}AccessRights`], value);
const usualRights = (name: string): number => (name === 'Cs' ? 0xa09b : name === 'Tr' ? 0x8b : name === 'Ldtr' ? 0x82 : 0xc093);
const EIGHT = [...SIX, 'Tr', 'Ldtr'] as const;

const GUEST: Readonly<Record<string, Breaks>> = {
  'guest CR0: fixed bits': (h) => h.w(F.guestCr0, 0x8000_0011n),
  'guest CR0: PG without PE': (h) => (h.enable(F.secondaryProcessorBasedControls, 0x82), h.w(F.guestCr0, 0x8000_0030n)),
  'guest CR4': (h) => h.w(F.guestCr4, 0x20),
  'guest IA32_DEBUGCTL': (h) => h.w(F.guestIa32Debugctl, 4),
  'IA-32e-mode guest: CR0.PG and CR4.PAE': (h) => h.w(F.guestCr4, 0x2000),
  'guest CR4.PCIDE outside IA-32e mode': (h) => (h.w(F.entryControls, ENTRY), h.w(F.guestCr4, 0x2_2020)),
  'guest CR3': (h) => h.w(F.guestCr3, BEYOND),
  'guest DR7': (h) => h.w(F.guestDr7, 1n << 32n),
  'guest IA32_SYSENTER_ESP': (h) => h.w(F.guestIa32SysenterEsp, NON_CANONICAL),
  'guest IA32_SYSENTER_EIP': (h) => h.w(F.guestIa32SysenterEip, NON_CANONICAL),
  'guest IA32_PAT': (h) => (h.enable(F.entryControls, 1 << 14), h.w(F.guestIa32Pat, 8)),
  'guest IA32_EFER': (h) => (h.enable(F.entryControls, 1 << 15), h.w(F.guestIa32Efer, 0x100)),
  'guest RIP': (h) => h.w(F.guestRip, NON_CANONICAL),
  'guest RFLAGS: reserved bits': (h) => h.w(F.guestRflags, 0),
  'guest RFLAGS.VM': (h) => h.w(F.guestRflags, V86 | 2),
  'guest RFLAGS.IF': inject(0, 32),
  'guest TR selector: TI': (h) => h.w(F.guestTrSelector, 0x3c),
  'guest LDTR selector: TI': (h) => (rights('Ldtr', 0x82)(h), h.w(F.guestLdtrSelector, 4)),
  'guest SS selector: RPL': (h) => h.w(F.guestSsSelector, 0x13),
  ...each(SIX, 'base in virtual-8086 mode', (name) => after(v86, (h) => h.w(F[`guest${name}Base`], 0x1010))),
  'guest TR base': (h) => h.w(F.guestTrBase, NON_CANONICAL),
  'guest FS base': (h) => h.w(F.guestFsBase, NON_CANONICAL),
  'guest GS base': (h) => h.w(F.guestGsBase, NON_CANONICAL),
  'guest LDTR base': (h) => (rights('Ldtr', 0x82)(h), h.w(F.guestLdtrBase, NON_CANONICAL)),
  'guest CS base': (h) => h.w(F.guestCsBase, 1n << 32n),
  ...each(['Ss', 'Ds', 'Es'] as const, 'base', (name) => (h) => h.w(F[`guest${name}Base`], 1n << 32n)),
  ...each(SIX, 'limit in virtual-8086 mode', (name) => after(v86, (h) => h.w(F[`guest${name}Limit`], 0xfffff))),
  ...each(SIX, 'access rights in virtual-8086 mode', (name) => after(v86, (h) => h.w(F[`guest${name}AccessRights`], 0x93))),
  'guest CS type': rights('Cs', 0xa093),
  'guest SS type': rights('Ss', 0xc091),
  ...each(['Ds', 'Es', 'Fs', 'Gs'] as const, 'type', (name) => rights(name, 0xc092)),
  ...each(EIGHT, 'S', (name) => rights(name, usualRights(name) ^ 0x10)),
  ...each(EIGHT, 'P', (name) => rights(name, usualRights(name) & ~0x80)),
  ...each(EIGHT, 'access rights: reserved bits', (name) => rights(name, usualRights(name) | 0x100)),
  ...each(EIGHT, 'G and limit', (name) => after(rights(name, usualRights(name) | 0x8000), (h) => h.w(F[`guest${name}Limit`], 0x100))),
  'guest CS usable': rights('Cs', 0x1_a09b),
  'guest CS DPL': rights('Cs', 0xa0bb),
  'guest SS DPL and RPL': (h) => (h.w(F.guestSsSelector, 0x13), h.w(F.guestCsSelector, 0x2b)),
  'guest SS DPL in real-address mode': (h) => {
    h.enable(F.secondaryProcessorBasedControls, 0x82);
    h.w(F.entryControls, ENTRY);
    h.w(F.guestCr0, 0x30);
    rights('Ss', 0xf3)(h);
    h.w(F.guestSsLimit, 0xffff);
    h.w(F.guestCsLimit, 0xffff);
    rights('Cs', 0xfb)(h);
  },
  ...each(['Ds', 'Es', 'Fs', 'Gs'] as const, 'DPL', (name) => (h) => h.w(F[`guest${name}Selector`], 0x13)),
  'guest CS D and L': rights('Cs', 0xe09b),
  'guest TR type': rights('Tr', 0x89),
  'guest TR usable': rights('Tr', 0x1_008b),
  'guest LDTR type': rights('Ldtr', 0x83),
  'guest GDTR base': (h) => h.w(F.guestGdtrBase, NON_CANONICAL),
  'guest IDTR base': (h) => h.w(F.guestIdtrBase, NON_CANONICAL),
  'guest GDTR limit': (h) => h.w(F.guestGdtrLimit, 0x1_0000),
  'guest IDTR limit': (h) => h.w(F.guestIdtrLimit, 0x1_0000),
  'activity state': (h) => h.w(F.guestActivityState, 4),
  'activity state HLT: privilege level': (h) => {
    h.w(F.guestActivityState, 1);
    for (const name of SIX) {
      h.w(F[`guest${name}Selector`], h.r(F[`guest${name}Selector`]) | 3n);
      h.w(F[`guest${name}AccessRights`], h.r(F[`guest${name}AccessRights`]) | 0x60n);
    }
  },
  'activity state: blocking by STI or MOV SS': (h) => (h.w(F.guestActivityState, 1), h.w(F.guestInterruptibilityState, 2)),
  'activity state: injected event': (h) => (h.w(F.guestActivityState, 2), inject(3, 6)(h)),
  'interruptibility state: reserved bits': (h) => h.w(F.guestInterruptibilityState, 32),
  'interruptibility state: STI and MOV SS': (h) => h.w(F.guestInterruptibilityState, 3),
  'interruptibility state: STI with IF clear': (h) => h.w(F.guestInterruptibilityState, 1),
  'interruptibility state: external interrupt': (h) => (h.w(F.guestRflags, 0x202), h.w(F.guestInterruptibilityState, 1), inject(0, 32)(h)),
  'interruptibility state: NMI and blocking by STI': (h) => (h.w(F.guestRflags, 0x202), h.w(F.guestInterruptibilityState, 1), inject(2, 2)(h)),
  'interruptibility state: NMI and blocking by MOV SS': (h) => (h.w(F.guestInterruptibilityState, 2), inject(2, 2)(h)),
  'interruptibility state: SMI': (h) => h.w(F.guestInterruptibilityState, 4),
  'interruptibility state: virtual NMI': (h) => (h.w(F.pinBasedControls, PIN | 0x28), h.w(F.guestInterruptibilityState, 8), inject(2, 2)(h)),
  'pending debug exceptions: reserved bits': (h) => h.w(F.guestPendingDebugExceptions, 0x10),
  'pending debug exceptions: BS': (h) => (h.w(F.guestInterruptibilityState, 2), h.w(F.guestRflags, 0x102)),
  'VMCS link pointer': (h) => h.w(F.vmcsLinkPointer, VMCS),
};

const names = (rules: readonly { readonly name: string }[]): string[] => rules.map((rule) => rule.name);

test('every rule has a VMCS that breaks it', () => {
  expect(new Set([...Object.keys(CONTROLS), ...Object.keys(HOST), ...Object.keys(GUEST), ...UNREACHABLE])).toEqual(new Set(names([...controlRules, ...hostRules, ...guestRules])));
});

test('a good VMCS is entered', () => {
  const h = new VmxHarness();
  h.start();
  expect(h.rip).toBe(0x5000n);
  const w = new VmxHarness();
  v86(w);
  w.start();
  expect(w.regs.v86 && w.regs.cpl === 3).toBe(true);
});

test.each(Object.entries(CONTROLS))('error 7: %s', (name, breaks) => {
  const h = new VmxHarness();
  breaks(h);
  expect([h.enter(), h.vmx.refused?.name]).toEqual([VmInstructionError.entryInvalidControlFields, name]);
  expect(h.n(F.vmInstructionError)).toBe(7);
  expect(h.vmx.vmcs.launched).toBe(false);
});

test.each(Object.entries(HOST))('error 8: %s', (name, breaks) => {
  const h = new VmxHarness();
  breaks(h);
  expect([h.enter(), h.vmx.refused?.name]).toEqual([VmInstructionError.entryInvalidHostState, name]);
});

test.each(Object.entries(GUEST))('exit reason 33: %s', (name, breaks) => {
  const h = new VmxHarness();
  breaks(h);
  expect([h.enter(), h.lp.exited, h.vmx.refused?.name]).toEqual([0, true, name]);
  expect(h.exit.reason).toBe(0x8000_0000 + ExitReason.entryFailureGuestState);
  expect(h.exit.qualification).toBe(name === 'VMCS link pointer' ? 4n : name === 'interruptibility state: NMI and blocking by STI' ? 3n : 0n);
  expect(h.vmx.vmcs.launched).toBe(false);
});

test.each([...Object.entries(CONTROLS), ...Object.entries(HOST), ...Object.entries(GUEST)])('what is written between two entries is found: %s', (name, breaks) => {
  const h = new VmxHarness();
  h.start();
  h.run('cpuid');
  const { place, address } = h.vmx.vmcs;
  breaks(h);
  // It may be another one by now, with the same contents.
  expect(h.vmx.vmcs).toMatchObject({ place, address });
  h.enter(!h.vmx.vmcs.launched);
  expect(h.vmx.refused?.name).toBe(name);
});

test('entries find what looking at every rule finds', () => {
  const rules = [...controlRules, ...hostRules, ...guestRules];
  const fields = Vmcs.fields.filter((field) => !Vmcs.readOnly(field));
  const value = fc.oneof(fc.bigInt({ min: 0n, max: 0xffffn }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.constant(0n));
  const change = fc.tuple(fc.constantFrom(...fields), value, fc.integer({ min: 0, max: 63 }), fc.boolean());
  let entered = 0;
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 3 }), { minLength: 1, maxLength: 6 }), (rounds) => {
      const h = new VmxHarness();
      const { vmx } = h;
      const candidate = new Candidate(vmx.vmcs, h.lp.memory, 0xffff_c000 | 0, () => {});
      for (const changes of rounds) {
        const before = changes.map(([field]) => [field, h.r(field)] as const);
        // Bits of good values come nearer to the rules than other values do.
        for (const [field, number, bit, flips] of changes) vmx.vmwrite(field, flips ? h.r(field) ^ (1n << BigInt(bit)) : number);
        const expected = rules.find((rule) => !rule.holds(candidate))?.name;
        try {
          h.enter(!vmx.vmcs.launched);
          if (!h.lp.exited && expected === undefined) {
            entered++;
            h.run('cpuid');
          }
        } catch (error) {
          // Only the hypervisor's own MSR lists abort.
          if (!/VMX abort/.test((error as Error).message)) throw error;
          return;
        }
        expect(vmx.refused?.name).toBe(expected);
        for (const [field, number] of before) vmx.vmwrite(field, number);
      }
    }),
    { numRuns: 400 },
  );
  expect(entered).toBeGreaterThan(50);
});

test('an MSR that cannot be loaded is exit reason 34, with its number', () => {
  const h = new VmxHarness();
  const list = 0xe_7000;
  const put = (i: number, index: number, value: bigint): void => {
    h.write64(list + 16 * i, BigInt(index));
    h.write64(list + 16 * i + 8, value);
  };
  put(0, Msr.IA32_KERNEL_GS_BASE, 0x1234n);
  put(1, Msr.IA32_FS_BASE, 0n);
  h.w(F.entryMsrLoadCount, 2);
  h.w(F.entryMsrLoadAddress, list);
  expect(h.enter()).toBe(0);
  expect(h.exit).toMatchObject({ reason: 0x8000_0000 + ExitReason.entryFailureMsrLoading, qualification: 2n });
  expect(h.lp.native.rdmsr(Msr.IA32_KERNEL_GS_BASE)).toBe(0x1234n);
});

test('PDPTEs are checked: those of the VMCS with EPT, those in memory without', () => {
  const h = new VmxHarness();
  const pae = (): void => {
    h.setUp();
    h.w(F.entryControls, ENTRY);
    h.w(F.guestCsAccessRights, 0xc09b);
  };
  pae();
  h.enable(F.secondaryProcessorBasedControls, 2);
  h.w(F.guestPdpte2, 3);
  expect([h.enter(), h.exit.reason, h.exit.qualification]).toEqual([0, 0x8000_0021, 2n]);
  pae();
  h.write64(0xf_0000 + 24, 0x1e7n);
  expect([h.enter(), h.exit.reason, h.exit.qualification]).toEqual([0, 0x8000_0021, 2n]);
});

test('instructions of VMX fail as the manual numbers it', () => {
  const h = new VmxHarness();
  const { vmx } = h;
  const E = VmInstructionError;
  expect(vmx.vmclear(1n)).toBe(E.vmclearInvalidAddress);
  expect(vmx.vmclear(VMXON_REGION)).toBe(E.vmclearVmxonPointer);
  expect(vmx.vmptrld(BEYOND)).toBe(E.vmptrldInvalidAddress);
  expect(vmx.vmptrld(VMXON_REGION)).toBe(E.vmptrldVmxonPointer);
  expect(vmx.vmptrld(0x4000n)).toBe(E.vmptrldIncorrectRevision);
  expect(vmx.vmxon(VMXON_REGION)).toBe(E.vmxonInRoot);
  expect(vmx.vmread(0x2)).toEqual({ failure: E.unsupportedVmcsComponent });
  expect(vmx.vmwrite(0x6c18, 0n)).toBe(E.unsupportedVmcsComponent);
  expect(vmx.vmwrite(F.exitReason, 0n)).toBe(E.vmwriteReadOnlyComponent);
  expect(vmx.invept(3, 0n)).toBe(E.invalidOperandToInveptInvvpid);
  expect(vmx.invept(1, 0n)).toBe(E.invalidOperandToInveptInvvpid);
  expect(vmx.invvpid(1, 0, 0n)).toBe(E.invalidOperandToInveptInvvpid);
  expect([vmx.invept(2, 0n), vmx.invept(1, 0x1en), vmx.invvpid(2, 0, 0n)]).toEqual([0, 0, 0]);
  expect(h.enter(false)).toBe(E.vmresumeNonLaunchedVmcs);
  h.start();
  h.run('cpuid');
  expect(h.enter(true)).toBe(E.vmlaunchNonClearVmcs);
  expect(vmx.vmptrst()).toBe(VMCS);
  expect(vmx.vmclear(VMCS)).toBe(0);
  expect([vmx.vmptrst(), h.enter(), vmx.vmwrite(F.guestCr0, 0n), vmx.vmclear(1n)]).toEqual([0xffff_ffff_ffff_ffffn, -1, -1, -1]);
  expect(vmx.vmxoff()).toBe(0);
  expect(() => vmx.vmclear(VMCS)).toThrow(/not in VMX operation/);
});

test('VMREAD and VMWRITE have the width of the field', () => {
  const h = new VmxHarness();
  h.w(F.guestCsSelector, -1n);
  h.w(F.pinBasedControls, -1n);
  h.w(F.tscOffset, 0x1234_5678_9abc_def0n);
  expect([h.r(F.guestCsSelector), h.r(F.pinBasedControls), h.r(F.tscOffset), h.r(F.tscOffset + 1)]).toEqual([0xffffn, 0xffff_ffffn, 0x1234_5678_9abc_def0n, 0x1234_5678n]);
  h.w(F.tscOffset + 1, 7);
  expect(h.r(F.tscOffset)).toBe(0x7_9abc_def0n);
});

test('registers come from the context and go back, RSP excepted', () => {
  const h = new VmxHarness();
  for (let i = 0; i < 16; i++) h.write64(CONTEXT + 8 * i, BigInt(i) * 0x1_0000_0001n);
  h.start();
  expect([h.gpr(0), h.gpr(4), h.gpr(15)]).toEqual([0n, 0x9000n, 0xf_0000_000fn]);
  h.setGpr(3, 0x55n);
  h.setGpr(4, 0x8888n);
  h.run('cpuid');
  h.lp.saveContext(CONTEXT, false);
  expect([h.read64(CONTEXT + 24), h.read64(CONTEXT + 32), h.r(F.guestRsp)]).toEqual([0x55n, 0x4_0000_0004n, 0x8888n]);
});
