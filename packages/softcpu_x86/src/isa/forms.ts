/** The rows of the opcode table as numbers: what the decoder looks at for every instruction. They are taken down when an opcode is met. */
import { rows } from './table.ts';
import type { Operand, Row } from './table.ts';

/** What was read of an instruction before its row is known, and the parts of the mode that tell rows apart: ModRM is the lowest byte. */
export const FACT = { size66: 0x100, repF3: 0x200, repF2: 0x400, long: 0x800, memory: 0x1000, rexB: 0x2000, l: 0x4000, w: 0x8000 } as const;

/** By number of the row: it is the one if `(facts & factMasks) === factValues`, and its operand size fits. */
export const factMasks: Int32Array = new Int32Array(rows.length);
export const factValues: Int32Array = new Int32Array(rows.length);

/** Bits of {@link traits}. */
export const TRAIT = {
  default64: 1,
  force64: 2,
  /** The operand-size prefix says nothing of sizes. */
  ignores66: 4,
  lock: 8,
  protectedOnly: 16,
  usesVvvv: 32,
  /** There is no memory form, whatever ModRM.mod says. */
  registersOnly: 64,
  /** ModRM.reg is a segment register, one that is written to, a control register, a debug register. */
  segment: 128,
  segmentWritten: 256,
  control: 512,
  debug: 1024,
  gather: 2048,
  never: 4096,
  hasModrm: 8192,
  /** The only operand size it has: 0 any, 1 … 3 for 16, 32, 64 bits, from this bit on. */
  size: 16_384,
} as const;
/** Those that make an instruction illegal under conditions. */
export const CONDITIONS: number =
  TRAIT.protectedOnly | TRAIT.segment | TRAIT.control | TRAIT.debug | TRAIT.gather | TRAIT.never;

/** By number of the row: its {@link TRAIT}s. */
export const traits: Int32Array = new Int32Array(rows.length);

/** What follows ModRM and displacement, in the order of the operands: four bits each, none behind a 0. */
export const PART = { none: 0, unsigned8: 1, signed8: 2, unsigned16: 3, bySize: 4, full: 5, second: 6, far: 7, offset: 8 } as const;
/** By number of the row. */
export const parts: Uint16Array = new Uint16Array(rows.length);

const PREFIXES = FACT.size66 | FACT.repF3 | FACT.repF2;
/** What of the prefixes a rule looks at, and what it wants to see. */
const RULES: Readonly<Record<Row['prefix'], readonly [mask: number, value: number]>> = {
  any: [0, 0],
  np: [PREFIXES, 0],
  nr: [FACT.repF3 | FACT.repF2, 0],
  '66': [PREFIXES, FACT.size66],
  F3: [FACT.repF3 | FACT.repF2, FACT.repF3],
  F2: [FACT.repF3 | FACT.repF2, FACT.repF2],
};

function partOf({ kind, size }: Operand): number {
  if (kind === 'K') return PART.second;
  if (kind === 'A') return PART.far;
  if (kind === 'O') return PART.offset;
  if (kind !== 'I' && kind !== 'J' && kind !== 'L') return PART.none;
  if (size === 'b' && kind === 'I') return PART.unsigned8;
  if (size === 'b' || size === 'bs' || kind === 'L') return PART.signed8;
  if (size === 'w') return PART.unsigned16;
  return size === 'v' ? PART.full : PART.bySize;
}

function traitsOf(row: Row): number {
  const { operands, size } = row;
  const has = (condition: (operand: Operand) => boolean): boolean => operands.some(condition);
  const flag = (condition: boolean, trait: number): number => (condition ? trait : 0);
  return (
    flag(row.default64, TRAIT.default64) | flag(row.force64, TRAIT.force64) | flag(row.prefix === '66' || row.vex, TRAIT.ignores66) |
    flag(row.lock, TRAIT.lock) | flag(row.protectedOnly, TRAIT.protectedOnly) | flag(has(({ kind }) => kind === 'H' || kind === 'B'), TRAIT.usesVvvv) |
    flag(has((operand) => operand.kind === 'R' && operand.size === 'r'), TRAIT.registersOnly) | flag(has(({ kind }) => kind === 'S'), TRAIT.segment) |
    flag(operands[0]?.kind === 'S', TRAIT.segmentWritten) | flag(has(({ kind }) => kind === 'C'), TRAIT.control) | flag(has(({ kind }) => kind === 'D'), TRAIT.debug) |
    flag(has(({ kind }) => kind === 'MX' || kind === 'MH'), TRAIT.gather) | flag(row.features.includes('never'), TRAIT.never) | flag(row.hasModrm, TRAIT.hasModrm) |
    (size === undefined ? 0 : Math.log2(size / 8) * TRAIT.size)
  );
}

/** Takes a row down. */
function learn(row: Row): void {
  const { op } = row;
  let [mask, value] = RULES[row.prefix];
  const want = (bits: number, wanted: number | undefined): void => {
    if (wanted === undefined) return;
    mask |= bits;
    value |= wanted;
  };
  const flag = (bit: number, wanted: boolean | number | undefined): void => want(bit, wanted === undefined ? undefined : Number(wanted) * bit);
  want(0xff, row.modrm);
  want(0x38, row.reg === undefined || row.modrm !== undefined ? undefined : row.reg << 3);
  flag(FACT.long, row.only64 ? true : row.not64 ? false : undefined);
  flag(FACT.memory, row.memory);
  flag(FACT.rexB, row.withoutRexB ? false : undefined);
  flag(FACT.l, row.l);
  flag(FACT.w, row.w);
  factMasks[op] = mask;
  factValues[op] = value;
  traits[op] = traitsOf(row);
  parts[op] = row.operands.map(partOf).filter((part) => part !== PART.none).reduceRight((all, part) => (all << 4) | part, 0);
}

/** What names more of the encoding comes first. */
const rank = (row: Row): number => (row.modrm !== undefined ? 0 : row.reg !== undefined ? 1 : 2) + (row.prefix === 'any' ? 4 : row.prefix === 'nr' ? 3 : 0);

/** Number of an opcode of a map. */
export const opcodeNumber = (vex: boolean, map: number, opcode: number): number => (vex ? 1024 : 0) | (map << 8) | opcode;

/** By {@link opcodeNumber}: the last row of that opcode, and by number of a row the one before; each plus one, 0 if there is none. */
const last: Uint16Array = new Uint16Array(2048);
const before: Uint16Array = new Uint16Array(rows.length);
for (const { vex, map, opcode, op } of rows) {
  const number = opcodeNumber(vex, map, opcode);
  before[op] = last[number] as number;
  last[number] = op + 1;
}

/** Lists of rows, of which the first is that of opcodes that have none: whether one has a ModRM byte (1 or 0), rows in the order in which they are to be tried, -1. */
export const candidates: Int16Array = new Int16Array(3 * rows.length + 3);
const NOBODY = 1;
candidates[NOBODY + 1] = -1;
let end = NOBODY + 2;
/** By {@link opcodeNumber}: where its list begins, 0 if it was not made yet. */
const lists: Uint16Array = new Uint16Array(2048);

/** Where the list of an opcode begins in {@link candidates}. */
export function candidatesOf(number: number): number {
  return lists[number] || makeList(number);
}

function makeList(number: number): number {
  const found: Row[] = [];
  for (let op = last[number] as number; op !== 0; op = before[op - 1] as number) found.unshift(rows[op - 1] as Row);
  if (found.length === 0) return (lists[number] = NOBODY);
  const list = end;
  candidates[end++] = found.some(({ hasModrm }) => hasModrm) ? 1 : 0;
  for (const row of found.sort((a, b) => rank(a) - rank(b))) {
    learn(row);
    candidates[end++] = row.op;
  }
  candidates[end++] = -1;
  return (lists[number] = list);
}
