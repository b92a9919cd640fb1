/** Random instructions that a test can execute: addresses lie in the data, x30 is the runner's, control goes on behind them. */
import { insns, isAllocated } from '../../src/isa/index.ts';
import type { Insn } from '../../src/isa/index.ts';
import type { Case } from './oracle.ts';

/** Sets a field if the instruction has it and nothing fixes it. */
function put(insn: Insn, word: number, field: string, value: number): number {
  const place = insn.fields[field];
  if (place === undefined) return word;
  const mask = (2 ** place.width - 1) << place.shift;
  return (insn.mask & mask) !== 0 ? word : (word & ~mask) | ((value << place.shift) & mask);
}

const SMALL: Readonly<Record<string, number>> = { imm12: 0x3f };
const NOP = 0xd503201f | 0;
const BASE = 28;
const INDEX = 27;
/** movz x0, #0x1234 */
const MARK = 0xd2824680 | 0;
/** adr x26, . + 16 */
const ADDRESS = 0x1000009a;
/** clrex */
const CLREX = 0xd5033f5f | 0;

const isMemory = (insn: Insn): boolean => /[Ll]oad|[Aa]tomic memory/.test(insn.class);
const isBranch = (insn: Insn): boolean => /branch/.test(insn.class);

function registers(insn: Insn, word: number): number {
  for (const field of ['Rd', 'Rn', 'Rm', 'Ra', 'Rt', 'Rt2', 'Rs']) {
    const place = insn.fields[field];
    if (place === undefined || place.width !== 5) continue;
    if (((word >>> place.shift) & 31) === 30) word = put(insn, word, field, 29);
    // A base must stay intact where it is not written back on purpose.
    if (isMemory(insn) && field !== 'Rn' && ((word >>> place.shift) & 31) >= INDEX) word = put(insn, word, field, ((word >>> place.shift) & 31) === 31 ? 31 : 26);
  }
  return word;
}

/** One random case of an instruction, or undefined if it cannot be executed alone. */
export function randomCase(insn: Insn, next: () => number): Case | undefined {
  for (let tries = 0; tries < 100; tries++) {
    let word = registers(insn, insn.match | (next() & ~insn.mask));
    if (isMemory(insn)) {
      word = put(insn, word, 'Rn', (next() & 7) === 0 ? 31 : BASE);
      for (const [field, mask] of Object.entries(SMALL)) word = put(insn, word, field, next() & mask);
      if (/register offset|post-indexed/.test(insn.class)) word = put(insn, word, 'Rm', (next() & 1) === 0 ? INDEX : ((word >>> 16) & 31) === 30 ? 31 : (word >>> 16) & 31);
      if (/register offset/.test(insn.class)) word = put(insn, word, 'Rm', INDEX);
      if (insn.mnemonic.startsWith('ldp') || insn.mnemonic.startsWith('ldnp') || /^lda?xp$/.test(insn.mnemonic)) word = put(insn, word, 'Rt2', ((word & 31) + 1) % 26);
      // Where registers that must differ may be equal, that is CONSTRAINED UNPREDICTABLE.
      if (/^stl?x/.test(insn.mnemonic)) word = put(insn, put(insn, word, 'Rs', 20), 'Rt', word & 15);
      if (/exclusive/.test(insn.class)) word = insn.mnemonic.startsWith('cas') ? word : put(insn, word, 'Rt2', insn.mnemonic.endsWith('p') ? ((word & 15) + 1) : 31);
      if (/^lda?x|^ldar|^stlr|^ldapr/.test(insn.mnemonic)) word = put(insn, word, 'Rs', 31);
    }
    word = put(insn, word, 'imm19', 2);
    word = put(insn, word, 'imm14', 2);
    word = put(insn, word, 'imm26', 2);
    if (/branch \(register\)/.test(insn.class)) word = put(insn, word, 'Rn', 26);
    if (!isAllocated(insn, word)) continue;
    // QEMU 7.2 leaves the sign of a half-precision scalar's conversion above the element, where the manual has zeros.
    if (/^fcvtz[su]_si$/.test(insn.name) && ((word >>> 19) & 15) < 4) continue;
    const seed = next();
    if (/literal/.test(insn.class)) return { seed, code: [word, NOP, NOP, NOP, NOP, NOP, NOP] };
    if (/branch \(register\)/.test(insn.class)) return { seed, code: [ADDRESS, word, MARK, MARK, NOP, NOP] };
    if (isBranch(insn)) return { seed, code: [word, MARK, NOP] };
    if (/^stl?x/.test(insn.mnemonic)) return { seed, code: [CLREX, ...exclusiveBefore(word, next), word] };
    return { seed, code: [word] };
  }
  return undefined;
}

/** A load-exclusive of the same size before a store-exclusive, mostly. */
function exclusiveBefore(word: number, next: () => number): number[] {
  const kind = next() & 3;
  if (kind === 0) return [];
  // L set; Rs all ones; registers 21 and 22.
  const load = (word | 0x0040_0000 | (31 << 16)) & ~31 & ~(31 << 10);
  const pair = (word & (1 << 21)) !== 0;
  return [load | 21 | ((pair ? 22 : 31) << 10)];
}

/** Instructions that need more than a processing element without privileged architecture. */
const PRIVILEGED = /^(svc|hvc|smc|brk|hlt|dcps|eret|drps|udf|msr|mrs|sys|sysl|hint|isb|dsb|dmb)/;

/** What can be tested here. */
export const testable: readonly Insn[] = insns.filter(({ name }) => !PRIVILEGED.test(name));
