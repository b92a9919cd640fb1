import { expect, test } from 'vitest';
import type { AxArchVCpu } from '@axvisor/axvisor_api/vcpu';
import { HYPERVISOR_UID, SMC_FUNCTIONS, SmcError } from '../src/index.ts';
import { ENTRY, esr, smccc, withVCpus, type FakeMachine } from './support/fake.ts';

const PSCI32 = 0x8400_0000n;
const PSCI64 = 0xc400_0000n;
const NOTHING = { reason: 'Nothing' };

/** Calls, their arguments and what they answer: SMC Calling Convention 1.1 and PSCI 1.1 (DEN0022D, table of function identifiers). */
const ANSWERS: readonly (readonly [name: string, id: bigint, args: readonly bigint[], x0: bigint])[] = [
  ['SMCCC_VERSION', 0x8000_0000n, [], 0x1_0001n],
  ['SMCCC_ARCH_FEATURES of itself', 0x8000_0001n, [0x8000_0001n], 0n],
  ['SMCCC_ARCH_FEATURES of SMCCC_VERSION', 0x8000_0001n, [0x8000_0000n], 0n],
  ['SMCCC_ARCH_FEATURES of SMCCC_ARCH_WORKAROUND_1', 0x8000_0001n, [0x8000_8000n], -1n],
  ['SMCCC_ARCH_WORKAROUND_1', 0x8000_8000n, [], -1n],
  ['TRNG_VERSION', 0x8400_0050n, [], -1n],
  ['CALL_COUNT of vendor hypervisor services', 0x8600_ff00n, [], 3n],
  ['PSCI_VERSION', PSCI32, [], 0x1_0001n],
  ['CPU_SUSPEND, reserved bits', PSCI32 + 1n, [1n << 31n], -2n],
  ['CPU_SUSPEND, extended format', PSCI64 + 1n, [1n << 30n, ENTRY], -2n],
  ['CPU_SUSPEND, power-down to nowhere', PSCI64 + 1n, [1n << 16n, 0x10n], -9n],
  ['CPU_ON, unknown CPU', PSCI64 + 3n, [9n, ENTRY], -2n],
  ['CPU_ON, unknown CPU with reserved bits', PSCI64 + 3n, [1n << 40n, ENTRY], -2n],
  ['CPU_ON, entry outside of memory', PSCI64 + 3n, [1n, 0x9000_0000n], -9n],
  ['CPU_ON, misaligned entry', PSCI64 + 3n, [1n, ENTRY + 2n], -9n],
  ['CPU_ON, a CPU that is coming up', PSCI64 + 3n, [3n, ENTRY], -5n],
  ['AFFINITY_INFO, itself', PSCI64 + 4n, [0n, 0n], 0n],
  ['AFFINITY_INFO, off', PSCI32 + 4n, [2n, 0n], 1n],
  ['AFFINITY_INFO, coming up', PSCI64 + 4n, [3n, 0n], 2n],
  ['AFFINITY_INFO, suspended', PSCI64 + 4n, [1n, 0n], 0n],
  ['AFFINITY_INFO, cluster', PSCI64 + 4n, [0n, 1n], 0n],
  ['AFFINITY_INFO, all', PSCI64 + 4n, [0n, 3n], 0n],
  ['AFFINITY_INFO, empty cluster', PSCI64 + 4n, [0x100n, 1n], -2n],
  ['AFFINITY_INFO, unknown CPU', PSCI64 + 4n, [7n, 0n], -2n],
  ['AFFINITY_INFO, bad level', PSCI64 + 4n, [0n, 4n], -2n],
  ['MIGRATE', PSCI64 + 5n, [0n], -1n],
  ['MIGRATE_INFO_TYPE', PSCI32 + 6n, [], 2n],
  ['MIGRATE_INFO_UP_CPU', PSCI64 + 7n, [], -1n],
  ['PSCI_FEATURES of SMCCC_VERSION', PSCI32 + 10n, [0x8000_0000n], 0n],
  ['PSCI_FEATURES of SMCCC_ARCH_FEATURES', PSCI32 + 10n, [0x8000_0001n], -1n],
  ['SYSTEM_SUSPEND, others are on', PSCI64 + 14n, [ENTRY, 0n], -3n],
  ['SYSTEM_RESET2, unknown type', PSCI64 + 18n, [1n, 0n], -2n],
  ['SYSTEM_RESET2, vendor type', PSCI64 + 18n, [0x8000_0000n, 0n], -2n],
  ['a 64-bit call of a function that has none', PSCI64, [], -1n],
  ['CPU_FREEZE', PSCI32 + 11n, [], -1n],
  ['nothing known', 0xffff_ffffn, [], -1n],
];

const machineOf = (body: (machine: FakeMachine, vcpu: AxArchVCpu) => void): void =>
  withVCpus(4, (machine, vcpu) => {
    machine.power.splice(0, 4, 'on', 'suspended', 'off', 'on-pending');
    body(machine, vcpu);
  });

test.each(ANSWERS)('%s', (_name, id, args, x0) => {
  for (const [ec, length] of [[0x16, 0n], [0x17, 4n]] as const)
    machineOf((machine, vcpu) => {
      if (id === PSCI64 + 14n) machine.power[1] = 'on';
      // HVC leaves ELR_EL2 behind itself; a trapped SMC is stepped over.
      expect(smccc(machine, vcpu, id, args, ec)).toEqual({ exit: NOTHING, x0, pc: length });
    });
});

test('PSCI_FEATURES knows exactly the functions that are there', () => {
  machineOf((machine, vcpu) => {
    const there = [0, 1, 2, 3, 4, 6, 8, 9, 10, 14, 18];
    for (let n = 0; n < 32; n++) expect([n, smccc(machine, vcpu, PSCI32 + 10n, [PSCI32 + BigInt(n)]).x0]).toEqual([n, there.includes(n) ? 0n : -1n]);
    const there64 = [1, 3, 4, 14, 18];
    for (let n = 0; n < 32; n++) expect([n, smccc(machine, vcpu, PSCI32 + 10n, [PSCI64 + BigInt(n)]).x0]).toEqual([n, there64.includes(n) ? 0n : -1n]);
    expect(SMC_FUNCTIONS.size).toBe(2 + there.length + there64.length + 3);
  });
});

test('CPU_ON asks for the CPU; the result is the return code', () => {
  for (const [result, x0] of [['success', 0n], ['already-on', SmcError.ALREADY_ON], ['invalid', SmcError.INVALID_PARAMETERS]] as const)
    machineOf((machine, vcpu) => {
      const { exit } = smccc(machine, vcpu, PSCI64 + 3n, [2n, ENTRY, 0x1234_5678_9abcn]);
      expect(exit).toEqual({ reason: 'CpuUp', targetCpu: 2n, entryPoint: ENTRY, arg: 0x1234_5678_9abcn });
      vcpu.completeCpuUp(result);
      expect(BigInt.asIntN(64, vcpu.getGpr(0))).toBe(x0);
      expect(() => vcpu.completeCpuUp(result)).toThrow('does not start');
      // 32-bit calls have 32-bit arguments.
      expect(smccc(machine, vcpu, PSCI32 + 3n, [0xffff_ffff_0000_0002n, ENTRY, 1n << 40n]).exit).toEqual({ reason: 'CpuUp', targetCpu: 2n, entryPoint: ENTRY, arg: 0n });
    });
});

test('power calls are exits', () => {
  machineOf((machine, vcpu) => {
    const exit = (id: bigint, ...args: bigint[]): unknown => smccc(machine, vcpu, id, args).exit;
    expect(exit(PSCI32 + 2n)).toEqual({ reason: 'CpuDown', state: 0n });
    expect(exit(PSCI32 + 8n)).toEqual({ reason: 'SystemDown' });
    expect(exit(PSCI32 + 9n)).toEqual({ reason: 'SystemReset', warm: false });
    expect(exit(PSCI64 + 18n, 0n, 5n)).toEqual({ reason: 'SystemReset', warm: true });
  });
});

test('CPU_SUSPEND waits: standby goes on behind the call, power-down at the entry point as a new CPU', () => {
  machineOf((machine, vcpu) => {
    expect(smccc(machine, vcpu, PSCI64 + 1n, [0x1n])).toEqual({ exit: { reason: 'Halt' }, x0: 0n, pc: 0n });
    machine.pe.set('SCTLR_EL1', 0xffffn);
    expect(smccc(machine, vcpu, PSCI64 + 1n, [0x0201_0001n, ENTRY + 0x100n, 99n], 0x17).exit).toEqual({ reason: 'Halt' });
    expect(machine.pe.get('ELR_EL2')).toBe(ENTRY + 0x100n);
    expect(machine.pe.get('SPSR_EL2')).toBe(0x3c5n);
    expect(machine.pe.get('SCTLR_EL1')).toBe(0x30c5_0830n);
    expect(vcpu.getGpr(0)).toBe(99n);
    machine.power[1] = 'off';
    expect(smccc(machine, vcpu, PSCI64 + 14n, [ENTRY, 7n]).exit).toEqual({ reason: 'Halt' });
    expect(vcpu.getGpr(0)).toBe(7n);
  });
});

test('the UID of the hypervisor is in four registers', () => {
  machineOf((machine, vcpu) => {
    smccc(machine, vcpu, 0x8600_ff01n);
    expect([0, 1, 2, 3].map((i) => vcpu.getGpr(i))).toEqual(HYPERVISOR_UID);
  });
});

test('what is no fast call is a hypercall, by HVC; by SMC nobody knows it', () => {
  machineOf((machine, vcpu) => {
    expect(smccc(machine, vcpu, 7n, [1n, 2n, 3n, 4n, 5n, 6n]).exit).toEqual({ reason: 'Hypercall', nr: 7n, args: [1n, 2n, 3n, 4n, 5n, 6n] });
    vcpu.setReturnValue(-5n);
    expect(vcpu.getGpr(0)).toBe((1n << 64n) - 5n);
    expect(smccc(machine, vcpu, 7n, [], 0x17)).toEqual({ exit: NOTHING, x0: -1n, pc: 4n });
    machine.next({ esr: esr(0x16, 0xffff) }, (guest) => guest.setX(0, 0n));
    expect(vcpu.run()).toMatchObject({ reason: 'Hypercall', nr: 0n });
  });
});
