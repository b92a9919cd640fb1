import { Vmcb } from '@axvisor/axvisor_api/arch/x86';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SYSTEM_OPS, type SystemInsn } from '../../src/priv/index.ts';
import { slot } from '../../src/priv/registers.ts';
import { Vmcs } from '../../src/priv/vmx/vmcs.ts';
import { Harness, RAM } from './harness.ts';
import { VmxHarness, VMCS } from './vmx_harness.ts';

/** AXVISOR_FUZZ_RUNS makes so many times more cases, AXVISOR_FUZZ_SEED others. */
const FACTOR = Number(process.env['AXVISOR_FUZZ_RUNS'] ?? 1);
const SEED = process.env['AXVISOR_FUZZ_SEED'];
const cases = (count: number): { readonly numRuns: number; readonly seed?: number } => ({ numRuns: FACTOR * count, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
const TIMEOUT = 600_000;

/** Instructions with any operands. */
const instruction = fc.record({
  op: fc.nat(SYSTEM_OPS.length - 1),
  length: fc.integer({ min: 1, max: 15 }),
  opSize: fc.constantFrom(1, 2, 4, 8),
  addrSize: fc.constantFrom(2, 4, 8),
  reg: fc.nat(15),
  rm: fc.integer({ min: -1, max: 15 }),
  seg: fc.nat(5),
  lo: fc.oneof(fc.nat(RAM), fc.integer()),
  hi: fc.constantFrom(0, 0, 0, -1, 1 << 16),
  imm: fc.integer(),
  imm2: fc.nat(0xffff),
  rep: fc.boolean(),
  base: fc.integer({ min: -1, max: 15 }),
  index: fc.integer({ min: -1, max: 15 }),
  scale: fc.nat(3),
  disp: fc.integer(),
});

/** Numbers that tend to matter. */
const value = fc.oneof(fc.bigInt({ min: 0n, max: 0xffffn }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.constantFrom(0xc000_0080n, 0x277n, 0x10n, 0x33n, 0x8000_0031n, 0x20n, 0x620n));

/** Runs instructions until something leaves; registers are set anew in between. */
function run(h: Harness, list: readonly (readonly [{ readonly op: number } & Partial<SystemInsn>, bigint, number])[]): void {
  const ports = 1 << 16;
  for (const [insn, number, register] of list) {
    h.setGpr(register, number);
    // One batch of a repeated instruction is enough.
    if (insn.rep === true) h.setGpr(1, number % 64n);
    h.run(SYSTEM_OPS[insn.op] as (typeof SYSTEM_OPS)[number], insn);
    h.lp.pendingEvent();
    h.lp.translate(Number(BigInt.asIntN(32, number)), Number(BigInt.asIntN(32, number >> 32n)), (register % 3) as 0, 1, 0);
    if (h.lp.exited || h.lp.waiting !== 0) break;
  }
  h.portLog.length = Math.min(h.portLog.length, ports);
}

const program = fc.array(fc.tuple(instruction, value, fc.nat(15)), { minLength: 1, maxLength: 40 });

test('a bare processor survives any system instruction in any state', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...(Object.keys(slot) as (keyof typeof slot)[])), value), { maxLength: 12 }), fc.uint8Array({ minLength: 512, maxLength: 512 }), fc.constantFrom(0, 3), program, (registers, bytes, cpl, list) => {
      const h = new Harness();
      h.bytes.set(bytes, 0x1000);
      h.bytes.set(bytes, 0x2000);
      for (const [name, number] of registers) h.set(name, number);
      h.regs.cpl = cpl;
      h.regs.modeChanged();
      run(h, list);
    }),
    cases(300),
  );
}, TIMEOUT);

test('wild VMCS contents are errors, failed entries or guests, whose instructions do no harm', () => {
  const fields = Vmcs.fields.filter((field) => !Vmcs.readOnly(field));
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...fields), value), { maxLength: 6 }), program, (writes, list) => {
      const h = new VmxHarness();
      for (const [field, number] of writes) h.vmx.vmwrite(field, number);
      let result: number;
      try {
        result = h.enter();
      } catch (error) {
        // Only the hypervisor's own MSR lists abort.
        expect((error as Error).message).toMatch(/VMX abort/);
        return;
      }
      outcomes.add(result !== 0 ? 'error' : h.lp.exited ? 'refused' : 'runs');
      if (result !== 0 || h.lp.exited) return;
      try {
        run(h, list);
      } catch (error) {
        expect((error as Error).message).toMatch(/VMX abort/);
      }
    }),
    cases(400),
  );
  expect(outcomes).toEqual(new Set(['error', 'refused', 'runs']));
  expect(VMCS).toBe(0xe_1000n);
}, TIMEOUT);

test('wild VMCB contents are refused or run', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0x698, maxLength: 0x698 }), fc.boolean(), program, (bytes, fixed, list) => {
      const h = new Harness({ hosted: true, vendor: 'amd' });
      h.lp.native.wrmsr(0xc000_0080, 0x1d01n);
      h.bytes.set(bytes, 0xe_0000);
      if (fixed) {
        // Some of what every VMCB needs, so that more than the first rules are reached.
        h.write32(0xe_0000 + Vmcb.intercept4, 1);
        h.write64(0xe_0000 + 0x4d0, 0x1000n);
        h.write64(0xe_0000 + 0x558, 0x11n);
        h.write64(0xe_0000 + 0x548, 0n);
        h.write64(0xe_0000 + 0x560, 0x400n);
        h.write64(0xe_0000 + 0x568, 0n);
        h.write64(0xe_0000 + Vmcb.eventInjection, 0n);
        for (const at of [Vmcb.iopmBasePa, Vmcb.msrpmBasePa, Vmcb.nestedCr3]) h.write64(0xe_0000 + at, 0x8000n);
        h.write64(0xe_0000 + Vmcb.nestedPaging, 0n);
      }
      h.lp.vmRun(0xe_0000n, 0xe_6000);
      if (!h.lp.exited) run(h, list);
    }),
    cases(300),
  );
}, TIMEOUT);
