/** Which rows can be executed by a user program, and compared: all that are defined but for what is the operating system's. */
import { defined } from '../../src/emit/isa.ts';
import { isSimd } from '../../src/emit/simd/operands.ts';
import type { Row } from '../../src/isa/table.ts';
import { systemInstructions } from '../../src/emit/system.ts';

/** Of the others: POPF may set TF, undefined instructions and traps are tested on their own. */
const LEFT_OUT: ReadonlySet<string> = new Set([...Object.keys(systemInstructions), 'popf', 'int1', 'int3', 'fwait']);

/** Whether a row is one to be compared in a mode. */
export function executable(row: Row, mode: number): boolean {
  // Vector and x87 instructions have tests of their own.
  if (defined[row.op] === undefined || LEFT_OUT.has(row.name) || isSimd(row) || row.features.includes('fpu')) return false;
  if (mode === 64 ? row.not64 : row.only64) return false;
  // Reserved NOPs of one vendor are undefined to the other.
  if (row.name === 'nop' && row.map === 1 && row.opcode < 0x18) return false;
  return !row.operands.some(({ kind, size }) => kind === 'C' || kind === 'D' || kind === 'S' || /^[C-S]S$/.test(size));
}
