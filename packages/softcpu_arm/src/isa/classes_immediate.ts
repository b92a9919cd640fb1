/** Data processing with an immediate, branches, exception generation and system instructions (Arm ARM, C4.1.86 and C4.1.87). */
import type { EncodingClass } from './class.ts';

/** What a bitmask immediate has to be: there are elements of some size, which are not all ones (Arm ARM, shared/functions/DecodeBitMasks). */
const BITMASK = ['sf=1|N=0', 'N=0|imms!=111111', ...['011111', '101111', '110111', '111011', '111101', '11111x'].map((imms) => `N=1|imms!=${imms}`)].join(' ');

/** Data processing -- immediate. */
export const immediateClasses: readonly EncodingClass[] = [
  {
    name: 'PC-rel. addressing',
    pattern: 'op immlo 10000 immhi Rd',
    rows: { adr: ['op=0', '<Xd>, <adr>'], adrp: ['op=1', '<Xd>, <adrp>'] },
  },
  {
    name: 'Add/subtract (immediate)',
    pattern: 'sf op S 100010 sh imm12 Rn Rd',
    rows: {
      add_imm: ['op=0 S=0', '<Rd^>, <Rn^>, <x:imm12><sh12>'],
      adds_imm: ['op=0 S=1', '<Rd>, <Rn^>, <x:imm12><sh12>'],
      sub_imm: ['op=1 S=0', '<Rd^>, <Rn^>, <x:imm12><sh12>'],
      subs_imm: ['op=1 S=1', '<Rd>, <Rn^>, <x:imm12><sh12>'],
    },
  },
  {
    name: 'Logical (immediate)',
    pattern: 'sf opc 100100 N immr imms Rn Rd',
    syntax: '<Rd^>, <Rn>, <bitmask>',
    rows: {
      and_imm: `opc=00 ${BITMASK}`,
      orr_imm: `opc=01 ${BITMASK}`,
      eor_imm: `opc=10 ${BITMASK}`,
      ands_imm: [`opc=11 ${BITMASK}`, '<Rd>, <Rn>, <bitmask>'],
    },
  },
  {
    name: 'Move wide (immediate)',
    pattern: 'sf opc 100101 hw imm16 Rd',
    syntax: '<Rd>, <x:imm16><hw>',
    rows: { movn: 'opc=00 sf=1|hw<2', movz: 'opc=10 sf=1|hw<2', movk: 'opc=11 sf=1|hw<2' },
  },
  {
    name: 'Bitfield',
    pattern: 'sf opc 100110 N immr imms Rn Rd',
    syntax: '<Rd>, <Rn>, <u:immr>, <u:imms>',
    rows: {
      sbfm: 'opc=00 sf=1|N=0 sf=0|N=1 sf=1|immr<32 sf=1|imms<32',
      bfm: 'opc=01 sf=1|N=0 sf=0|N=1 sf=1|immr<32 sf=1|imms<32',
      ubfm: 'opc=10 sf=1|N=0 sf=0|N=1 sf=1|immr<32 sf=1|imms<32',
    },
  },
  {
    name: 'Extract',
    pattern: 'sf 00100111 N 0 Rm imms Rn Rd',
    rows: { extr: ['sf=1|N=0 sf=0|N=1 sf=1|imms<32', '<Rd>, <Rn>, <Rm>, <u:imms>'] },
  },
];

/** Branches, exception generating and system instructions. */
export const branchClasses: readonly EncodingClass[] = [
  { name: 'Reserved', pattern: '0000000000000000 imm16', rows: { udf: ['', '<x:imm16>'] } },
  { name: 'Conditional branch (immediate)', pattern: '01010100 imm19 0 cond', rows: { b_cond: ['', '<b19>'] } },
  {
    name: 'Exception generation',
    pattern: '11010100 op31 imm16 000 LL',
    syntax: '<x:imm16>',
    rows: {
      svc: 'op31=000 LL=01',
      hvc: 'op31=000 LL=10',
      smc: 'op31=000 LL=11',
      brk: 'op31=001 LL=00',
      hlt: 'op31=010 LL=00',
      dcps1: ['op31=101 LL=01', '<opt:imm16>'],
      dcps2: ['op31=101 LL=10', '<opt:imm16>'],
      dcps3: ['op31=101 LL=11', '<opt:imm16>'],
    },
  },
  { name: 'Hints', pattern: '11010101000000110010 CRm op2 11111', rows: { hint: ['', '<hint>'] } },
  {
    name: 'Barriers',
    pattern: '11010101000000110011 CRm op2 11111',
    rows: {
      clrex: ['op2=010', '<opt15:CRm>'],
      dsb: ['op2=100', '<barrier>'],
      dmb: ['op2=101', '<barrier>'],
      isb: ['op2=110', '<isb>'],
    },
  },
  {
    name: 'PSTATE',
    pattern: '1101010100000 op1 0100 CRm op2 11111',
    syntax: '<pstate>, <x:CRm>',
    rows: {
      msr_uao: 'op1=000 op2=011',
      msr_pan: 'op1=000 op2=100',
      msr_spsel: 'op1=000 op2=101',
      msr_daifset: 'op1=011 op2=110',
      msr_daifclr: 'op1=011 op2=111',
    },
  },
  {
    name: 'System instructions',
    pattern: '1101010100 L 01 op1 CRn CRm op2 Rt',
    rows: { sys: ['L=0', '<x:op1>, <CRn>, <CRm>, <x:op2><optXt>'], sysl: ['L=1', '<Xt>, <x:op1>, <CRn>, <CRm>, <x:op2>'] },
  },
  {
    name: 'System register move',
    pattern: '1101010100 L 1 o0 op1 CRn CRm op2 Rt',
    rows: { msr_reg: ['L=0', '<sysreg>, <Xt>'], mrs: ['L=1', '<Xt>, <sysreg>'] },
  },
  {
    name: 'Unconditional branch (register)',
    pattern: '1101011 imm4 11111000000 Rn 00000',
    rows: {
      br: ['imm4=0000', '<Xn>'],
      blr: ['imm4=0001', '<Xn>'],
      ret: ['imm4=0010', '<retXn>'],
      eret: ['imm4=0100 Rn=11111', ''],
      drps: ['imm4=0101 Rn=11111', ''],
    },
  },
  { name: 'Unconditional branch (immediate)', pattern: 'op 00101 imm26', rows: { b: ['op=0', '<b26>'], bl: ['op=1', '<b26>'] } },
  { name: 'Compare and branch (immediate)', pattern: 'sf 011010 op imm19 Rt', rows: { cbz: ['op=0', '<Rt>, <b19>'], cbnz: ['op=1', '<Rt>, <b19>'] } },
  { name: 'Test and branch (immediate)', pattern: 'b5 011011 op b40 imm14 Rt', rows: { tbz: ['op=0', '<tbt>, <tbit>, <b14>'], tbnz: ['op=1', '<tbt>, <tbit>, <b14>'] } },
];
