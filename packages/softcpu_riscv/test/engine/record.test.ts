/** Decoded records of generated code, compared with those that JavaScript writes, in which targets are near or far as they lie. */
import { DecodedBlock, MAX_HANDLERS } from '@axvisor/softcpu';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordWriter } from '../../src/emit/record.ts';
import { decode, newDecoded } from '../../src/isa/index.ts';
import { program } from './harness.ts';

const { machine } = program('nop');
const { engine } = machine.hart;
const { layout } = machine;
const { words, bytes, handlers } = engine;
const writer = new RecordWriter(handlers, layout);
/** A page of code, records of JavaScript's and of generated code's. */
const TEXT = machine.ram.byteOffset;
const WRITTEN = TEXT + 0x4_0000;
const GENERATED = TEXT + 0x6_0000;
const SHIFT = 3;

const at = (base: number, offset: number): Int32Array => words.subarray((base + (offset << SHIFT)) >>> 2, ((base + (offset << SHIFT)) >>> 2) + 4);

describe('decoded records', () => {
  const short = fc.integer({ min: 0, max: 0xffff }).filter((bits) => (bits & 3) !== 3);
  const long = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((bits) => bits | 3);
  const word = fc.oneof(short, long).filter((bits) => decode(bits, newDecoded()));

  it('are the same whoever writes them', () => {
    bytes.fill(1, layout.seen, layout.seen + MAX_HANDLERS);
    fc.assert(
      fc.property(word, fc.integer({ min: 0, max: 2047 }), (bits, unit) => {
        const offset = 2 * unit;
        const length = (bits & 3) === 3 ? 4 : 2;
        for (let i = 0; i < 8; i++) bytes[TEXT + offset + i] = i < length ? bits >> (8 * i) : 0;
        at(GENERATED, offset).fill(0);
        at(GENERATED, offset + length).fill(0);
        const answer = writer.write(bytes, words, TEXT + offset, 4096 - offset, WRITTEN + (offset << SHIFT), offset);
        const found = engine.decodeBlock!(TEXT, GENERATED + (offset << SHIFT), offset);
        // What may end in the next page is JavaScript's, and so are zeros behind the instruction.
        if (offset > 4092) expect(found).toBe(offset);
        else {
          expect(Math.abs(found)).toBe((1 << DecodedBlock.countShift) | (offset + length));
          expect(found < 0).toBe(answer < 0 || offset + length === 4096);
          expect([...at(GENERATED, offset)]).toEqual([...at(WRITTEN, offset)]);
        }
      }),
      { numRuns: 20_000 },
    );
  });
});
