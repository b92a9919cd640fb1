/** Random straight code and loops of instructions whose flags are all defined (but AF), over memory that is there. */
import { Decoder } from '../../src/isa/decode.ts';
import { flagUse } from '../../src/isa/flags.ts';
import { rows } from '../../src/isa/table.ts';
import type { Row } from '../../src/isa/table.ts';
import { CODE, Flag } from '../../src/state.ts';
import { executable } from './classes.ts';
import { Random, instructionBytes } from './generate.ts';
import { CODE_REGION, DATA_REGION } from './oracle.ts';
import type { Case } from './oracle.ts';

/** Registers that keep what they hold: the counter of the loop, the stack, bases of memory operands. */
const RESERVED: ReadonlySet<number> = new Set([1, 4, 13, 14]);
const BASES: readonly number[] = [13, 14];

const NAMES = /^(add|adc|sub|sbb|and|or|xor|cmp|test|inc|dec|neg|not|mov|movzx|movsx|movsxd|lea|xchg|xadd|cmov\w+|set\w+|bswap|cbw|cwde|cdqe|cwd|cdq|cqo|push|pop|sh[lr]|sar|ro[lr]|rc[lr]|popcnt|adcx|adox|shlx|shrx|sarx|rorx|pdep|pext|mulx|movbe|crc32|clc|stc|cmc|sahf|cmpxchg|j\w+)$/;

function usable(row: Row): boolean {
  if (!NAMES.test(row.name) || !executable(row, 64) || row.name === 'jmp' || row.name === 'jcxz') return false;
  const { undefined: unknown } = flagUse(row.name);
  if ((unknown & ~Flag.AF) !== 0) return false;
  // Shifts by more than one leave OF undefined; POP would move the stack away.
  if (/^(sh[lr]|sar|ro[lr]|rc[lr])$/.test(row.name)) return row.operands[1]?.size === '1';
  if (row.name.startsWith('j')) return row.operands[0]?.size === 'b';
  return !row.operands.some(({ kind }) => kind === 'O');
}

const list = rows.filter(usable);
/** The jumps among them, which are to be as frequent as all the others. */
const jumps = list.filter(({ name }) => name.startsWith('j'));

export class SequenceGenerator {
  readonly #random: Random;
  readonly #decoder = new Decoder();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Bytes of one instruction. */
  #instruction(): Uint8Array {
    const random = this.#random;
    for (;;) {
      const row = random.chance(12) ? random.pick(jumps) : random.pick(list);
      const bytes = new Uint8Array(15);
      let at = 0;
      for (const byte of instructionBytes(random, row, 64)) {
        bytes[at++] = byte;
        if (at === 15) break;
      }
      const decoder = this.#decoder;
      decoder.decode(bytes, 0, 15, CODE.code64);
      const { insn } = decoder;
      if (insn.op !== row.op || insn.addressSize !== 64 || insn.override >= 0) continue;
      const registers = [insn.reg, ...(insn.isMemory ? [] : [insn.rm]), insn.vvvv, (row.opcode & 7) | insn.rexB];
      const used = row.operands.length > 0 && (row.hasModrm ? registers.slice(0, -1) : registers.slice(-1)).some((n) => RESERVED.has(n));
      if (row.name.startsWith('j')) {
        if (insn.length > 2) continue;
        return bytes.slice(0, 2);
      }
      if (used) continue;
      // AH … BH are of the first four.
      if (insn.rex === 0 && !insn.vex && row.operands.some(({ size }) => size === 'b') && (insn.reg === 5 || insn.rm === 5 || ((row.opcode & 7) === 5 && !row.hasModrm))) continue;
      if (insn.isMemory && row.name !== 'lea') {
        if (!BASES.includes(insn.base) || insn.index >= 0) continue;
        if (insn.dispSize === 4) new DataView(bytes.buffer).setInt16(insn.length - immediates(row, insn.operandSize) - 4, random.below(0xe00) - 0x700, true);
        if (insn.dispSize === 4) {
          const view = new DataView(bytes.buffer);
          const place = insn.length - immediates(row, insn.operandSize) - 4;
          view.setInt32(place, view.getInt16(place, true), true);
        }
      }
      return bytes.slice(0, insn.length);
    }
  }

  /** A sequence as a case. */
  make(length: number, loop: boolean): Case {
    const random = this.#random;
    const parts = Array.from({ length }, () => this.#instruction());
    parts.forEach((part, i) => {
      // Jumps skip the next one or two.
      if (part.length === 2 && (part[0] as number) >> 4 === 7) part[1] = parts.slice(i + 1, i + 1 + (random.chance(50) ? 1 : 2)).reduce((sum, next) => sum + next.length, 0);
    });
    const code = parts.flatMap((part) => [...part]);
    if (loop && code.length < 120) code.push(0xe2, -(code.length + 2) & 0xff);
    const gpr = BigUint64Array.from({ length: 16 }, () => random.wide() >> BigInt(random.below(64)));
    gpr[1] = BigInt(2 + random.below(20));
    gpr[4] = BigInt(DATA_REGION.base + 0x2000 + 8 * random.below(64));
    for (const base of BASES) gpr[base] = BigInt(DATA_REGION.base + 0x800 + random.below(0x2800));
    return { mode: 64, rip: CODE_REGION.base + 0x800 + random.below(64) + (random.chance(15) ? 0x7a0 : 0), code: Uint8Array.from(code.slice(0, 160)), gpr, flags: random.word() & (Flag.CF | Flag.PF | Flag.ZF | Flag.SF | Flag.OF), sequence: true };
  }
}

function immediates(row: Row, operandSize: number): number {
  return row.operands.reduce((sum, { kind, size }) => (kind !== 'I' ? sum : sum + (size === 'b' || size === 'bs' ? 1 : operandSize === 16 ? 2 : 4)), 0);
}
