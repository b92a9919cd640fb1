/**
 * Berkeley TestFloat as the judge: AXVISOR_TESTFLOAT_GEN is the path of a testfloat_gen, AXVISOR_TESTFLOAT_ISA the
 * specialization of its SoftFloat (riscv, the default; x86 for 8086-SSE; arm-default for ARM-VFPv2-defaultNaN).
 * AXVISOR_TESTFLOAT_STRIDE: every how manieth of the six million cases of a fused multiply-add is looked at (31).
 *
 * Without it, the cases of sample.txt: made by the exact functions, each one confirmed by testfloat_ver -checkAll with the RISC-V specialization.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createFloatEnv, integerArm, integerRiscv, integerX86, nanArmDefault, nanRiscv, nanX86 } from '../../src/softfloat/index.ts';
import type { FloatEnv } from '../../src/softfloat/index.ts';
import { functions } from './functions.ts';
import type { TestFunction } from './functions.ts';
import { judgeExact, judgeQuick, modes } from './judge.ts';
import type { Mode } from './judge.ts';

const generator = process.env['AXVISOR_TESTFLOAT_GEN'];
const stride = Number(process.env['AXVISOR_TESTFLOAT_STRIDE'] ?? 31);
const isas: Readonly<Record<string, Pick<FloatEnv, 'tininessBefore' | 'nan' | 'integer'>>> = {
  riscv: { tininessBefore: false, nan: nanRiscv, integer: integerRiscv },
  x86: { tininessBefore: false, nan: nanX86, integer: integerX86 },
  'arm-default': { tininessBefore: true, nan: nanArmDefault, integer: integerArm },
};
const isaName = process.env['AXVISOR_TESTFLOAT_ISA'] ?? 'riscv';
const isa = isas[isaName]!;

/** Two NaNs as operands: where each of them has a significand of its own, the x87 delivers the larger, which is no {@link FloatEnv.nan}. */
const twoNans = /^[7F]FFF(?!8000000000000000).* [7F]FFF(?!8000000000000000)[^ ]* [^ ]* ..$/;

/** Runs the cases of one function and direction; returns how many were looked at and the first that failed. */
async function judge(f: TestFunction, mode: Mode): Promise<{ count: number; failure: string | undefined }> {
  const tininess = isa.tininessBefore ? 'before' : 'after';
  const child = spawn(generator!, ['-level', '1', `-r${mode}`, `-tininess${tininess}`, '-exact', f.name], { stdio: ['ignore', 'pipe', 'ignore'] });
  const env = createFloatEnv(isa);
  const every = f.operands.length === 3 ? stride : 1;
  let count = 0;
  let line = 0;
  let failure: string | undefined;
  let rest = '';
  for await (const chunk of child.stdout) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop()!;
    for (const text of lines) {
      if (line++ % every !== 0 || (f.name.startsWith('extF80') && twoNans.test(text))) continue;
      const parts = text.split(' ');
      failure ??= judgeQuick(f, env, mode, parts);
      // The exact functions on a part of the cases: they are slow, and the quick ones are compared with them elsewhere.
      if (count++ % 16 === 0) failure ??= judgeExact(f, env, mode, parts);
    }
  }
  return { count, failure };
}

/** What TestFloat generates. */
function known({ name }: TestFunction): boolean {
  if (/min|max|classify/.test(name)) return false;
  // Of bfloat16 only two conversions, whose NaNs are off by a bit outside RISC-V.
  if (name.includes('bf16')) return isaName === 'riscv' && (name === 'bf16_to_f32' || name === 'f32_to_bf16');
  if (name.includes('extF80')) return isaName === 'x86';
  // SoftFloat propagates the payload of a quiet addend where x86 has no such rule.
  return !(isaName === 'x86' && name.endsWith('mulAdd'));
}

/** Directions to look at. To integers, TestFloat's odd is towards zero; to the extended format it knows none. */
function directions(f: TestFunction): readonly Mode[] {
  if (!f.rounds) return ['near_even'];
  return (Object.keys(modes) as Mode[]).filter((mode) => mode !== 'odd' || !/roundToInt|to_u?i|extF80/.test(f.name));
}

if (generator === undefined) {
  describe('cases confirmed by Berkeley TestFloat', () => {
    const env = createFloatEnv(isas['riscv']!);
    const cases = Map.groupBy(
      readFileSync(new URL('sample.txt', import.meta.url), 'utf8').trim().split('\n').map((line) => line.split(' ')),
      ([name]) => name!,
    );
    test.each(functions.filter((f) => known(f) && !f.name.includes('bf16')))('$name', (f) => {
      const lines = cases.get(f.name) ?? [];
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.flatMap(([, mode, ...parts]) => [judgeQuick(f, env, mode as Mode, parts), judgeExact(f, env, mode as Mode, parts)]).filter(Boolean)).toEqual([]);
    });
  });
} else {
  let total = 0;
  describe('Berkeley TestFloat', () => {
    test.each(functions.filter(known))('$name', { timeout: 1_800_000 }, async (f) => {
      for (const mode of directions(f)) {
        const { count, failure } = await judge(f, mode);
        total += count;
        expect({ mode, failure }).toEqual({ mode, failure: undefined });
        expect(count).toBeGreaterThan(0);
      }
    });
    test('the number of cases', () => {
      console.log(`${total} cases`);
    });
  });
}
