/** The decoder of device accesses against the instruction table of the software processing element, which somebody else wrote: by its disassembly. */
import { decode, disassemble, insns } from '@axvisor/softcpu_arm/isa';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeInstruction, type AddressRegisters, type Transfer } from '../src/index.ts';

const U64 = (1n << 64n) - 1n;
const value = (reg: number): bigint => (0x9e37_79b9_7f4a_7c15n * BigInt(reg + 1)) & U64;
const registers: AddressRegisters = { x: (reg) => (reg === 31 ? 0n : value(reg)), xOrSp: value, pc: 0x4000_0000n };

/** What a device can answer: no exclusive, ordered, atomic access, no prefetch. */
const ANSWERED = /^(ld|st)(n?p(sw)?|[ut]?rs?[bhw]?|[1-4]r?)$/;
const BYTES: Readonly<Record<string, number>> = { w: 4, x: 8, b: 1, h: 2, s: 4, d: 8, q: 16 };

interface Meaning {
  readonly address: bigint;
  readonly writeback: { readonly reg: number; readonly value: bigint } | undefined;
  /** One string for each register and byte range that is transferred. */
  readonly parts: readonly string[];
}

const numberOf = (name: string): number => (name === 'sp' || name.endsWith('zr') ? 31 : Number(name.slice(1)));

/** The value of `[x1, w2, uxtw #2]` and its like, and what follows the bracket. */
function addressOf(text: string): Pick<Meaning, 'address' | 'writeback'> {
  const literal = /^(-?0x[0-9a-f]+)$/.exec(text);
  if (literal !== null) return { address: BigInt(literal[1] as string), writeback: undefined };
  const [, inside = '', bang = '', after = ''] = /^\[([^\]]*)\](!?)(?:, (.*))?$/.exec(text) ?? [];
  const [base = '', offset, extend] = inside.split(', ');
  const reg = numberOf(base);
  const before = value(reg);
  const distance = (operand: string | undefined, how: string | undefined): bigint => {
    if (operand === undefined) return 0n;
    if (operand.startsWith('#')) return BigInt(operand.slice(1));
    const raw = registers.x(numberOf(operand));
    const [kind = 'lsl', amount = '#0'] = (how ?? '').split(' ').filter(Boolean);
    const extended = kind === 'uxtw' ? BigInt.asUintN(32, raw) : kind === 'sxtw' ? BigInt.asIntN(32, raw) : raw;
    return extended << BigInt(amount.slice(1));
  };
  if (after !== '') return { address: before, writeback: { reg, value: (before + (after.startsWith('#') ? BigInt(after.slice(1)) : distance(after, undefined))) & U64 } };
  const address = (before + distance(offset, extend)) & U64;
  return { address, writeback: bang === '!' ? { reg, value: address } : undefined };
}

/** `{v6.8b-v9.8b}`, `{v31.h-v0.h}[4]`, `{v6.16b}`. */
function structure(mnemonic: string, text: string): readonly string[] {
  const [, list = '', lane] = /^\{([^}]*)\}(?:\[(\d+)\])?/.exec(text) ?? [];
  const names = list.split(/[-,] ?/);
  const first = numberOf((names[0] ?? '').split('.')[0] ?? '');
  const last = numberOf((names.at(-1) ?? '').split('.')[0] ?? '');
  const count = ((last - first + 32) % 32) + 1;
  const arrangement = (names[0] ?? '').split('.')[1] ?? '';
  const width = BYTES[arrangement.at(-1) ?? ''] ?? 0;
  const reg = (n: number): number => (first + n) % 32;
  if (lane !== undefined) return Array.from({ length: count }, (_, n) => `v${reg(n)}+${Number(lane) * width}:${width}`);
  const lanes = Number(arrangement.slice(0, -1));
  if (mnemonic.endsWith('r')) return Array.from({ length: count }, (_, n) => `v${reg(n)}*${lanes * width}:${width}`);
  const interleaved = mnemonic.at(-1) === '1' ? 1 : count;
  const parts: string[] = [];
  for (let n = 0; n < count; n += interleaved)
    for (let e = 0; e < lanes; e++) for (let s = 0; s < interleaved; s++) parts.push(`v${reg(n + s)}+${e * width}:${width}`);
  return parts;
}

function meaning(word: number): Meaning {
  const text = disassemble(word | 0, registers.pc);
  const [, mnemonic = '', operands = ''] = /^(\S+) (.*)$/.exec(text) ?? [];
  if (operands.startsWith('{')) {
    const parts = structure(mnemonic, operands);
    return { parts, ...addressOf(operands.slice(operands.indexOf('[', operands.indexOf('}') + (/\}\[\d/.test(operands) ? 2 : 0)))) };
  }
  const at = operands.includes('[') ? operands.indexOf('[') : operands.lastIndexOf('0x');
  const names = operands.slice(0, at).split(', ').filter(Boolean);
  const narrow = /(s?)([bhw])$/.exec(mnemonic.replace(/^(ld|st)n?p?u?t?r?/, ''));
  const parts = names.flatMap((name) => {
    const kind = name[0] as string;
    const bytes = narrow === null ? (BYTES[kind] as number) : (BYTES[narrow[2] as string] as number);
    const file = kind === 'w' || kind === 'x' ? 'x' : 'v';
    const extension = file === 'x' && mnemonic.startsWith('ld') ? `:${narrow?.[1] === 's' ? 'signed' : 'unsigned'}${kind === 'x' ? 8 : 4}` : '';
    return bytes === 16 ? [`v${numberOf(name)}+0:8`, `v${numberOf(name)}+8:8`] : [`${file}${numberOf(name)}+0:${bytes}${extension}`];
  });
  return { parts, ...addressOf(operands.slice(at)) };
}

const part = (t: Transfer): string => {
  if (t.kind === 'store') return `${t.source.kind}${t.source.reg}+${t.source.byte}:${t.width}`;
  const { target } = t;
  if (target.kind === 'x') return `x${target.reg}+0:${t.width}:${target.signed ? 'signed' : 'unsigned'}${target.regWidth}`;
  return target.kind === 'v' ? `v${target.reg}+${target.byte}:${t.width}` : `v${target.reg}*${target.bytes}:${t.width}`;
};

const MEMORY = insns.filter(({ match, mask }) => ((match >>> 25) & 5) === 4 && ((mask >>> 25) & 5) === 5);

function check(word: number): void {
  const insn = insns[decode(word | 0)];
  const access = decodeInstruction(word >>> 0, registers);
  const label = `${(word >>> 0).toString(16)} ${disassemble(word | 0, registers.pc)}`;
  const answered = insn !== undefined && MEMORY.includes(insn) && ANSWERED.test(insn.mnemonic);
  expect([label, access !== undefined]).toEqual([label, answered]);
  if (access === undefined) return;
  const { parts, address, writeback } = meaning(word);
  expect([label, access.transfers.map(part), access.address, access.writeback, access.isLoad]).toEqual([label, parts, address, writeback, insn?.mnemonic.startsWith('ld')]);
  access.transfers.reduce((offset, t) => {
    expect(t.offset).toBe(offset);
    return offset + t.width;
  }, 0);
}

test('every load and store of the table means the same', () => {
  expect(MEMORY.length).toBeGreaterThan(400);
  expect(MEMORY.filter(({ mnemonic }) => ANSWERED.test(mnemonic)).length).toBeGreaterThan(250);
  for (const insn of MEMORY) fc.assert(fc.property(fc.integer(), (noise) => check((noise & ~insn.mask) | insn.match)), { numRuns: 40 });
});

test('no other word is taken for one', () => {
  fc.assert(fc.property(fc.integer(), (word) => check(word)), { numRuns: 3000 });
  fc.assert(fc.property(fc.integer(), (word) => check((word & ~0x0a00_0000) | 0x0800_0000)), { numRuns: 6000 });
});
