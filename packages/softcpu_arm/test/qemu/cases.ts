/** What the differential tests start from: registers and memory made from a seed, exactly as `runner.c` makes them. */
import { FPCR, FPSR, PC, SP, V, X } from '../../src/state.ts';
import type { FlatPe, Region } from '../engine/flat.ts';
import { randomWords } from '../isa/words.ts';

export const DATA: Region = { base: 0x1000_0000, size: 0x1_0000 };
export const CODE: Region = { base: 0x2000_0000, size: 0x1000 };
const MIDDLE = DATA.base + DATA.size / 2;
const WINDOW = 2304;
/** Bytes at both ends of the data that begin as zeros, as does what lies between them and the window. */
const END = 0x1000;

type Pair = readonly [hi: number, lo: number];

const SPECIAL: readonly Pair[] = [
  [0, 0], [0x80000000, 0], [0x3ff00000, 0], [0x7ff00000, 0], [0x7ff80000, 1], [0x7ff00000, 1], [0x000fffff, -1], [0xfff00000, 0],
  [0x3f800000, 0xbf800000], [0x7f800000, 0x7fc00000], [0x7f800001, 0x00000001], [0x00800000, 0x807fffff], [0x3c00bc00, 0x7c00fc00], [0x7e007c01, 0x03ff0400],
  [0x7fefffff, -1], [-1, -1],
];

/** Random numbers in the order in which the runner draws them. */
class Source {
  readonly next: () => number;
  constructor(seed: number) {
    this.next = randomWords(seed);
  }

  both(): Pair {
    const lo = this.next();
    return [this.next(), lo];
  }

  integer(): Pair {
    const kind = this.next();
    switch (kind & 7) {
      case 0:
        return SPECIAL[(kind >>> 4) & 15]!;
      case 1: {
        const bit = (kind >>> 4) & 63;
        return bit < 32 ? [0, 1 << bit] : [1 << (bit - 32), 0];
      }
      case 2:
        return [kind >> 31, kind >> 24];
      case 3:
        return [0, kind >>> 3];
      default:
        return this.both();
    }
  }

  floating(): Pair {
    const kind = this.next();
    const [hi, lo] = this.both();
    switch (kind & 7) {
      case 0:
      case 1:
        return SPECIAL[(kind >>> 4) & 15]!;
      case 2:
        return [(hi & 0x800fffff) | ((1023 - 30 + ((kind >>> 4) % 60)) << 20), lo];
      case 3:
        return [(hi & 0x807fffff) | ((127 - 14 + ((kind >>> 12) % 28)) << 23), (lo & 0x807fffff) | ((127 - 14 + ((kind >>> 4) % 28)) << 23)];
      default:
        return [hi, lo];
    }
  }
}

/** Puts a processing element into the state of a seed. */
export function prepare(pe: FlatPe, seed: number): void {
  const source = new Source(seed);
  const pair = (offset: number, [hi, lo]: Pair): void => {
    pe.word(offset, lo | 0);
    pe.word(offset + 4, hi | 0);
  };
  for (let i = 0; i < 30; i++) pair(X + i * 8, source.integer());
  const small = source.next() >> 24;
  pair(X + 27 * 8, [small >> 31, small]);
  pair(X + 28 * 8, [0, MIDDLE]);
  pair(SP, [0, MIDDLE]);
  for (let i = 0; i < 64; i++) pair(V + i * 8, source.floating());
  const bits = source.next();
  pe.nzcv = bits >>> 28;
  pe.word(FPCR, (bits & 1) === 0 ? 0 : ((bits & 6) << 21) | ((bits & 0x18) << 21) | ((bits & 0x20) << 14) | ((bits & 0x40) << 20));
  pe.word(FPSR, (bits & 0x80) === 0 ? 0 : 0x10);
  for (const end of [DATA.base, DATA.base + DATA.size - END]) pe.bytes.fill(0, pe.placeOf(end), pe.placeOf(end) + END);
  const place = pe.placeOf(MIDDLE - WINDOW) >>> 2;
  for (let i = 0; i < WINDOW / 2; i++) pe.engine.words[place + i] = source.next();
}

/** The words of the runner's answer. */
export const RESULT_WORDS: number = 6 + 31 * 2 + 64 * 2 + 2;
const ADDRESS = RESULT_WORDS - 2;
/** Of what the privileged architecture decides, UDF alone is tested. */
const SIGNALS: Readonly<Record<string, number>> = { '': 0, undefined: 4, system: 4, misaligned: 7, fault: 11 };

/** What a processing element that has run answers, in the runner's form. */
export function answer(pe: FlatPe): Int32Array {
  const result = new Int32Array(RESULT_WORDS);
  let hash = 0;
  const place = pe.placeOf(MIDDLE - WINDOW) >>> 2;
  for (let i = 0; i < WINDOW / 2; i++) hash = Math.imul(hash ^ pe.engine.words[place + i]!, 0x01000193);
  const nzcv = pe.nzcv << 28;
  result.set([SIGNALS[pe.stopped] ?? -1, hash, nzcv, pe.read(FPCR), pe.read(FPSR), pe.stopped === '' ? 0 : (pe.read(PC) - CODE.base) >>> 2]);
  for (let i = 0; i < 60; i++) result[6 + i] = pe.read(X + i * 4);
  result[66] = pe.read(SP);
  result[67] = pe.read(SP + 4);
  for (let i = 0; i < 128; i++) result[68 + i] = pe.read(V + i * 4);
  // What is undefined is so at its own address.
  if (result[0] === 4) result[ADDRESS] = pe.read(PC);
  else if (pe.stopped !== '') result.set(pe.faulting, ADDRESS);
  return result;
}

/** How many instructions of a sequence an answer is of: the one that a signal came from is the last. */
export const executed = ({ code }: { readonly code: readonly number[] }, [status, , , , , at = 0]: Int32Array): number => (status === 0 ? code.length : at + 1);

/** Which instruction of a case could not access memory, if that ended it. */
export const aborted = (answer: Int32Array): number | undefined => (answer[0] === SIGNALS['fault'] ? answer[5] : undefined);

/** Where the four words of a vector register are in an answer. */
export const vectorAt = (register: number): number => 68 + 4 * register;

/** The first differences between two answers in words, or undefined. */
export function difference(ours: Int32Array, theirs: Int32Array): string | undefined {
  const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
  if (ours[0] !== theirs[0]) return `ended with ${ours[0]} at ${ours[5]}, not ${theirs[0]}`;
  const name = (i: number): string => {
    if (i < 6) return ['status', 'memory', 'nzcv', 'fpcr', 'fpsr', 'instruction'][i]!;
    if (i >= ADDRESS) return 'address';
    if (i < 68) return i < 66 ? `x${(i - 6) >> 1}` : 'sp';
    return `v${(i - 68) >> 2}`;
  };
  const list: string[] = [];
  // QEMU does not tell an address that its host cannot have.
  const end = (theirs[ADDRESS]! | theirs[ADDRESS + 1]!) === 0 ? ADDRESS : RESULT_WORDS;
  for (let i = 1; i < end; i++) {
    if (ours[i] !== theirs[i]) list.push(`${name(i)}${i >= 6 ? `.${i < 68 ? i & 1 : (i - 68) & 3}` : ''} ${hex(ours[i]!)}, not ${hex(theirs[i]!)}`);
  }
  return list.length === 0 ? undefined : list.slice(0, 6).join('; ');
}
