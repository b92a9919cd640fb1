/** Random loops over vector registers: translated code does what the interpreter does, whatever step it is stopped at. */
import { describe, expect, it } from 'vitest';
import { rows } from '../../src/isa/table.ts';
import { CODE, EFLAGS, FPR, GPR, MXCSR, PC, YMM } from '../../src/state.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';
import { defined } from '../../src/emit/isa.ts';
import { isSimd } from '../../src/emit/simd/operands.ts';
import { below, encode, has, word } from './encode.ts';

const PAGES = 150;
const CODE_BASE = 0x10_0000;
const DATA = { base: 0x80_0000, size: 0x1000 };
const list = rows.filter((row) => isSimd(row) && defined[row.op] !== undefined && !/^v?(ldmxcsr|pcmp.str.|maskmov.*)$/.test(row.name) && !(has(row, 'MX') || has(row, 'MH')));
const zeroing = list.filter(({ name }) => name.startsWith('vzero'));
const pick = (from: typeof list): (typeof list)[number] => from[below(from.length)] as (typeof list)[number];

/** dec r14; jnz back, behind jumps over parts of the loop where its lowest bits are clear: test r14b, imm; jz. */
function loop(): number[] {
  const parts = Array.from({ length: 2 + below(10) }, () => [...encode(pick(below(12) === 0 ? zeroing : list), 64)]);
  for (let skips = below(3); skips > 0; skips--) {
    const at = below(parts.length);
    const skipped = parts.slice(at, at + 1 + below(parts.length - at)).flat().length;
    parts.splice(at, 0, [0x41, 0xf6, 0xc6, 1 + below(2), 0x74, skipped]);
  }
  const body = parts.flat();
  const back = -(body.length + 9);
  return [...body, 0x49, 0xff, 0xce, 0x0f, 0x85, back & 0xff, (back >> 8) & 0xff, 0xff, 0xff, 0xeb, 0xfe];
}

/** Words of the state that are compared: registers, then what a run left in memory. */
function state(p: FlatProcessor): Record<string, string> {
  const words: [string, string][] = [];
  const put = (name: string, from: number, count: number): void => {
    for (let i = 0; i < count; i++) words.push([`${name}${i >> 1}.${i & 1}`, p.get(from + 8 * i).toString(16)]);
  };
  put('gpr', GPR, 16);
  put('ymm', YMM, 64);
  put('mm', FPR, 16);
  put('pc', PC, 1);
  words.push(['stopped', p.stopped], ['mxcsr', p.read(MXCSR).toString(16)], ['flags', p.eflags.toString(16)], ['system', p.read(EFLAGS).toString(16)]);
  words.push(['memory', Buffer.from(p.memory(DATA.base, DATA.size)).toString('base64')]);
  return Object.fromEntries(words);
}

describe('loops', () => {
  it('do translated what they do interpreted', () => {
    const regions = [{ base: CODE_BASE, size: PAGES * 0x1000 }, DATA];
    const [interpreter, translator] = (['interpreter', 'translator'] as const).map((execution) => new FlatProcessor(regions, execution, CODE.code64)) as [FlatProcessor, FlatProcessor];
    const wrong: string[] = [];
    for (let page = 0; page < PAGES; page++) {
      const code = Uint8Array.from(loop());
      const registers = Array.from({ length: 64 }, word);
      const memory = Uint8Array.from({ length: DATA.size }, () => below(256));
      const steps = 100 + below(200);
      const at = CODE_BASE + page * 0x1000;
      const [expected, found] = [interpreter, translator].map((p) => {
        for (let i = 0; i < 16; i++) p.put(GPR + 8 * i, registers[i] as bigint);
        for (const base of [3, 7]) p.put(GPR + 8 * base, BigInt(DATA.base + 0x400));
        p.put(GPR + 8 * 14, 1000n);
        registers.forEach((value, i) => p.put(YMM + 8 * i, value));
        p.word(MXCSR, 0x1f80);
        p.load(DATA.base, memory);
        p.load(at, code);
        p.run(at, steps);
        return state(p);
      });
      if (JSON.stringify(found) !== JSON.stringify(expected)) {
        const names = Object.keys(expected as object).filter((name) => expected?.[name] !== found?.[name]);
        wrong.push(`${Buffer.from(code).toString('hex')} (${steps} steps): ${names.map((name) => (name === 'memory' ? name : `${name} ${found?.[name]}, not ${expected?.[name]}`)).join('; ')}`);
      }
    }
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(translator.engine.translation?.regions).toBeGreaterThan(PAGES / 2);
  });
});
