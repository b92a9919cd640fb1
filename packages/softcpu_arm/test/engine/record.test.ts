/** Decoded records, compared with what the operands of the definitions say when each is called. */
import type { HandlerTable } from '@axvisor/softcpu';
import { describe, expect, it } from 'vitest';
import { defined, isa } from '../../src/emit/isa.ts';
import { RecordWriter } from '../../src/emit/record.ts';
import { decode, fieldValue, insns } from '../../src/isa/index.ts';
import { SAMPLE, randomWords, sampleWords } from '../isa/words.ts';

/** Numbers of handlers by index, of direct branches within a page above them. */
const NEAR = 20_000;
const table = {
  handler: (index: number, _length: number, near: boolean, back = false) => index + (near ? NEAR : 0) + (back ? NEAR : 0),
} as unknown as HandlerTable;

/** The record of an instruction that lies at an offset in its page, and what is answered; undefined if it has no definition. */
function expected(word: number, offset: number): readonly number[] | undefined {
  const op = decode(word);
  const entry = defined[op];
  const insn = insns[op];
  if (entry === undefined || insn === undefined) return undefined;
  const { record, select, direct, ends } = entry.definition;
  const get = (field: string): number => fieldValue(word, insn.fields[field]!);
  const value = (name: keyof typeof record): number => record[name]?.(get, word) ?? 0;
  let index = entry.first + (select?.(get, word) ?? 0);
  let imm = record.imm === undefined ? value('a') | (value('s') << 16) : value('imm');
  if (direct === true && offset + imm >= 0 && offset + imm < 4096) {
    index += imm <= 0 ? 2 * NEAR : NEAR;
    imm <<= 2;
  }
  const high = record.high === undefined ? word : value('high');
  return [index | (value('d') << 16), value('n') | (value('m') << 16), imm, high].map((w) => w | 0).concat(ends === true ? -4 : 4);
}

describe('decoded records', () => {
  it('hold what the definitions say', () => {
    expect(isa.instructions.length).toBeLessThan(NEAR);
    const writer = new RecordWriter(table);
    const bytes = new Uint8Array(4);
    const view = new DataView(bytes.buffer);
    const words = new Int32Array(4);
    const next = randomWords(11);
    const wrong = sampleWords(SAMPLE * 4, 5).filter((word) => {
      view.setInt32(0, word, true);
      const offset = (next() & 1023) * 4;
      // The second time it is kept.
      return [0, 1].some(() => {
        words.fill(-1);
        const answer = writer.write(bytes, words, 0, 4, 0, offset);
        const record = expected(word, offset);
        if (record === undefined) return answer !== -4 || words[3] !== word;
        return [...words, answer].some((w, i) => w !== record[i]);
      });
    });
    expect(wrong.map((word) => (word >>> 0).toString(16))).toEqual([]);
  });
});
