/**
 * Random programs of all that generated code executes: arithmetic, memory, atomics, floating point, compressed instructions,
 * branches, jumps, calls, now and then a CSR, an illegal instruction or a store to code. They never end, and start over at
 * every exception.
 */
import { decode, newDecoded } from '../../src/isa/decode.ts';
import { encode } from '../../src/isa/encode.ts';
import { formats } from '../../src/isa/formats.ts';
import { insns, op } from '../../src/isa/table.ts';
import type { InsnName } from '../../src/isa/table.ts';

/** xorshift32. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 1;
  }
  word(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.#state = x);
  }
  below(n: number): number {
    return (this.word() >>> 0) % n;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

/** Registers that hold addresses, which nothing writes: data (s0), atomic data (s1), code (s2), end of the data's page (s3). */
export const BASES = { data: 8, atomic: 9, code: 18, edge: 19 } as const;
const bases: ReadonlySet<number> = new Set(Object.values(BASES));

const BRANCHES: readonly InsnName[] = ['beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu'];
const LOADS: readonly InsnName[] = ['lb', 'lh', 'lw', 'ld', 'lbu', 'lhu', 'lwu', 'fld', 'flw'];
const STORES: readonly InsnName[] = ['sb', 'sh', 'sw', 'sd', 'fsd', 'fsw'];
const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, d: 8 };
const plain = insns.filter(({ name, ext, format }) => {
  const { operands } = formats[format];
  return !BRANCHES.includes(name) && !LOADS.includes(name) && !STORES.includes(name) && ext !== 'A' && operands.length > 0 && !/^(jalr?|csr|.*fence|hl|hs|h?inval|cbo|sinval|mret|sret|wfi|lr|sc|amo|ecall|ebreak|auipc)/.test(name) && !operands.some((o) => o === 'mem' || o === 'addr' || o === 'target');
});
const atomics = insns.filter(({ name }) => /^(lr|sc|amo)/.test(name));

interface Item {
  readonly length: 2 | 4;
  readonly bits: (offsetOf: (item: number) => number, at: number) => number;
}

const shortForms: readonly number[] = (() => {
  const decoded = newDecoded();
  const names = new Set(plain.map(({ name }) => name));
  return Array.from({ length: 0x1_0000 }, (_, bits) => bits).filter((bits) => (bits & 3) !== 3 && decode(bits, decoded) && names.has((insns[decoded.op] as (typeof insns)[number]).name) && !bases.has(decoded.rd));
})();

/** A program of `count` instructions; it begins at offset 0, where exceptions lead too. */
export function randomProgram(seed: number, count: number): Uint8Array {
  const random = new Random(seed);
  const items: Item[] = [];
  const word = (name: InsnName, operands: Parameters<typeof encode>[1]): void => {
    const bits = encode(op[name], operands);
    items.push({ length: 4, bits: () => bits });
  };
  const destination = (): number => {
    const register = random.below(32);
    return bases.has(register) ? 0 : register;
  };
  const register = (): number => random.below(32);
  const rounding = (): number => random.pick([0, 0, 0, 7, 7, 7, 1, 2, 3, 4]);
  const jump = (name: InsnName, operands: Parameters<typeof encode>[1]): void => {
    const target = random.below(count);
    items.push({ length: 4, bits: (offsetOf, at) => encode(op[name], { ...operands, imm: offsetOf(target) - at }) });
  };
  while (items.length < count) {
    const kind = random.below(100);
    if (kind < 12) {
      jump(random.pick(BRANCHES), { rs1: register(), rs2: register() });
    } else if (kind < 14) {
      jump('jal', { rd: random.pick([0, 1]) });
    } else if (kind < 15) {
      // An indirect jump: to where the last call came from, or wherever the register leads.
      word('jalr', { rs1: 1, rd: 0 });
    } else if (kind < 16) {
      word('auipc', { rd: destination(), imm: random.word() & -4096 });
    } else if (kind < 26) {
      const name = random.pick(LOADS);
      const size = SIZES[name.replace(/^[lf]|u$/g, '').slice(-1)] as number;
      const imm = (random.below(512) - 256) * (random.below(20) === 0 ? 1 : size);
      word(name, { rd: name.startsWith('f') ? register() : destination(), rs1: random.below(40) === 0 ? BASES.edge : BASES.data, imm: random.below(40) === 0 ? random.below(16) - 8 : imm });
    } else if (kind < 34) {
      const name = random.pick(STORES);
      const size = SIZES[name.slice(-1)] as number;
      const rare = random.below(60);
      const imm = (random.below(512) - 256) * (random.below(20) === 0 ? 1 : size);
      if (rare === 0) word(name, { rs2: register(), rs1: BASES.code, imm: random.below(count) * 2 });
      else if (rare === 1) word(name, { rs2: register(), rs1: BASES.edge, imm: random.below(16) - 8 });
      else word(name, { rs2: register(), rs1: BASES.data, imm });
    } else if (kind < 37) {
      const { name } = random.pick(atomics);
      word(name, { rd: destination(), rs1: BASES.atomic, rs2: name.startsWith('lr') ? 0 : register() });
    } else if (kind < 38) {
      const choice = random.below(12);
      if (choice === 0) items.push({ length: 2, bits: () => 0 });
      else if (choice < 6) word('csrrs', { rd: destination(), rs1: 0, aux: random.pick([0x001, 0x003, 0xb02, 0x300]) });
      else if (choice < 8) word('csrrw', { rd: destination(), rs1: register(), aux: random.pick([0x001, 0x002]) });
      else word('csrrwi', { rd: 0, rs1: 0, aux: 0x001 });
    } else if (kind < 58) {
      const bits = random.pick(shortForms);
      items.push({ length: 2, bits: () => bits });
    } else {
      const { name, format } = random.pick(plain);
      const { operands } = formats[format];
      const rd = operands.includes('f:rd') ? register() : destination();
      word(name, { rd, rs1: register(), rs2: register(), rs3: register(), imm: random.word() >> random.below(32), aux: rounding() });
    }
  }
  // The last instruction leads back.
  items.push({ length: 4, bits: (_, at) => encode(op.jal, { imm: -at }) });
  const offsets: number[] = [];
  let end = 0;
  for (const { length } of items) {
    offsets.push(end);
    end += length;
  }
  const bytes = new Uint8Array(end + 4);
  const view = new DataView(bytes.buffer);
  items.forEach(({ length, bits }, i) => {
    const at = offsets[i] as number;
    const value = bits((item) => offsets[item] as number, at);
    if (length === 2) view.setUint16(at, value, true);
    else view.setInt32(at, value, true);
  });
  return bytes.subarray(0, end);
}
