/** MMX, SSE and AVX instructions with random operands, against this machine's own processor where there is one. */
import { describe, expect, it } from 'vitest';
import type { Execution } from '@axvisor/softcpu';
import { rows } from '../../src/isa/table.ts';
import type { Row } from '../../src/isa/table.ts';
import { CODE, FCW, FPR, FSW, FTW, Flag, GPR, MXCSR, YMM } from '../../src/state.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';
import { isComparedVector, isSupported } from '../native/classes.ts';
import { ask, CODE_REGION, DATA_REGION, haveNative, hostFeatures, pristineData } from '../native/oracle.ts';
import type { Case, Outcome, X87State } from '../native/oracle.ts';
import { below, encode, has, random, word } from './encode.ts';

const CASES = process.env['AXVISOR_NIGHTLY'] === '1' ? 3000 : 12;
const MMX = 'PQN';
const isMmx = (row: Row): boolean => row.operands.some(({ kind }) => MMX.includes(kind)) || row.name === 'emms';

const features = haveNative ? hostFeatures() : new Set<string>();
const testable = rows.filter((row) => isComparedVector(row) && isSupported(row, features));

/** Indices of gathers are small, but for some that fault. */
function indices(): BigUint64Array {
  const small = (): number => (below(40) === 0 ? random() : below(128) - 64);
  return BigUint64Array.from({ length: 32 }, () => {
    const [low, high] = [small(), small()];
    return below(2) === 0 ? BigInt.asUintN(64, BigInt(low)) : (BigInt.asUintN(32, BigInt(high)) << 32n) | BigInt.asUintN(32, BigInt(low));
  });
}

const words = (): BigUint64Array => BigUint64Array.from({ length: 32 }, word);

/** Strings: elements that occur again, and ends. */
const isText = (row: Row): boolean => /^v?pcmp[ei]str[im]$/.test(row.name);
const LETTERS = [0, 1, 1, 2, 2, 3, 0x7f, 0x80, 0xff];
const letters = (): BigUint64Array => new BigUint64Array(Uint8Array.from({ length: 256 }, () => LETTERS[below(LETTERS.length)] as number).buffer);

/** Numbers that half precision has too, or nearly: of random words few are; now and then zero, or one of few bits. */
const isMiddling = (row: Row): boolean => /^v?(dpp[sd]|cvtps2ph)$/.test(row.name);
function middling(double: boolean): BigUint64Array {
  const lanes = double ? new Float64Array(32) : new Float32Array(64);
  for (let i = 0; i < lanes.length; i++) {
    const size = (1 + random() / 2 ** 24) * 2 ** (below(28) - 14);
    lanes[i] = (below(2) === 0 ? -1 : 1) * (below(16) === 0 ? 0 : below(4) === 0 ? Math.round(size) : size);
  }
  return new BigUint64Array(lanes.buffer);
}

function makeCase(row: Row, mode: 64 | 32): Case {
  const code = encode(row, mode);
  const gpr = BigUint64Array.from({ length: 16 }, () => BigInt.asUintN(mode, word()));
  // Mostly aligned; now and then not, which most instructions do not like.
  // AMD's processors take any address in SHA instructions, Intel's and this one do not.
  gpr[3] = BigInt(DATA_REGION.base + 0x800 + below(64) * 16 + (below(8) === 0 && !row.name.startsWith('sha') ? below(16) : 0));
  // Explicit lengths, of which the magnitude counts.
  if (isText(row) && below(4) !== 0) for (const register of [0, 2]) gpr[register] = BigInt.asUintN(mode, BigInt(below(40) - 20));
  // MASKMOVDQU and MASKMOVQ store to what RDI points at.
  gpr[7] = BigInt(DATA_REGION.base + 0x400 + below(1024));
  const flags = [0x1f80, 0x1f80, 0x1fa0, 0x1fbf, 0x9fc0, 0x3f80, 0x5fa0, 0x7f80, 0x1f00, 0][below(below(4) === 0 ? 10 : 4)] as number;
  return { mode, rip: CODE_REGION.base + 0x100, code, gpr, flags: 2, ...(isMmx(row) ? { x87: mmxState() } : {}), mxcsr: flags === 0 ? 0x1d80 : flags, ...(has(row, 'MX') || has(row, 'MH') ? { xmm: indices(), ymm: indices() } : isText(row) ? { xmm: letters(), ymm: letters() } : isMiddling(row) && below(4) !== 0 ? { xmm: middling(row.name.endsWith('d')), ymm: middling(row.name.endsWith('d')) } : { xmm: words(), ymm: words() }) };
}

/** MMX registers, as x87 ones. */
function mmxState(): X87State {
  const registers = new Uint8Array(128);
  const view = new DataView(registers.buffer);
  for (let i = 0; i < 8; i++) {
    view.setBigUint64(16 * i, word(), true);
    view.setUint16(16 * i + 8, 0xffff, true);
  }
  return { registers, control: 0x37f, status: 0, tags: 0xff };
}

const TRAPS: Readonly<Record<string, readonly number[]>> = { '': [1], fault: [14, 13], generalProtection: [13], simdException: [19], undefined: [6] };
const pristine = pristineData();

function check(p: FlatProcessor, test: Case, expected: Outcome): string | undefined {
  test.gpr.forEach((value, i) => p.put(GPR + 8 * i, value));
  (test.xmm as BigUint64Array).forEach((value, i) => p.put(YMM + 32 * (i >> 1) + 8 * (i & 1), value));
  (test.ymm as BigUint64Array).forEach((value, i) => p.put(YMM + 16 + 32 * (i >> 1) + 8 * (i & 1), value));
  p.word(MXCSR, test.mxcsr as number);
  const mmx = test.x87 === undefined ? undefined : new DataView(test.x87.registers.buffer);
  if (mmx !== undefined) {
    p.word(FCW, 0x37f);
    p.word(FSW, 0);
    p.word(FTW, 0xaaaa);
    for (let i = 0; i < 8; i++) {
      p.put(FPR + 16 * i, mmx.getBigUint64(16 * i, true));
      p.put(FPR + 16 * i + 8, 0xffffn);
    }
  }
  p.eflags = test.flags;
  p.exchange(CODE_REGION.base);
  p.load(test.rip, Uint8Array.from([...test.code, 0xcc, 0xcc]));
  p.load(DATA_REGION.base, pristine);
  p.run(test.rip, 1);
  // The single step of elements that a gather has done comes before the fault of the next one.
  const isInterrupted = expected.trap === 1 && expected.rip === BigInt(test.rip);
  if (!(TRAPS[p.stopped] ?? []).includes(isInterrupted ? 14 : expected.trap)) return `stopped ${p.stopped === '' ? 'not' : p.stopped}, trap ${expected.trap}`;
  const problems: string[] = [];
  // Which elements behind the one that faults are done, and what the mask has for those that are not, is the processor's (SDM vol. 2, VGATHERDPS).
  if (expected.trap !== 1 || isInterrupted) return undefined;
  expected.gpr.forEach((value, i) => {
    if (p.gpr(i) !== value) problems.push(`r${i} ${p.gpr(i).toString(16)}, not ${value.toString(16)}`);
  });
  expected.xmm.forEach((value, i) => {
    const have = p.get(YMM + 32 * (i >> 1) + 8 * (i & 1));
    if (have !== value) problems.push(`xmm${i >> 1}.${i & 1} ${have.toString(16)}, not ${value.toString(16)}`);
  });
  expected.ymm.forEach((value, i) => {
    const have = p.get(YMM + 16 + 32 * (i >> 1) + 8 * (i & 1));
    if (have !== value) problems.push(`ymm${i >> 1}.${2 + (i & 1)} ${have.toString(16)}, not ${value.toString(16)}`);
  });
  if (mmx !== undefined) {
    const { x87 } = expected;
    const view = new DataView(x87.registers.buffer, x87.registers.byteOffset);
    for (let i = 0; i < 8; i++) {
      const [have, wanted] = [p.get(FPR + 16 * i), view.getBigUint64(16 * i, true)];
      if (have !== wanted || (p.read(FPR + 16 * i + 8) & 0xffff) !== view.getUint16(16 * i + 8, true)) problems.push(`mm${i} ${have.toString(16)}, not ${wanted.toString(16)}`);
    }
    const isFree = p.read(FTW) === 0xffff;
    if (p.read(FSW) !== x87.status || isFree !== (x87.tags === 0)) problems.push(`status ${p.read(FSW).toString(16)}, tags ${p.read(FTW).toString(16)}, not ${x87.status.toString(16)}, ${x87.tags.toString(16)}`);
  }
  if (p.read(MXCSR) !== expected.mxcsr) problems.push(`mxcsr ${p.read(MXCSR).toString(16)}, not ${expected.mxcsr.toString(16)} (was ${(test.mxcsr as number).toString(16)})`);
  const arithmetic = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
  if (((p.eflags ^ expected.flags) & arithmetic) !== 0) problems.push(`flags ${p.eflags.toString(16)}, not ${expected.flags.toString(16)}`);
  const data = Uint8Array.from(pristine);
  for (const [offset, value] of expected.changes) data[offset] = value;
  const have = p.memory(DATA_REGION.base, DATA_REGION.size);
  const at = data.findIndex((value, i) => have[i] !== value);
  if (at >= 0) problems.push(`memory differs from ${at.toString(16)} on`);
  return problems.length === 0 ? undefined : problems.join('; ');
}

describe.runIf(haveNative)('against this machine', () => {
  it.each([['interpreter', 64, 1], ['translator', 64, 4], ['interpreter', 32, 4]] as const satisfies readonly (readonly [Execution, 64 | 32, number])[])('%s, code of %i bits', (execution, mode, fewer) => {
    const p = new FlatProcessor([{ ...CODE_REGION, copies: execution === 'translator' ? 1000 : 1 }, DATA_REGION], execution, mode === 64 ? CODE.code64 : CODE.code32 | CODE.stack32);
    const wrong = new Map<string, string>();
    for (let from = 0; from < testable.length; from += 40) {
      const cases = testable.slice(from, from + 40).flatMap((row) => Array.from({ length: Math.ceil(CASES / fewer) }, () => [row, makeCase(row, mode)] as const));
      ask(cases.map(([, test]) => test)).forEach((outcome, i) => {
        const [row, test] = cases[i] as (typeof cases)[number];
        const problem = check(p, test, outcome);
        if (problem !== undefined && !wrong.has(`${row.prefix} ${row.name}`)) wrong.set(`${row.prefix} ${row.name}`, `${Buffer.from(test.code).toString('hex')}: ${problem}`);
      });
    }
    expect(Object.fromEntries(wrong)).toEqual({});
  }, 3_600_000);

  it('covers what is defined', () => {
    expect(testable.length).toBeGreaterThan(600);
  });
});
