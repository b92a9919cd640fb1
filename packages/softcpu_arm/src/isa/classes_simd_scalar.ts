/** Advanced SIMD on scalars (Arm ARM, C4.1.90). */
import type { EncodingClass, Row } from './class.ts';
import { compareZeroFloat, indexedFloat, indexedInteger, sameFloat, sameInteger, shifts, unaryFloat } from './simd_rows.ts';

const map = <T>(table: Readonly<Record<string, T>>, row: (value: T, name: string) => readonly [string, Row] | undefined): Record<string, Row> =>
  Object.fromEntries(Object.entries(table).map(([name, value]) => row(value, name)).filter((entry) => entry !== undefined));

const FLOAT = '<Vd:sz>, <Vn:sz>, <Vm:sz>';
const FLOAT1 = '<Vd:sz>, <Vn:sz>';

/** Advanced SIMD, scalars. */
export const scalarClasses: readonly EncodingClass[] = [
  { name: 'Advanced SIMD scalar copy', pattern: '01011110000 imm5 000001 Rn Rd', rows: { dup_scalar: ['imm5!=x0000', '<Vd:imm5>, <Vn.e5>[<index5>]'] } },
  {
    name: 'Advanced SIMD scalar three same (FP16)',
    pattern: '01 U 11110 a 10 Rm 00 imm3 1 Rn Rd',
    syntax: '<Hd>, <Hn>, <Hm>',
    rows: map(sameFloat, ([u, a, opcode, scalar], name) => (scalar ? [`${name}_sh`, `U=${u} a=${a} imm3=${opcode.slice(2)}`] : undefined)),
  },
  {
    name: 'Advanced SIMD scalar two-register miscellaneous (FP16)',
    pattern: '01 U 11110 a 111100 imm5 10 Rn Rd',
    syntax: '<Hd>, <Hn>',
    rows: {
      ...map(unaryFloat, ([u, a, opcode, scalar], name) => (scalar ? [`${name}_sh`, `U=${u} a=${a} imm5=${opcode}`] : undefined)),
      ...map(compareZeroFloat, ([u, opcode], name) => [`${name}_shzero`, [`U=${u} a=1 imm5=${opcode}`, '<Hd>, <Hn>, <fzero>']]),
      frecpx_sh: 'U=0 a=1 imm5=11111',
    },
  },
  {
    name: 'Advanced SIMD scalar three same extra',
    pattern: '01 U 11110 size 0 Rm 1 imm4 1 Rn Rd',
    syntax: '<Vd:size>, <Vn:size>, <Vm:size>',
    rows: { sqrdmlah_s: 'U=1 imm4=0000 size=01|size=10', sqrdmlsh_s: 'U=1 imm4=0001 size=01|size=10' },
  },
  {
    name: 'Advanced SIMD scalar two-register miscellaneous',
    pattern: '01 U 11110 size 10000 imm5 10 Rn Rd',
    syntax: '<Vd:size>, <Vn:size>',
    rows: {
      suqadd_s: 'U=0 imm5=00011',
      sqabs_s: 'U=0 imm5=00111',
      cmgt_szero: ['U=0 imm5=01000 size=11', '<Dd>, <Dn>, <zero>'],
      cmeq_szero: ['U=0 imm5=01001 size=11', '<Dd>, <Dn>, <zero>'],
      cmlt_szero: ['U=0 imm5=01010 size=11', '<Dd>, <Dn>, <zero>'],
      abs_s: 'U=0 imm5=01011 size=11',
      sqxtn_s: ['U=0 imm5=10100 size<3', '<Vd:size>, <Vn:wide>'],
      usqadd_s: 'U=1 imm5=00011',
      sqneg_s: 'U=1 imm5=00111',
      cmge_szero: ['U=1 imm5=01000 size=11', '<Dd>, <Dn>, <zero>'],
      cmle_szero: ['U=1 imm5=01001 size=11', '<Dd>, <Dn>, <zero>'],
      neg_s: 'U=1 imm5=01011 size=11',
      sqxtun_s: ['U=1 imm5=10010 size<3', '<Vd:size>, <Vn:wide>'],
      uqxtn_s: ['U=1 imm5=10100 size<3', '<Vd:size>, <Vn:wide>'],
    },
  },
  {
    name: 'Advanced SIMD scalar two-register miscellaneous (floating point)',
    pattern: '01 U 11110 a sz 10000 imm5 10 Rn Rd',
    syntax: FLOAT1,
    rows: {
      ...map(unaryFloat, ([u, a, opcode, scalar], name) => (scalar ? [`${name}_sf`, `U=${u} a=${a} imm5=${opcode}`] : undefined)),
      ...map(compareZeroFloat, ([u, opcode], name) => [`${name}_sfzero`, [`U=${u} a=1 imm5=${opcode}`, `${FLOAT1}, <fzero>`]]),
      frecpx_sf: 'U=0 a=1 imm5=11111',
      fcvtxn_s: ['U=1 a=0 sz=1 imm5=10110', '<Sd>, <Dn>'],
    },
  },
  {
    name: 'Advanced SIMD scalar pairwise',
    pattern: '01 U 11110 size 11000 imm5 10 Rn Rd',
    rows: {
      addp_s: ['U=0 size=11 imm5=11011', '<Dd>, <Vn.2d>'],
      ...Object.fromEntries(
        ([['fmaxnmp', '0', '01100'], ['faddp', '0', '01101'], ['fmaxp', '0', '01111'], ['fminnmp', '1', '01100'], ['fminp', '1', '01111']] as const).flatMap(
          ([name, a, opcode]): [string, Row][] => [
            [`${name}_sh`, [`U=0 size=${a}0 imm5=${opcode}`, '<Hd>, <Vn.2h>']],
            [`${name}_ss`, [`U=1 size=${a}0 imm5=${opcode}`, '<Sd>, <Vn.2s>']],
            [`${name}_sd`, [`U=1 size=${a}1 imm5=${opcode}`, '<Dd>, <Vn.2d>']],
          ],
        ),
      ),
    },
  },
  {
    name: 'Advanced SIMD scalar three different',
    pattern: '01 U 11110 size 1 Rm imm4 00 Rn Rd',
    syntax: '<Vd:wide>, <Vn:size>, <Vm:size>',
    rows: { sqdmlal_s: 'U=0 imm4=1001 size=01|size=10', sqdmlsl_s: 'U=0 imm4=1011 size=01|size=10', sqdmull_s: 'U=0 imm4=1101 size=01|size=10' },
  },
  {
    name: 'Advanced SIMD scalar three same',
    pattern: '01 U 11110 size 1 Rm imm5 1 Rn Rd',
    syntax: '<Vd:size>, <Vn:size>, <Vm:size>',
    rows: map(sameInteger, ([u, opcode, , sizes], name) => (sizes === undefined ? undefined : [`${name}_s`, `U=${u} imm5=${opcode} ${sizes}`])),
  },
  {
    name: 'Advanced SIMD scalar three same (floating point)',
    pattern: '01 U 11110 a sz 1 Rm imm5 1 Rn Rd',
    syntax: FLOAT,
    rows: map(sameFloat, ([u, a, opcode, scalar], name) => (scalar ? [`${name}_sf`, `U=${u} a=${a} imm5=${opcode}`] : undefined)),
  },
  {
    name: 'Advanced SIMD scalar shift by immediate',
    pattern: '01 U 111110 immh immb imm5 1 Rn Rd',
    rows: map(shifts, ([u, opcode, kind, scalar], name) => {
      if (scalar === '') return undefined;
      const fixed = `U=${u} imm5=${opcode} ${scalar === 'd' ? 'immh=1xxx' : kind === 'narrow' ? 'immh!=0000 immh!=1xxx' : 'immh!=0000'}`;
      if (kind === 'narrow') return [`${name}_si`, [fixed, '<Vd:immh>, <Vn:immhwide>, <shr>']];
      if (kind === 'convert') return [`${name}_si`, [`${fixed} immh!=0001`, '<Vd:immh>, <Vn:immh>, <shr>']];
      return [`${name}_si`, [fixed, `<Vd:immh>, <Vn:immh>, <${kind === 'left' ? 'shl' : 'shr'}>`]];
    }),
  },
  {
    name: 'Advanced SIMD scalar x indexed element',
    pattern: '01 U 11111 size L M Rm:4 imm4 H 0 Rn Rd',
    rows: {
      ...map(indexedInteger, ([u, opcode, wide, scalar], name) =>
        scalar ? [`${name}_se`, [`U=${u} imm4=${opcode} size=01|size=10`, `<Vd:${wide ? 'wide' : 'size'}>, <Vn:size>, <elem>`]] : undefined,
      ),
      ...map(indexedFloat, ([u, opcode], name) => [`${name}_se`, [`U=${u} imm4=${opcode} size=1x size=10|L=0`, '<Vd:size>, <Vn:size>, <elem>']]),
      ...map(indexedFloat, ([u, opcode], name) => [`${name}_seh`, [`U=${u} imm4=${opcode} size=00`, '<Hd>, <Hn>, <elemh>']]),
    },
  },
];
