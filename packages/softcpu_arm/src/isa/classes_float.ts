/** Scalar floating point and the cryptographic instructions (Arm ARM, C4.1.90). */
import type { EncodingClass, Row } from './class.ts';

const rounding = { n: '00', p: '01', m: '10', z: '11' };

/** FCVT{N,P,M,Z,A}{S,U}, SCVTF, UCVTF and FMOV between a general-purpose and a floating-point register. */
const toAndFrom: Record<string, Row> = {
  ...Object.fromEntries(
    Object.entries(rounding).flatMap(([mode, rmode]) => [
      [`fcvt${mode}s_gp`, `rmode=${rmode} imm3=000 ftype!=10`],
      [`fcvt${mode}u_gp`, `rmode=${rmode} imm3=001 ftype!=10`],
    ]),
  ),
  fcvtas_gp: 'rmode=00 imm3=100 ftype!=10',
  fcvtau_gp: 'rmode=00 imm3=101 ftype!=10',
  scvtf_gp: ['rmode=00 imm3=010 ftype!=10', '<Vd:ftype>, <Rn>'],
  ucvtf_gp: ['rmode=00 imm3=011 ftype!=10', '<Vd:ftype>, <Rn>'],
  fmov_tos: ['sf=0 ftype=00 rmode=00 imm3=110', '<Wd>, <Sn>'],
  fmov_froms: ['sf=0 ftype=00 rmode=00 imm3=111', '<Sd>, <Wn>'],
  fmov_tod: ['sf=1 ftype=01 rmode=00 imm3=110', '<Xd>, <Dn>'],
  fmov_fromd: ['sf=1 ftype=01 rmode=00 imm3=111', '<Dd>, <Xn>'],
  fmov_toh: ['ftype=11 rmode=00 imm3=110', '<Rd>, <Hn>'],
  fmov_fromh: ['ftype=11 rmode=00 imm3=111', '<Hd>, <Rn>'],
  fmov_totop: ['sf=1 ftype=10 rmode=01 imm3=110', '<Xd>, <Vn.d>[1]'],
  fmov_fromtop: ['sf=1 ftype=10 rmode=01 imm3=111', '<Vd.d>[1], <Xn>'],
};

const unary = (names: Readonly<Record<string, string>>): Record<string, Row> =>
  Object.fromEntries(Object.entries(names).map(([name, opcode]) => [`${name}_f`, `imm6=${opcode} ftype!=10`]));
const binary = (names: Readonly<Record<string, string>>): Record<string, Row> =>
  Object.fromEntries(Object.entries(names).map(([name, opcode]) => [`${name}_f`, `imm4=${opcode} ftype!=10`]));

/** Scalar floating point. */
export const floatClasses: readonly EncodingClass[] = [
  {
    name: 'Conversion between floating-point and fixed-point',
    pattern: 'sf 0011110 ftype 0 rmode imm3 scale Rn Rd',
    rows: {
      scvtf_fix: ['rmode=00 imm3=010 ftype!=10 sf=1|scale=1xxxxx', '<Vd:ftype>, <Rn>, <fbits>'],
      ucvtf_fix: ['rmode=00 imm3=011 ftype!=10 sf=1|scale=1xxxxx', '<Vd:ftype>, <Rn>, <fbits>'],
      fcvtzs_fix: ['rmode=11 imm3=000 ftype!=10 sf=1|scale=1xxxxx', '<Rd>, <Vn:ftype>, <fbits>'],
      fcvtzu_fix: ['rmode=11 imm3=001 ftype!=10 sf=1|scale=1xxxxx', '<Rd>, <Vn:ftype>, <fbits>'],
    },
  },
  { name: 'Conversion between floating-point and integer', pattern: 'sf 0011110 ftype 1 rmode imm3 000000 Rn Rd', syntax: '<Rd>, <Vn:ftype>', rows: toAndFrom },
  {
    name: 'Floating-point data-processing (1 source)',
    pattern: '00011110 ftype 1 imm6 10000 Rn Rd',
    syntax: '<Vd:ftype>, <Vn:ftype>',
    rows: {
      ...unary({
        fmov: '000000', fabs: '000001', fneg: '000010', fsqrt: '000011',
        frintn: '001000', frintp: '001001', frintm: '001010', frintz: '001011', frinta: '001100', frintx: '001110', frinti: '001111',
      }),
      fcvt_s: ['imm6=000100 ftype=x1', '<Sd>, <Vn:ftype>'],
      fcvt_d: ['imm6=000101 ftype=00|ftype=11', '<Dd>, <Vn:ftype>'],
      fcvt_h: ['imm6=000111 ftype=0x', '<Hd>, <Vn:ftype>'],
    },
  },
  {
    name: 'Floating-point compare',
    pattern: '00011110 ftype 1 Rm 001000 Rn imm5',
    syntax: '<Vn:ftype>, <Vm:ftype>',
    rows: {
      fcmp_f: 'imm5=00000 ftype!=10',
      fcmp_zero: ['imm5=01000 ftype!=10', '<Vn:ftype>, #0.0'],
      fcmpe_f: 'imm5=10000 ftype!=10',
      fcmpe_zero: ['imm5=11000 ftype!=10', '<Vn:ftype>, #0.0'],
    },
  },
  { name: 'Floating-point immediate', pattern: '00011110 ftype 1 imm8 10000000 Rd', rows: { fmov_imm: ['ftype!=10', '<Vd:ftype>, <fimm8>'] } },
  {
    name: 'Floating-point conditional compare',
    pattern: '00011110 ftype 1 Rm cond 01 Rn op nzcv',
    syntax: '<Vn:ftype>, <Vm:ftype>, <x:nzcv>, <cond>',
    rows: { fccmp: 'op=0 ftype!=10', fccmpe: 'op=1 ftype!=10' },
  },
  {
    name: 'Floating-point data-processing (2 source)',
    pattern: '00011110 ftype 1 Rm imm4 10 Rn Rd',
    syntax: '<Vd:ftype>, <Vn:ftype>, <Vm:ftype>',
    rows: binary({ fmul: '0000', fdiv: '0001', fadd: '0010', fsub: '0011', fmax: '0100', fmin: '0101', fmaxnm: '0110', fminnm: '0111', fnmul: '1000' }),
  },
  {
    name: 'Floating-point conditional select',
    pattern: '00011110 ftype 1 Rm cond 11 Rn Rd',
    rows: { fcsel: ['ftype!=10', '<Vd:ftype>, <Vn:ftype>, <Vm:ftype>, <cond>'] },
  },
  {
    name: 'Floating-point data-processing (3 source)',
    pattern: '00011111 ftype o1 Rm o0 Ra Rn Rd',
    syntax: '<Vd:ftype>, <Vn:ftype>, <Vm:ftype>, <Va:ftype>',
    rows: { fmadd: 'o1=0 o0=0 ftype!=10', fmsub: 'o1=0 o0=1 ftype!=10', fnmadd: 'o1=1 o0=0 ftype!=10', fnmsub: 'o1=1 o0=1 ftype!=10' },
  },
];

/** AES, SHA1 and SHA256. */
export const cryptoClasses: readonly EncodingClass[] = [
  {
    name: 'Cryptographic AES',
    pattern: '010011100010100 imm5 10 Rn Rd',
    syntax: '<Vd.16b>, <Vn.16b>',
    rows: { aese: 'imm5=00100', aesd: 'imm5=00101', aesmc: 'imm5=00110', aesimc: 'imm5=00111' },
  },
  {
    name: 'Cryptographic three-register SHA',
    pattern: '01011110000 Rm 0 imm3 00 Rn Rd',
    rows: {
      sha1c: ['imm3=000', '<Qd>, <Sn>, <Vm.4s>'],
      sha1p: ['imm3=001', '<Qd>, <Sn>, <Vm.4s>'],
      sha1m: ['imm3=010', '<Qd>, <Sn>, <Vm.4s>'],
      sha1su0: ['imm3=011', '<Vd.4s>, <Vn.4s>, <Vm.4s>'],
      sha256h: ['imm3=100', '<Qd>, <Qn>, <Vm.4s>'],
      sha256h2: ['imm3=101', '<Qd>, <Qn>, <Vm.4s>'],
      sha256su1: ['imm3=110', '<Vd.4s>, <Vn.4s>, <Vm.4s>'],
    },
  },
  {
    name: 'Cryptographic two-register SHA',
    pattern: '010111100010100 imm5 10 Rn Rd',
    rows: { sha1h: ['imm5=00000', '<Sd>, <Sn>'], sha1su1: ['imm5=00001', '<Vd.4s>, <Vn.4s>'], sha256su0: ['imm5=00010', '<Vd.4s>, <Vn.4s>'] },
  },
];
