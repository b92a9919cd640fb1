/** Operands of system instructions: barriers, PSTATE fields, prefetch operations, system registers (Arm ARM, C5 and C6.2). */
import { NAME, accept, hex, match, number, setUnsigned, skip } from './operand.ts';
import type { Operand } from './operand.ts';
import { generalName, generalRegister } from './operand_general.ts';
import { systemRegisterNames, systemRegisterNumbers } from './sysreg_names.ts';

const BARRIERS: Readonly<Record<number, string>> = {
  1: 'oshld', 2: 'oshst', 3: 'osh', 5: 'nshld', 6: 'nshst', 7: 'nsh', 9: 'ishld', 10: 'ishst', 11: 'ish', 13: 'ld', 14: 'st', 15: 'sy',
};
const PSTATE: Readonly<Record<string, readonly [op1: number, op2: number]>> = { uao: [0, 3], pan: [0, 4], spsel: [0, 5], daifset: [3, 6], daifclr: [3, 7] };
const PREFETCH = ['pld', 'pli', 'pst'];

/** A name from a list, or else a number that goes into the field. */
function named(field: string, nameOf: (value: number) => string | undefined, valueOf: (name: string) => number | undefined): Operand {
  return {
    print: (f) => nameOf(f.get(field)) ?? hex(f.get(field)),
    parse: (text, at, w) => {
      const found = match(text, at, NAME);
      const value = found === null ? undefined : valueOf(found[0].toLowerCase());
      if (value !== undefined) return w.set(field, value) ? NAME.lastIndex : -1;
      return number(text, at, w, (given) => setUnsigned(w, field, given));
    },
  };
}

function prefetchName(value: number): string | undefined {
  const kind = PREFETCH[value >> 3];
  const level = ((value >> 1) & 3) + 1;
  return kind === undefined || level > 3 ? undefined : `${kind}l${level}${(value & 1) === 1 ? 'strm' : 'keep'}`;
}
const prefetchNumbers = new Map(Array.from({ length: 32 }, (_, value) => [prefetchName(value), value] as const));
const barrierNumbers = new Map(Object.entries(BARRIERS).map(([value, name]) => [name, Number(value)]));

const SYSREG = /s([23])_([0-7])_c(\d+)_c(\d+)_([0-7])|[a-z]\w*/iy;

const systemRegister: Operand = {
  print: (f) => {
    const [o0, op1, n, m, op2] = ['o0', 'op1', 'CRn', 'CRm', 'op2'].map((field) => f.get(field)) as [number, number, number, number, number];
    return systemRegisterNames.get((((((((o0 << 3) | op1) << 4) | n) << 4) | m) << 3) | op2) ?? `s${o0 + 2}_${op1}_c${n}_c${m}_${op2}`;
  },
  parse: (text, at, w) => {
    const found = match(text, at, SYSREG);
    if (found === null) return -1;
    const end = SYSREG.lastIndex;
    const given = found[1] === undefined ? undefined : found.slice(1, 6).map(Number) as [number, number, number, number, number];
    const known = given === undefined ? systemRegisterNumbers.get(found[0].toLowerCase()) : undefined;
    if (known !== undefined) {
      const all = w.set('o0', known >> 14) && w.set('op1', (known >> 11) & 7) && w.set('CRn', (known >> 7) & 15) && w.set('CRm', (known >> 3) & 15) && w.set('op2', known & 7);
      return all ? end : -1;
    }
    if (given === undefined || given[2] > 15 || given[3] > 15) return -1;
    return w.set('o0', given[0] - 2) && w.set('op1', given[1]) && w.set('CRn', given[2]) && w.set('CRm', given[3]) && w.set('op2', given[4]) ? end : -1;
  },
};

/** The operands by token. */
export const systemOperands: Readonly<Record<string, Operand>> = {
  hint: {
    print: (f) => hex((f.get('CRm') << 3) | f.get('op2')),
    parse: (text, at, w) => number(text, at, w, (value) => value >= 0n && value < 128n && w.set('CRm', Number(value) >> 3) && w.set('op2', Number(value) & 7)),
  },
  barrier: named('CRm', (value) => BARRIERS[value], (name) => barrierNumbers.get(name)),
  isb: {
    print: (f) => (f.get('CRm') === 15 ? '' : hex(f.get('CRm'))),
    parse: (text, at, w) => {
      if (skip(text, at) === text.length) return w.set('CRm', 15) ? at : -1;
      const sy = accept(text, at, 'sy');
      return sy >= 0 ? (w.set('CRm', 15) ? sy : -1) : number(text, at, w, (value) => setUnsigned(w, 'CRm', value));
    },
  },
  pstate: {
    print: (f) => Object.entries(PSTATE).find(([, [op1, op2]]) => op1 === f.get('op1') && op2 === f.get('op2'))?.[0] ?? '',
    parse: (text, at, w) => {
      const found = match(text, at, NAME);
      const entry = found === null ? undefined : PSTATE[found[0].toLowerCase()];
      return entry !== undefined && w.set('op1', entry[0]) && w.set('op2', entry[1]) ? NAME.lastIndex : -1;
    },
  },
  ...Object.fromEntries(
    ['CRn', 'CRm'].map((field): [string, Operand] => [
      field,
      {
        print: (f) => `C${f.get(field)}`,
        parse: (text, at, w) => {
          const pattern = /c(\d+)/iy;
          const found = match(text, at, pattern);
          return found !== null && Number(found[1]) < 16 && w.set(field, Number(found[1])) ? pattern.lastIndex : -1;
        },
      },
    ]),
  ),
  optXt: {
    print: (f) => (f.get('Rt') === 31 ? '' : `, ${generalName(f.get('Rt'), true, false)}`),
    parse: (text, at, w) => {
      const comma = accept(text, at, ',');
      if (comma < 0) return w.set('Rt', 31) ? at : -1;
      const register = generalRegister(text, comma);
      return register !== undefined && register.wide && !register.sp && w.set('Rt', register.number) ? register.end : -1;
    },
  },
  retXn: {
    print: (f) => (f.get('Rn') === 30 ? '' : generalName(f.get('Rn'), true, false)),
    parse: (text, at, w) => {
      const register = generalRegister(text, at);
      if (register === undefined) return skip(text, at) === text.length && w.set('Rn', 30) ? at : -1;
      return register.wide && !register.sp && w.set('Rn', register.number) ? register.end : -1;
    },
  },
  sysreg: systemRegister,
  prfop: named('Rt', prefetchName, (name) => prefetchNumbers.get(name)),
};
