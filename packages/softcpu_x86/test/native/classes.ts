/** Which rows can be executed by a user program, and compared: all that are defined but for what is the operating system's. */
import { defined } from '../../src/emit/isa.ts';
import { isSimd } from '../../src/emit/simd/operands.ts';
import type { Row } from '../../src/isa/table.ts';
import { privileged } from '../../src/emit/privileged.ts';
import { systemInstructions } from '../../src/emit/system.ts';

/** Names of those, and of the others: POPF may set TF, undefined instructions and traps are tested on their own. */
export const LEFT_OUT: ReadonlySet<string> = new Set([...Object.keys(systemInstructions), ...Object.keys(privileged).filter((name) => name !== 'pause'), 'popf', 'int1', 'int3', 'fwait']);

/** Whether a row is one to be compared in a mode. */
export function executable(row: Row, mode: number): boolean {
  // Vector and x87 instructions have tests of their own.
  if (defined[row.op] === undefined || LEFT_OUT.has(row.name) || isSimd(row) || row.features.includes('fpu')) return false;
  if (mode === 64 ? row.not64 : row.only64) return false;
  // Reserved NOPs of one vendor are undefined to the other.
  if (row.name === 'nop' && row.map === 1 && row.opcode < 0x18) return false;
  return !row.operands.some(({ kind, size }) => kind === 'C' || kind === 'D' || kind === 'S' || /^[C-S]S$/.test(size));
}

/** What processors have by other names than the table. */
const LINUX_NAMES: Readonly<Record<string, string>> = { lzcnt: 'abm', sse3: 'pni', sse41: 'sse4_1', sse42: 'sse4_2', pclmul: 'pclmulqdq', sha: 'sha_ni' };
/** Whether a processor with these features, in Linux' words, executes a row. */
export const isSupported = (row: Row, features: ReadonlySet<string>): boolean => row.features.every((name) => features.has(LINUX_NAMES[name] ?? name));

/** Approximations, whose last bits are the processor's choice. */
const APPROXIMATIONS = /^v?(rcp|rsqrt)/;
/** MMX, SSE and AVX instructions that are compared. */
export const isComparedVector = (row: Row): boolean => isSimd(row) && defined[row.op] !== undefined && !APPROXIMATIONS.test(row.name) && !row.alias;
/** The same of x87. */
export const isComparedX87 = (row: Row): boolean => row.features.includes('fpu') && defined[row.op] !== undefined && !row.alias;

/** What of the table a comparison is about. */
export type Comparison = 'general' | 'vectors' | 'x87' | 'none';
export function comparisonOf(row: Row): Comparison {
  if (isComparedVector(row)) return 'vectors';
  if (isComparedX87(row)) return 'x87';
  return ([64, 32, 16] as const).some((mode) => executable(row, mode)) ? 'general' : 'none';
}
