/** The delta TLB against a map: what hits, where it leads, what misses. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SECOND_ENTRY_SIZE, SECOND_SETS, SECOND_WAYS, TLB_LOGS, tlbLogCapacity, tlbTableSize } from '../../src/interp/layout.ts';
import { MMU_MODES } from '../../src/isa.ts';
import { emptyTables } from '../../src/tlb/empty.ts';
import { Tlb } from '../../src/tlb/tlb.ts';
import { wasm } from '../../src/wasm/api.ts';
import type { WasmMemory } from '../../src/wasm/api.ts';

/** The check of the generated code, by its definition. Place in memory, or undefined if the access goes the slow way. */
function look(memory: DataView, windowBits: number, write: boolean, mode: number, address: bigint, size: number): number | undefined {
  const slots = 2n ** BigInt(windowBits - 11);
  const slot = Number((BigInt.asUintN(64, address) >> 12n) & (slots - 1n));
  const table = ((write ? MMU_MODES : 0) + mode) * tlbTableSize(windowBits);
  const host = BigInt.asUintN(64, address + memory.getBigInt64(table + slot * 8, true));
  return (host & (BigInt.asUintN(64, -(2n ** BigInt(windowBits))) | BigInt(size - 1))) === 0n ? Number(host) : undefined;
}

/** The tables from 0 on, and behind them what the TLB keeps beside. */
function layoutOf(windowBits: number): { readonly tlb: number; readonly windowBits: number; readonly tlbLogs: number; readonly tlbLogged: number; readonly tlbGlobal: number; readonly second: number; readonly writable: number; readonly end: number } {
  const tlbLogs = 2 * MMU_MODES * tlbTableSize(windowBits);
  const tlbLogged = tlbLogs + TLB_LOGS * tlbLogCapacity(windowBits) * 4;
  const tlbGlobal = tlbLogged + TLB_LOGS * 4;
  const second = tlbGlobal + tlbLogs / 8;
  const writable = second + SECOND_SETS * SECOND_WAYS * SECOND_ENTRY_SIZE;
  return { tlb: 0, windowBits, tlbLogs, tlbLogged, tlbGlobal, second, writable, end: writable + 2 ** (windowBits - 12) };
}

const WASM_PAGE = 0x1_0000;

/** With empty tables. */
function memoryOf(layout: ReturnType<typeof layoutOf>): WasmMemory {
  const pages = Math.ceil(layout.end / WASM_PAGE);
  const memory = new wasm.Memory({ initial: pages });
  emptyTables(memory, { min: pages }, layout);
  return memory;
}

/** Few enough pages to collide, and all the addresses that a wrong comparison would mix up. */
function address(windowBits: number): fc.Arbitrary<bigint> {
  const period = 2n ** BigInt(windowBits + 1);
  const base = fc.constantFrom(0n, -1n, 2n ** 31n, 2n ** 32n, -(2n ** 31n), 2n ** 63n, 2n ** 38n, -(2n ** 38n)).map((at) => at & ~0xfffn);
  return fc.tuple(base, fc.bigInt({ min: -3n, max: 3n }), fc.bigInt({ min: -2n, max: 2n })).map(([at, turns, pages]) =>
    BigInt.asIntN(64, at + turns * period + pages * 4096n),
  );
}

const lo = (a: bigint): number => Number(BigInt.asIntN(32, a));
const hi = (a: bigint): number => Number(BigInt.asIntN(32, a >> 32n));

describe.each([22, 26, 31, 32])('window of 2^%i bytes', (windowBits) => {
  // The tables of the widest window would take 128 MiB; only their layout is in question.
  const layout = layoutOf(windowBits);
  const linear = memoryOf(layout);
  const words = new Int32Array(linear.buffer);
  const memory = new DataView(linear.buffer);

  test('hits and misses as a map of pages does, and never leads elsewhere', () => {
    const tlb = new Tlb(words, layout);
    const page = fc.nat({ max: 2 ** (windowBits - 12) - 1 }).map((n) => n * 4096);
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ do: fc.constant('fill' as const), write: fc.boolean(), mode: fc.nat({ max: 3 }), va: address(windowBits), page: fc.oneof(page, fc.constantFrom(0, 4096)), global: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('flushLocal' as const), mode: fc.nat({ max: 3 }) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('flushPage' as const), va: address(windowBits) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('protect' as const), page: fc.oneof(page, fc.constantFrom(0, 4096)) }) },
    );
    const probe = fc.record({
      write: fc.boolean(),
      mode: fc.nat({ max: 3 }),
      va: address(windowBits),
      offset: fc.integer({ min: 0, max: 4095 }),
      size: fc.constantFrom(1, 2, 4, 8),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.array(probe, { maxLength: 8 })), { maxLength: 40 }), (steps) => {
        tlb.flush();
        const model = new Map<string, number>();
        const globals = new Map<string, boolean>();
        // Slots that something local was in: they are emptied with the local ones, whatever is there now.
        const local = new Set<string>();
        const slotOf = (key: string): string => {
          const [write, mode, va] = key.split(' ') as [string, string, string];
          return `${write} ${mode} ${(BigInt(va) >> 12n) & (2n ** BigInt(windowBits - 11) - 1n)}`;
        };
        for (const [action, probes] of steps) {
          switch (action.do) {
            case 'fill':
              model.set(`${action.write} ${action.mode} ${action.va}`, action.page);
              globals.set(`${action.write} ${action.mode} ${action.va}`, action.global);
              if (!action.global) local.add(slotOf(`${action.write} ${action.mode} ${action.va}`));
              tlb.fill(action.write, action.mode, lo(action.va), hi(action.va), action.page, action.global);
              expect(look(memory, windowBits, action.write, action.mode, action.va, 1)).toBe(action.page);
              break;
            case 'flush':
              model.clear();
              tlb.flush();
              break;
            case 'flushLocal': {
              const seen = [...model].filter(([key, at]) => {
                const [write, mode, va] = key.split(' ') as [string, string, string];
                return ((globals.get(key) === true && !local.has(slotOf(key))) || Number(mode) !== action.mode) && look(memory, windowBits, write === 'true', Number(mode), BigInt(va), 1) === at;
              });
              for (const key of model.keys()) if (globals.get(key) !== true && key.split(' ')[1] === String(action.mode)) model.delete(key);
              tlb.flushLocal(action.mode);
              // What is global or of other modes stays.
              for (const [key, at] of seen) {
                const [write, mode, va] = key.split(' ') as [string, string, string];
                expect(look(memory, windowBits, write === 'true', Number(mode), BigInt(va), 1)).toBe(at);
              }
              break;
            }
            case 'flushPage':
              for (const key of model.keys()) if (key.endsWith(` ${action.va}`)) model.delete(key);
              tlb.flushPage(lo(action.va), hi(action.va));
              break;
            case 'protect':
              for (const [key, at] of model) if (key.startsWith('true') && at === action.page) model.delete(key);
              tlb.protect(action.page);
          }
          for (const { write, mode, va, offset, size } of probes) {
            const place = look(memory, windowBits, write, mode, va + BigInt(offset), size);
            const page = look(memory, windowBits, write, mode, va, 1);
            expect(tlb.find(write, mode, lo(va + BigInt(offset)), hi(va))).toBe(page ?? -1);
            if (place === undefined) continue; // a TLB may forget
            expect(offset % size).toBe(0);
            expect(place).toBe((model.get(`${write} ${mode} ${va}`) as number) + offset);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('an empty slot lets no address through', () => {
    emptyTables(linear, { min: linear.buffer.byteLength / WASM_PAGE }, layout);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.nat({ max: 3 }), fc.boolean(), (va, mode, write) => {
        expect(look(memory, windowBits, write, mode, va, 1)).toBeUndefined();
      }),
    );
  });
});

test('more fills than the log holds flush, and stay right', () => {
  const windowBits = 28;
  const layout = layoutOf(windowBits);
  const linear = memoryOf(layout);
  const words = new Int32Array(linear.buffer);
  const memory = new DataView(linear.buffer);
  const tlb = new Tlb(words, layout);
  const pages = 2 ** 17;
  for (let n = 0; n < pages; n++) tlb.fill(false, 0, (n * 4096) | 0, Math.floor((n * 4096) / 2 ** 32), (n % 1024) * 4096);
  let hits = 0;
  for (let n = 0; n < pages; n++) {
    const place = look(memory, windowBits, false, 0, BigInt(n) * 4096n, 1);
    if (place === undefined) continue;
    hits++;
    expect(place).toBe((n % 1024) * 4096);
  }
  expect(hits).toBeGreaterThan(0);
  tlb.flush();
  for (let n = 0; n < pages; n++) expect(look(memory, windowBits, false, 0, BigInt(n) * 4096n, 1)).toBeUndefined();
});
