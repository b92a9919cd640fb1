/** The instruction formats: where each one keeps its operands (unprivileged manual, "Base Instruction Formats" and the chapters of A, F, D). */

/** One run of instruction bits [hi:lo] that supplies the immediate's bits from `at` upwards. */
export interface Segment {
  readonly hi: number;
  readonly lo: number;
  readonly at: number;
}

/** The layout of an immediate. `width` counts from bit 0 of the value, so a B-type immediate is 13 bits wide. */
export interface ImmediateLayout {
  readonly segments: readonly Segment[];
  readonly width: number;
  readonly signed: boolean;
}

const layout = (width: number, signed: boolean, ...segments: readonly (readonly [number, number, number])[]): ImmediateLayout => ({
  width,
  signed,
  segments: segments.map(([hi, lo, at]) => ({ hi, lo, at })),
});

/** Immediates of the 32-bit formats. */
export type Immediate = 'I' | 'S' | 'B' | 'U' | 'J' | 'shamt6' | 'shamt5' | 'fence';

/** Bit layouts of the immediates (unprivileged manual, "Immediate Encoding Variants"). */
export const immediates: Readonly<Record<Immediate, ImmediateLayout>> = {
  I: layout(12, true, [31, 20, 0]),
  S: layout(12, true, [31, 25, 5], [11, 7, 0]),
  B: layout(13, true, [31, 31, 12], [7, 7, 11], [30, 25, 5], [11, 8, 1]),
  U: layout(32, true, [31, 12, 12]),
  J: layout(21, true, [31, 31, 20], [19, 12, 12], [20, 20, 11], [30, 21, 1]),
  shamt6: layout(6, false, [25, 20, 0]),
  shamt5: layout(5, false, [24, 20, 0]),
  fence: layout(12, false, [31, 20, 0]),
};

/** Register fields and what the assembly language calls them: an integer or a floating-point register. */
export type RegisterField = 'rd' | 'rs1' | 'rs2' | 'rs3';

/** The lowest bit of each 5-bit register field. */
export const registerShift: Readonly<Record<RegisterField, number>> = { rd: 7, rs1: 15, rs2: 20, rs3: 27 };

/** What a format keeps besides registers and immediate: a CSR number, a rounding mode, or the aq and rl bits. */
export type Auxiliary = 'csr' | 'rm' | 'aqrl';

/** Where each auxiliary field lies. */
export const auxiliaries: Readonly<Record<Auxiliary, { readonly shift: number; readonly width: number }>> = {
  csr: { shift: 20, width: 12 },
  rm: { shift: 12, width: 3 },
  aqrl: { shift: 25, width: 2 },
};

/**
 * One operand as the assembly language writes it, in order: `x:`/`f:` an integer or floating-point register field, `imm` a signed number,
 * `uimm` an unsigned one, `hi20` the upper immediate, `target` a pc-relative address, `mem` `imm(rs1)`, `addr` `(rs1)`,
 * `zimm` the 5-bit number in rs1's place, `pred`/`succ` the sets of FENCE.
 */
export type Operand =
  | `x:${RegisterField}`
  | `f:${RegisterField}`
  | 'imm'
  | 'uimm'
  | 'hi20'
  | 'target'
  | 'mem'
  | 'addr'
  | 'csr'
  | 'zimm'
  | 'rm'
  | 'pred'
  | 'succ';

/** A format: the register fields in use, the immediate, the auxiliary field and the operands in the order of the assembly language. */
export interface FormatSpec {
  readonly fields: readonly RegisterField[];
  readonly imm?: Immediate;
  readonly aux?: Auxiliary;
  readonly operands: readonly Operand[];
}

/** Names of the formats; where one encoding format has several assembly forms, each form is a format here. */
export type Format =
  | 'none'
  | 'R'
  | 'I'
  | 'load'
  | 'store'
  | 'B'
  | 'U'
  | 'J'
  | 'shift6'
  | 'shift5'
  | 'unary'
  | 'fence'
  | 'csr'
  | 'csri'
  | 'amo'
  | 'lr'
  | 'vma'
  | 'hlv'
  | 'hsv'
  | 'cbo'
  | 'fload'
  | 'fstore'
  | 'fR'
  | 'fRrm'
  | 'fR4'
  | 'fsqrt'
  | 'fwiden'
  | 'fcompare'
  | 'fclass'
  | 'fmv.x'
  | 'fmv.f'
  | 'fcvt.x'
  | 'fcvt.f'
  | 'fcvt.exact';

/** The formats. `fwiden` and `fcvt.exact` are conversions that cannot round: assemblers write their rm field as 0 instead of dynamic. */
export const formats: Readonly<Record<Format, FormatSpec>> = {
  none: { fields: [], operands: [] },
  R: { fields: ['rd', 'rs1', 'rs2'], operands: ['x:rd', 'x:rs1', 'x:rs2'] },
  I: { fields: ['rd', 'rs1'], imm: 'I', operands: ['x:rd', 'x:rs1', 'imm'] },
  load: { fields: ['rd', 'rs1'], imm: 'I', operands: ['x:rd', 'mem'] },
  store: { fields: ['rs1', 'rs2'], imm: 'S', operands: ['x:rs2', 'mem'] },
  B: { fields: ['rs1', 'rs2'], imm: 'B', operands: ['x:rs1', 'x:rs2', 'target'] },
  U: { fields: ['rd'], imm: 'U', operands: ['x:rd', 'hi20'] },
  J: { fields: ['rd'], imm: 'J', operands: ['x:rd', 'target'] },
  shift6: { fields: ['rd', 'rs1'], imm: 'shamt6', operands: ['x:rd', 'x:rs1', 'uimm'] },
  shift5: { fields: ['rd', 'rs1'], imm: 'shamt5', operands: ['x:rd', 'x:rs1', 'uimm'] },
  unary: { fields: ['rd', 'rs1'], operands: ['x:rd', 'x:rs1'] },
  fence: { fields: [], imm: 'fence', operands: ['pred', 'succ'] },
  csr: { fields: ['rd', 'rs1'], aux: 'csr', operands: ['x:rd', 'csr', 'x:rs1'] },
  csri: { fields: ['rd', 'rs1'], aux: 'csr', operands: ['x:rd', 'csr', 'zimm'] },
  amo: { fields: ['rd', 'rs1', 'rs2'], aux: 'aqrl', operands: ['x:rd', 'x:rs2', 'addr'] },
  lr: { fields: ['rd', 'rs1'], aux: 'aqrl', operands: ['x:rd', 'addr'] },
  vma: { fields: ['rs1', 'rs2'], operands: ['x:rs1', 'x:rs2'] },
  hlv: { fields: ['rd', 'rs1'], operands: ['x:rd', 'addr'] },
  hsv: { fields: ['rs1', 'rs2'], operands: ['x:rs2', 'addr'] },
  cbo: { fields: ['rs1'], operands: ['addr'] },
  fload: { fields: ['rd', 'rs1'], imm: 'I', operands: ['f:rd', 'mem'] },
  fstore: { fields: ['rs1', 'rs2'], imm: 'S', operands: ['f:rs2', 'mem'] },
  fR: { fields: ['rd', 'rs1', 'rs2'], operands: ['f:rd', 'f:rs1', 'f:rs2'] },
  fRrm: { fields: ['rd', 'rs1', 'rs2'], aux: 'rm', operands: ['f:rd', 'f:rs1', 'f:rs2', 'rm'] },
  fR4: { fields: ['rd', 'rs1', 'rs2', 'rs3'], aux: 'rm', operands: ['f:rd', 'f:rs1', 'f:rs2', 'f:rs3', 'rm'] },
  fsqrt: { fields: ['rd', 'rs1'], aux: 'rm', operands: ['f:rd', 'f:rs1', 'rm'] },
  fwiden: { fields: ['rd', 'rs1'], aux: 'rm', operands: ['f:rd', 'f:rs1', 'rm'] },
  fcompare: { fields: ['rd', 'rs1', 'rs2'], operands: ['x:rd', 'f:rs1', 'f:rs2'] },
  fclass: { fields: ['rd', 'rs1'], operands: ['x:rd', 'f:rs1'] },
  'fmv.x': { fields: ['rd', 'rs1'], operands: ['x:rd', 'f:rs1'] },
  'fmv.f': { fields: ['rd', 'rs1'], operands: ['f:rd', 'x:rs1'] },
  'fcvt.x': { fields: ['rd', 'rs1'], aux: 'rm', operands: ['x:rd', 'f:rs1', 'rm'] },
  'fcvt.f': { fields: ['rd', 'rs1'], aux: 'rm', operands: ['f:rd', 'x:rs1', 'rm'] },
  'fcvt.exact': { fields: ['rd', 'rs1'], aux: 'rm', operands: ['f:rd', 'x:rs1', 'rm'] },
};
