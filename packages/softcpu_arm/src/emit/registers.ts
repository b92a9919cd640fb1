/** Operations on registers of either width. */
import type { Emit } from '@axvisor/softcpu';
import { bySf, source, target } from './define.ts';
import type { Definition, RecordLayout } from './define.ts';
import { W, XW } from './width.ts';
import type { Width } from './width.ts';

export type Int = 'i32' | 'i64';
/** A definition for either width. */
export type Generic = <T extends Int>(w: Width<T>) => Emit;

/** 32-bit and 64-bit handlers of one definition. */
export const both = (record: RecordLayout, emit: Generic): Definition => bySf(record, emit(W), emit(XW));

/** Rd, Rn and Rm. */
export const threeRegisters: RecordLayout = { d: target('Rd'), n: source('Rn'), m: source('Rm') };
