/** What the pieces of an instruction's syntax have in common: reading fields of a word, and filling them from text. */

import { fieldWidths } from './class.ts';

/** The fields of an instruction being disassembled. */
export interface Reader {
  /** Value of a field, unsigned. `imm8` of a modified immediate is gathered from its two parts. */
  get(field: string): number;
  /** Address of the instruction. */
  readonly pc: bigint;
}

/** The fields of an instruction being assembled. */
export interface Writer {
  /** Sets a field, or only the bits in `mask`; false where that contradicts what is known already. */
  set(field: string, value: number, mask?: number): boolean;
  /** What has been set so far. */
  get(field: string): number | undefined;
  /** Evaluates an expression; undefined where it is none. */
  evaluate(text: string): bigint | undefined;
  readonly pc: bigint;
}

/** One operand, or what stands between two. */
export interface Operand {
  print(f: Reader): string;
  /** Reads the operand at a place of the text. @returns the place behind it, or -1 if something else is there */
  parse(text: string, at: number, w: Writer): number;
}

/** Skips blanks. */
export function skip(text: string, at: number): number {
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

/** The place behind `expected`, blanks before it skipped, or -1. */
export function accept(text: string, at: number, expected: string): number {
  const start = skip(text, at);
  return text.startsWith(expected, start) ? start + expected.length : -1;
}

/** Matches a sticky regular expression, case ignored, behind blanks. */
export function match(text: string, at: number, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = skip(text, at);
  return pattern.exec(text);
}

/** Evaluates the expression at a place, which ends at a comma or bracket. @returns its value and the place behind it */
export function expression(text: string, at: number, w: Writer): { readonly value: bigint; readonly end: number } | undefined {
  let start = skip(text, at);
  if (text[start] === '#') start++;
  let end = start;
  for (let depth = 0; end < text.length; end++) {
    const c = text[end] as string;
    if (c === '(') depth++;
    else if (c === ')') depth--;
    else if (depth === 0 && (c === ',' || c === ']' || c === '}' || c === '!')) break;
  }
  const value = end === start ? undefined : w.evaluate(text.slice(start, end));
  return value === undefined ? undefined : { value, end };
}

/** Reads a number that `store` puts into fields if it is right. */
export function number(text: string, at: number, w: Writer, store: (value: bigint) => boolean): number {
  const read = expression(text, at, w);
  if (read === undefined) return -1;
  return store(read.value) ? read.end : -1;
}

/** A signed value of so many bits, cut to a field; undefined if it does not fit. */
export function signedField(value: bigint, width: number): number | undefined {
  return BigInt.asIntN(width, value) === value ? Number(BigInt.asUintN(width, value)) : undefined;
}

/** A field as a signed number. */
export function signed(value: number, width: number): number {
  return (value << (32 - width)) >> (32 - width);
}

/** Names of the conditions by their numbers (Arm ARM, C1.2.4). */
export const CONDITIONS = ['eq', 'ne', 'cs', 'cc', 'mi', 'pl', 'vs', 'vc', 'hi', 'ls', 'ge', 'lt', 'gt', 'le', 'al', 'nv'] as const;
const synonyms: Readonly<Record<string, number>> = { hs: 2, lo: 3 };

/** Number of a condition, or -1. */
export function conditionNumber(name: string): number {
  return synonyms[name] ?? (CONDITIONS as readonly string[]).indexOf(name);
}

/** A number as the disassembler writes it. */
export const hex = (value: number | bigint): string => `#0x${value.toString(16)}`;

/** Width of a field of the usual name. */
export const widthOf = (field: string): number => fieldWidths[field] as number;

/** Puts an unsigned number into a field if it fits. */
export function setUnsigned(w: Writer, field: string, value: bigint, scale = 1): boolean {
  const scaled = value / BigInt(scale);
  return value >= 0n && value % BigInt(scale) === 0n && scaled < 1n << BigInt(widthOf(field)) && w.set(field, Number(scaled));
}

/** A name, for {@link match}. */
export const NAME: RegExp = /[a-z]\w*/iy;
