/** Operands that are registers: general-purpose, scalar and vector ones, elements and lists (Arm ARM, C1.2.5). */
import { accept, expression, match } from './operand.ts';
import type { Operand, Reader, Writer } from './operand.ts';

/** Field of each register by its letter. */
const places: Readonly<Record<string, string>> = { d: 'Rd', n: 'Rn', m: 'Rm', a: 'Ra', t: 'Rt', t2: 'Rt2', s: 'Rs' };

const GENERAL = /(?:([xw])(\d+|zr)|(wsp|sp))(?![\w.])/iy;

/** A general-purpose register in text: whether it is 64 bits wide, whether it is SP, its number. */
export function generalRegister(text: string, at: number): { readonly wide: boolean; readonly sp: boolean; readonly number: number; readonly end: number } | undefined {
  const found = match(text, at, GENERAL);
  if (found === null) return undefined;
  const [, letter, name, sp] = found;
  if (sp !== undefined) return { wide: sp.toLowerCase() === 'sp', sp: true, number: 31, end: GENERAL.lastIndex };
  const number = (name as string).toLowerCase() === 'zr' ? 31 : Number(name);
  if (number > 31 || (number === 31 && name === '31')) return undefined;
  return { wide: (letter as string).toLowerCase() === 'x', sp: false, number, end: GENERAL.lastIndex };
}

/** Name of a general-purpose register. */
export function generalName(number: number, wide: boolean, sp: boolean): string {
  if (number < 31) return `${wide ? 'x' : 'w'}${number}`;
  return sp ? (wide ? 'sp' : 'wsp') : wide ? 'xzr' : 'wzr';
}

/** How each leading letter of a token says the width. */
const widthOf: Readonly<Record<string, (f: Reader) => boolean>> = {
  X: () => true,
  W: () => false,
  R: (f) => f.get('sf') === 1,
  z: (f) => (f.get('size') & 1) === 1,
};
const setWidth: Readonly<Record<string, (w: Writer, wide: boolean) => boolean>> = {
  X: (_, wide) => wide,
  W: (_, wide) => !wide,
  R: (w, wide) => w.set('sf', wide ? 1 : 0),
  z: (w, wide) => w.set('size', wide ? 1 : 0, 1),
};

/** `Xd`, `Wn`, `Rm` (by sf), `zt` (by size); `^`: number 31 is SP; `+1`: the second of a pair. */
function general(letter: string, place: string, suffix: string): Operand {
  const field = places[place] as string;
  const next = suffix === '+1' ? 1 : 0;
  const sp = suffix === '^';
  return {
    print: (f) => generalName(f.get(field) + next, (widthOf[letter] as (f: Reader) => boolean)(f), sp),
    parse: (text, at, w) => {
      const register = generalRegister(text, at);
      if (register === undefined || (register.number === 31 && register.sp !== sp)) return -1;
      if (!(setWidth[letter] as (w: Writer, wide: boolean) => boolean)(w, register.wide)) return -1;
      return w.set(field, register.number - next) ? register.end : -1;
    },
  };
}

/** How a scalar register's letter (a row of bhsdq) is encoded: print it, and set the fields for it. */
interface Family {
  readonly letter: (f: Reader) => string;
  readonly set: (w: Writer, letter: string) => boolean;
}
const LETTERS = 'bhsdq';
const bySize = (offset: number): Family => ({
  letter: (f) => LETTERS[f.get('size') + offset] as string,
  set: (w, letter) => LETTERS.indexOf(letter) >= offset && LETTERS.indexOf(letter) - offset < 4 && w.set('size', LETTERS.indexOf(letter) - offset),
});
const highest = (value: number): number => 31 - Math.clz32(value);
/** The element size that imm5's lowest set bit stands for. */
export const size5 = (imm5: number): number => highest(imm5 & -imm5);

/** An element size 0 … 3 that the shift operand will put into immh. */
function setShiftSize(w: Writer, size: number): boolean {
  return size >= 0 && size < 4 && w.set('esize', size);
}
const families: Readonly<Record<string, Family>> = {
  ftype: { letter: (f) => 'sd?h'[f.get('ftype')] as string, set: (w, letter) => 'sd?h'.includes(letter) && w.set('ftype', 'sd?h'.indexOf(letter)) },
  sz: { letter: (f) => 'sd'[f.get('sz')] as string, set: (w, letter) => 'sd'.includes(letter) && w.set('sz', 'sd'.indexOf(letter)) },
  size: bySize(0),
  wide: bySize(1),
  imm5: {
    letter: (f) => LETTERS[size5(f.get('imm5'))] as string,
    set: (w, letter) => w.set('elements', LETTERS.indexOf(letter)),
  },
  immh: { letter: (f) => LETTERS[highest(f.get('immh'))] as string, set: (w, letter) => setShiftSize(w, LETTERS.indexOf(letter)) },
  immhwide: { letter: (f) => LETTERS[highest(f.get('immh')) + 1] as string, set: (w, letter) => setShiftSize(w, LETTERS.indexOf(letter) - 1) },
};

const SCALAR = /([bhsdq])(\d+)(?![\w.])/iy;

function scalar(place: string, family: Family): Operand {
  const field = places[place] as string;
  return {
    print: (f) => `${family.letter(f)}${f.get(field)}`,
    parse: (text, at, w) => {
      const found = match(text, at, SCALAR);
      if (found === null || Number(found[2]) > 31) return -1;
      return family.set(w, (found[1] as string).toLowerCase()) && w.set(field, Number(found[2])) ? SCALAR.lastIndex : -1;
    },
  };
}
const fixed = (letter: string): Family => ({ letter: () => letter, set: (_, other) => other === letter });

/** An arrangement: printed from the fields, and read by setting them. */
interface Arrangement {
  readonly name: (f: Reader) => string;
  readonly set: (w: Writer, name: string) => boolean;
}
const NAMES = ['8b', '16b', '4h', '8h', '2s', '4s', '1d', '2d'];
const WIDE = ['8h', '4s', '2d', '1q'];
const listed = (names: readonly string[], index: (f: Reader) => number, set: (w: Writer, index: number) => boolean): Arrangement => ({
  name: (f) => names[index(f)] as string,
  set: (w, name) => names.includes(name) && set(w, names.indexOf(name)),
});
const byQ = (names: readonly [string, string]): Arrangement => listed(names, (f) => f.get('Q'), (w, index) => w.set('Q', index));
const setQ = (w: Writer, index: number): boolean => w.set('Q', index & 1);

const arrangements: Readonly<Record<string, Arrangement>> = {
  T: listed(NAMES, (f) => f.get('size') * 2 + f.get('Q'), (w, index) => w.set('size', index >> 1) && setQ(w, index)),
  Ta: listed(WIDE, (f) => f.get('size'), (w, index) => w.set('size', index)),
  Tp: listed(NAMES.slice(2), (f) => f.get('size') * 2 + f.get('Q'), (w, index) => w.set('size', index >> 1) && setQ(w, index)),
  T8: byQ(['8b', '16b']),
  Th: byQ(['4h', '8h']),
  Ts: byQ(['2s', '4s']),
  Tsz: listed(NAMES.slice(4), (f) => f.get('sz') * 2 + f.get('Q'), (w, index) => w.set('sz', index >> 1) && setQ(w, index)),
  Tnarrow: listed(NAMES.slice(2), (f) => f.get('sz') * 2 + f.get('Q'), (w, index) => w.set('sz', index >> 1) && setQ(w, index)),
  Twide: listed(WIDE.slice(1), (f) => f.get('sz'), (w, index) => w.set('sz', index)),
  Timm: listed(NAMES, (f) => highest(f.get('immh')) * 2 + f.get('Q'), (w, index) => setShiftSize(w, index >> 1) && setQ(w, index)),
  Timma: listed(WIDE, (f) => highest(f.get('immh')), (w, index) => setShiftSize(w, index)),
  Te: listed(NAMES, (f) => size5(f.get('imm5')) * 2 + f.get('Q'), (w, index) => w.set('elements', index >> 1) && setQ(w, index)),
  T5: listed(NAMES, (f) => size5(f.get('imm5')) * 2 + f.get('Q'), (w, index) => w.set('imm5', 1 << (index >> 1)) && setQ(w, index)),
};
const literal = (name: string): Arrangement => ({ name: () => name, set: (_, other) => other === name });

const VECTOR = /v(\d+)\.(\w+)/iy;

/** A register with its arrangement or element size. */
function vector(place: string, arrangement: Arrangement): Operand {
  const field = places[place] as string;
  return {
    print: (f) => `v${f.get(field)}.${arrangement.name(f)}`,
    parse: (text, at, w) => {
      const found = match(text, at, VECTOR);
      if (found === null || Number(found[1]) > 31) return -1;
      return arrangement.set(w, (found[2] as string).toLowerCase()) && w.set(field, Number(found[1])) ? VECTOR.lastIndex : -1;
    },
  };
}

const element5: Arrangement = {
  name: (f) => LETTERS[size5(f.get('imm5'))] as string,
  set: (w, name) => name.length === 1 && LETTERS.indexOf(name) >= 0 && LETTERS.indexOf(name) < 4 && w.set('elements', LETTERS.indexOf(name)),
};

/** An index in brackets' inside, kept in fields by `store`. */
function index(print: (f: Reader) => number, store: (w: Writer, value: number) => boolean): Operand {
  return {
    print: (f) => String(print(f)),
    parse: (text, at, w) => {
      const read = expression(text, at, w);
      return read !== undefined && read.value >= 0n && read.value < 16n && store(w, Number(read.value)) ? read.end : -1;
    },
  };
}

/** Registers of a list: first number, count, arrangement and index. */
const LIST = /\{\s*v(\d+)\.(\d*[bhsd])\s*((?:,\s*v\d+\.\d*[bhsd]\s*)*|-\s*v\d+\.\d*[bhsd]\s*)\}/iy;

function readList(text: string, at: number): { readonly first: number; readonly count: number; readonly name: string; readonly end: number } | undefined {
  const found = match(text, at, LIST);
  if (found === null) return undefined;
  const [, firstText = '', name = '', rest = ''] = found;
  const first = Number(firstText);
  const others = [...rest.matchAll(/v(\d+)\.(\w+)/gi)].map(([, number, other]) => ({ number: Number(number), other }));
  if (first > 31 || others.some(({ other }) => other !== name)) return undefined;
  const end = LIST.lastIndex;
  if (rest.startsWith('-')) return { first, count: (((others[0]?.number ?? 0) - first) & 31) + 1, name, end };
  return others.every(({ number }, i) => number === ((first + i + 1) & 31)) ? { first, count: others.length + 1, name, end } : undefined;
}

function printList(first: number, count: number, name: string): string {
  const last = (first + count - 1) & 31;
  if (count > 2 && last > first) return `{v${first}.${name}-v${last}.${name}}`;
  return `{${Array.from({ length: count }, (_, i) => `v${(first + i) & 31}.${name}`).join(', ')}}`;
}

function list(field: string, count: number | undefined, arrangement: Arrangement): Operand {
  return {
    print: (f) => printList(f.get(field), count ?? f.get('len') + 1, arrangement.name(f)),
    parse: (text, at, w) => {
      const read = readList(text, at);
      if (read === undefined || (count === undefined ? read.count > 4 || !w.set('len', read.count - 1) : read.count !== count)) return -1;
      return arrangement.set(w, read.name.toLowerCase()) && w.set(field, read.first) ? read.end : -1;
    },
  };
}

/** Element lists: the index lies in Q, S and size, as many bits as the element size leaves. */
function elementList(count: number, letter: string): Operand {
  const size = LETTERS.indexOf(letter);
  const elements = list('Rt', count, literal(letter));
  return {
    print: (f) => `${elements.print(f)}[${((f.get('Q') << 3) | (f.get('S') << 2) | f.get('size')) >> size}]`,
    parse: (text, at, w) => {
      const end = elements.parse(text, at, w);
      const open = end < 0 ? -1 : accept(text, end, '[');
      const read = open < 0 ? undefined : expression(text, open, w);
      if (read === undefined || read.value < 0n || read.value >= 16n >> BigInt(size)) return -1;
      const bits = Number(read.value) << size;
      const all = w.set('Q', bits >> 3) && (size === 3 || w.set('S', (bits >> 2) & 1)) && (size > 1 || w.set('size', bits & 3, size === 1 ? 2 : 3));
      return all ? accept(text, read.end, ']') : -1;
    },
  };
}

/** By-element operand: register and index share M, Rm, H and L by the element size. */
function indexed(size: (f: Reader) => number, letter: (size: number) => string, sizeOf: (letter: string, w: Writer) => number): Operand {
  const parts = (s: number, f: Reader): readonly [register: number, index: number] => {
    const m = f.get('M');
    const h = f.get('H');
    const l = f.get('L');
    if (s === 1) return [f.get('Rm'), (h << 2) | (l << 1) | m];
    return [(m << 4) | f.get('Rm'), s === 2 ? (h << 1) | l : h];
  };
  const ELEMENT = /v(\d+)\.(\w+)\[/iy;
  return {
    print: (f) => {
      const [register, at] = parts(size(f), f);
      return `v${register}.${letter(size(f))}[${at}]`;
    },
    parse: (text, at, w) => {
      const found = match(text, at, ELEMENT);
      const s = found === null ? -1 : sizeOf((found[2] as string).toLowerCase(), w);
      const read = s < 0 ? undefined : expression(text, ELEMENT.lastIndex, w);
      if (read === undefined) return -1;
      const register = Number((found as RegExpExecArray)[1]);
      const i = Number(read.value);
      if (register > (s === 1 ? 15 : 31) || i < 0 || i >= 16 >> s) return -1;
      const all = s === 1
        ? w.set('Rm', register) && w.set('M', i & 1) && w.set('L', (i >> 1) & 1) && w.set('H', i >> 2)
        : w.set('Rm', register & 15) && w.set('M', register >> 4) && (s === 2 ? w.set('L', i & 1) && w.set('H', i >> 1) : w.set('H', i) && w.set('L', 0));
      return all ? accept(text, read.end, ']') : -1;
    },
  };
}

const special: Readonly<Record<string, Operand>> = {
  index5: index((f) => f.get('imm5') >> (size5(f.get('imm5')) + 1), (w, i) => {
    const size = w.get('elements');
    return size !== undefined && i < 16 >> size && w.set('imm5', (i << (size + 1)) | (1 << size));
  }),
  index4: index((f) => f.get('imm4') >> size5(f.get('imm5')), (w, i) => {
    const size = w.get('elements');
    return size !== undefined && i < 16 >> size && w.set('imm4', i << size);
  }),
  n5: {
    print: (f) => generalName(f.get('Rn'), size5(f.get('imm5')) === 3, false),
    parse: (text, at, w) => {
      const register = generalRegister(text, at);
      if (register === undefined || register.sp) return -1;
      const imm5 = w.get('imm5');
      if (imm5 === undefined || (size5(imm5) === 3) !== register.wide) return -1;
      return w.set('Rn', register.number) ? register.end : -1;
    },
  },
  tablelist: list('Rn', undefined, literal('16b')),
  elem: indexed((f) => f.get('size'), (s) => LETTERS[s] as string, (letter, w) => (w.set('size', LETTERS.indexOf(letter)) ? LETTERS.indexOf(letter) : -1)),
  elemh: indexed(() => 1, () => 'h', (letter) => (letter === 'h' ? 1 : -1)),
  elem4b: indexed(() => 2, () => '4b', (letter) => (letter === '4b' ? 2 : -1)),
  tbt: {
    print: (f) => generalName(f.get('Rt'), f.get('b5') === 1, false),
    parse: (text, at, w) => {
      const register = generalRegister(text, at);
      if (register === undefined || register.sp || !w.set('narrow', register.wide ? 0 : 1)) return -1;
      return w.set('Rt', register.number) ? register.end : -1;
    },
  },
};

/** The operand that a token stands for, or undefined if it is not a register. */
export function registerOperand(token: string): Operand | undefined {
  const known = special[token];
  if (known !== undefined) return known;
  const [, letter, place, suffix = ''] = /^([XWRz])(t2|[dnmats])(\^|\+1)?$/.exec(token) ?? [];
  if (letter !== undefined && place !== undefined) return general(letter, place, suffix);
  const [, plain, plainPlace] = /^([BHSDQ])(t2|[dnmat])$/.exec(token) ?? [];
  if (plain !== undefined && plainPlace !== undefined) return scalar(plainPlace, fixed(plain.toLowerCase()));
  const [, scalarPlace, family = ''] = /^V([dnma]):(\w+)$/.exec(token) ?? [];
  if (scalarPlace !== undefined) return scalar(scalarPlace, families[family] as Family);
  const [, vectorPlace, arrangement = ''] = /^V([dnm])\.(\w+)$/.exec(token) ?? [];
  if (vectorPlace !== undefined) return vector(vectorPlace, arrangement === 'e5' ? element5 : (arrangements[arrangement] ?? literal(arrangement)));
  const [, count, name = '', element] = /^list(\d)\.(\w+)(\[i\])?$/.exec(token) ?? [];
  if (count === undefined) return undefined;
  return element === undefined ? list('Rt', Number(count), arrangements[name] as Arrangement) : elementList(Number(count), name);
}
