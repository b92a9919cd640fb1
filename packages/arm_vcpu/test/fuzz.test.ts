import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ExceptionKind } from '@axvisor/axvisor_api/arch/arm';
import type { AxArchVCpu, AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { SMC_FUNCTIONS } from '../src/index.ts';
import { FakeMachine, withVCpus } from './support/fake.ts';

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
/** Values that mean something beside values that do not. */
const near = (...values: readonly bigint[]): fc.Arbitrary<bigint> => fc.oneof(u64, fc.constantFrom(...values), fc.bigInt({ min: 0n, max: 100n }));
const syndrome = fc.tuple(fc.oneof(fc.nat(63), fc.constantFrom(0x01, 0x16, 0x17, 0x18, 0x18, 0x20, 0x24, 0x24)), fc.nat(0x3ff_ffff)).map(([ec, iss]) => (BigInt(ec) << 26n) | BigInt(iss));
/** Loads and stores more often than their share of the encodings. */
const instruction = fc.oneof(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff).map((n) => ((n & ~0x0a00_0000) | 0x0800_0000) >>> 0));
const step = fc.record({
  kind: fc.constantFrom(ExceptionKind.sync, ExceptionKind.sync, ExceptionKind.sync, ExceptionKind.irq, ExceptionKind.fiq, ExceptionKind.serror),
  esr: syndrome,
  far: near(0xffff_0000_0000_1000n, 0x900_0000n),
  hpfar: near(0x9000n, 0x40000n),
  pc: near(0xa_0000n),
  spsr: near(0x3c5n, 0n, 0x10n, 4n),
  x0: fc.oneof(fc.constantFrom(...SMC_FUNCTIONS.keys()), u64),
  x: fc.array(near(0n, 1n, 0x4000_0000n, 0xffff_0000_0000_1000n), { minLength: 30, maxLength: 30 }),
  par: near(1n, 0xa_0000n),
  instruction,
  irq: fc.constantFrom(25, 26, 27, 30, 1023, 0),
  lr: u64,
  timer: fc.tuple(u64, fc.bigInt({ min: 0n, max: 7n })),
  /** What the hypervisor does about an exit, if it has a choice. */
  answer: fc.nat(3),
  inject: fc.option(fc.oneof(fc.nat(1019), fc.integer({ min: 8192, max: 65535 }), fc.constantFrom(1024, 1025))),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Does with an exit what a hypervisor may do. */
function respond(vcpu: AxArchVCpu, exit: AxVCpuExitReason, choice: number): void {
  if (exit.reason === 'NestedPageFault' && choice > 0) {
    const access = vcpu.decodeMmio();
    if (access === undefined || choice === 1) vcpu.injectAccessFault();
    else if (access.reason === 'MmioRead') vcpu.setGpr(access.reg, 0x1234_5678_9abc_def0n);
  } else if (exit.reason === 'MmioRead' && choice > 1) vcpu.setGpr(exit.reg, 5n);
  else if (exit.reason === 'SysRegRead' && choice > 1) vcpu.setGpr(exit.reg, 5n);
  else if ((exit.reason === 'MmioWrite' || exit.reason === 'MmioRead' || exit.reason === 'SysRegRead' || exit.reason === 'SysRegWrite') && choice === 1) vcpu.injectAccessFault();
  else if (exit.reason === 'CpuUp') vcpu.completeCpuUp(choice === 0 ? 'success' : 'already-on');
  else if (exit.reason === 'Hypercall') vcpu.setReturnValue(BigInt(choice));
}

const play = (machine: FakeMachine, vcpu: AxArchVCpu, steps: readonly Step[]): void => {
  for (const s of steps) {
    machine.translate = () => s.par;
    machine.place(0xa_0000n, s.instruction);
    if (s.inject !== null) vcpu.injectInterrupt(s.inject);
    machine.next({ kind: s.kind, esr: s.esr, far: s.far, hpfar: s.hpfar, ...(s.kind === ExceptionKind.sync ? {} : { irq: s.irq }) }, (guest) => {
      guest.pe.set('ELR_EL2', s.pc);
      guest.pe.set('SPSR_EL2', s.spsr);
      guest.pe.set('CNTV_CVAL_EL0', s.timer[0]);
      guest.pe.set('CNTV_CTL_EL0', s.timer[1]);
      guest.pe.set('ICH_LR_EL2', s.lr);
      guest.setX(0, s.x0);
      s.x.forEach((value, i) => guest.setX(1 + i, value));
    });
    const exit = vcpu.run();
    expect(exit.reason).toBeTypeOf('string');
    respond(vcpu, exit, s.answer);
    vcpu.hasPendingInterrupt();
    vcpu.nextTimer();
    vcpu.dump();
  }
};

test.each([
  ['with', {}],
  ['without', { registers: { ID_AA64PFR0_EL1: 0x111n, ID_AA64DFR0_EL1: 6n }, missing: ['ICH_VTR_EL2', 'PMCR_EL0', 'MDSCR_EL1', 'AFSR0_EL1'] as const }],
])('no guest makes a vCPU throw, %s list registers and counters', (_, options) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => withVCpus(2, (machine, vcpu) => play(machine, vcpu, steps), options)),
    { numRuns: 1500 },
  );
});
