/** Runs cases of the differential tests on our processing element. */
import { PC } from '../../src/state.ts';
import type { FlatPe } from '../engine/flat.ts';
import { CODE, answer, prepare } from './cases.ts';
import type { Case } from './oracle.ts';

/** b . */
const LOOP = 0x1400_0000;

/** Runs one case, instruction by instruction, until it leaves its code. */
export function execute(pe: FlatPe, { seed, code }: Case): Int32Array {
  prepare(pe, seed);
  pe.load(CODE.base, new Uint8Array(Int32Array.from([...code, LOOP]).buffer));
  const end = CODE.base + code.length * 4;
  pe.stopped = '';
  for (let at = CODE.base; pe.stopped === '' && at < end; at = pe.read(PC)) pe.run(at, 1);
  return answer(pe);
}

/** A number that stands for an answer. */
export function digest(words: Int32Array): number {
  let hash = 0x811c9dc5;
  for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  return hash >>> 0;
}
