import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CSR } from '@axvisor/axvisor_api/arch/riscv';
import type { AxArchVCpu, AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { SBI_EXTENSIONS } from '../src/index.ts';
import { FakeMachine, withVCpus } from './support/fake.ts';

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
/** Values that mean something beside values that do not. */
const near = (...values: readonly bigint[]): fc.Arbitrary<bigint> => fc.oneof(u64, fc.constantFrom(...values), fc.bigInt({ min: 0n, max: 100n }));
const cause = near(10n, 20n, 21n, 22n, 23n, 2n, (1n << 63n) | 1n, (1n << 63n) | 5n);
const htinst = fc.oneof(near(0n, 0x3000n, 0x3020n), fc.bigInt({ min: 0n, max: 0xffff_ffffn }), fc.bigInt({ min: 0n, max: 0x1fff_ffffn }).map((n) => (n << 7n) | 0x2fn));
const trap = fc.record({
  scause: cause,
  stval: near(0x1050_0073n, 0xc000_2573n, 0x1000_0000n),
  htval: near(0x400_0000n, 0x2000_0000n),
  htinst,
  user: fc.boolean(),
});
const eid = fc.oneof(fc.constantFrom(...SBI_EXTENSIONS.map((e) => e.eid), 0x485643n), u64);
const step = fc.record({
  trap,
  pc: u64,
  eid,
  fid: fc.oneof(fc.bigInt({ min: 0n, max: 9n }), u64),
  args: fc.array(near(0n, 1n, 0x8000_0000n, 0x8000_3ff8n, (1n << 64n) - 1n), { minLength: 6, maxLength: 6 }),
  code: fc.array(fc.nat(255), { maxLength: 4 }),
  /** What the hypervisor does about an exit, if it has a choice. */
  answer: fc.nat(3),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Does with an exit what a hypervisor may do. */
function respond(vcpu: AxArchVCpu, exit: AxVCpuExitReason, choice: number): void {
  if (exit.reason === 'NestedPageFault' && choice > 0) {
    const access = vcpu.decodeMmio();
    if (access === undefined || choice === 1) vcpu.injectAccessFault();
    else if (access.reason === 'MmioRead') vcpu.setGpr(access.reg, 0x1234_5678_9abc_def0n);
  } else if (exit.reason === 'MmioWrite' && choice === 1) vcpu.injectAccessFault();
  else if (exit.reason === 'CpuUp') vcpu.completeCpuUp(choice === 0 ? 'success' : 'already-on');
  else if (exit.reason === 'Hypercall') vcpu.setReturnValue(BigInt(choice));
}

const play = (machine: FakeMachine, vcpu: AxArchVCpu, steps: readonly Step[]): void => {
  for (const { trap: t, pc, eid: extension, fid, args, code, answer } of steps) {
    machine.virtual.clear();
    code.forEach((byte, i) => machine.virtual.set(BigInt.asUintN(64, pc + BigInt(i)), byte));
    machine.next(t, (guest) => {
      guest.setCsr('sepc', pc);
      args.forEach((value, i) => guest.set(10 + i, value));
      guest.set(16, fid);
      guest.set(17, extension);
    });
    const exit = vcpu.run();
    expect(exit.reason).toBeTypeOf('string');
    respond(vcpu, exit, answer);
  }
};

test.each([['with', {}], ['without', { henvcfg: 0n, missing: [CSR.vstimecmp] }]])('no guest makes a vCPU throw, %s Sstc', (_, options) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => withVCpus(2, (machine, vcpu) => play(machine, vcpu, steps), options)),
    { numRuns: 1500 },
  );
});
