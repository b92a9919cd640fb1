import { describe, expect, test } from 'vitest';
import { Access, Status } from '../../src/priv/index.ts';
import { Harness, insn, modes, mrs, msr, RAM, regNames, sys, type Mode, type RegName } from './harness.ts';
import { haveQemu, runOnQemu, type Program } from './qemu.ts';

const BASE = BigInt(RAM);
const SEED = Number(process.env['QEMU_SEED'] ?? 20261121);

function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** What an exception leaves, in the order the handler stores it. */
const recorded = ['ESR_EL2', 'ELR_EL2', 'SPSR_EL2', 'FAR_EL2', 'HPFAR_EL2', 'ESR_EL1', 'ELR_EL1', 'SPSR_EL1', 'FAR_EL1'] as const satisfies readonly RegName[];

interface Case {
  readonly setup: readonly (readonly [RegName, bigint])[];
  readonly mode: Mode;
  readonly bits: number;
  /** X1 when the instruction begins. */
  readonly x1: bigint;
}

/** HVC behind the instruction, and HVC in every vector of EL1: who was there is in ELR_EL2. */
const AFTER = insn.hvc(0x7777);
const VECTOR = insn.hvc(0x7778);
/** Where the handlers' registers are. */
const [POINTER, NEXT] = [20, 21];
const BR_NEXT = (0xd61f_0000 | (NEXT << 5)) | 0;

/** Aligns code to vectors and emits 16 of them. */
function vectors(program: Program, words: readonly number[]): number {
  while (program.pc % 0x800 !== 0) program.add(insn.nop);
  const base = program.pc;
  for (let i = 0; i < 16; i++) program.add(...words, ...Array.from({ length: 32 - words.length }, () => insn.nop));
  return base;
}

/** Runs cases on QEMU. The stub of case `i` is at `stubs[i]`, the vectors of EL1 at `vbar`. */
function onQemu(memory: Uint8Array, cases: readonly Case[]): { results: bigint[]; stubs: number[]; vbar: number } {
  const stubs: number[] = [];
  let vbar = 0;
  const results = runOnQemu(memory, cases.length * recorded.length, (program) => {
    // Branch over what the vectors take at most.
    program.add(0x1400_0000 | (0x3000 / 4));
    const start = program.pc - 4;
    vbar = vectors(program, [VECTOR]);
    const store = recorded.flatMap((name) => [mrs(name, 9), (0xf800_8409 | (POINTER << 5)) | 0]);
    const el2 = vectors(program, [...store, BR_NEXT]);
    while (program.pc < start + 0x3000) program.add(insn.nop);
    program.set('VBAR_EL2', BigInt(el2));
    for (const { setup, mode, bits, x1 } of cases) {
      for (const name of recorded) program.set(name, 0n);
      program.set('VBAR_EL1', BigInt(vbar));
      for (const [name, value] of setup) program.set(name, value);
      program.set('SPSR_EL2', BigInt(modes[mode]) | 0x3c0n).load(1, x1).load(3, 0n);
      // The lengths of these two loads do not depend on where they lead, as all code is in one 64 KiB-granular range of three halves.
      const size = 2 * 2 + 3;
      const stub = program.pc + 4 * size;
      program.load(NEXT, BigInt(stub + 8)).load(0, BigInt(stub)).add(msr('ELR_EL2', 0), insn.isb, insn.eret);
      if (program.pc !== stub) throw new Error(`the stub is at ${program.pc.toString(16)}, not ${stub.toString(16)}`);
      stubs.push(stub);
      program.add(bits, AFTER);
    }
  });
  return { results, stubs, vbar };
}

/** The same here; `execute` carries the instruction out. */
function here(h: Harness, { setup, mode, bits, x1 }: Case, stub: number, vbar: number, execute: (bits: number) => Status): bigint[] {
  for (const name of recorded) h.set(name, 0n);
  h.set('VBAR_EL1', BigInt(vbar));
  for (const [name, value] of setup) h.set(name, value);
  h.enter(mode, BigInt(stub), 0x3c0n);
  h.setX(1, x1);
  h.setX(3, 0n);
  if (execute(bits) === Status.next) {
    h.pc = BigInt(stub + 4);
    h.run(AFTER);
  }
  for (let i = 0; i < 3 && h.priv.el === 1; i++) h.run(VECTOR);
  return recorded.map((name) => h.get(name));
}

function compare(h: Harness, cases: readonly Case[], execute: (one: Case) => (bits: number) => Status): void {
  const { results, stubs, vbar } = onQemu(h.ram, cases);
  const width = recorded.length;
  const hex = (values: readonly bigint[]): string => recorded.map((name, i) => `${name}=${values[i]!.toString(16)}`).join(' ');
  const differences: string[] = [];
  cases.forEach((one, i) => {
    const got = hex(here(h, one, stubs[i]!, vbar, execute(one)));
    const want = hex(results.slice(i * width, (i + 1) * width));
    if (got !== want) differences.push(`${(one.bits >>> 0).toString(16)} ${one.mode} ${one.setup.map(([name, value]) => `${name}=${value.toString(16)}`).join(' ')}\n  here ${got}\n  QEMU ${want}`);
  });
  expect(differences.length, differences.slice(0, 12).join('\n')).toBe(0);
}

describe.runIf(haveQemu)('exceptions as on QEMU', () => {
  test('system instructions and registers under random traps', () => {
    const next = random(SEED);
    const h = new Harness({ paRange: 5, gic: { read: () => 0n, write: () => undefined, deactivate: () => undefined } });
    const some = (mask: bigint): bigint => {
      const one = (BigInt(next(2 ** 31)) << 31n) | BigInt(next(2 ** 31));
      const two = (BigInt(next(2 ** 31)) << 31n) | BigInt(next(2 ** 31));
      return mask & one & two;
    };
    // Left out: what that core has more of, generation of interrupts, and where QEMU 7.2 is not as the manual says: SMC without TSC is a
    // call of its firmware, MDCR_EL2.TPMCR and MDSCR_EL1.TDCC are ignored, EL1PCEN
    // decides on the physical count at EL0, PMUSERENR_EL0.{ER,CR,SW} override MDCR_EL2.TPM, and op1 and op2 are exchanged in the syndrome of DAIFSet and DAIFClr.
    const absent = /^(DBGBVR2|ICC_SGI|ICH_|ICC_AP|ID_AA64ZFR0)/;
    const registers = regNames.filter((name) => !absent.test(name));
    const smc = insn.smc(next(65536));
    const operations = [
      sys(0, 7, 1, 0), sys(0, 7, 5, 0), sys(3, 7, 5, 1, 1), sys(0, 7, 6, 1, 1), sys(0, 7, 6, 2, 1), sys(0, 7, 10, 2, 1), sys(0, 7, 14, 2, 1), sys(3, 7, 10, 1, 1), sys(3, 7, 11, 1, 1), sys(3, 7, 14, 1, 1),
      sys(0, 8, 7, 0), sys(0, 8, 3, 0), sys(0, 8, 7, 1, 1), sys(0, 8, 3, 7, 1), sys(4, 8, 7, 4), sys(4, 8, 3, 1, 1), sys(4, 8, 4, 1, 1), sys(0, 7, 8, 0, 1), sys(4, 7, 8, 4, 1),
      insn.svc(next(65536)), insn.hvc(next(65536)), smc, insn.brk(next(65536)), insn.daifset(5), insn.daifclr(5), insn.pan(1), insn.uao(1), insn.spsel(0), insn.isb, insn.clrex, 0xd500_051f | 0,
    ];
    const cases: Case[] = Array.from({ length: 1500 }, () => {
      const mode = (['EL1h', 'EL0t', 'EL1t', 'EL0t', 'EL1h'] as const)[next(5)]!;
      // TVM TRVM TID3 TID2 TID1 TACR TSW TPC TPU TTLB TIDCP TDZ TSC IMO FMO
      const hcr = some(0x57fe_0018n & ~(1n << 27n)) | (mode === 'EL0t' && next(6) === 0 ? 1n << 27n : 0n) | (1n << 31n);
      const name = registers[next(registers.length)]!;
      const operation = operations[next(operations.length)]!;
      const usable = mode === 'EL0t' ? (operation & 0xffff_f0df) !== (0xd503_40df | 0) : operation >>> 0 !== smc >>> 0 || (hcr & (1n << 19n)) !== 0n;
      const bits = next(5) === 0 && usable ? operation : next(2) === 0 ? mrs(name, 3) : msr(name, 3);
      return {
        mode, bits, x1: BASE + 0x1000n,
        setup: [
          ['SCTLR_EL1', 0x30d0_0980n | some(0x0405_c200n)], ['CPACR_EL1', BigInt(next(4)) << 20n], ['CPTR_EL2', 0x33ffn | some(0x8000_0400n)], ['MDCR_EL2', some(0xf40n)],
          ['CNTHCTL_EL2', BigInt(next(2) * 3)], ['CNTKCTL_EL1', BigInt(next(4)) | (BigInt(next(4)) << 8n)], ['PMUSERENR_EL0', BigInt(next(2))], ['HCR_EL2', hcr],
        ],
      };
    });
    compare(h, cases, () => (bits) => h.run(bits));
  });

  test('stage 2 aborts of loads and stores', () => {
    const next = random(SEED);
    const h = new Harness({ paRange: 5 });
    // Level 1: 1 GiB of RAM for code, nothing else.
    h.write64(RAM + 8, BASE | 0x7fdn);
    const templates: readonly (readonly [bits: number, store: boolean])[] = [];
    const add = (bits: number, store: boolean): void => void (templates as (readonly [number, boolean])[]).push([bits | (1 << 5), store]);
    for (let size = 0; size < 4; size++) {
      for (let opc = 0; opc < 4; opc++) {
        if (size + Number(opc >= 2) * (opc === 2 ? 1 : 2) > 4 || (size === 3 && opc >= 2) || (size === 2 && opc === 3)) continue;
        const base = (size << 30) | (opc << 22);
        // Unsigned immediate, unscaled, post-index, unprivileged, pre-index, register offset with X3 = 0.
        for (const form of [0x3900_0000, 0x3800_0000, 0x3800_0400, 0x3800_0800, 0x3800_0c00, 0x3823_6800]) add(base | form, opc === 0);
      }
      // STLR, LDAR, LDXR, LDAXR, LDAPR, LDADDAL, SWP, CAS.
      for (const [form, store] of [[0x089f_fc00, true], [0x08df_fc00, false], [0x085f_7c00, false], [0x085f_fc00, false], [0x38bf_c000, false], [0x38e3_0000, true], [0x3823_8000, true], [0x08a3_7c00, true]] as const) {
        add((size << 30) | form, store);
      }
      // SIMD&FP of 8 to 64 bits.
      add((size << 30) | 0x3d00_0000, true);
      add((size << 30) | 0x3d40_0000, false);
    }
    // LDP, STP, LDPSW, LDP Q, LDR Q, STR Q, LD1.
    for (const [bits, store] of [[0xa940_1000, false], [0xa900_1000, true], [0x6940_1000, false], [0xad40_1000, false], [0x3dc0_0000, false], [0x3d80_0000, true], [0x4c40_7000, false]] as const) add(bits | 0, store);
    const cases = templates.flatMap(([bits, store]) =>
      [4, 31].map((rt): Case & { store: boolean } => ({
        // A pair's registers differ, and so do the base and what it loads.
        bits: bits | rt, mode: 'EL1h', store, x1: 0x8000_0000n + BigInt(next(2 ** 20)) * 16n,
        setup: [['SCTLR_EL1', 0x30d0_0980n], ['CPACR_EL1', 3n << 20n], ['CPTR_EL2', 0x33ffn], ['VTCR_EL2', 0x8002_3559n], ['VTTBR_EL2', BASE], ['HCR_EL2', 0x8000_0001n]],
      })),
    );
    compare(h, cases, (one) => (bits) => {
      const access = (one as Case & { store: boolean }).store ? Access.store : Access.load;
      expect(h.priv.translate(Number(BigInt.asIntN(32, one.x1)), 0, access, 1)).toBe(-1);
      return h.priv.takeException(bits);
    });
  });
});
