/** What generated code settles without JavaScript: that is where the speed comes from, and nothing else would notice its loss. */
import { describe, expect, test, vi } from 'vitest';
import type { FpExec } from '../../src/fp/exec.ts';
import { formats } from '../../src/isa/formats.ts';
import { insns } from '../../src/isa/table.ts';
import type { Insn } from '../../src/isa/table.ts';
import { FpMachine, isFloat } from './machine.ts';

const calls = vi.hoisted(() => ({ count: 0 }));

vi.mock(import('../../src/fp/exec.ts'), async (original) => {
  const module = await original();
  return {
    ...module,
    createFpExec: (...args: Parameters<typeof module.createFpExec>): FpExec => {
      const exec = module.createFpExec(...args);
      return (...operands) => {
        calls.count++;
        return exec(...operands);
      };
    },
  };
});

const machine = new FpMachine();
const computing = insns.filter(({ ext, format }) => (ext === 'F' || ext === 'D') && format !== 'fload' && format !== 'fstore');

const view = new DataView(new ArrayBuffer(8));
function register(insn: Insn, value: number): bigint {
  if (!isFloat(insn, 'rs1')) return BigInt.asUintN(64, BigInt(Math.trunc(value)));
  if (insn.name.endsWith('.d')) return (view.setFloat64(0, value), view.getBigUint64(0));
  return (view.setFloat32(0, value), 0xffff_ffff_0000_0000n | BigInt(view.getUint32(0)));
}

function callsFor(insn: Insn, values: readonly [number, number, number], mode: number, flags: number): number {
  const [rs1, rs2, rs3] = values.map((value) => register(insn, value));
  calls.count = 0;
  machine.run(insn.name, formats[insn.format].aux === 'rm' ? mode : 0, 0, flags, { rs1: rs1!, rs2: rs2!, rs3: rs3! });
  return calls.count;
}

describe('to nearest even, ordinary operands never call JavaScript', () => {
  const ordinary: readonly (readonly [number, number, number])[] = [[1.5, 2.25, -7], [1 / 3, 1e10 / 3, 5e-3], [12345678.9, 0.1, -1234567.89], [0, 3.5, 1.25], [2, 2, -4]];
  test.each(computing)('$name', (insn) => {
    const called = ordinary.flatMap((values) => [0, 1].map((flags) => ({ values, flags, calls: callsFor(insn, values, 0, flags) })));
    expect(called.filter(({ calls: n }) => n > 0)).toEqual([]);
  });
});

test('conversions to integers are inline in all directions but RMM', () => {
  const conversions = computing.filter(({ format }) => format === 'fcvt.x');
  expect(conversions).toHaveLength(8);
  for (const insn of conversions) {
    for (const mode of [0, 1, 2, 3]) expect(callsFor(insn, [1234.5, 0, 0], mode, 0)).toBe(0);
    expect(callsFor(insn, [1234.5, 0, 0], 4, 0)).toBe(1);
  }
});

test('NaNs and other directions do', () => {
  for (const insn of computing.filter(({ format }) => format === 'fRrm' || format === 'fR4')) {
    expect(callsFor(insn, [Number.NaN, 1, 1], 0, 0)).toBe(1);
    expect(callsFor(insn, [1, 3, 1], 2, 0)).toBe(1);
  }
});
