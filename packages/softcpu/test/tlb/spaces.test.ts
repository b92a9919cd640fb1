/** Address spaces against a model of caches that keep every tag they were ever given. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ENGINE } from '../../src/interp/layout.ts';
import { Spaces } from '../../src/index.ts';

const STATE = 0;
const MMU_IDX = 0;
const FETCH_IDX = 4;
const ENGINE_BLOCK = 64;

/** Translations by tag, as the caches hold them: each says for which key it was made, and whether it is global there. */
class Model {
  readonly words = new Int32Array((ENGINE_BLOCK + ENGINE.size) / 4);
  readonly data = new Map<number, Map<number, string>>();
  /** What the first level has, by mode: for which key, and whether that is a regime's. */
  readonly modes: Map<number, string>[] = [new Map(), new Map(), new Map(), new Map()];
  tagged = 0;
  swept = 0;
  readonly spaces = new Spaces(this.words, { unit: 4, state: { pc: 0, budget: 0, mmuIdx: MMU_IDX, fetchIdx: FETCH_IDX } }, { engine: ENGINE_BLOCK, state: STATE }, {
    flushTagged: () => {
      this.tagged++;
      this.data.clear();
      for (const mode of this.modes) mode.clear();
    },
    flushMode: (mode) => this.modes[mode]?.clear(),
    flushLocal: (mode) => this.modes[mode]?.forEach((made, page, entries) => made.includes('s') && entries.delete(page)),
    flushDead: () => {
      this.swept++;
      for (const tag of this.data.keys()) if (!this.spaces.isLive(tag)) this.data.delete(tag);
    },
  });
  key = '';
  regime = '';

  enter(mode: number, regime: number, space: number, alike: readonly number[] = []): void {
    this.regime = `r${regime} `;
    this.key = `r${regime} s${space} `;
    this.words[MMU_IDX >>> 2] = mode;
    this.words[FETCH_IDX >>> 2] = mode;
    const entered = this.spaces.space(this.key, this.regime);
    this.spaces.enter(entered, entered, alike);
  }

  get mode(): number {
    return this.words[MMU_IDX >>> 2] as number;
  }

  /** What a page number means in the key's page tables. */
  fill(page: number, global: boolean): void {
    const made = global ? this.regime : this.key;
    const tag = this.spaces.dataTag(global);
    let entries = this.data.get(tag);
    if (entries === undefined) this.data.set(tag, (entries = new Map()));
    entries.set(page, made);
    this.modes[this.mode]?.set(page, made);
  }

  /** All that the current accesses find was made for them, and since it was last forgotten. */
  check(forgotten: (made: string) => boolean): void {
    for (const found of [this.data.get(this.spaces.dataTag(false)), this.data.get(this.spaces.dataTag(true)), this.modes[this.mode]]) {
      for (const made of found?.values() ?? []) {
        expect(made === this.key || made === this.regime).toBe(true);
        expect(forgotten(made)).toBe(false);
      }
    }
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('enter' as const), mode: fc.nat(3), regime: fc.nat(1), space: fc.nat(3), page: fc.constant(0), global: fc.constant(false) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('fill' as const), mode: fc.constant(0), regime: fc.constant(0), space: fc.constant(0), page: fc.nat(5), global: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), mode: fc.constant(0), regime: fc.nat(1), space: fc.option(fc.nat(3), { nil: -1 }), page: fc.constant(0), global: fc.constant(false) }) },
);

test('nothing is found that belongs to another space or was forgotten', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const m = new Model();
      m.enter(0, 0, 0);
      for (const { kind, mode, regime, space, page, global } of steps) {
        if (kind === 'enter') m.enter(mode, regime, space);
        else if (kind === 'fill') m.fill(page, global);
        else {
          // A space without what is global, or a regime with all its spaces.
          const goes = (key: string): boolean => (space < 0 ? key.startsWith(`r${regime} `) : key === `r${regime} s${space} `);
          m.spaces.forget(goes);
          m.check(goes);
          for (const entries of m.data.values()) for (const [at, made] of entries) if (goes(made)) entries.set(at, `forgotten ${made}`);
          m.modes.forEach((entries, i) => i !== m.mode && entries.forEach((made, at) => goes(made) && entries.set(at, `forgotten ${made}`)));
        }
        m.check((made) => made.startsWith('forgotten'));
      }
    }),
    { numRuns: 300 },
  );
});

test('what is global is found in all spaces of a regime, in both levels', () => {
  const m = new Model();
  m.enter(0, 0, 0);
  const shared = m.spaces.dataTag(true);
  for (let i = 1; i < 100; i++) {
    m.fill(2 * i, false);
    m.fill(2 * i + 1, true);
    const own = m.spaces.dataTag(false);
    m.enter(0, 0, i % 3);
    expect(m.spaces.dataTag(true)).toBe(shared);
    expect(m.spaces.dataTag(false)).not.toBe(own);
    expect(m.modes[0]?.size).toBe(i);
  }
  m.enter(0, 1, 0);
  expect(m.spaces.dataTag(true)).not.toBe(shared);
  expect(m.modes[0]?.size).toBe(0);
});

test('more spaces than numbers: everything is forgotten, now and then', () => {
  const m = new Model();
  for (let i = 0; i < 2000; i++) {
    m.enter(0, 0, i);
    m.fill(i, false);
    m.check(() => false);
    expect(m.spaces.isLive(m.spaces.dataTag(false))).toBe(true);
  }
  expect(m.tagged).toBeGreaterThan(1);
  expect(m.tagged).toBeLessThan(30);
});

test('numbers of spaces that are forgotten are given to others, and nothing else is forgotten', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ mode: fc.nat(3), space: fc.nat(20), global: fc.boolean(), keeps: fc.nat(3) }), { minLength: 400, maxLength: 450 }), (steps) => {
      const m = new Model();
      m.enter(0, 0, 0);
      for (const [page, { mode, space, global, keeps }] of steps.entries()) {
        m.enter(mode, 0, space);
        m.check((made) => made.startsWith('forgotten'));
        m.fill(page % 5, global);
        m.check((made) => made.startsWith('forgotten'));
        if (keeps === 0) continue;
        const key = `r0 s${(space + 1) % 21} `;
        m.spaces.drop([key]);
        for (const entries of m.data.values()) for (const [at, made] of entries) if (made === key) entries.set(at, `forgotten ${made}`);
        m.modes.forEach((entries) => entries.forEach((made, at) => made === key && entries.set(at, `forgotten ${made}`)));
      }
      expect(m.tagged).toBe(0);
    }),
    { numRuns: 12 },
  );
});

test('a mode that was last in a space that is forgotten has nothing of it for the one that gets its number', () => {
  for (let others = 245; others < 265; others++) {
    const m = new Model();
    m.enter(2, 0, 0);
    m.fill(0, false);
    m.enter(1, 0, 1);
    m.spaces.drop(['r0 s0 ']);
    for (let i = 2; i < others; i++) {
      m.enter(1, 0, i);
      m.spaces.drop([`r0 s${i - 1} `]);
    }
    m.enter(2, 0, others - 1);
    expect(m.modes[2]?.size).toBe(0);
    expect(m.tagged).toBe(0);
  }
});

test('modes that are alike are used without being entered', () => {
  const alike = fc.oneof(
    fc.record({ kind: fc.constant('enter' as const), space: fc.nat(3), mode: fc.nat(2) }),
    fc.record({ kind: fc.constant('use' as const), space: fc.constant(0), mode: fc.nat(2) }),
    fc.record({ kind: fc.constantFrom('own' as const, 'global' as const), space: fc.nat(5), mode: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(alike, { maxLength: 120 }), (steps) => {
      const m = new Model();
      m.enter(0, 0, 0, [0, 1, 2]);
      for (const { kind, space, mode } of steps) {
        if (kind === 'enter') m.enter(mode, 0, space, [0, 1, 2]);
        else if (kind === 'use') m.words[MMU_IDX >>> 2] = mode;
        else m.fill(space, kind === 'global');
        m.check(() => false);
      }
    }),
    { numRuns: 300 },
  );
});
