/** Operands that are general-purpose registers (Arm ARM, C1.2.5). */
import { match } from './operand.ts';
import type { Operand, Reader, Writer } from './operand.ts';
import { places } from './register_fields.ts';

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
export function general(letter: string, place: string, suffix: string): Operand {
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
