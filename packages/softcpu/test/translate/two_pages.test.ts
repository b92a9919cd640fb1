/** Regions over two pages: loops across a page edge, however their pages are written, mapped and taken meanwhile. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Access, Execution } from '../../src/index.ts';
import { Toy, toy } from '../interp/toy.ts';
import { Late } from './compilers.ts';
import type { ToyOptions } from '../interp/toy.ts';

const PAGE = 4096;
/** Where the loop begins in its page: two of its instructions lie before the edge. */
const START = PAGE - 8;
/** r1 counts rounds, r2 collects what the second page adds, which is r3 at first. */
const HEAD = [toy('addi', 1, 1, 1), toy('addi', 4, 4, 2)];
const tail = (add: number): number[] => [toy('addi', 2, 2, add), toy('jump', 0, 0, -12)];
const SLICE = 10_000;

/** A toy whose virtual pages lie anywhere. */
class Mapped extends Toy {
  /** Physical page by virtual page, both counted from {@link base}. */
  readonly map = new Map<number, number>();

  override translate(lo: number, hi: number, access: Access, size: number, offset: number): number {
    const physical = super.translate(lo, hi, access, size, offset);
    if (physical < 0) return physical;
    const page = this.map.get(Math.floor((physical - this.base) / PAGE));
    return page === undefined ? physical : this.base + page * PAGE + (physical % PAGE);
  }

  remap(page: number, physical: number): void {
    this.map.set(page, physical);
    this.engine.tlb.flushPage(this.base + page * PAGE, 0);
    this.engine.pages.fetches.flushPage(this.base + page * PAGE, 0);
  }

  /** Rounds and what they added, of some slices from a page on. */
  rounds(page = 0): readonly [number, number] {
    this.pc = BigInt(this.base + page * PAGE + START);
    this.setReg(1, 0n);
    this.setReg(2, 0n);
    for (let i = 0; i < 20; i++) this.engine.run(SLICE);
    return [Number(this.reg(1)), Number(this.reg(2))];
  }

  get each(): number {
    const [rounds, added] = this.rounds();
    return Math.round(added / rounds);
  }

  region(offset: number): string {
    return `${this.engine.translationAt(this.base + offset)?.join(' ') ?? 'none'}`;
  }
}

function looping(options: ToyOptions = {}): Mapped {
  const machine = new Mapped({ execution: Execution.auto, ...options });
  machine.load(HEAD, START);
  machine.load(tail(3), PAGE);
  return machine;
}

/** One in which the loop is translated. */
function hot(options: ToyOptions = {}): Mapped {
  const machine = looping(options);
  for (let i = 0; i < 20; i++) machine.rounds();
  return machine;
}

describe.each([['here', {}], ['elsewhere', { compiler: new Late() }]] as const)('a loop over the edge of a page, compiled %s', (_where, options) => {
  test('is one region', () => {
    const machine = hot(options);
    expect(machine.region(START)).not.toBe('none');
    const [rounds, added] = machine.rounds();
    expect([rounds, added]).toEqual([(20 * SLICE) / 4, (60 * SLICE) / 4]);
    machine.load(tail(5), PAGE);
    expect(machine.region(START)).toBe('none');
  });

  test('takes every step that it is given, and no more', () => {
    const machine = hot(options);
    const { retired } = machine.engine;
    for (let steps = 1; steps < 40; steps++) expect(machine.engine.run(steps)).toBe(steps);
    expect(machine.engine.retired - retired).toBe((39 * 40) / 2);
    expect(machine.pc).toBe(BigInt(machine.base + START + 4 * (((39 * 40) / 2) % 4)));
  });
});

describe('the second page', () => {
  test('is written: the loop does what is there now', () => {
    const machine = hot();
    const { invalidated } = machine.engine.translation ?? { invalidated: 0 };
    machine.load(tail(5), PAGE);
    expect(machine.engine.translation?.invalidated).toBeGreaterThan(invalidated);
    expect(machine.each).toBe(5);
  });

  test('is written where no instruction of the region is: nothing is dropped', () => {
    const machine = hot();
    const { invalidated } = machine.engine.translation ?? { invalidated: 0 };
    machine.load([toy('addi', 2, 2, 9)], PAGE + 0x200);
    expect(machine.engine.translation?.invalidated).toBe(invalidated);
  });

  test('is written by the loop itself', () => {
    const machines = [Execution.interpreter, Execution.auto].map((execution) => {
      const machine = new Mapped({ execution });
      // At r5 there is what `tail` adds; r6 is changed every round, and its instruction with it.
      machine.load([toy('addi', 1, 1, 1), toy('branch', 1, 7, 8)], START);
      machine.load([toy('store', 6, 5, 0), toy('addi', 2, 2, 3), toy('jump', 0, 0, -16)], PAGE);
      machine.pc = BigInt(machine.base + START);
      machine.setReg(5, BigInt(machine.base + PAGE + 4 - 4));
      return machine;
    });
    for (const machine of machines) {
      // What the loop is, over and over; then, with another instruction.
      const words = (add: number): bigint => (BigInt(toy('addi', 2, 2, add) >>> 0) << 32n) | BigInt(toy('store', 6, 5, 0) >>> 0);
      for (let i = 0; i < 30; i++) {
        machine.setReg(6, words(1 + (i >> 3)));
        machine.engine.run(SLICE);
      }
    }
    const [model, machine] = machines as [Mapped, Mapped];
    expect([machine.reg(1), machine.reg(2), machine.pc]).toEqual([model.reg(1), model.reg(2), model.pc]);
  });

  test('is mapped elsewhere: the loop goes on there, and back again', () => {
    const machine = hot();
    machine.load(tail(7), 5 * PAGE);
    machine.remap(1, 5);
    expect(machine.each).toBe(7);
    machine.remap(1, 1);
    expect(machine.each).toBe(3);
  });

  test('is another one where the first is mapped twice', () => {
    const machine = looping();
    machine.load(tail(11), 9 * PAGE);
    machine.map.set(8, 0);
    for (let i = 0; i < 20; i++) {
      const [[rounds, added], [others, addedThere]] = [machine.rounds(), machine.rounds(8)];
      expect([added, addedThere]).toEqual([3 * rounds, 11 * others]);
    }
  });

  test('gives its records up, which the one takes that is mapped there then', () => {
    const machine = hot();
    const records = machine.engine.pages.recordsOf((machine.base + PAGE) / PAGE);
    for (let i = 0; i < 70; i++) machine.load([i], PAGE + 0x200);
    machine.load(tail(7), 5 * PAGE);
    machine.remap(1, 5);
    expect(machine.each).toBe(7);
    expect(machine.engine.pages.recordsOf((machine.base + 5 * PAGE) / PAGE)).toBe(records);
  });
});

/** What happens between slices. */
type Event = { readonly kind: 'run'; readonly steps: number } | { readonly kind: 'write' | 'remap' | 'take'; readonly page: number; readonly value: number };

const events: fc.Arbitrary<readonly Event[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('run' as const), steps: fc.integer({ min: 1, max: 300 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('write' as const, 'remap' as const, 'take' as const), page: fc.integer({ min: 1, max: 5 }), value: fc.nat(5) }) },
  ),
  { minLength: 5, maxLength: 60 },
);

/** Loops over the edges between five pages, one behind the other, and then again. */
function chainOfLoops(machine: Mapped): void {
  for (let page = 0; page < 5; page++) {
    machine.load([toy('addi', 2, 2, 1 + page), toy('addi', 3, 3, -1), toy('branch', 3, 0, -16), toy('addi', 3, 0, 5 + page), toy('jump', 0, 0, PAGE - 16)], page * PAGE);
    machine.load([toy('addi', 1, 1, 1), toy('addi', 4, 4, 2)], page * PAGE + START);
  }
  machine.load([toy('addi', 2, 2, 100), toy('jump', 0, 0, -4 - 4 * PAGE)], 5 * PAGE);
  machine.pc = BigInt(machine.base + PAGE);
  machine.setReg(3, 5n);
}

const state = (machine: Toy): readonly unknown[] => [machine.pc, machine.engine.retired, ...Array.from({ length: 8 }, (_, i) => machine.reg(i))];

test('whatever happens to its pages between slices, code goes on as in tier 0', () => {
  fc.assert(
    fc.property(events, (list) => {
      const machines = [Execution.interpreter, Execution.translator].map((execution) => new Mapped({ execution })) as [Mapped, Mapped];
      for (const machine of machines) chainOfLoops(machine);
      for (const event of list) {
        for (const machine of machines) {
          const { pc } = machine;
          if (event.kind === 'run') machine.engine.run(event.steps);
          else if (event.kind === 'write') machine.load([toy('addi', 2, 2, 10 * event.value)], event.page * PAGE);
          else if (event.kind === 'remap') machine.remap(event.page, event.value);
          else machine.engine.pages.acquire(machine.base + (20 + 8 * event.page + event.value) * PAGE);
          if (event.kind !== 'run') machine.pc = pc;
        }
        expect(state(machines[1])).toEqual(state(machines[0]));
      }
    }),
    { numRuns: 30 },
  );
});
