/** Operands that are no registers: immediates, shifts, conditions, labels and the operands of system instructions. */
import { decodeBitmask, encodeBitmask } from './bitmask.ts';
import { CONDITIONS, NAME, accept, conditionNumber, expression, hex, match, number, setUnsigned, signed, signedField, skip, widthOf } from './operand.ts';
import type { Operand, Writer } from './operand.ts';
import { decodeFloatImmediate, encodeFloatImmediate } from './float_immediate.ts';
import { generalName, generalRegister } from './operand_general.ts';
import { systemOperands } from './operand_system.ts';

const highest = (value: number): number => 31 - Math.clz32(value);

/** `x:field` in hexadecimal, `u:field*scale` and `s:field*scale` in decimal; a comma before it: left out, comma and all, where it is 0. */
function plain(optional: boolean, kind: string, field: string, scale: number): Operand {
  const print = (value: number): string => (kind === 'x' ? hex(value) : `#${kind === 's' ? signed(value, widthOf(field)) * scale : value * scale}`);
  const store = (w: Writer, value: bigint): boolean => {
    if (kind !== 's') return setUnsigned(w, field, value, scale);
    const scaled = value % BigInt(scale) === 0n ? signedField(value / BigInt(scale), widthOf(field)) : undefined;
    return scaled !== undefined && w.set(field, scaled);
  };
  return {
    print: (f) => (optional ? (f.get(field) === 0 ? '' : `, ${print(f.get(field))}`) : print(f.get(field))),
    parse: (text, at, w) => {
      const start = optional ? accept(text, at, ',') : at;
      if (start < 0) return w.set(field, 0) ? at : -1;
      return number(text, start, w, (value) => store(w, value));
    },
  };
}

/** An optional `, name #amount` whose default is 0. */
function optionalShift(print: (f: Parameters<Operand['print']>[0]) => string, names: RegExp, store: (w: Writer, name: string, amount: number | undefined) => boolean): Operand {
  return {
    print,
    parse: (text, at, w) => {
      const comma = accept(text, at, ',');
      if (comma < 0) return store(w, '', undefined) ? at : -1;
      const found = match(text, comma, names);
      if (found === null) return -1;
      const read = expression(text, names.lastIndex, w);
      return read !== undefined && store(w, found[0].toLowerCase(), Number(read.value)) ? read.end : -1;
    },
  };
}

const SHIFTS = ['lsl', 'lsr', 'asr', 'ror'];
const EXTENDS = ['uxtb', 'uxth', 'uxtw', 'uxtx', 'sxtb', 'sxth', 'sxtw', 'sxtx'];

/** Reads `, name {#amount}` and says where it ends; undefined where there is no comma, -1 as end where it is wrong. */
function modifier(text: string, at: number, w: Writer): { readonly name: string; readonly amount: number | undefined; readonly end: number } | undefined {
  const comma = accept(text, at, ',');
  if (comma < 0) return undefined;
  const found = match(text, comma, NAME);
  if (found === null) return { name: '', amount: undefined, end: -1 };
  const end = NAME.lastIndex;
  const read = expression(text, end, w);
  return { name: found[0].toLowerCase(), amount: read === undefined ? undefined : Number(read.value), end: read?.end ?? end };
}

/** The last operand of add and subtract with an extended register. */
const extended: Operand = {
  print: (f) => {
    const option = f.get('option');
    const amount = f.get('imm3');
    const wide = f.get('sf') === 1;
    const register = generalName(f.get('Rm'), wide && (option & 3) === 3, false);
    const sp = f.get('Rn') === 31 || (f.get('Rd') === 31 && f.get('S') === 0);
    if (sp && option === (wide ? 3 : 2)) return amount === 0 ? register : `${register}, lsl #${amount}`;
    return `${register}, ${EXTENDS[option] as string}${amount === 0 ? '' : ` #${amount}`}`;
  },
  parse: (text, at, w) => {
    const register = generalRegister(text, at);
    if (register === undefined || register.sp) return -1;
    const read = modifier(text, register.end, w);
    const wide = w.get('sf') === 1;
    const natural = wide ? 3 : 2;
    const option = read === undefined || read.name === 'lsl' ? natural : EXTENDS.indexOf(read.name);
    if (option < 0 || (register.wide && !wide) || (wide && register.wide !== ((option & 3) === 3))) return -1;
    const amount = read?.amount ?? 0;
    return amount >= 0 && amount < 5 && w.set('Rm', register.number) && w.set('option', option) && w.set('imm3', amount) ? (read?.end ?? register.end) : -1;
  },
};

/** Register offset of a load or store; the amount is 0 or log2 of the size. */
function registerOffset(scale: number): Operand {
  const shift = Math.log2(scale);
  return {
    print: (f) => {
      const option = f.get('option');
      const register = generalName(f.get('Rm'), (option & 1) === 1, false);
      const amount = f.get('S') === 1 ? ` #${shift}` : '';
      if (option === 3) return amount === '' ? register : `${register}, lsl${amount}`;
      return `${register}, ${EXTENDS[option] as string}${amount}`;
    },
    parse: (text, at, w) => {
      const register = generalRegister(text, at);
      if (register === undefined || register.sp) return -1;
      const read = modifier(text, register.end, w);
      const option = read === undefined || (read.name === 'lsl' && read.amount !== undefined) ? 3 : EXTENDS.indexOf(read.name);
      if (option < 0 || ((option & 1) === 1) !== register.wide) return -1;
      const amount = read?.amount;
      if (amount !== undefined && amount !== shift && amount !== 0) return -1;
      const s = amount === shift && (shift !== 0 || amount !== undefined) ? 1 : 0;
      return w.set('Rm', register.number) && w.set('option', option) && w.set('S', s) ? (read?.end ?? register.end) : -1;
    },
  };
}

/** A pc-relative target: an immediate of so many bits in units of `1 << shift` bytes. */
function target(field: string, shift: number): Operand {
  const width = widthOf(field);
  return {
    print: (f) => `0x${BigInt.asUintN(64, f.pc + (BigInt(signed(f.get(field), width)) << BigInt(shift))).toString(16)}`,
    parse: (text, at, w) =>
      number(text, at, w, (value) => {
        const distance = BigInt.asIntN(64, value - w.pc);
        const scaled = (distance & ((1n << BigInt(shift)) - 1n)) === 0n ? signedField(distance >> BigInt(shift), width) : undefined;
        return scaled !== undefined && w.set(field, scaled);
      }),
  };
}

/** adr and adrp: 21 bits in two fields, counted in bytes or pages. */
function pcRelative(shift: bigint): Operand {
  const base = (pc: bigint): bigint => (pc >> shift) << shift;
  return {
    print: (f) => `0x${BigInt.asUintN(64, base(f.pc) + (BigInt(signed((f.get('immhi') << 2) | f.get('immlo'), 21)) << shift)).toString(16)}`,
    parse: (text, at, w) =>
      number(text, at, w, (value) => {
        const distance = BigInt.asIntN(64, base(value) - base(w.pc)) >> shift;
        const scaled = signedField(distance, 21);
        return scaled !== undefined && w.set('immhi', scaled >> 2) && w.set('immlo', scaled & 3);
      }),
  };
}

/** A number that may be left out. */
function optional(field: string, absent: number): Operand {
  return {
    print: (f) => (f.get(field) === absent ? '' : hex(f.get(field))),
    parse: (text, at, w) => (skip(text, at) === text.length ? (w.set(field, absent) ? at : -1) : number(text, at, w, (value) => setUnsigned(w, field, value))),
  };
}

/** Expands the eight bits of MOVI's 64-bit form to bytes of zeros and ones. */
function expandBytes(imm8: number): bigint {
  let value = 0n;
  for (let i = 0n; i < 8n; i++) if ((imm8 >> Number(i)) & 1) value |= 0xffn << (8n * i);
  return value;
}

/** imm8 of a modified immediate. */
function setModified(w: Writer, imm8: number): boolean {
  return w.set('abc', imm8 >> 5) && w.set('defgh', imm8 & 31);
}

const shiftAmount = (right: boolean): Operand => ({
  print: (f) => {
    const bits = 8 << highest(f.get('immh'));
    const value = (f.get('immh') << 3) | f.get('immb');
    return `#${right ? 2 * bits - value : value - bits}`;
  },
  parse: (text, at, w) =>
    number(text, at, w, (value) => {
      const size = w.get('esize');
      if (size === undefined) return false;
      const bits = 8 << size;
      const amount = Number(value);
      if (right ? amount < 1 || amount > bits : amount < 0 || amount >= bits) return false;
      const encoded = right ? 2 * bits - amount : bits + amount;
      return w.set('immh', encoded >> 3) && w.set('immb', encoded & 7);
    }),
});

/** Bytes that a post-indexed access of structures moves its base by. */
function postIndex(bytes: (f: { get(field: string): number | undefined }, name: string) => number): Operand {
  return {
    print: (f) => `, ${f.get('Rm') === 31 ? `#${bytes(f, '')}` : generalName(f.get('Rm'), true, false)}`,
    parse: (text, at, w) => {
      const comma = accept(text, at, ',');
      if (comma < 0) return -1;
      const register = generalRegister(text, comma);
      if (register !== undefined) return register.wide && register.number !== 31 && w.set('Rm', register.number) ? register.end : -1;
      return number(text, comma, w, (value) => Number(value) === bytes(w, '') && w.set('Rm', 31));
    },
  };
}

/** `lsl #` of a modified immediate: two bits of cmode count bytes for words, one for halfwords. */
const cmodeShift: Operand = optionalShift(
  (f) => {
    const cmode = f.get('cmode');
    const amount = cmode < 8 ? (cmode >> 1) * 8 : ((cmode >> 1) & 1) * 8;
    return amount === 0 ? '' : `, lsl #${amount}`;
  },
  /lsl/iy,
  (w, _, amount = 0) => amount % 8 === 0 && amount >= 0 && amount <= 24 && w.set('cmode', (amount / 8) << 1, 0x6 & ~(amount > 8 ? 0 : 4)) && (amount <= 8 || w.set('cmode', 0, 8)),
);

const operands: Readonly<Record<string, Operand>> = {
  adr: pcRelative(0n),
  adrp: pcRelative(12n),
  b26: target('imm26', 2),
  b19: target('imm19', 2),
  b14: target('imm14', 2),
  sh12: optionalShift((f) => (f.get('sh') === 1 ? ', lsl #12' : ''), /lsl/iy, (w, _, amount = 0) => (amount === 0 || amount === 12) && w.set('sh', amount / 12)),
  hw: optionalShift(
    (f) => (f.get('hw') === 0 ? '' : `, lsl #${f.get('hw') * 16}`),
    /lsl/iy,
    (w, _, amount = 0) => amount % 16 === 0 && amount >= 0 && amount <= 48 && w.set('hw', amount / 16),
  ),
  shift: optionalShift(
    (f) => (f.get('shift') === 0 && f.get('imm6') === 0 ? '' : `, ${SHIFTS[f.get('shift')] as string} #${f.get('imm6')}`),
    /lsl|lsr|asr|ror/iy,
    (w, name, amount = 0) => amount >= 0 && amount < 64 && w.set('shift', name === '' ? 0 : SHIFTS.indexOf(name)) && w.set('imm6', amount),
  ),
  extended,
  bitmask: {
    print: (f) => hex(decodeBitmask(f.get('N'), f.get('immr'), f.get('imms'), f.get('sf') === 1 ? 64 : 32) ?? 0n),
    parse: (text, at, w) =>
      number(text, at, w, (value) => {
        const width = w.get('sf') === 1 ? 64 : 32;
        const fits = BigInt.asIntN(width, value) === value || BigInt.asUintN(width, value) === value;
        const encoded = fits ? encodeBitmask(BigInt.asUintN(width, value), width) : undefined;
        return encoded !== undefined && w.set('N', encoded.n) && w.set('immr', encoded.immr) && w.set('imms', encoded.imms);
      }),
  },
  cond: {
    print: (f) => CONDITIONS[f.get('cond')] as string,
    parse: (text, at, w) => {
      const found = match(text, at, NAME);
      const condition = found === null ? -1 : conditionNumber(found[0].toLowerCase());
      return condition >= 0 && w.set('cond', condition) ? NAME.lastIndex : -1;
    },
  },
  tbit: {
    print: (f) => `#${(f.get('b5') << 5) | f.get('b40')}`,
    parse: (text, at, w) =>
      number(text, at, w, (value) => value >= 0n && value < (w.get('narrow') === 1 ? 32n : 64n) && w.set('b5', Number(value) >> 5) && w.set('b40', Number(value) & 31)),
  },
  fbits: {
    print: (f) => `#${64 - f.get('scale')}`,
    parse: (text, at, w) => number(text, at, w, (value) => value > 0n && value <= 64n && w.set('scale', 64 - Number(value))),
  },
  fimm8: {
    print: (f) => {
      const value = decodeFloatImmediate(f.get('imm8'));
      return `#${Number.isInteger(value) ? value.toFixed(1) : value}`;
    },
    parse: (text, at, w) => {
      const pattern = /#?\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?![\w.])/iy;
      const found = match(text, at, pattern);
      const imm8 = found === null ? undefined : encodeFloatImmediate(Number(found[1]));
      return imm8 !== undefined && w.set('imm8', imm8) ? pattern.lastIndex : -1;
    },
  },
  imm64: {
    print: (f) => hex(expandBytes(f.get('imm8'))),
    parse: (text, at, w) =>
      number(text, at, w, (value) => {
        let imm8 = 0;
        for (let i = 0; i < 8; i++) imm8 |= Number((value >> BigInt(8 * i)) & 1n) << i;
        return expandBytes(imm8) === BigInt.asUintN(64, value) && setModified(w, imm8);
      }),
  },
  lsl_cmode: cmodeShift,
  msl_cmode: {
    print: (f) => `, msl #${(f.get('cmode') & 1) === 1 ? 16 : 8}`,
    parse: (text, at, w) => {
      const pattern = /,\s*msl\s*#?(8|16)(?!\w)/iy;
      const found = match(text, at, pattern);
      return found !== null && w.set('cmode', found[1] === '16' ? 1 : 0, 1) ? pattern.lastIndex : -1;
    },
  },
  shr: shiftAmount(true),
  shl: shiftAmount(false),
  esize: { print: (f) => `#${8 << f.get('size')}`, parse: (text, at, w) => number(text, at, w, (value) => Number(value) === 8 << (w.get('size') ?? 0)) },
  zero: { print: () => '#0', parse: (text, at, w) => number(text, at, w, (value) => value === 0n) },
  fzero: {
    print: () => '#0.0',
    parse: (text, at) => {
      const pattern = /#?0(\.0)?(?![\w.])/iy;
      return match(text, at, pattern) === null ? -1 : pattern.lastIndex;
    },
  },
};

/** The operand that a token stands for, or undefined if it is none of these. */
export function immediateOperand(token: string, structure: { readonly count: number; readonly element: number | undefined }): Operand | undefined {
  const known = operands[token] ?? systemOperands[token];
  if (known !== undefined) return known;
  if (token === 'postlist') return postIndex((f) => structure.count * (f.get('Q') === 1 ? 16 : 8));
  if (token === 'postone') return postIndex((f) => structure.count << (structure.element ?? f.get('size') ?? 0));
  const [, comma, kind, field, scale] = /^(,?)([xus]):(\w+?)(?:\*(\d+))?$/.exec(token) ?? [];
  if (kind !== undefined && field !== undefined) return plain(comma === ',', kind, field, Number(scale ?? 1));
  const [, absent, optionalField] = /^opt(\d*):(\w+)$/.exec(token) ?? [];
  if (optionalField !== undefined) return optional(optionalField, Number(absent));
  const [, size] = /^offset:(\d+)$/.exec(token) ?? [];
  return size === undefined ? undefined : registerOffset(Number(size));
}
