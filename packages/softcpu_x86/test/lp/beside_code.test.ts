/** Stores to pages with code, into instructions and beside them: each instruction is what its bytes are when it is executed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Execution } from '@axvisor/softcpu';
import { ENTER_LONG, Machine, TABLES } from './machine.ts';

const CODE = 0x2_0000;
const RESULTS = 0x4_0000;
const PROGRAM = 0x2000;
/** Functions `mov eax, imm32; ret`, the last of which ends in another page. */
const STRIDE = 16;
const COUNT = 256;
const SKEW = STRIDE - 3;
const place = (i: number): number => CODE + SKEW + STRIDE * i;

/** A store of `size` bytes at a distance from a function's beginning, into its immediate (1 to 4) or behind it, then a call of another. */
interface Turn {
  readonly at: number;
  readonly size: 1 | 2 | 4 | 8;
  readonly distance: number;
  readonly value: number;
  readonly called: number;
}

const REGISTER = { 1: 'al', 2: 'ax', 4: 'eax', 8: 'rax' } as const;
const near = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 7 }) }, { weight: 1, arbitrary: fc.integer({ min: COUNT - 3, max: COUNT - 1 }) });
const turn: fc.Arbitrary<Turn> = fc.constantFrom(1, 2, 4, 8).chain((size) =>
  fc.record({
    at: near, size: fc.constant(size as Turn['size']), value: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), called: near,
    distance: size > 4 ? fc.integer({ min: 6, max: STRIDE - size }) : fc.oneof(fc.integer({ min: 1, max: 5 - size }), fc.integer({ min: 6, max: STRIDE - size })),
  }),
);

function source(turns: readonly Turn[], rounds: number): string {
  const body = turns.map(({ at, size, distance, value, called }, i) => `mov rax, ${value}
    mov [rbx + ${place(at) + distance - CODE}], ${REGISTER[size]}
    call ${place(called)}
    add [rdi + ${4 * i}], eax`);
  return `mov ebx, ${CODE}\nmov edi, ${RESULTS}\nmov ecx, ${rounds}\nagain:\n${body.join('\n')}\ndec ecx\njnz again\nhlt\n`;
}

/** What the calls add up to, by the bytes alone. */
function expected(turns: readonly Turn[], rounds: number): readonly number[] {
  const memory = new DataView(new ArrayBuffer(STRIDE * (COUNT + 1)));
  const sums = new Int32Array(turns.length);
  for (let round = 0; round < rounds; round++) {
    turns.forEach(({ at, size, distance, value, called }, i) => {
      const bytes = new DataView(new ArrayBuffer(8));
      bytes.setBigInt64(0, BigInt(value), true);
      for (let byte = 0; byte < size; byte++) memory.setUint8(STRIDE * at + distance + byte, bytes.getUint8(byte));
      (sums[i] as number) += memory.getInt32(STRIDE * called + 1, true);
    });
  }
  return [...sums];
}

const runs: readonly (readonly [Execution, number])[] = [['interpreter', 3], ['interpreter', 150], ['translator', 3], ['translator', 150]];

test.each(runs)('%s, %i rounds', (engine, rounds) => {
  fc.assert(
    fc.property(fc.array(turn, { minLength: 1, maxLength: 8 }), (turns) => {
      const m = new Machine(engine);
      for (let i = 0; i < COUNT; i++) {
        m.bytes[place(i)] = 0xb8;
        m.bytes[place(i) + 5] = 0xc3;
      }
      m.load(PROGRAM, `${ENTER_LONG}${source(turns, rounds)}${TABLES}`);
      expect(m.boot(PROGRAM)).toBe('waiting');
      expect(Array.from(turns, (_, i) => m.view.getInt32(RESULTS + 4 * i, true))).toEqual(expected(turns, rounds));
    }),
    { numRuns: engine === 'translator' ? 6 : 20 },
  );
});
