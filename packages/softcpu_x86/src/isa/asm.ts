/**
 * An assembler in Intel syntax, as GNU as has it.
 *
 *     const { bytes, symbols } = assemble(`
 *       start: mov eax, 5
 *       again: dec eax
 *              jnz again
 *              mov dword ptr [rip + total], eax
 *              hlt
 *       total: .long 0
 *     `, { base: 0x8000n });
 *
 * Directives: `@axvisor/softcpu/asm`'s, .word (16 bits) .code16 .code32 .code64. Memory operands that no register gives a size say it
 * (`dword ptr`). Labels are what jumps and `[rip + label]` want (`[rip + number]` is a distance); an absolute address is `[label]`.
 * `pushfw`, `iretq`, `retfq` and their like have the operand size as a suffix.
 *
 * @module
 */
import type { Assembled, AssembleOptions as CommonOptions, Dialect, Section } from '@axvisor/softcpu/asm';
import { assembleProgram, AssemblyError, splitOperands } from '@axvisor/softcpu/asm';
import { encode, isMnemonic } from './asm_encode.ts';
import { parseOperand } from './asm_operands.ts';

export type { Assembled } from '@axvisor/softcpu/asm';
export { AssemblyError } from '@axvisor/softcpu/asm';

type Bits = 16 | 32 | 64;

export interface AssembleOptions extends CommonOptions {
  /** Code size at the beginning; default 64. */
  readonly bits?: Bits;
}

const SYNONYMS: Readonly<Record<string, string>> = {
  z: 'e', nz: 'ne', c: 'b', nc: 'ae', nae: 'b', nb: 'ae', na: 'be', nbe: 'a', pe: 'p', po: 'np', nge: 'l', nl: 'ge', ng: 'le', nle: 'g',
};
const PREFIXES: Readonly<Record<string, number>> = { lock: 0xf0, rep: 0xf3, repe: 0xf3, repz: 0xf3, repne: 0xf2, repnz: 0xf2 };
const STRINGS = /^(movs|cmps|stos|lods|scas|ins|outs)([bwdq])$/;
const SUFFIXES: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64 };
/** The registers and sizes of a string instruction with a suffix. */
function stringOperands(name: string, suffix: string, bits: number): string[] {
  const size = `${{ b: 'byte', w: 'word', d: 'dword', q: 'qword' }[suffix] as string} ptr`;
  const [si, di] = { 16: ['si', 'di'], 32: ['esi', 'edi'], 64: ['rsi', 'rdi'] }[bits] as [string, string];
  const from = `${size} [${si}]`;
  const to = `${size} es:[${di}]`;
  const a = { b: 'al', w: 'ax', d: 'eax', q: 'rax' }[suffix] as string;
  return { movs: [to, from], cmps: [from, to], stos: [to, a], lods: [a, from], scas: [a, to], ins: [to, 'dx'], outs: ['dx', from] }[name] as string[];
}

class IntelDialect implements Dialect {
  readonly comment = '#';
  readonly here = '$';
  readonly data = { '.word': 2 };
  readonly align = '.balign';
  readonly nop = { value: 0x90, size: 1 };
  readonly directives = {
    '.code16': (): void => void (this.#bits = 16),
    '.code32': (): void => void (this.#bits = 32),
    '.code64': (): void => void (this.#bits = 64),
    '.intel_syntax': (): void => undefined,
  };
  readonly #start: Bits;
  #bits: Bits;
  #instructions = 0;
  /** Jumps, by the number of their instruction, that do not fit into a byte. */
  readonly #near = new Set<number>();

  constructor(bits: Bits) {
    this.#start = bits;
    this.#bits = bits;
  }

  begin(): void {
    this.#bits = this.#start;
    this.#instructions = 0;
  }

  instruction(section: Section, mnemonic: string, text: string): void {
    const instruction = this.#instructions++;
    const prefixes: number[] = [];
    let [word, rest] = [mnemonic, text];
    for (let prefix = PREFIXES[word]; prefix !== undefined; prefix = PREFIXES[word]) {
      prefixes.push(prefix);
      const [, next = '', behind = ''] = /^(\S*)\s*([^]*)$/.exec(rest) ?? [];
      [word, rest] = [next.toLowerCase(), behind];
    }
    let { name, size, operands } = this.#spelling(word, splitOperands(rest));
    if (name === 'test' && operands.length === 2 && /\bptr\b|\[/.test(operands[1] ?? '')) operands = [operands[1] as string, operands[0] as string];
    const parsed = operands.map((operand) => parseOperand(operand, section));
    // The order says nothing: memory first, the accumulator last.
    const [first, second] = parsed;
    if (name === 'xchg' && (second?.type === 'memory' || (first?.type === 'register' && first.number === 0 && first.bits > 8))) parsed.reverse();
    const far = parsed[0]?.type === 'far' || (parsed[0]?.type === 'memory' && (parsed[0].bits === 48 || parsed[0].bits === 80));
    if (far && (name === 'jmp' || name === 'call')) {
      name += 'f';
      if (parsed[0]?.type === 'memory') size = parsed[0].bits === 80 ? 64 : this.#bits === 16 ? 32 : 0;
    }
    const short = { bits: this.#bits, address: section.pc, prefixes, size };
    const attempt = encode(name, parsed, { ...short, near: this.#near.has(instruction) });
    // A jump that once needed more than a byte keeps it, so that passes come to an end.
    if (parsed[0]?.type === 'immediate' && attempt.length > 2 && !section.layout && (name === 'jmp' || name.startsWith('j'))) this.#near.add(instruction);
    section.write(attempt);
  }

  /** The table's name for a mnemonic, and the operand size its suffix means. */
  #spelling(word: string, operands: readonly string[]): { name: string; size: number; operands: readonly string[] } {
    const string = STRINGS.exec(word);
    if (string !== null && operands.length === 0) return { name: string[1] as string, size: 0, operands: stringOperands(string[1] as string, string[2] as string, this.#bits) };
    const same = (name: string, size = 0): { name: string; size: number; operands: readonly string[] } => ({ name, size, operands });
    if (word === 'movabs') return same('mov');
    if (word === 'vmovq' && operands.some((operand) => /^(r\w+|e[a-ds]\w)$/i.test(operand))) return same('vmovd', 64);
    if (word === 'movq' && operands.some((operand) => /^(r\w+|e[a-ds]\w)$/i.test(operand))) return same('movd', 64);
    if (/^v?p(extr|insr)q$/.test(word)) return same(`${word.slice(0, -1)}d`, 64);
    if (/^j[er]?cxz$/.test(word)) return same('jcxz');
    if (word === 'xlatb' || word === 'xlat') return { name: 'xlat', size: 0, operands: [] };
    if (word === 'sal') return same('shl');
    if (word === 'wait') return same('fwait');
    if (word === 'loopz') return same('loope');
    if (word === 'loopnz') return same('loopne');
    if (word.endsWith('64') && isMnemonic(word.slice(0, -2))) return same(word.slice(0, -2), 64);
    if (isMnemonic(word)) return same(word, word === 'iret' && this.#bits === 64 ? 32 : 0);
    const condition = /^(j|set|cmov)(\w+)$/.exec(word);
    const positive = condition === null ? undefined : SYNONYMS[condition[2] as string];
    if (positive !== undefined) return same(`${condition?.[1] as string}${positive}`);
    const suffixed = /^(pushf|popf|iret|retf|push|leave|enter|sysret|sysexit|pusha|popa|lret|ret)([wdq])$/.exec(word);
    if (suffixed !== null) return same(suffixed[1] as string, SUFFIXES[suffixed[2] as string]);
    throw new AssemblyError(`unknown instruction ${word}`);
  }
}

/** Assembles a program into one section of bytes. @throws {AssemblyError} with the line of the first mistake */
export function assemble(source: string, { bits = 64, ...options }: AssembleOptions = {}): Assembled {
  return assembleProgram(source, new IntelDialect(bits), options);
}
