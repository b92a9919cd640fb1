/** Runs cases on the software processor and compares what they do with what the oracle says. */
import type { Execution } from '@axvisor/softcpu';
import { Decoder } from '../../src/isa/decode.ts';
import type { Decoded } from '../../src/isa/decode.ts';
import { flagUse } from '../../src/isa/flags.ts';
import { CS_LIMIT, Flag, GPR, PC, READ_HIGH, SEG_BASE, Seg, WRITE_HIGH } from '../../src/state.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';
import { CHANGES, CODE_REGION, DATA_REGION, GS_BASE, pristineData } from './oracle.ts';
import type { Case, Mode, Outcome } from './oracle.ts';
import { MODES } from './generate.ts';

const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
/** Exceptions by what ends a run. */
const TRAPS: Readonly<Record<string, readonly number[]>> = { '': [1], fault: [14, 13, 12], undefined: [6], divideError: [0], generalProtection: [13], segment: [13, 12], bound: [5] };

const pristine = pristineData();

export class Subject {
  readonly #processor: FlatProcessor;
  readonly #decoder = new Decoder();
  readonly #mode: number;

  constructor(execution: Execution, mode: Mode) {
    this.#mode = MODES[mode];
    this.#processor = new FlatProcessor([{ ...CODE_REGION, copies: execution === 'translator' ? 1000 : 1 }, DATA_REGION], execution, this.#mode);
    this.#processor.load(DATA_REGION.base, pristine);
    if (mode === 64) this.#processor.put(SEG_BASE + 40, BigInt(GS_BASE));
    if (mode === 16) this.#segments();
  }

  /** Segments as the oracle has them in 16-bit code. */
  #segments(): void {
    const p = this.#processor;
    for (let segment = 0; segment < 6; segment++) {
      const { base, size } = segment === Seg.cs ? CODE_REGION : DATA_REGION;
      p.put(SEG_BASE + 8 * segment, BigInt(base));
      p.word(READ_HIGH + 4 * segment, size - 1);
      if (segment !== Seg.cs) p.word(WRITE_HIGH + 4 * segment, size - 1);
    }
    p.word(CS_LIMIT, CODE_REGION.size - 1);
  }

  /** Instructions translated so far. */
  get translated(): number {
    return this.#processor.engine.translation?.translated ?? 0;
  }

  #decode(code: Uint8Array): Decoded {
    this.#decoder.decode(code, 0, code.length, this.#mode);
    return this.#decoder.insn;
  }

  /** The same of a sequence, which ends with INT3 or a fault. AF is not compared: logical instructions leave it undefined. */
  checkSequence(test: Case, expected: Outcome, steps: number): string | undefined {
    const p = this.#processor;
    test.gpr.forEach((value, i) => p.put(GPR + 8 * i, value));
    p.eflags = test.flags;
    p.exchange(CODE_REGION.base);
    p.memory(CODE_REGION.base, CODE_REGION.size).fill(0xcc);
    p.engine.invalidate(p.placeOf(CODE_REGION.base), CODE_REGION.size);
    p.load(test.rip, test.code);
    p.run(test.rip, steps);
    const problems: string[] = [];
    const breakpoint = p.stopped === 'system' && p.memory(Number(p.get(PC)), 1)[0] === 0xcc;
    if (breakpoint ? expected.trap !== 3 : !(TRAPS[p.stopped] ?? []).includes(expected.trap)) problems.push(`stopped ${p.stopped}, trap ${expected.trap}`);
    const rip = p.get(PC) + (breakpoint ? 1n : 0n);
    if (rip !== expected.rip) problems.push(`rip ${rip.toString(16)}, not ${expected.rip.toString(16)}`);
    expected.gpr.forEach((value, i) => void (p.gpr(i) === value || problems.push(`r${i} ${p.gpr(i).toString(16)}, not ${value.toString(16)}`)));
    if (((p.eflags ^ expected.flags) & (ARITHMETIC & ~Flag.AF)) !== 0) problems.push(`flags ${p.eflags.toString(16)}, not ${expected.flags.toString(16)}`);
    const data = p.memory(DATA_REGION.base, DATA_REGION.size);
    const wanted = new Map(expected.changes);
    for (let i = 0; i < data.length && wanted.size < CHANGES; i++) {
      if (data[i] === (wanted.get(i) ?? pristine[i])) continue;
      problems.push(`data[${i.toString(16)}] ${(data[i] as number).toString(16)}`);
      break;
    }
    data.set(pristine);
    return problems.length === 0 ? undefined : problems.join('; ');
  }

  /** What is wrong with a case; undefined if nothing is. */
  check(test: Case, expected: Outcome): string | undefined {
    const p = this.#processor;
    const insn = this.#decode(test.code);
    test.gpr.forEach((value, i) => p.put(GPR + 8 * i, value));
    p.eflags = test.flags;
    p.exchange(CODE_REGION.base); // what loses its translations is not translated again for a while
    p.memory(CODE_REGION.base, CODE_REGION.size).fill(0xcc);
    p.engine.invalidate(p.placeOf(CODE_REGION.base), CODE_REGION.size);
    p.load(test.rip, test.code);
    p.run(test.rip, 1);
    // A repetition goes on until it is over.
    for (let i = 0; i < 100 && p.stopped === '' && insn.row.rep && insn.rep !== 0 && p.get(PC) === BigInt(test.rip); i++) p.run(test.rip, 1);
    const problems: string[] = [];
    if (!(TRAPS[p.stopped] ?? []).includes(expected.trap)) problems.push(`stopped ${p.stopped === '' ? 'not' : p.stopped}, trap ${expected.trap}`);
    const rip = p.get(PC);
    // A jump to where nothing is faults there.
    if (rip !== expected.rip) problems.push(`rip ${rip.toString(16)}, not ${expected.rip.toString(16)}`);
    expected.gpr.forEach((value, i) => {
      const have = p.gpr(i);
      // What returning to a 16-bit stack leaves above it is the operating system's.
      if (test.mode === 16 && i === 4 && ((have ^ value) & 0xffffn) === 0n) return;
      // POPA may have loaded some registers when it faults.
      if (insn.row.name === 'popa' && expected.trap !== 1) return;
      if (have !== value && !undefinedResult(insn, test)) problems.push(`r${i} ${have.toString(16)}, not ${value.toString(16)}`);
    });
    const compared = expected.trap === 1 ? ARITHMETIC & ~undefinedFlags(insn, test) : insn.row.rep ? 0 : ARITHMETIC;
    const differing = (p.eflags ^ expected.flags) & compared & ~(expected.trap === 1 ? 0 : undefinedFlags(insn, test));
    if (differing !== 0) problems.push(`flags ${(p.eflags & compared).toString(16)}, not ${(expected.flags & compared).toString(16)}`);
    if (((p.eflags ^ expected.flags) & Flag.DF) !== 0) problems.push('DF');
    const data = p.memory(DATA_REGION.base, DATA_REGION.size);
    // When the target of a call faults, Intel's processors have stored the return address; AMD's, and this one, have not.
    const isCutCall = insn.row.name === 'call' && expected.trap !== 1;
    const wanted = new Map(isCutCall ? [] : expected.changes);
    if (Buffer.compare(data, pristine) !== 0 || wanted.size > 0) {
      for (let i = 0; i < data.length; i++) {
        const value = wanted.get(i) ?? (wanted.size === CHANGES ? (data[i] as number) : (pristine[i] as number));
        if (data[i] !== value && !(insn.row.name === 'pushf' && isTrapFlag(data[i] as number, value)) && !undefinedResult(insn, test)) {
          problems.push(`data[${i.toString(16)}] ${(data[i] as number).toString(16)}, not ${value.toString(16)}`);
          break;
        }
      }
      data.set(pristine);
    }
    return problems.length === 0 ? undefined : problems.join('; ');
  }
}

/** PUSHF stores the trap flag that the oracle needs, and the interrupt flag of its process. */
const isTrapFlag = (a: number, b: number): boolean => ((a ^ b) & ~3) === 0;

/** Results that are undefined altogether. */
function undefinedResult(insn: Decoded, test: Case): boolean {
  const { name } = insn.row;
  return insn.operandSize === 16 && (name === 'bswap' || (/^sh[lr]d$/.test(name) && counts(insn, test) > 16));
}

const counts = (insn: Decoded, test: Case): number => {
  const last = insn.row.operands[1];
  const raw = last?.size === 'CL' || insn.row.operands[2]?.size === 'CL' ? Number(BigInt.asUintN(8, test.gpr[1] as bigint)) : last?.size === '1' ? 1 : insn.imm & 0xff;
  return raw & (insn.operandSize === 64 && insn.row.operands[0]?.size !== 'b' ? 63 : 31);
};

function undefinedFlags(insn: Decoded, test: Case): number {
  const { name, operands } = insn.row;
  let flags = flagUse(name).undefined;
  const size = operands[0]?.size === 'b' ? 8 : insn.operandSize;
  if (/^(shl|shr|sar|rol|ror|rcl|rcr)$/.test(name)) {
    const count = counts(insn, test);
    if (count !== 1) flags |= Flag.OF;
    if (count === 0) return 0;
    if (name.startsWith('sh') && count >= size) flags |= Flag.CF;
  }
  if (/^sh[lr]d$/.test(name)) {
    const count = counts(insn, test);
    if (count === 0) return 0;
    flags = Flag.AF | (count !== 1 ? Flag.OF : 0) | (count > size ? ARITHMETIC : 0);
  }
  return flags;
}
