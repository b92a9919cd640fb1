/**
 * A small assembler in Intel syntax, for guests of tests and for the embedded one.
 *
 *     const { code, symbols } = assemble(`
 *       start: mov eax, 5
 *       again: dec eax
 *              jnz again
 *              mov dword ptr [rip + total], eax
 *              hlt
 *       total: .long 0
 *     `, { base: 0x8000n });
 *
 * Directives: .byte .word .long .quad .ascii .asciz .zero .fill .align .org .equ .code16 .code32 .code64; `name = expression`. Comments
 * begin with `#`, `//` or `;`. Memory operands that no register gives a size say it (`dword ptr`). Labels are what jumps and `[rip + label]`
 * want (`[rip + number]` is a distance); an absolute address is `[label]`. `pushfw`, `iretq`, `retfq` and their like have the operand size as a suffix.
 *
 * @module
 */
import { AsmError, evaluate, unescape } from './asm_expression.ts';
import { encode, isMnemonic } from './asm_encode.ts';
import { parseOperand } from './asm_operands.ts';

export { AsmError } from './asm_expression.ts';

export interface AsmOptions {
  /** Address of the first byte; default 0. */
  readonly base?: bigint;
  /** Code size at the beginning; default 64. */
  readonly bits?: 16 | 32 | 64;
  /** Symbols known from outside. */
  readonly symbols?: Readonly<Record<string, bigint>>;
}

export interface Assembled {
  readonly code: Uint8Array<ArrayBuffer>;
  readonly symbols: ReadonlyMap<string, bigint>;
}

const SYNONYMS: Readonly<Record<string, string>> = {
  z: 'e', nz: 'ne', c: 'b', nc: 'ae', nae: 'b', nb: 'ae', na: 'be', nbe: 'a', pe: 'p', po: 'np', nge: 'l', nl: 'ge', ng: 'le', nle: 'g',
};
const PREFIXES: Readonly<Record<string, number>> = { lock: 0xf0, rep: 0xf3, repe: 0xf3, repz: 0xf3, repne: 0xf2, repnz: 0xf2 };
const STRINGS = /^(movs|cmps|stos|lods|scas|ins|outs)([bwdq])$/;
const SUFFIXES: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64 };
const WIDTHS: Readonly<Record<string, number>> = { '.byte': 1, '.word': 2, '.short': 2, '.long': 4, '.int': 4, '.quad': 8 };

/** Splits at commas outside quotes and brackets. */
function split(text: string): string[] {
  const parts = text.match(/(?:"(?:\\.|[^"])*"|'(?:\\.|[^'])'|\[[^\]]*\]|[^,])+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** Bytes of a quoted text, of characters below 256. */
function quoted(text: string): Uint8Array {
  const inside = /^"(.*)"$/.exec(text)?.[1];
  if (inside === undefined) throw new AsmError(`${text} is no string`);
  return Uint8Array.from(inside.replace(/\\(.)/g, (_, character: string) => unescape(character)), (character) => (character.codePointAt(0) as number) & 0xff);
}

/** The registers and sizes of a string instruction with a suffix. */
function stringOperands(name: string, suffix: string, bits: number): string[] {
  const size = `${{ b: 'byte', w: 'word', d: 'dword', q: 'qword' }[suffix] as string} ptr`;
  const [si, di] = { 16: ['si', 'di'], 32: ['esi', 'edi'], 64: ['rsi', 'rdi'] }[bits] as [string, string];
  const from = `${size} [${si}]`;
  const to = `${size} es:[${di}]`;
  const a = { b: 'al', w: 'ax', d: 'eax', q: 'rax' }[suffix] as string;
  return { movs: [to, from], cmps: [from, to], stos: [to, a], lods: [a, from], scas: [a, to], ins: [to, 'dx'], outs: ['dx', from] }[name] as string[];
}

class Pass {
  readonly #known: ReadonlyMap<string, bigint>;
  readonly symbols = new Map<string, bigint>();
  readonly bytes: number[] = [];
  readonly #base: bigint;
  #bits: 16 | 32 | 64;
  #statement = 0;
  /** Jumps, by the number of their statement, that do not fit into a byte. */
  readonly #near: Set<number>;
  readonly #last: boolean;

  constructor(options: AsmOptions, known: ReadonlyMap<string, bigint>, near: Set<number>, last: boolean) {
    this.#base = options.base ?? 0n;
    this.#bits = options.bits ?? 64;
    this.#known = known;
    this.#near = near;
    this.#last = last;
    for (const [name, value] of Object.entries(options.symbols ?? {})) this.symbols.set(name, value);
  }

  get #address(): bigint {
    return this.#base + BigInt(this.bytes.length);
  }

  readonly #lookup = (name: string): bigint => {
    if (name === '.' || name === '$') return this.#address;
    const value = this.symbols.get(name) ?? this.#known.get(name);
    if (value !== undefined) return value;
    if (this.#last) throw new AsmError(`${name} is not defined`);
    return this.#address;
  };

  line(text: string): void {
    let rest = text.trim();
    for (let label = /^([A-Za-z_.$][\w.$]*):(?!:)\s*/.exec(rest); label !== null; label = /^([A-Za-z_.$][\w.$]*):\s*/.exec(rest)) {
      this.symbols.set(label[1] as string, this.#address);
      rest = rest.slice(label[0].length);
    }
    if (rest === '') return;
    const equation = /^([A-Za-z_.$][\w.$]*)\s*=\s*(.*)$/.exec(rest) ?? /^\.(?:equ|set)\s+([\w.$]+)\s*,\s*(.*)$/.exec(rest);
    if (equation !== null) {
      this.symbols.set(equation[1] as string, evaluate(equation[2] as string, this.#lookup));
      return;
    }
    const [, word, operands] = /^(\S+)\s*(.*)$/.exec(rest) as unknown as [string, string, string];
    if (word.startsWith('.')) this.#directive(word, split(operands));
    else this.#instruction(rest);
  }

  #number(text: string | undefined): number {
    return Number(evaluate(text ?? '0', this.#lookup));
  }

  #fill(count: number, byte: number): void {
    if (!(count >= 0 && count < 1 << 26)) throw new AsmError('that is too much');
    for (let i = 0; i < count; i++) this.bytes.push(byte);
  }

  #directive(name: string, operands: readonly string[]): void {
    const width = WIDTHS[name];
    if (width !== undefined) {
      for (const operand of operands) {
        if (operand.startsWith('"')) {
          this.bytes.push(...quoted(operand));
          continue;
        }
        const value = evaluate(operand, this.#lookup);
        for (let i = 0; i < width; i++) this.bytes.push(Number((value >> BigInt(8 * i)) & 0xffn));
      }
      return;
    }
    switch (name) {
      case '.code16':
      case '.code32':
      case '.code64':
        this.#bits = Number(name.slice(5)) as 16 | 32 | 64;
        return;
      case '.ascii':
      case '.asciz':
        for (const operand of operands) this.bytes.push(...quoted(operand), ...(name === '.asciz' ? [0] : []));
        return;
      case '.zero':
      case '.skip':
        this.#fill(this.#number(operands[0]), this.#number(operands[1]));
        return;
      case '.fill':
        this.#fill(this.#number(operands[0]) * (operands[1] === undefined ? 1 : this.#number(operands[1])), this.#number(operands[2]));
        return;
      case '.align':
      case '.balign': {
        const to = BigInt(this.#number(operands[0]));
        this.#fill(Number((to - (this.#address % to)) % to), operands[1] === undefined ? 0x90 : this.#number(operands[1]));
        return;
      }
      case '.org':
        this.#fill(Number(evaluate(operands[0] ?? '0', this.#lookup) - this.#address), this.#number(operands[1]));
        return;
      case '.globl':
      case '.global':
      case '.text':
      case '.data':
      case '.intel_syntax':
        return;
      default:
        throw new AsmError(`${name} is no directive`);
    }
  }

  #instruction(text: string): void {
    const statement = this.#statement++;
    const prefixes: number[] = [];
    let [, word, rest] = /^(\S+)\s*(.*)$/.exec(text) as unknown as [string, string, string];
    for (let prefix = PREFIXES[word.toLowerCase()]; prefix !== undefined; prefix = PREFIXES[word.toLowerCase()]) {
      prefixes.push(prefix);
      [, word, rest] = /^(\S+)\s*(.*)$/.exec(rest) as unknown as [string, string, string];
    }
    let { name, size, operands } = this.#spelling(word.toLowerCase(), split(rest));
    if (name === 'test' && operands.length === 2 && /\bptr\b|\[/.test(operands[1] ?? '')) operands = [operands[1] as string, operands[0] as string];
    const parsed = operands.map((operand) => parseOperand(operand, this.#lookup));
    // The order says nothing: memory first, the accumulator last.
    const [first, second] = parsed;
    if (name === 'xchg' && (second?.type === 'memory' || (first?.type === 'register' && first.number === 0 && first.bits > 8))) parsed.reverse();
    const far = parsed[0]?.type === 'far' || (parsed[0]?.type === 'memory' && (parsed[0].bits === 48 || parsed[0].bits === 80));
    if (far && (name === 'jmp' || name === 'call')) {
      name += 'f';
      if (parsed[0]?.type === 'memory') size = parsed[0].bits === 80 ? 64 : this.#bits === 16 ? 32 : 0;
    }
    const short = { bits: this.#bits, address: this.#address, prefixes, size };
    const attempt = encode(name, parsed, { ...short, near: this.#near.has(statement) });
    // A jump that once needed more than a byte keeps it, so that passes come to an end.
    if (parsed[0]?.type === 'immediate' && attempt.length > 2 && this.#known.size > 0 && (name === 'jmp' || name.startsWith('j'))) this.#near.add(statement);
    this.bytes.push(...attempt);
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
    throw new AsmError(`${word} is no instruction`);
  }
}

const strip = (line: string): string => line.replace(/("(?:\\.|[^"])*"|'(?:\\.|[^'])')|(#|\/\/|;).*$/g, (_, text: string | undefined) => text ?? '');

/** Assembles a source. @throws {AsmError} with the line that is wrong. */
export function assemble(source: string, options: AsmOptions = {}): Assembled {
  const lines = source.split('\n').map(strip);
  const near = new Set<number>();
  let known: ReadonlyMap<string, bigint> = new Map();
  for (let round = 0; ; round++) {
    const last = round > 0;
    const pass = new Pass(options, known, near, last);
    lines.forEach((line, i) => {
      try {
        pass.line(line);
      } catch (error) {
        if (error instanceof AsmError) throw new AsmError(`line ${i + 1}: ${error.message}: ${line.trim()}`);
        throw error;
      }
    });
    const stable = last && [...pass.symbols].every(([name, value]) => known.get(name) === value);
    if (stable) return { code: Uint8Array.from(pass.bytes), symbols: pass.symbols };
    if (round > 60) throw new AsmError('the addresses of labels do not settle');
    known = pass.symbols;
  }
}
