/** Advanced SIMD on vectors (Arm ARM, C4.1.90). */
import type { EncodingClass, Row } from './class.ts';
import { compareZeroFloat, indexedFloat, indexedInteger, sameFloat, sameInteger, shifts, unaryFloat } from './simd_rows.ts';

const map = <T>(table: Readonly<Record<string, T>>, row: (value: T, name: string) => readonly [string, Row] | undefined): Record<string, Row> =>
  Object.fromEntries(Object.entries(table).map(([name, value]) => row(value, name)).filter((entry) => entry !== undefined));

const SAME = '<Vd.T>, <Vn.T>, <Vm.T>';
const UNARY = '<Vd.T>, <Vn.T>';
const FLOAT = '<Vd.Tsz>, <Vn.Tsz>, <Vm.Tsz>';
const FLOAT1 = '<Vd.Tsz>, <Vn.Tsz>';
const HALF = '<Vd.Th>, <Vn.Th>, <Vm.Th>';
const HALF1 = '<Vd.Th>, <Vn.Th>';

const logical = { and: [0, '00'], bic: [0, '01'], orr: [0, '10'], orn: [0, '11'], eor: [1, '00'], bsl: [1, '01'], bit: [1, '10'], bif: [1, '11'] } as const;

const unaryInteger: Record<string, Row> = {
  rev64_v: 'U=0 imm5=00000 size<3',
  rev16_v: 'U=0 imm5=00001 size=00',
  saddlp_v: ['U=0 imm5=00010 size<3', '<Vd.Tp>, <Vn.T>'],
  suqadd_v: 'U=0 imm5=00011 Q=1|size<3',
  cls_v: 'U=0 imm5=00100 size<3',
  cnt_v: 'U=0 imm5=00101 size=00',
  sadalp_v: ['U=0 imm5=00110 size<3', '<Vd.Tp>, <Vn.T>'],
  sqabs_v: 'U=0 imm5=00111 Q=1|size<3',
  cmgt_zero: ['U=0 imm5=01000 Q=1|size<3', '<Vd.T>, <Vn.T>, <zero>'],
  cmeq_zero: ['U=0 imm5=01001 Q=1|size<3', '<Vd.T>, <Vn.T>, <zero>'],
  cmlt_zero: ['U=0 imm5=01010 Q=1|size<3', '<Vd.T>, <Vn.T>, <zero>'],
  abs_v: 'U=0 imm5=01011 Q=1|size<3',
  xtn_v: ['U=0 imm5=10010 size<3', '<Vd.T>, <Vn.Ta>'],
  sqxtn_v: ['U=0 imm5=10100 size<3', '<Vd.T>, <Vn.Ta>'],
  rev32_v: 'U=1 imm5=00000 size=0x',
  uaddlp_v: ['U=1 imm5=00010 size<3', '<Vd.Tp>, <Vn.T>'],
  usqadd_v: 'U=1 imm5=00011 Q=1|size<3',
  clz_v: 'U=1 imm5=00100 size<3',
  uadalp_v: ['U=1 imm5=00110 size<3', '<Vd.Tp>, <Vn.T>'],
  sqneg_v: 'U=1 imm5=00111 Q=1|size<3',
  cmge_zero: ['U=1 imm5=01000 Q=1|size<3', '<Vd.T>, <Vn.T>, <zero>'],
  cmle_zero: ['U=1 imm5=01001 Q=1|size<3', '<Vd.T>, <Vn.T>, <zero>'],
  neg_v: 'U=1 imm5=01011 Q=1|size<3',
  sqxtun_v: ['U=1 imm5=10010 size<3', '<Vd.T>, <Vn.Ta>'],
  shll_v: ['U=1 imm5=10011 size<3', '<Vd.Ta>, <Vn.T>, <esize>'],
  uqxtn_v: ['U=1 imm5=10100 size<3', '<Vd.T>, <Vn.Ta>'],
  not_v: ['U=1 imm5=00101 size=00', '<Vd.T8>, <Vn.T8>'],
  rbit_v: ['U=1 imm5=00101 size=01', '<Vd.T8>, <Vn.T8>'],
  urecpe_v: ['U=0 imm5=11100 size=10', '<Vd.T>, <Vn.T>'],
  ursqrte_v: ['U=1 imm5=11100 size=10', '<Vd.T>, <Vn.T>'],
};

const across: Record<string, Row> = {
  saddlv: ['U=0 imm5=00011 size<3 Q=1|size<2', '<Vd:wide>, <Vn.T>'],
  smaxv: 'U=0 imm5=01010 size<3 Q=1|size<2',
  sminv: 'U=0 imm5=11010 size<3 Q=1|size<2',
  addv: 'U=0 imm5=11011 size<3 Q=1|size<2',
  uaddlv: ['U=1 imm5=00011 size<3 Q=1|size<2', '<Vd:wide>, <Vn.T>'],
  umaxv: 'U=1 imm5=01010 size<3 Q=1|size<2',
  uminv: 'U=1 imm5=11010 size<3 Q=1|size<2',
  fmaxnmv: ['U=1 size=00 imm5=01100 Q=1', '<Sd>, <Vn.4s>'],
  fmaxv: ['U=1 size=00 imm5=01111 Q=1', '<Sd>, <Vn.4s>'],
  fminnmv: ['U=1 size=10 imm5=01100 Q=1', '<Sd>, <Vn.4s>'],
  fminv: ['U=1 size=10 imm5=01111 Q=1', '<Sd>, <Vn.4s>'],
  fmaxnmv_h: ['U=0 size=00 imm5=01100', '<Hd>, <Vn.Th>'],
  fmaxv_h: ['U=0 size=00 imm5=01111', '<Hd>, <Vn.Th>'],
  fminnmv_h: ['U=0 size=10 imm5=01100', '<Hd>, <Vn.Th>'],
  fminv_h: ['U=0 size=10 imm5=01111', '<Hd>, <Vn.Th>'],
};

const LONG = '<Vd.Ta>, <Vn.T>, <Vm.T>';
const WIDE = '<Vd.Ta>, <Vn.Ta>, <Vm.T>';
const NARROW = '<Vd.T>, <Vn.Ta>, <Vm.Ta>';
const different: Record<string, Row> = Object.fromEntries(
  (
    [
      ['addl', '0000', LONG], ['addw', '0001', WIDE], ['subl', '0010', LONG], ['subw', '0011', WIDE], ['abal', '0101', LONG],
      ['abdl', '0111', LONG], ['mlal', '1000', LONG], ['mlsl', '1010', LONG], ['mull', '1100', LONG],
    ] as const
  ).flatMap(([stem, opcode, syntax]) => [
    [`s${stem}_v`, [`U=0 imm4=${opcode} size<3`, syntax]],
    [`u${stem}_v`, [`U=1 imm4=${opcode} size<3`, syntax]],
  ]),
);

const modified: Record<string, Row> = Object.fromEntries(
  ([['op=0 o2=0 cmode=0xx0', 'movi_s', 'op=1 o2=0 cmode=0xx0', 'mvni_s', '<Vd.Ts>, <x:imm8><lsl_cmode>'],
    ['op=0 o2=0 cmode=0xx1', 'orr_imms', 'op=1 o2=0 cmode=0xx1', 'bic_imms', '<Vd.Ts>, <x:imm8><lsl_cmode>'],
    ['op=0 o2=0 cmode=10x0', 'movi_h', 'op=1 o2=0 cmode=10x0', 'mvni_h', '<Vd.Th>, <x:imm8><lsl_cmode>'],
    ['op=0 o2=0 cmode=10x1', 'orr_immh', 'op=1 o2=0 cmode=10x1', 'bic_immh', '<Vd.Th>, <x:imm8><lsl_cmode>'],
    ['op=0 o2=0 cmode=110x', 'movi_msl', 'op=1 o2=0 cmode=110x', 'mvni_msl', '<Vd.Ts>, <x:imm8><msl_cmode>'],
  ] as const).flatMap(([a, nameA, b, nameB, syntax]): [string, Row][] => [[nameA, [a, syntax]], [nameB, [b, syntax]]]),
);

/** Advanced SIMD, vectors. */
export const vectorClasses: readonly EncodingClass[] = [
  {
    name: 'Advanced SIMD table lookup',
    pattern: '0 Q 001110000 Rm 0 len op 00 Rn Rd',
    syntax: '<Vd.T8>, <tablelist>, <Vm.T8>',
    rows: { tbl: 'op=0', tbx: 'op=1' },
  },
  {
    name: 'Advanced SIMD permute',
    pattern: '0 Q 001110 size 0 Rm 0 imm3 10 Rn Rd',
    syntax: SAME,
    rows: {
      uzp1: 'imm3=001 Q=1|size<3', trn1: 'imm3=010 Q=1|size<3', zip1: 'imm3=011 Q=1|size<3',
      uzp2: 'imm3=101 Q=1|size<3', trn2: 'imm3=110 Q=1|size<3', zip2: 'imm3=111 Q=1|size<3',
    },
  },
  { name: 'Advanced SIMD extract', pattern: '0 Q 101110000 Rm 0 imm4 0 Rn Rd', rows: { ext: ['Q=1|imm4=0xxx', '<Vd.T8>, <Vn.T8>, <Vm.T8>, <x:imm4>'] } },
  {
    name: 'Advanced SIMD copy',
    pattern: '0 Q op 01110000 imm5 0 imm4 1 Rn Rd',
    rows: {
      dup_elem: ['op=0 imm4=0000 imm5!=x0000 Q=1|imm5!=x1000', '<Vd.Te>, <Vn.e5>[<index5>]'],
      dup_gp: ['op=0 imm4=0001 imm5!=x0000 Q=1|imm5!=x1000', '<Vd.T5>, <n5>'],
      smov_w: ['Q=0 op=0 imm4=0101 imm5=xxxx1|imm5=xxx10', '<Wd>, <Vn.e5>[<index5>]'],
      smov_x: ['Q=1 op=0 imm4=0101 imm5=xxxx1|imm5=xxx10|imm5=xx100', '<Xd>, <Vn.e5>[<index5>]'],
      umov_w: ['Q=0 op=0 imm4=0111 imm5=xxxx1|imm5=xxx10|imm5=xx100', '<Wd>, <Vn.e5>[<index5>]'],
      umov_x: ['Q=1 op=0 imm4=0111 imm5=x1000', '<Xd>, <Vn.e5>[<index5>]'],
      ins_gp: ['Q=1 op=0 imm4=0011 imm5!=x0000', '<Vd.e5>[<index5>], <n5>'],
      ins_elem: ['Q=1 op=1 imm5!=x0000', '<Vd.e5>[<index5>], <Vn.e5>[<index4>]'],
    },
  },
  {
    name: 'Advanced SIMD three same (FP16)',
    pattern: '0 Q U 01110 a 10 Rm 00 imm3 1 Rn Rd',
    syntax: HALF,
    rows: map(sameFloat, ([u, a, opcode], name) => [`${name}_vh`, `U=${u} a=${a} imm3=${opcode.slice(2)}`]),
  },
  {
    name: 'Advanced SIMD two-register miscellaneous (FP16)',
    pattern: '0 Q U 01110 a 111100 imm5 10 Rn Rd',
    syntax: HALF1,
    rows: {
      ...map(unaryFloat, ([u, a, opcode], name) => [`${name}_vh`, `U=${u} a=${a} imm5=${opcode}`]),
      ...map(compareZeroFloat, ([u, opcode], name) => [`${name}_vhzero`, [`U=${u} a=1 imm5=${opcode}`, `${HALF1}, <fzero>`]]),
    },
  },
  {
    name: 'Advanced SIMD three-register extension',
    pattern: '0 Q U 01110 size 0 Rm 1 imm4 1 Rn Rd',
    syntax: SAME,
    rows: {
      sdot: ['U=0 size=10 imm4=0010', '<Vd.Ts>, <Vn.T8>, <Vm.T8>'],
      udot: ['U=1 size=10 imm4=0010', '<Vd.Ts>, <Vn.T8>, <Vm.T8>'],
      sqrdmlah_v: 'U=1 imm4=0000 size=01|size=10',
      sqrdmlsh_v: 'U=1 imm4=0001 size=01|size=10',
    },
  },
  {
    name: 'Advanced SIMD two-register miscellaneous',
    pattern: '0 Q U 01110 size 10000 imm5 10 Rn Rd',
    syntax: UNARY,
    rows: unaryInteger,
  },
  {
    name: 'Advanced SIMD two-register miscellaneous (floating point)',
    pattern: '0 Q U 01110 a sz 10000 imm5 10 Rn Rd',
    syntax: FLOAT1,
    rows: {
      ...map(unaryFloat, ([u, a, opcode], name) => [`${name}_vf`, `U=${u} a=${a} imm5=${opcode} Q=1|sz=0`]),
      ...map(compareZeroFloat, ([u, opcode], name) => [`${name}_vfzero`, [`U=${u} a=1 imm5=${opcode} Q=1|sz=0`, `${FLOAT1}, <fzero>`]]),
      fcvtn_v: ['U=0 a=0 imm5=10110', '<Vd.Tnarrow>, <Vn.Twide>'],
      fcvtl_v: ['U=0 a=0 imm5=10111', '<Vd.Twide>, <Vn.Tnarrow>'],
      fcvtxn_v: ['U=1 a=0 sz=1 imm5=10110', '<Vd.Tnarrow>, <Vn.Twide>'],
    },
  },
  { name: 'Advanced SIMD across lanes', pattern: '0 Q U 01110 size 11000 imm5 10 Rn Rd', syntax: '<Vd:size>, <Vn.T>', rows: across },
  {
    name: 'Advanced SIMD three different',
    pattern: '0 Q U 01110 size 1 Rm imm4 00 Rn Rd',
    syntax: LONG,
    rows: {
      ...different,
      addhn_v: ['U=0 imm4=0100 size<3', NARROW],
      raddhn_v: ['U=1 imm4=0100 size<3', NARROW],
      subhn_v: ['U=0 imm4=0110 size<3', NARROW],
      rsubhn_v: ['U=1 imm4=0110 size<3', NARROW],
      sqdmlal_v: 'U=0 imm4=1001 size=01|size=10',
      sqdmlsl_v: 'U=0 imm4=1011 size=01|size=10',
      sqdmull_v: 'U=0 imm4=1101 size=01|size=10',
      pmull_v: 'U=0 imm4=1110 size=00|size=11',
    },
  },
  {
    name: 'Advanced SIMD three same',
    pattern: '0 Q U 01110 size 1 Rm imm5 1 Rn Rd',
    syntax: SAME,
    rows: {
      ...map(sameInteger, ([u, opcode, sizes], name) => (sizes === undefined ? undefined : [`${name}_v`, `U=${u} imm5=${opcode} ${sizes}`])),
      ...Object.fromEntries(Object.entries(logical).map(([name, [u, size]]): [string, Row] => [`${name}_v`, [`U=${u} size=${size} imm5=00011`, '<Vd.T8>, <Vn.T8>, <Vm.T8>']])),
    },
  },
  {
    name: 'Advanced SIMD three same (floating point)',
    pattern: '0 Q U 01110 a sz 1 Rm imm5 1 Rn Rd',
    syntax: FLOAT,
    rows: map(sameFloat, ([u, a, opcode], name) => [`${name}_vf`, `U=${u} a=${a} imm5=${opcode} Q=1|sz=0`]),
  },
  {
    name: 'Advanced SIMD modified immediate',
    pattern: '0 Q op 0111100000 abc cmode o2 1 defgh Rd',
    rows: {
      ...modified,
      movi_b: ['op=0 cmode=1110 o2=0', '<Vd.T8>, <x:imm8>'],
      movi_d: ['Q=0 op=1 cmode=1110 o2=0', '<Dd>, <imm64>'],
      movi_v2d: ['Q=1 op=1 cmode=1110 o2=0', '<Vd.2d>, <imm64>'],
      fmov_vs: ['op=0 cmode=1111 o2=0', '<Vd.Ts>, <fimm8>'],
      fmov_vh: ['op=0 cmode=1111 o2=1', '<Vd.Th>, <fimm8>'],
      fmov_vd: ['Q=1 op=1 cmode=1111 o2=0', '<Vd.2d>, <fimm8>'],
    },
  },
  {
    name: 'Advanced SIMD shift by immediate',
    pattern: '0 Q U 011110 immh immb imm5 1 Rn Rd',
    rows: map(shifts, ([u, opcode, kind], name) => {
      const fixed = `U=${u} imm5=${opcode} immh!=0000`;
      switch (kind) {
        case 'right':
          return [`${name}_vi`, [`${fixed} Q=1|immh!=1xxx`, '<Vd.Timm>, <Vn.Timm>, <shr>']];
        case 'left':
          return [`${name}_vi`, [`${fixed} Q=1|immh!=1xxx`, '<Vd.Timm>, <Vn.Timm>, <shl>']];
        case 'narrow':
          return [`${name}_vi`, [`${fixed} immh!=1xxx`, '<Vd.Timm>, <Vn.Timma>, <shr>']];
        case 'wide':
          return [`${name}_vi`, [`${fixed} immh!=1xxx`, '<Vd.Timma>, <Vn.Timm>, <shl>']];
        case 'convert':
          return [`${name}_vi`, [`${fixed} immh!=0001 Q=1|immh!=1xxx`, '<Vd.Timm>, <Vn.Timm>, <shr>']];
      }
    }),
  },
  {
    name: 'Advanced SIMD vector x indexed element',
    pattern: '0 Q U 01111 size L M Rm:4 imm4 H 0 Rn Rd',
    rows: {
      ...map(indexedInteger, ([u, opcode, wide], name) => [`${name}_ve`, [`U=${u} imm4=${opcode} size=01|size=10`, wide ? '<Vd.Ta>, <Vn.T>, <elem>' : '<Vd.T>, <Vn.T>, <elem>']]),
      ...map(indexedFloat, ([u, opcode], name) => [`${name}_ve`, [`U=${u} imm4=${opcode} size=1x size=10|Q=1 size=10|L=0`, '<Vd.T>, <Vn.T>, <elem>']]),
      ...map(indexedFloat, ([u, opcode], name) => [`${name}_veh`, [`U=${u} imm4=${opcode} size=00`, '<Vd.Th>, <Vn.Th>, <elemh>']]),
      sdot_ve: ['U=0 imm4=1110 size=10', '<Vd.Ts>, <Vn.T8>, <elem4b>'],
      udot_ve: ['U=1 imm4=1110 size=10', '<Vd.Ts>, <Vn.T8>, <elem4b>'],
    },
  },
];
