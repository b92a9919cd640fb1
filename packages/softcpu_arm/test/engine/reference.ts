/** The pseudocode of the Arm ARM for data processing, on unbounded integers: a model that shares nothing with the emitters. */
import type { Insn } from '../../src/isa/index.ts';

/** What an instruction sees: registers as unsigned 64-bit, slot 31 of `x` is SP; flags as 0 or 1. */
export interface Machine {
  readonly x: bigint[];
  readonly flags: { n: number; z: number; c: number; v: number };
  readonly pc: bigint;
}

type Fields = (name: string) => number;

const uint = (bits: number, value: bigint): bigint => BigInt.asUintN(bits, value);
const sint = (bits: number, value: bigint): bigint => BigInt.asIntN(bits, value);
const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** AddWithCarry: the sum and NZCV. */
function addWithCarry(bits: number, x: bigint, y: bigint, carry: number): { readonly result: bigint; readonly flags: Machine['flags'] } {
  const unsigned = uint(bits, x) + uint(bits, y) + BigInt(carry);
  const signed = sint(bits, x) + sint(bits, y) + BigInt(carry);
  const result = uint(bits, unsigned);
  return {
    result,
    flags: { n: Number(result >> BigInt(bits - 1)), z: result === 0n ? 1 : 0, c: result === unsigned ? 0 : 1, v: sint(bits, result) === signed ? 0 : 1 },
  };
}

function shiftReg(bits: number, value: bigint, kind: number, amount: number): bigint {
  const v = uint(bits, value);
  const n = BigInt(amount % bits);
  switch (kind) {
    case 0: return uint(bits, v << n);
    case 1: return v >> n;
    case 2: return uint(bits, sint(bits, v) >> n);
    default: return uint(bits, (v >> n) | (v << (BigInt(bits) - n)));
  }
}

function extendReg(bits: number, value: bigint, option: number, shift: number): bigint {
  const width = 8 << (option & 3);
  const extended = option < 4 ? uint(width, value) : sint(width, value);
  return uint(bits, extended << BigInt(shift));
}

/** DecodeBitMasks. */
function decodeBitMasks(bits: number, n: number, imms: number, immr: number): { readonly w: bigint; readonly t: bigint } {
  const combined = (n << 6) | (~imms & 0x3f);
  const len = 31 - Math.clz32(combined);
  const size = 1 << len;
  const s = imms & (size - 1);
  const r = immr & (size - 1);
  const d = (s - r) & (size - 1);
  const ror = (value: bigint): bigint => uint(size, (value >> BigInt(r)) | (value << BigInt(size - r)));
  const replicate = (element: bigint): bigint => {
    let all = 0n;
    for (let at = 0; at < bits; at += size) all |= element << BigInt(at);
    return all;
  };
  return { w: replicate(ror(ones(s + 1))), t: replicate(ones(d + 1)) };
}

function holds({ n, z, c, v }: Machine['flags'], condition: number): boolean {
  const result = [z === 1, c === 1, n === 1, v === 1, c === 1 && z === 0, n === v, n === v && z === 0, true][condition >> 1]!;
  return (condition & 1) === 1 && condition !== 15 ? !result : result;
}

const reverse = (bits: number, group: number, value: bigint): bigint => {
  let result = 0n;
  for (let at = 0; at < bits; at += group) {
    for (let i = 0; i < group; i += 8) result |= ((value >> BigInt(at + i)) & 0xffn) << BigInt(at + group - 8 - i);
  }
  return result;
};
const clz = (bits: number, value: bigint): number => (value === 0n ? bits : bits - value.toString(2).length);
const bitReverse = (bits: number, value: bigint): bigint => BigInt(`0b${[...value.toString(2).padStart(bits, '0')].reverse().join('')}`);

/** Poly32Mod2 of the reflected operands. */
function crc(accumulator: bigint, data: bigint, size: number, polynomial: bigint): bigint {
  let rest = (bitReverse(32, uint(32, accumulator)) << BigInt(size)) ^ (bitReverse(size, uint(size, data)) << 32n);
  for (let i = size - 1; i >= 0; i--) if (((rest >> BigInt(32 + i)) & 1n) === 1n) rest ^= ((1n << 32n) | polynomial) << BigInt(i);
  return bitReverse(32, uint(32, rest));
}

const ADDSUB = /^(add|sub)(s?)_(imm|shift|ext)$/;
const LOGICAL = /^(and|bic|orr|orn|eor|eon|ands|bics)_(imm|shift)$/;

/** Executes an instruction of "Data processing -- immediate" or "-- register". @returns false if it is neither */
export function execute(machine: Machine, insn: Insn, f: Fields): boolean {
  const { x, flags, pc } = machine;
  const wide = insn.fields['sf'] === undefined || f('sf') === 1;
  const bits = wide ? 64 : 32;
  const read = (n: number, sp = false): bigint => (n === 31 && !sp ? 0n : uint(bits, x[n]!));
  const write = (value: bigint, sp = false): void => {
    if (f('Rd') !== 31 || sp) x[f('Rd')] = uint(bits, value);
  };
  const setFlags = (value: Machine['flags']): void => void Object.assign(flags, value);
  const { name } = insn;
  const [, operation, sets, form] = ADDSUB.exec(name) ?? [];
  if (operation !== undefined) {
    const a = read(f('Rn'), form !== 'shift');
    const b = form === 'imm' ? BigInt(f('imm12')) << BigInt(12 * f('sh')) : form === 'shift' ? shiftReg(bits, read(f('Rm')), f('shift'), f('imm6')) : extendReg(bits, read(f('Rm')), f('option'), f('imm3'));
    const sum = operation === 'add' ? addWithCarry(bits, a, b, 0) : addWithCarry(bits, a, uint(bits, ~b), 1);
    if (sets === 's') setFlags(sum.flags);
    write(sum.result, form !== 'shift' && sets === '');
    return true;
  }
  const [, logical, source] = LOGICAL.exec(name) ?? [];
  if (logical !== undefined) {
    const b = source === 'imm' ? decodeBitMasks(bits, f('N'), f('imms'), f('immr')).w : shiftReg(bits, read(f('Rm')), f('shift'), f('imm6'));
    const operand = /^(bic|orn|eon)/.test(logical) ? uint(bits, ~b) : b;
    const a = read(f('Rn'));
    const result = /^(and|bic)/.test(logical) ? a & operand : logical.startsWith('or') ? a | operand : a ^ operand;
    if (logical.endsWith('s')) setFlags({ n: Number(result >> BigInt(bits - 1)), z: result === 0n ? 1 : 0, c: 0, v: 0 });
    write(result, source === 'imm' && !logical.endsWith('s'));
    return true;
  }
  const [n, m] = [(): bigint => read(f('Rn')), (): bigint => read(f('Rm'))];
  const sum = (a: bigint, b: bigint, sub: boolean): ReturnType<typeof addWithCarry> => addWithCarry(bits, a, sub ? uint(bits, ~b) : b, sub ? 1 : 0);
  const carried = (sub: boolean, set: boolean): void => {
    const result = addWithCarry(bits, n(), sub ? uint(bits, ~m()) : m(), flags.c);
    if (set) setFlags(result.flags);
    write(result.result);
  };
  const conditional = (otherwise: (value: bigint) => bigint): void => write(holds(flags, f('cond')) ? n() : otherwise(m()));
  const compare = (sub: boolean, operand: bigint): void => {
    const nzcv = f('nzcv');
    setFlags(holds(flags, f('cond')) ? sum(n(), operand, sub).flags : { n: nzcv >> 3, z: (nzcv >> 2) & 1, c: (nzcv >> 1) & 1, v: nzcv & 1 });
  };
  const field = (inZero: boolean, extend: boolean): void => {
    const { w, t } = decodeBitMasks(bits, f('N'), f('imms'), f('immr'));
    const old = inZero ? 0n : read(f('Rd'));
    const rotated = shiftReg(bits, n(), 3, f('immr'));
    const bottom = (old & ~w) | (rotated & w);
    const top = extend ? ((n() >> BigInt(f('imms'))) & 1n ? ones(bits) : 0n) : old;
    write((top & uint(bits, ~t)) | (bottom & t));
  };
  const long = (signed: boolean, sub: boolean): void => {
    const product = signed ? sint(32, n()) * sint(32, m()) : uint(32, n()) * uint(32, m());
    write(sub ? read(f('Ra')) - product : read(f('Ra')) + product);
  };
  const offset = sint(21, BigInt((f('immhi') << 2) | f('immlo')));
  const handlers: Readonly<Record<string, () => void>> = {
    adr: () => write(pc + offset),
    adrp: () => write(((pc >> 12n) << 12n) + (offset << 12n)),
    movz: () => write(BigInt(f('imm16')) << BigInt(16 * f('hw'))),
    movn: () => write(~(BigInt(f('imm16')) << BigInt(16 * f('hw')))),
    movk: () => write((read(f('Rd')) & ~(0xffffn << BigInt(16 * f('hw')))) | (BigInt(f('imm16')) << BigInt(16 * f('hw')))),
    sbfm: () => field(true, true),
    bfm: () => field(false, false),
    ubfm: () => field(true, false),
    extr: () => write(((n() << BigInt(bits)) | m()) >> BigInt(f('imms'))),
    udiv: () => write(m() === 0n ? 0n : n() / m()),
    sdiv: () => write(m() === 0n ? 0n : sint(bits, n()) / sint(bits, m())),
    lslv: () => write(shiftReg(bits, n(), 0, Number(m() % BigInt(bits)))),
    lsrv: () => write(shiftReg(bits, n(), 1, Number(m() % BigInt(bits)))),
    asrv: () => write(shiftReg(bits, n(), 2, Number(m() % BigInt(bits)))),
    rorv: () => write(shiftReg(bits, n(), 3, Number(m() % BigInt(bits)))),
    rbit: () => write(bitReverse(bits, n())),
    rev16: () => write(reverse(bits, 16, n())),
    rev_32: () => write(reverse(32, 32, n())),
    rev32: () => write(reverse(64, 32, n())),
    rev_64: () => write(reverse(64, 64, n())),
    clz: () => write(BigInt(clz(bits, n()))),
    cls: () => write(BigInt(clz(bits - 1, (n() >> 1n) ^ (n() & ones(bits - 1))))),
    adc: () => carried(false, false),
    adcs: () => carried(false, true),
    sbc: () => carried(true, false),
    sbcs: () => carried(true, true),
    ccmn_reg: () => compare(false, m()),
    ccmp_reg: () => compare(true, m()),
    ccmn_imm: () => compare(false, BigInt(f('imm5'))),
    ccmp_imm: () => compare(true, BigInt(f('imm5'))),
    csel: () => conditional((value) => value),
    csinc: () => conditional((value) => value + 1n),
    csinv: () => conditional((value) => ~value),
    csneg: () => conditional((value) => -value),
    madd: () => write(read(f('Ra')) + n() * m()),
    msub: () => write(read(f('Ra')) - n() * m()),
    smaddl: () => long(true, false),
    smsubl: () => long(true, true),
    umaddl: () => long(false, false),
    umsubl: () => long(false, true),
    smulh: () => write((sint(64, n()) * sint(64, m())) >> 64n),
    umulh: () => write((n() * m()) >> 64n),
    ...Object.fromEntries(
      ['b', 'h', 'w', 'x'].flatMap((letter, log) =>
        [['', 0x04c11db7n], ['c', 0x1edc6f41n]].map(([c, polynomial]) => [
          `crc32${c as string}${letter}`,
          () => {
            const data = f('Rm') === 31 ? 0n : x[f('Rm')]!;
            const accumulator = f('Rn') === 31 ? 0n : x[f('Rn')]!;
            if (f('Rd') !== 31) x[f('Rd')] = crc(accumulator, data, 8 << log, polynomial as bigint);
          },
        ]),
      ),
    ),
  };
  const handler = handlers[name];
  handler?.();
  return handler !== undefined;
}
