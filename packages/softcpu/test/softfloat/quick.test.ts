import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFloatEnv, integerArm, integerRiscv, integerX86, nanArm, nanRiscv, nanX86 } from '../../src/softfloat/index.ts';
import type { FloatEnv, Rounding } from '../../src/softfloat/index.ts';
import { functions } from './functions.ts';
import { operands } from './operands.ts';

const runs = Number(process.env['AXVISOR_FLOAT_RUNS'] ?? 400);

const architectures = {
  riscv: { tininessBefore: false, nan: nanRiscv, integer: integerRiscv },
  arm: { tininessBefore: true, nan: nanArm, integer: integerArm },
  x86: { tininessBefore: false, nan: nanX86, integer: integerX86 },
} as const;

function words(values: readonly bigint[]): Int32Array {
  return Int32Array.from(values.flatMap((v) => [Number(BigInt.asIntN(32, v >> 32n)), Number(BigInt.asIntN(32, v))]));
}

function result(env: FloatEnv): bigint {
  return (BigInt(env.hi >>> 0) << 32n) | BigInt(env.lo >>> 0);
}

describe('the quick functions agree with the exact ones', () => {
  test.each(functions.filter((f) => f.quick !== undefined))('$name', (f) => {
    fc.assert(fc.property(operands(f.operands), fc.integer({ min: 0, max: 5 }), fc.constantFrom('riscv', 'arm', 'x86'), (values, mode, isa) => {
      const wanted = createFloatEnv(architectures[isa]);
      const got = createFloatEnv(architectures[isa]);
      wanted.rounding = got.rounding = mode as Rounding;
      const bits = f.exact(wanted, values);
      f.quick!(got, words(values));
      expect({ bits: result(got), flags: got.flags }).toEqual({ bits, flags: wanted.flags });
    }), { numRuns: runs });
  });
});
