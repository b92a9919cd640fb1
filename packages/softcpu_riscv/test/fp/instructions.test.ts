import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { float } from '../../src/fp/emit.ts';
import { formats } from '../../src/isa/formats.ts';
import { insns } from '../../src/isa/table.ts';
import type { Insn, InsnName } from '../../src/isa/table.ts';
import { DATA, FpMachine, isFloat } from './machine.ts';
import { model } from './model.ts';
import { double, integer, related, single } from './operands.ts';

const runs = Number(process.env['AXVISOR_FLOAT_RUNS'] ?? 300);
const machine = new FpMachine();
const computing = insns.filter(({ ext, format }) => (ext === 'F' || ext === 'D') && format !== 'fload' && format !== 'fstore');

test('every instruction of F and D is defined', () => {
  expect(insns.filter(({ ext }) => ext === 'F' || ext === 'D').filter(({ name }) => float[name] === undefined)).toEqual([]);
});

/** Operands as the instruction reads them: the type follows the last part of its name, or its first source's register file. */
function operands(insn: Insn): fc.Arbitrary<[bigint, bigint, bigint]> {
  if (!isFloat(insn, 'rs1')) return fc.tuple(integer, integer, integer);
  const type = insn.name.endsWith('.w') || insn.name.endsWith('.s') ? 's' : 'd';
  return type === 's' ? related(single, 1n << 31n) : related(double, 1n << 63n);
}

describe('results, flags and dirtiness are the manual’s', () => {
  test.each(computing)('$name', (insn) => {
    const rounds = formats[insn.format].aux === 'rm';
    const modes = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(4) });
    fc.assert(fc.property(operands(insn), modes, fc.boolean(), fc.constantFrom(0, 1, 0x1e, 0x1f), (sources, mode, dynamic, flags) => {
      const [rs1, rs2, rs3] = sources;
      const rm = !rounds ? 0 : dynamic ? 7 : mode;
      const got = machine.run(insn.name, rm, dynamic ? mode : 4 - mode, flags, { rs1, rs2, rs3 });
      const { rd, flags: wanted } = model(insn.name, mode, flags, sources);
      expect(got).toMatchObject({ rd, flags: wanted, trapped: false });
      if (isFloat(insn, 'rd') || wanted !== flags) expect(got.dirty).toBe(true);
    }), { numRuns: runs });
  });
});

describe('loads and stores', () => {
  const at = (name: InsnName, value: bigint, rs2?: bigint): ReturnType<FpMachine['run']> => {
    machine.memory.setBigUint64(DATA, value, true);
    return machine.run(name, 0, 0, 0, { rs1: machine.dataAddress, ...(rs2 === undefined ? {} : { rs2 }) });
  };
  test('flw boxes, fld copies, fsw and fsd write the bits as they are', () => {
    expect(at('flw', 0x1234_5678_7f80_0001n)).toMatchObject({ rd: 0xffff_ffff_7f80_0001n, dirty: true, flags: 0 });
    expect(at('fld', 0x7ff0_0000_0000_0001n)).toMatchObject({ rd: 0x7ff0_0000_0000_0001n, dirty: true, flags: 0 });
    at('fsw', 0n, 0x1111_1111_7f80_0001n);
    expect(machine.memory.getBigUint64(DATA, true)).toBe(0x7f80_0001n);
    at('fsd', 0n, 0x7ff0_0000_0000_0001n);
    expect(machine.memory.getBigUint64(DATA, true)).toBe(0x7ff0_0000_0000_0001n);
  });
});

describe('illegal instructions', () => {
  const everything = insns.filter(({ ext }) => ext === 'F' || ext === 'D');

  test('everything while floating point is off', () => {
    machine.on = false;
    const executed = everything.filter(({ name }) => !machine.run(name, 0, 0, 0, { rs1: machine.dataAddress }).trapped);
    machine.on = true;
    expect(executed).toEqual([]);
  });

  test.each(everything.filter(({ format }) => formats[format].aux === 'rm'))('$name with a reserved rounding mode', ({ name }) => {
    const ones = [0x3ff0_0000_0000_0000n, 0xffff_ffff_3f80_0000n, 0x7ff8_0000_0000_0000n, 0n];
    for (const value of ones) {
      const sources = { rs1: value, rs2: value, rs3: value };
      for (const rm of [5, 6]) expect(machine.run(name, rm, 0, 1, sources)).toMatchObject({ trapped: true, flags: 1, dirty: false });
      for (const frm of [5, 6, 7]) {
        expect(machine.run(name, 7, frm, 1, sources)).toMatchObject({ trapped: true, flags: 1, dirty: false });
        expect(machine.run(name, 0, frm, 1, sources)).toMatchObject({ trapped: false });
      }
    }
  });
});
