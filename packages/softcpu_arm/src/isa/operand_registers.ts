/** Operands that are registers: scalar ones, and which operand a token of the syntax stands for (Arm ARM, C1.2.5). */
import { match } from './operand.ts';
import type { Operand, Reader, Writer } from './operand.ts';
import { general, generalName, generalRegister } from './operand_general.ts';
import { arrangements, element5, elementList, index, indexed, list, literal, vector } from './operand_vectors.ts';
import type { Arrangement } from './operand_vectors.ts';
import { LETTERS, highest, places, setShiftSize, size5 } from './register_fields.ts';

/** How a scalar register's letter (a row of bhsdq) is encoded: print it, and set the fields for it. */
interface Family {
  readonly letter: (f: Reader) => string;
  readonly set: (w: Writer, letter: string) => boolean;
}
const bySize = (offset: number): Family => ({
  letter: (f) => LETTERS[f.get('size') + offset] as string,
  set: (w, letter) => LETTERS.indexOf(letter) >= offset && LETTERS.indexOf(letter) - offset < 4 && w.set('size', LETTERS.indexOf(letter) - offset),
});
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
