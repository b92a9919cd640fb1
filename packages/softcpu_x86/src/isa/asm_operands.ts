/** Operands of the assembler's source: registers, memory in brackets, far pointers, expressions. */
import type { Section } from '@axvisor/softcpu/asm';
import { AssemblyError } from '@axvisor/softcpu/asm';
import { GPR_NAMES, HIGH_NAMES, SEGMENT_NAMES } from './registers.ts';

export type RegisterClass = 'gpr' | 'segment' | 'control' | 'debug' | 'xmm' | 'ymm' | 'mm' | 'st';

export interface RegisterOperand {
  readonly type: 'register';
  readonly class: RegisterClass;
  readonly number: number;
  readonly bits: number;
  /** AH … BH, which cannot be used with a REX prefix. */
  readonly high: boolean;
  /** SPL … DIL, which need one. */
  readonly needsRex: boolean;
}
export interface MemoryOperand {
  readonly type: 'memory';
  /** 0 if it does not say. */
  readonly bits: number;
  /** Segment by number, -1 if it does not say. */
  readonly segment: number;
  readonly base: number;
  readonly index: number;
  /** log2 */
  readonly scale: number;
  readonly disp: bigint;
  readonly rip: boolean;
  /** `disp` is what is to be addressed relative to RIP, not how far off that is: it names a symbol. */
  readonly ripTarget: boolean;
  /** Address size by the registers, 0 without any. */
  readonly addressBits: number;
  /** The index is a vector register of that many bits. */
  readonly vector: number;
}
export interface ImmediateOperand {
  readonly type: 'immediate';
  readonly value: bigint;
}
export interface FarOperand {
  readonly type: 'far';
  readonly selector: bigint;
  readonly offset: bigint;
}
export type AsmOperand = RegisterOperand | MemoryOperand | ImmediateOperand | FarOperand;

const registers = new Map<string, RegisterOperand>();

function define(name: string, kind: RegisterClass, number: number, bits: number, more: Partial<RegisterOperand> = {}): void {
  registers.set(name, { type: 'register', class: kind, number, bits, high: false, needsRex: false, ...more });
}

for (const bits of [8, 16, 32, 64]) (GPR_NAMES[bits] as readonly string[]).forEach((name, i) => define(name, 'gpr', i, bits, { needsRex: bits === 8 && i >= 4 && i < 8 }));
HIGH_NAMES.forEach((name, i) => define(name, 'gpr', i + 4, 8, { high: true }));
SEGMENT_NAMES.forEach((name, i) => define(name, 'segment', i, 16));
for (let i = 0; i < 16; i++) {
  define(`cr${i}`, 'control', i, 64);
  define(`dr${i}`, 'debug', i, 64);
  define(`xmm${i}`, 'xmm', i, 128);
  define(`ymm${i}`, 'ymm', i, 256);
}
for (let i = 0; i < 8; i++) {
  define(`mm${i}`, 'mm', i, 64);
  define(`st(${i})`, 'st', i, 80);
}
define('st', 'st', 0, 80);

const SIZES: Readonly<Record<string, number>> = { byte: 8, word: 16, dword: 32, fword: 48, qword: 64, tbyte: 80, xmmword: 128, oword: 128, ymmword: 256 };

/** Registers of 16-bit addresses, as ModRM.rm has them. */
function addressOf16(base: number, index: number): readonly [number, number] {
  const [first, second] = [base, index].filter((n) => n >= 0);
  const isBase = (n: number | undefined): boolean => n === 3 || n === 5;
  if (second === undefined) return [first ?? -1, -1];
  return isBase(first) ? [first as number, second] : [second, first as number];
}

function memory(text: string, bits: number, segmentName: string | undefined, section: Section): MemoryOperand {
  let base = -1;
  let index = -1;
  let scale = 0;
  let rip = false;
  let addressBits = 0;
  let vector = 0;
  const rest: string[] = [];
  for (const [, sign, term] of text.replace(/\s+/g, '').matchAll(/([+-]?)((?:\([^)]*\)|[^+\-(])+)/g)) {
    const [, name, factor] = /^([a-z]\w*)(?:\*([1248]))?$/i.exec(term as string) ?? [];
    const [, factor2, name2] = /^([1248])\*([a-z]\w*)$/i.exec(term as string) ?? [];
    const register = registers.get((name ?? name2 ?? '').toLowerCase());
    if (/^[re]ip$/i.test(name ?? '')) {
      rip = true;
      addressBits = (name as string).toLowerCase() === 'rip' ? 64 : 32;
    } else if (register === undefined || sign === '-') {
      rest.push(`${sign as string}${term as string}`);
    } else if (register.class === 'xmm' || register.class === 'ymm') {
      vector = register.bits;
      index = register.number;
      scale = Math.log2(Number(factor ?? factor2 ?? 1));
    } else if (register.class !== 'gpr' || register.bits === 8) {
      throw new AssemblyError(`${term as string} addresses nothing`);
    } else {
      addressBits = register.bits;
      if (factor === undefined && factor2 === undefined && base < 0) base = register.number;
      else if (index < 0) {
        index = register.number;
        scale = Math.log2(Number(factor ?? factor2 ?? 1));
      } else throw new AssemblyError(`too many registers in [${text}]`);
    }
  }
  // The stack pointer cannot be an index.
  if (index === 4 && scale === 0 && vector === 0) [base, index] = [index, base];
  if (addressBits === 16) [base, index] = addressOf16(base, index);
  const disp = rest.length === 0 ? 0n : section.evaluate(rest.join('').replace(/^\+/, ''));
  const segment = segmentName === undefined ? -1 : SEGMENT_NAMES.indexOf(segmentName.toLowerCase());
  return { type: 'memory', bits, segment, base, index, scale, disp, rip, ripTarget: rest.some((part) => /^[+-]?\(*([a-z_.$]|\d+[bf](?![\w.$]))/i.test(part)), addressBits, vector };
}

/** Reads one operand. */
export function parseOperand(text: string, section: Section): AsmOperand {
  const register = registers.get(text.toLowerCase().replace(/\s+/g, ''));
  if (register !== undefined) return register;
  const sized = /^(\w+)\s+ptr\s+(.*)$/i.exec(text);
  const bits = sized === null ? 0 : (SIZES[(sized[1] as string).toLowerCase()] ?? 0);
  if (sized !== null && bits === 0) throw new AssemblyError(`${sized[1] as string} is no size`);
  const place = (sized?.[2] ?? text).trim();
  const bracket = /^(?:([c-g]s|es|ss)\s*:\s*)?\[(.*)\]$/i.exec(place);
  if (bracket !== null) return memory(bracket[2] as string, bits, bracket[1], section);
  const absolute = /^([c-g]s|es|ss)\s*:\s*(.*)$/i.exec(place);
  if (absolute !== null) return memory(absolute[2] as string, bits, absolute[1], section);
  if (sized !== null) return memory(place, bits, undefined, section);
  const far = /^([^:[\]]+):([^:[\]]+)$/.exec(text);
  if (far !== null) return { type: 'far', selector: section.evaluate(far[1] as string), offset: section.evaluate(far[2] as string) };
  return { type: 'immediate', value: section.evaluate(text.replace(/^offset\s+/i, '')) };
}
