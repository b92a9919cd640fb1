/** An instruction that begins in one page and ends in another, while the pool of decoded pages is full and the first one is next to go. */
import { Execution } from '@axvisor/softcpu';
import { expect, test } from 'vitest';
import { program } from './harness.ts';

/** A page that calls `others` other pages, which fill the pool, and ends with half of an ADDI of a1. */
const source = (others: number): string => `
      j first
      .balign 4096
first:
      ${Array.from({ length: others }, (_, i) => `call other${i}`).join('\n')}
      j last
      .zero ${4096 - 2 - 4 - 8 * others}
last: addi a1, a1, 5
      wfi
      .zero ${4096 - 2 - 4 - 4}
      # What would be taken for the first half of the ADDI: one of a0.
      .half 0x0513
      .half 0
      .balign 4096
      ${Array.from({ length: others }, (_, i) => `other${i}: ret\n.balign 4096`).join('\n')}`;

const sizes = [2, 3, 4, 5, 8];

test.each([Execution.interpreter, Execution.auto].flatMap((engine) => sizes.flatMap((poolPages) => sizes.map((n) => ({ engine, poolPages, others: n - 1 })))))(
  '$engine with $poolPages pages, $others of them others',
  ({ engine, poolPages, others }) => {
    const { hart } = program(source(others), { engine, poolPages });
    hart.run(1000);
    expect([hart.reg(10), hart.reg(11)]).toEqual([0n, 5n]);
  },
);
