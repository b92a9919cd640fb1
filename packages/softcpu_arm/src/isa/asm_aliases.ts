/** Aliases of the assembly language: what each stands for as the architectural instruction (Arm ARM, C6.2 "is an alias of"). */
import { encodeBitmask } from './bitmask.ts';
import { conditionNumber, CONDITIONS } from './operand.ts';

/** Mnemonic and operands of an instruction to be assembled. */
export type Statement = readonly [mnemonic: string, ...operands: string[]];

/** Evaluates an immediate; undefined where the text is none. */
export type Evaluate = (text: string) => bigint | undefined;

type Expand = (operands: readonly string[], evaluate: Evaluate) => Statement | undefined;

const is64 = (register: string): boolean => /^(x|sp)/i.test(register.trim());
const zero = (register: string): string => (is64(register) ? 'xzr' : 'wzr');
const width = (register: string): number => (is64(register) ? 64 : 32);
const asW = (register: string): string => register.trim().replace(/^x/i, 'w');
const isVector = (text: string): boolean => /^v\d+\./i.test(text.trim());

/** Puts a zero register in front of operand `at`. */
const withZero =
  (mnemonic: string, at: number): Expand =>
  (o) =>
    o[0] === undefined ? undefined : ([mnemonic, ...o.slice(0, at), zero(o[0]), ...o.slice(at)] as unknown as Statement);

/** A shift by an immediate or by a register. */
function shift(name: 'lsl' | 'lsr' | 'asr' | 'ror'): Expand {
  return ([d = '', n = '', by = ''], evaluate) => {
    const amount = /^\s*[xw](\d|zr)/i.test(by) ? undefined : evaluate(by.trim().replace(/^#/, ''));
    if (amount === undefined) return [`${name}v`, d, n, by];
    const bits = BigInt(width(d));
    if (amount < 0n || amount >= bits) return undefined;
    if (name === 'ror') return ['extr', d, n, n, by];
    if (name === 'lsl') return ['ubfm', d, n, String((bits - amount) % bits), String(bits - 1n - amount)];
    return [name === 'lsr' ? 'ubfm' : 'sbfm', d, n, by, String(bits - 1n)];
  };
}

/** Bit-field moves: `insert` gives the position of the lowest bit in the result, `extract` in the source. */
function bitfield(base: 'sbfm' | 'bfm' | 'ubfm', insert: boolean, clear = false): Expand {
  return (o, evaluate) => {
    const [d = '', n = '', ...rest] = clear ? [o[0] ?? '', zero(o[0] ?? ''), ...o.slice(1)] : o;
    const [lsb, length] = rest.map((text) => evaluate(text.trim().replace(/^#/, '')));
    if (lsb === undefined || length === undefined) return undefined;
    const bits = BigInt(width(d));
    if (lsb < 0n || length < 1n || lsb + length > bits) return undefined;
    return insert ? [base, d, n, String((bits - lsb) % bits), String(length - 1n)] : [base, d, n, String(lsb), String(lsb + length - 1n)];
  };
}

const extend =
  (base: 'sbfm' | 'ubfm', bits: number): Expand =>
  ([d = '', n = '']) => [base, d, is64(d) ? n.trim().replace(/^w/i, 'x') : n, '0', String(bits - 1)];

const inverted = (condition: string): string | undefined => {
  const number = conditionNumber(condition.trim().toLowerCase());
  return number < 0 || number > 13 ? undefined : CONDITIONS[number ^ 1];
};
const conditional =
  (base: string, sources: (o: readonly string[]) => readonly [string, string]): Expand =>
  (o) => {
    const condition = inverted(o.at(-1) ?? '');
    return condition === undefined ? undefined : [base, o[0] ?? '', ...sources(o), condition];
  };

/** Moves of constants: the first of MOVZ, MOVN and ORR that can do it. */
function moveConstant(d: string, value: bigint): Statement | undefined {
  const bits = width(d);
  const unsigned = BigInt.asUintN(bits, value);
  if (BigInt.asIntN(bits, value) !== value && unsigned !== value) return undefined;
  for (const [mnemonic, wanted] of [['movz', unsigned], ['movn', BigInt.asUintN(bits, ~value)]] as const) {
    for (let at = 0n; at < BigInt(bits); at += 16n) {
      if ((wanted & (0xffffn << at)) === wanted) return [mnemonic, d, `#${wanted >> at}, lsl #${at}`];
    }
  }
  return encodeBitmask(unsigned, bits as 32 | 64) === undefined ? undefined : ['orr', d, zero(d), `#${unsigned}`];
}

const move: Expand = ([d = '', s = ''], evaluate) => {
  if (isVector(d)) return isVector(s) && !d.includes('[') ? ['orr', d, s, s] : ['ins', d, s];
  if (isVector(s)) return /^[xw]/i.test(d.trim()) ? ['umov', d, s] : ['dup', d, s];
  if (/^w?sp$/i.test(d.trim()) || /^w?sp$/i.test(s.trim())) return ['add', d, s, '#0'];
  if (/^[xw](\d+|zr)$/i.test(s.trim())) return ['orr', d, zero(d), s];
  const value = evaluate(s.trim().replace(/^#/, ''));
  return value === undefined ? undefined : moveConstant(d, value);
};

const compare =
  (base: string): Expand =>
  (o) => [base, zero(o[0] ?? ''), ...o];

const hints: Readonly<Record<string, number>> = { nop: 0, yield: 1, wfe: 2, wfi: 3, sev: 4, sevl: 5, esb: 16, psb: 17, csdb: 20 };

/** Cache, address translation and TLB maintenance: op1, CRm, op2 and CRn. Those marked + have a register. */
const system: Readonly<Record<string, Readonly<Record<string, readonly [op1: number, n: number, m: number, op2: number]>>>> = {
  ic: { ialluis: [0, 7, 1, 0], iallu: [0, 7, 5, 0], ivau: [3, 7, 5, 1] },
  dc: {
    ivac: [0, 7, 6, 1], isw: [0, 7, 6, 2], csw: [0, 7, 10, 2], cisw: [0, 7, 14, 2],
    zva: [3, 7, 4, 1], cvac: [3, 7, 10, 1], cvau: [3, 7, 11, 1], cvap: [3, 7, 12, 1], civac: [3, 7, 14, 1],
  },
  at: {
    s1e1r: [0, 7, 8, 0], s1e1w: [0, 7, 8, 1], s1e0r: [0, 7, 8, 2], s1e0w: [0, 7, 8, 3], s1e1rp: [0, 7, 9, 0], s1e1wp: [0, 7, 9, 1],
    s1e2r: [4, 7, 8, 0], s1e2w: [4, 7, 8, 1], s12e1r: [4, 7, 8, 4], s12e1w: [4, 7, 8, 5], s12e0r: [4, 7, 8, 6], s12e0w: [4, 7, 8, 7],
  },
  tlbi: {
    vmalle1is: [0, 8, 3, 0], vae1is: [0, 8, 3, 1], aside1is: [0, 8, 3, 2], vaae1is: [0, 8, 3, 3], vale1is: [0, 8, 3, 5], vaale1is: [0, 8, 3, 7],
    vmalle1: [0, 8, 7, 0], vae1: [0, 8, 7, 1], aside1: [0, 8, 7, 2], vaae1: [0, 8, 7, 3], vale1: [0, 8, 7, 5], vaale1: [0, 8, 7, 7],
    ipas2e1is: [4, 8, 0, 1], ipas2le1is: [4, 8, 0, 5], alle2is: [4, 8, 3, 0], vae2is: [4, 8, 3, 1], alle1is: [4, 8, 3, 4], vale2is: [4, 8, 3, 5], vmalls12e1is: [4, 8, 3, 6],
    ipas2e1: [4, 8, 4, 1], ipas2le1: [4, 8, 4, 5], alle2: [4, 8, 7, 0], vae2: [4, 8, 7, 1], alle1: [4, 8, 7, 4], vale2: [4, 8, 7, 5], vmalls12e1: [4, 8, 7, 6],
  },
};
const systemAlias =
  (kind: string): Expand =>
  ([name = '', register = 'xzr']) => {
    const entry = system[kind]?.[name.trim().toLowerCase()];
    return entry === undefined ? undefined : ['sys', String(entry[0]), `c${entry[1]}`, `c${entry[2]}`, String(entry[3]), register];
  };

/** Stores of LSE: loads whose result is dropped. */
const storeAtomics = ['add', 'clr', 'eor', 'set', 'smax', 'smin', 'umax', 'umin'].flatMap((operation) =>
  ['', 'l'].flatMap((order) => ['', 'b', 'h'].map((size): [string, Expand] => [`st${operation}${order}${size}`, (o) => [`ld${operation}${order}${size}`, o[0] ?? '', zero(o[0] ?? ''), ...o.slice(1)]])),
);

/** What each alias expands to; undefined where the operands do not fit. */
export const aliases: ReadonlyMap<string, Expand> = new Map<string, Expand>([
  ['mov', move],
  ['cmp', compare('subs')],
  ['cmn', compare('adds')],
  ['tst', compare('ands')],
  ['neg', withZero('sub', 1)],
  ['negs', withZero('subs', 1)],
  ['mvn', ([d = '', ...rest]) => (isVector(d) ? ['not', d, ...rest] : ['orn', d, zero(d), ...rest])],
  ['ngc', withZero('sbc', 1)],
  ['ngcs', withZero('sbcs', 1)],
  ['mul', (o) => (o[0] === undefined ? undefined : (['madd', ...o, zero(o[0])] as unknown as Statement))],
  ['mneg', (o) => (o[0] === undefined ? undefined : (['msub', ...o, zero(o[0])] as unknown as Statement))],
  ...(['smull', 'umull'] as const).map((name): [string, Expand] => [name, (o) => [name.replace('mull', 'maddl'), ...o, 'xzr']]),
  ...(['smnegl', 'umnegl'] as const).map((name): [string, Expand] => [name, (o) => [name.replace('mnegl', 'msubl'), ...o, 'xzr']]),
  ['lsl', shift('lsl')],
  ['lsr', shift('lsr')],
  ['asr', shift('asr')],
  ['ror', shift('ror')],
  ['sbfx', bitfield('sbfm', false)],
  ['ubfx', bitfield('ubfm', false)],
  ['bfxil', bitfield('bfm', false)],
  ['sbfiz', bitfield('sbfm', true)],
  ['ubfiz', bitfield('ubfm', true)],
  ['bfi', bitfield('bfm', true)],
  ['bfc', bitfield('bfm', true, true)],
  ['sxtb', extend('sbfm', 8)],
  ['sxth', extend('sbfm', 16)],
  ['sxtw', extend('sbfm', 32)],
  ['uxtb', ([d = '', n = '']) => extend('ubfm', 8)([asW(d), n], () => undefined)],
  ['uxth', ([d = '', n = '']) => extend('ubfm', 16)([asW(d), n], () => undefined)],
  ['cset', conditional('csinc', ([d = '']) => [zero(d), zero(d)])],
  ['csetm', conditional('csinv', ([d = '']) => [zero(d), zero(d)])],
  ['cinc', conditional('csinc', ([, n = '']) => [n, n])],
  ['cinv', conditional('csinv', ([, n = '']) => [n, n])],
  ['cneg', conditional('csneg', ([, n = '']) => [n, n])],
  ...Object.entries(hints).map(([name, value]): [string, Expand] => [name, () => ['hint', String(value)]]),
  ...Object.keys(system).map((kind): [string, Expand] => [kind, systemAlias(kind)]),
  ['sxtl', (o) => ['sshll', ...o, '#0']],
  ['sxtl2', (o) => ['sshll2', ...o, '#0']],
  ['uxtl', (o) => ['ushll', ...o, '#0']],
  ['uxtl2', (o) => ['ushll2', ...o, '#0']],
  ...storeAtomics,
  // An offset that is negative or no multiple of the size takes the unscaled form.
  ...['ldr', 'ldrb', 'ldrh', 'ldrsb', 'ldrsh', 'ldrsw', 'str', 'strb', 'strh', 'prfm'].map((name): [string, Expand] => [name, (o) => [name.replace('r', 'ur').replace('purfm', 'prfum'), ...o] as unknown as Statement]),
  ['rev64', ([d = '', n = '']) => ['rev', d, n]],
]);
