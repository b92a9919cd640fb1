/** Element sizes and lanes of floating-point instructions, by the suffix of their names in the table. */
import type { FpLog } from './unit.ts';

/** Reads a field of the instruction; 0 where it has none. */
export type Get = (field: string) => number;
export type Handler = (get: Get) => void;

export const BY_FTYPE: readonly FpLog[] = [2, 3, 2, 1];

/** Element size and number of lanes of an instruction. */
export interface Shape {
  readonly log: (get: Get) => FpLog;
  readonly lanes: (get: Get) => number;
}
export const vectorLanes = (log: FpLog, q: number): number => (q === 1 ? 16 : 8) >> log;
const bySz = (get: Get): FpLog => (get('sz') === 1 ? 3 : 2);
const half = (): FpLog => 1;
export const ONE = (): number => 1;
/** By the suffix of the table's names. */
export const shapes: Readonly<Record<string, Shape>> = {
  f: { log: (get) => BY_FTYPE[get('ftype')] as FpLog, lanes: ONE },
  sh: { log: half, lanes: ONE },
  sf: { log: bySz, lanes: ONE },
  vh: { log: half, lanes: (get) => vectorLanes(1, get('Q')) },
  vf: { log: bySz, lanes: (get) => vectorLanes(bySz(get), get('Q')) },
};
const sized = (get: Get): FpLog => get('size') as FpLog;
export const indexedShapes: Readonly<Record<string, Shape>> = {
  se: { log: sized, lanes: ONE },
  ve: { log: sized, lanes: (get) => vectorLanes(sized(get), get('Q')) },
  seh: { log: half, lanes: ONE },
  veh: { log: half, lanes: (get) => vectorLanes(1, get('Q')) },
};

/** Shifts by immediate as numbers of fraction bits. */
const shiftLog = (get: Get): FpLog => (31 - Math.clz32(get('immh'))) as FpLog;
export const shiftFraction = (get: Get): number => (16 << shiftLog(get)) - ((get('immh') << 3) | get('immb'));
export const shiftShapes: Readonly<Record<string, Shape>> = {
  si: { log: shiftLog, lanes: ONE },
  vi: { log: shiftLog, lanes: (get) => vectorLanes(shiftLog(get), get('Q')) },
};
