/**
 * What the interpreter has in its loop: instructions that jump or are mostly the business of services, and those that code
 * which runs once is made of. All others are functions of their own that it calls: a loop with handlers for all of A64 is so
 * large that V8 takes longer to optimize it than a kernel takes to boot.
 */
import type { Definition } from './define.ts';

/** Of the instructions that a kernel executes until its shell, or a Go program, these are 97 of 100. */
const FREQUENT: ReadonlySet<string> = new Set([
  'adr', 'adrp', 'movz', 'movn', 'movk',
  'add_imm', 'adds_imm', 'sub_imm', 'subs_imm', 'add_shift', 'adds_shift', 'sub_shift', 'subs_shift', 'add_ext', 'subs_ext',
  'and_imm', 'ands_imm', 'orr_imm', 'eor_imm', 'and_shift', 'ands_shift', 'orr_shift', 'eor_shift', 'bic_shift',
  'ubfm', 'sbfm', 'extr', 'lslv', 'lsrv', 'asrv', 'madd', 'msub', 'clz', 'csel', 'csinc',
  'ldr_x_off', 'ldr_w_off', 'ldrh_off', 'ldrb_off', 'ldrsw_off', 'str_x_off', 'str_w_off', 'strh_off', 'strb_off',
  'ldr_x_post', 'ldrb_post', 'ldr_x_pre', 'ldrb_pre', 'str_x_pre', 'ldr_x_reg', 'ldr_w_reg', 'ldrb_reg', 'str_x_reg', 'ldur_x', 'stur_x',
  'ldp_x', 'stp_x', 'ldp_w', 'stp_w', 'ldp_x_post', 'stp_x_pre',
  'prfm_off', 'hint', 'dmb', 'isb',
]);

/** Mostly services: a region may begin behind them, as behind no function that is called. */
const SYSTEM: ReadonlySet<string> = new Set(['mrs', 'msr_reg', 'msr_daifset', 'msr_daifclr', 'msr_uao', 'msr_pan', 'msr_spsel', 'sys', 'sysl', 'dsb']);

/** Whether an instruction is a function of its own. */
export const isOutlined = (name: string, { direct, ends }: Definition): boolean => direct !== true && ends !== true && !FREQUENT.has(name) && !SYSTEM.has(name);
