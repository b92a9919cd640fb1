/** Decoded records, of JavaScript and of generated code, compared with what the operands of the definitions say when each is called. */
import { DecodedBlock, Handler, MAX_HANDLERS, decoderSize, rootOf } from '@axvisor/softcpu';
import { describe, expect, it } from 'vitest';
import { UNALLOCATED, decoder, defined } from '../../src/emit/isa.ts';
import { RecordWriter } from '../../src/emit/record.ts';
import { decode, fieldValue, insns } from '../../src/isa/index.ts';
import { SAMPLE, randomWords, sampleWords } from '../isa/words.ts';
import { FlatPe } from './flat.ts';

/** Bytes that have to be left of the tables. */
const ROOM = 0x4000;

const pe = new FlatPe([{ base: 0, size: 0x1_0000 }]);
const { engine, layout } = pe;
const { words, bytes, handlers } = engine;
/** A page of code, and records. */
const TEXT = pe.placeOf(0);
const RECORDS = pe.placeOf(0x8000);

/** The record of an instruction that lies at an offset in its page, and what is answered. */
function expected(word: number, offset: number): readonly number[] {
  const op = decode(word);
  if (op < 0) return [handlers.handler(UNALLOCATED, 4, false), 0, 0, word, -4];
  const { definition, first } = defined[op]!;
  const { record, select, direct, ends } = definition;
  const get = (field: string): number => fieldValue(word, insns[op]!.fields[field]!);
  const value = (name: keyof typeof record): number => record[name]?.(get, word) ?? 0;
  let imm = record.imm === undefined ? value('a') | (value('s') << 16) : value('imm');
  const near = direct === true && offset + imm >= 0 && offset + imm < 4096;
  const handler = handlers.handler(first + (select?.(get, word) ?? 0), 4, near, near && imm <= 0);
  if (near) imm <<= 2;
  const high = record.high === undefined ? word : value('high');
  return [handler | (value('d') << 16), value('n') | (value('m') << 16), imm, high].map((w) => w | 0).concat(ends === true || direct === true ? -4 : 4);
}

/** The same as JavaScript has it. */
function written(writer: RecordWriter, word: number, offset: number): readonly number[] {
  words[(TEXT + offset) >>> 2] = word;
  const record = RECORDS + 4 * offset;
  words.fill(-1, record >>> 2, (record >>> 2) + 4);
  const answer = writer.write(bytes, words, TEXT + offset, 4, record, offset);
  return [...words.subarray(record >>> 2, (record >>> 2) + 4), answer];
}

/** The same as generated code has it, or undefined where it leaves it to JavaScript. */
function generated(word: number, offset: number): readonly number[] | undefined {
  words[(TEXT + offset) >>> 2] = word;
  words[(TEXT + offset + 4) >>> 2] = 0;
  const record = RECORDS + 4 * offset;
  words.fill(0, record >>> 2, (record >>> 2) + 8);
  const answer = engine.decodeBlock!(TEXT, record, offset);
  if (answer === offset) return undefined;
  const isOne = answer === -((1 << DecodedBlock.countShift) | (offset + 4));
  const length = isOne ? -4 : 4;
  return [...words.subarray(record >>> 2, (record >>> 2) + 4), length];
}

const hex = (found: readonly number[]): readonly string[] => found.map((word) => (word >>> 0).toString(16));
const differ = (some: readonly number[], others: readonly number[]): boolean => some.some((word, i) => word !== others[i]);

describe('decoded records', () => {
  const writer = new RecordWriter(handlers, layout);
  const next = randomWords(11);
  const sample = sampleWords(SAMPLE * 4, 5).map((word) => ({ word, offset: ((next() >>> 1) % 1023) * 4 }));

  it('hold what the definitions say', () => {
    // The second time it is kept.
    expect(hex(sample.filter(({ word, offset }) => [0, 1].some(() => differ(written(writer, word, offset), expected(word, offset)))).map(({ word }) => word))).toEqual([]);
  });

  it('are those that generated code writes', () => {
    const known = sample.at(-1)!;
    written(writer, known.word, known.offset);
    // Nobody has seen its handler.
    expect(generated(known.word, known.offset)).toBeUndefined();
    bytes.fill(1, layout.seen, layout.seen + MAX_HANDLERS);
    const wrong = sample.filter(({ word, offset }) => {
      written(writer, word, offset);
      return differ(generated(word, offset) ?? [], expected(word, offset));
    });
    expect(hex(wrong.map(({ word }) => word))).toEqual([]);
  });

  it('need no JavaScript where the operands are sums or computed', () => {
    const asked = new Set<string>();
    const wrong = sample.filter(({ word, offset }) => {
      words.fill(0, layout.decoder >>> 2, rootOf(layout.decoder, decoder) >>> 2);
      const found = generated(word, offset);
      if (found === undefined) asked.add(insns[decode(word)]?.name ?? '');
      return found !== undefined && differ(found, expected(word, offset));
    });
    expect(hex(wrong.map(({ word }) => word))).toEqual([]);
    const hasPlan = (op: number): boolean => {
      const { record, select } = defined[op]!.definition;
      return [...Object.values(record), ...(select === undefined ? [] : [select])].every((operand) => operand?.sum !== undefined || operand?.computed !== undefined);
    };
    expect(insns.filter(({ name }, op) => asked.has(name) && hasPlan(op)).map(({ name }) => name)).toEqual([]);
    // All that there is to be known has found room.
    expect(new Int32Array(words.buffer, layout.decoder + decoderSize(decoder) - ROOM, ROOM / 4).every((word) => word === 0)).toBe(true);
  });

  it('end where decoded ones begin', () => {
    const NOP = 0xd503201f | 0;
    for (let offset = 0; offset < 64; offset += 4) written(writer, NOP, offset);
    words.fill(0, RECORDS >>> 2, (RECORDS >>> 2) + 64);
    words[(RECORDS + 4 * 40) >>> 2] = Handler.lookup;
    expect(engine.decodeBlock!(TEXT, RECORDS + 4 * 8, 8)).toBe(-((8 << DecodedBlock.countShift) | 40));
    expect(words[(RECORDS + 4 * 4) >>> 2]).toBe(0);
    expect(words[(RECORDS + 4 * 40) >>> 2]).toBe(Handler.lookup);
  });
});
