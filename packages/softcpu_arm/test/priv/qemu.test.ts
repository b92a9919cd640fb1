import { describe, expect, test } from 'vitest';
import { Status } from '../../src/priv/index.ts';
import { Harness, insn, mrs, RAM, sys, u64, type RegName } from './harness.ts';
import { translate, type Registers } from './model.ts';
import { haveQemu, runOnQemu } from './qemu.ts';

const SIZE = 1 << 19;
const BASE = BigInt(RAM);
const CONFIGURATIONS = 150;
const ADDRESSES = 60;

/** One seed makes a whole run; another may be given to look further. */
function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
const SEED = Number(process.env['QEMU_SEED'] ?? 20261121);

type Setup = readonly (readonly [RegName, bigint])[];

/** Tables of both stages, all granules: pointers into RAM, pages of RAM, blocks anywhere, many defects. */
function fillTables(h: Harness, next: (below: number) => number): void {
  for (let at = 0; at < SIZE; at += 8) {
    const what = next(100);
    const near = BASE + BigInt(next(SIZE / 4096) * 4096);
    let descriptor = what < 84 ? near | 3n : what < 92 ? BASE | 1n : what < 95 ? (BigInt(next(2 ** 16)) << 32n) | 1n : what < 97 ? near : near | 2n;
    if (next(12) !== 0) descriptor |= 1n << 10n;
    descriptor |= BigInt(next(4) << 6) | BigInt(next(8) << 2) | BigInt(next(4) << 8);
    for (const bit of [51, 52, 53, 54]) if (next(6) === 0) descriptor |= 1n << BigInt(bit);
    for (const bit of [59, 60, 61, 62]) if (next(30) === 0) descriptor |= 1n << BigInt(bit);
    h.write64(RAM + at, descriptor);
  }
}

function configuration(next: (below: number) => number): Setup {
  const pick = <T>(...values: readonly T[]): T => values[next(values.length)]!;
  const root = (): bigint => BASE + BigInt(next(SIZE / 0x1_0000) * 0x1_0000);
  const t0sz = BigInt(16 + next(24));
  const t1sz = BigInt(16 + next(24));
  const [grain, tg] = pick([12, 0n], [14, 2n], [16, 1n]);
  // An output smaller than the input, or than the start level asks for, is CONSTRAINED UNPREDICTABLE.
  const s2tsz = 16 + next(24);
  const level = Math.max(grain === 12 ? 0 : 1, 4 - Math.ceil((64 - s2tsz - grain - next(2) * 4) / (grain - 3)));
  const sl0 = BigInt(Math.min(3, Math.max(0, (grain === 12 ? 2 : 3) - level)));
  const b = (chance: number, bit: bigint): bigint => (next(chance) === 0 ? 1n << bit : 0n);
  return [
    ['MAIR_EL1', 0x04_00_44_ff_bb_f4_ee_4fn],
    ['TCR_EL1', t0sz | (t1sz << 16n) | (pick(0n, 1n, 2n) << 14n) | (pick(1n, 2n, 3n) << 30n) | (pick(5n, 5n, 5n, 2n, 1n) << 32n) | b(2, 37n) | b(2, 38n) | b(12, 7n) | b(12, 23n)],
    ['TTBR0_EL1', root()], ['TTBR1_EL1', root()],
    ['VTCR_EL2', (1n << 31n) | BigInt(s2tsz) | (sl0 << 6n) | (tg << 14n) | ((level >= 2 && s2tsz >= 24 ? pick(5n, 2n) : 5n) << 16n)],
    ['VTTBR_EL2', root()],
    ['SCTLR_EL1', next(8) === 0 ? 0x30d0_0980n : 0x30d0_0981n],
    // HCR_EL2.PTW, which QEMU obeys even without stage 2, with VM alone.
    ['HCR_EL2', (1n << 31n) | (next(2) === 0 ? 1n | b(6, 2n) : 0n) | b(12, 12n)],
  ];
}

/** AT S1E1R, S1E1W, S1E0R, S1E0W, S12E1R, S12E1W, S12E0R, S12E0W of X1. */
const AT = [sys(0, 7, 8, 0, 1), sys(0, 7, 8, 1, 1), sys(0, 7, 8, 2, 1), sys(0, 7, 8, 3, 1), sys(4, 7, 8, 4, 1), sys(4, 7, 8, 5, 1), sys(4, 7, 8, 6, 1), sys(4, 7, 8, 7, 1)];
const TLBI_ALLE1 = sys(4, 8, 7, 4);
const DSB = 0xd503_3f9f;

/**
 * What of PAR_EL1 is compared. QEMU 7.2 reports SH of the descriptor where the manual says that Device memory is Outer Shareable, other
 * types of Device memory than the manual when both stages have a say, and for a stage 2 fault on a stage 1 walk the level of stage 1.
 */
function comparable(par: bigint): bigint {
  if ((par & 1n) === 0n) return (par >> 60n === 0n ? par & ~(0xfn << 56n) : par) & ~0x180n;
  return (par & 0x100n) !== 0n ? par & ~6n : par;
}

/** QEMU 7.2 also takes blocks at levels for legal that have none: whether that matters for an address. */
function hasForeignBlock(h: Harness, setup: Setup, va: bigint): boolean {
  const values = new Map(setup);
  const value = (name: RegName): bigint => values.get(name) ?? 0n;
  const ram = { has: (pa: bigint) => pa >= BASE && pa + 8n <= BASE + BigInt(SIZE), read64: (pa: bigint) => h.read64(Number(pa)), write64: () => undefined };
  return [1n, 0n].some((vm) => {
    const regs: Registers = {
      paBits: 48n, sctlr1: value('SCTLR_EL1'), sctlr2: 0n, tcr1: value('TCR_EL1'), tcr2: 0n, ttbr0: value('TTBR0_EL1'), ttbr1: value('TTBR1_EL1'), ttbr2: 0n,
      hcr: value('HCR_EL2') & ~1n | (value('HCR_EL2') & vm), vtcr: value('VTCR_EL2'), vttbr: value('VTTBR_EL2'),
    };
    const strict = translate(ram, regs, va, 'load', 'EL1');
    const lax = translate(ram, { ...regs, anyBlock: true }, va, 'load', 'EL1');
    return 'fsc' in strict && JSON.stringify(strict, replacer) !== JSON.stringify(lax, replacer);
  });
}
const replacer = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString(16) : value);

describe.runIf(haveQemu)('as QEMU does', () => {
  test('AT with random tables, both stages, all granules', () => {
    const next = random(SEED);
    const h = new Harness({ ramSize: SIZE, paRange: 5 });
    fillTables(h, next);
    const cases = Array.from({ length: CONFIGURATIONS }, () => {
      const setup = configuration(next);
      for (const [name, value] of setup) h.set(name, value);
      h.run(TLBI_ALLE1);
      const wanted: { bits: number; va: bigint; par: bigint }[] = [];
      for (let i = 0; i < ADDRESSES; i++) {
        const wide = (BigInt(next(2 ** 16)) << 48n) | (BigInt(next(2 ** 16)) << 32n) | BigInt(next(2 ** 31)) * 2n;
        const tcr = setup[1]![1];
        const width = (at: bigint): number => 64 - Number((tcr >> at) & 63n);
        const shape = next(8);
        const va = shape < 3 ? BigInt.asUintN(width(0n), wide) : shape < 6 ? u64(-1n << BigInt(width(16n))) | BigInt.asUintN(width(16n), wide) : shape === 6 ? wide : BASE + BigInt(next(SIZE));
        const bits = AT[next(AT.length)]!;
        h.setX(1, va);
        // External aborts on walks are exceptions, which the program has no use for.
        if (h.run(bits) === Status.next && !hasForeignBlock(h, setup, va)) wanted.push({ bits, va, par: h.get('PAR_EL1') });
      }
      return { setup, wanted };
    });
    const all = cases.flatMap(({ setup, wanted }) => wanted.map((one) => ({ ...one, setup })));
    const results = runOnQemu(h.ram, all.length, (program) => {
      for (const { setup, wanted } of cases) {
        for (const [name, value] of setup) program.set(name, value);
        program.add(insn.isb, TLBI_ALLE1, DSB, insn.isb);
        for (const { bits, va } of wanted) program.load(1, va).add(bits, insn.isb, mrs('PAR_EL1', 2)).result(2);
      }
    });
    const differs = ({ par }: { readonly par: bigint }, i: number): boolean => comparable(par) !== comparable(results[i]!);
    const differences = all.filter(differs);
    const first = all.findIndex(differs);
    const show = first < 0 ? '' : `${JSON.stringify(all[first], replacer)} QEMU ${results[first]!.toString(16)}`;
    expect(differences.length, show).toBe(0);
    // Enough of everything: successes and faults of both stages.
    for (const [name, count] of [['success', all.filter(({ par }) => (par & 1n) === 0n)], ['stage 1', all.filter(({ par }) => (par & 0x201n) === 1n)], ['stage 2', all.filter(({ par }) => (par & 0x201n) === 0x201n)]] as const) {
      expect(count.length, name).toBeGreaterThan(100);
    }
  });
});
