/** Operands that are vectors: with their arrangement, elements, and lists of them (Arm ARM, C1.2.5). */
import { accept, expression, match } from './operand.ts';
import type { Operand, Reader, Writer } from './operand.ts';
import { LETTERS, highest, places, setShiftSize, size5 } from './register_fields.ts';

/** An arrangement: printed from the fields, and read by setting them. */
export interface Arrangement {
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

export const arrangements: Readonly<Record<string, Arrangement>> = {
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
export const literal = (name: string): Arrangement => ({ name: () => name, set: (_, other) => other === name });

const VECTOR = /v(\d+)\.(\w+)/iy;

/** A register with its arrangement or element size. */
export function vector(place: string, arrangement: Arrangement): Operand {
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

export const element5: Arrangement = {
  name: (f) => LETTERS[size5(f.get('imm5'))] as string,
  set: (w, name) => name.length === 1 && LETTERS.indexOf(name) >= 0 && LETTERS.indexOf(name) < 4 && w.set('elements', LETTERS.indexOf(name)),
};

/** An index in brackets' inside, kept in fields by `store`. */
export function index(print: (f: Reader) => number, store: (w: Writer, value: number) => boolean): Operand {
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

export function list(field: string, count: number | undefined, arrangement: Arrangement): Operand {
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
export function elementList(count: number, letter: string): Operand {
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
export function indexed(size: (f: Reader) => number, letter: (size: number) => string, sizeOf: (letter: string, w: Writer) => number): Operand {
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
