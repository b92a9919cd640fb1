/**
 * A toy instruction set with fixed 4-byte instructions, to test the engine without any real one: eight i64 registers, and
 * one machine around it whose memory is identity-mapped between two limits.
 *
 * Encoding: op in bits 7:0, registers a and b in 11:8 and 15:12, imm (signed) in 31:16.
 */
import { Access, Engine, Permission, Status, i32, i64, planLayout, wasm } from '../../src/index.ts';
import type { Execution, HandlerTable, InterpreterStore, Isa, Machine, Service, RegionCompiler } from '../../src/index.ts';

export const REGISTERS = 0;
const PC = 64;
const BUDGET = 72;
const MMU_IDX = 76;
const FETCH_IDX = 80;
const STATE_SIZE = 128;

export const toyIsa: Isa = {
  name: 'toy',
  unit: 4,
  records: { size: 16, place: 16 },
  maxLength: 4,
  fields: { a: { offset: 2, op: 'i32.load16_u' }, b: { offset: 4, op: 'i32.load16_u' }, imm: { offset: 8, op: 'i32.load' } },
  state: { pc: PC, budget: BUDGET, mmuIdx: MMU_IDX, fetchIdx: FETCH_IDX },
  instructions: [
    { name: 'addi', lengths: [4], emit: (e) => e.setReg('a', i64.add(e.reg('b'), e.field64('imm'))) },
    { name: 'load', lengths: [4], emit: (e) => e.setReg('a', e.load('u64', i64.add(e.reg('b'), e.field64('imm')))) },
    { name: 'store', lengths: [4], emit: (e) => e.store(8, i64.add(e.reg('b'), e.field64('imm')), e.reg('a')) },
    { name: 'branch', lengths: [4], direct: true, emit: (e) => e.branch(i64.ne(e.reg('a'), e.reg('b'))) },
    { name: 'jump', lengths: [4], direct: true, emit: (e) => e.jump() },
    { name: 'jumpTo', lengths: [4], emit: (e) => e.jumpTo(e.reg('a')) },
    { name: 'call', lengths: [4], direct: true, emit: (e) => {
      e.setReg('a', e.nextPc());
      e.jump('call');
    } },
    { name: 'callTo', lengths: [4], emit: (e) => {
      const target = e.let(e.reg('b'));
      e.setReg('a', e.nextPc());
      e.jumpTo(target, 'call');
    } },
    { name: 'return', lengths: [4], emit: (e) => e.jumpTo(e.reg('a'), 'return') },
    { name: 'service', lengths: [4], emit: (e) => e.service('service') },
    { name: 'square', lengths: [4], emit: (e) => e.setReg('a', e.call('square', 'i64', [e.reg('b')])) },
    { name: 'host', lengths: [4], outline: true, emit: (e) => e.setReg('a', i64.extend_i32_s(e.call('host', 'i32', [e.field('imm')]))) },
    { name: 'swap', lengths: [4], outline: true, emit: (e) => {
      const place = e.hostAddress(8, e.reg('b'));
      e.setReg('a', e.atomic('i64.atomic.rmw.xchg', place, e.reg('a')));
    } },
    { name: 'pc', lengths: [4], emit: (e) => e.setReg('a', e.pc()) },
    { name: 'sum', lengths: [4], emit: (e) => {
      // 1 + 2 + … + imm, by a loop
      const sum = e.variable(i64.const(0));
      const rest = e.variable(e.field('imm'));
      e.loop((again) => {
        e.assign(sum, i64.add(sum.get, i64.extend_i32_s(rest.get)));
        e.assign(rest, i32.sub(rest.get, i32.const(1)));
        again(i32.gt_s(rest.get, i32.const(0)));
      });
      e.setReg('a', sum.get);
    } },
    { name: 'clock', lengths: [4], emit: (e) => e.setReg('a', i64.trunc_sat_f64_u(e.call('clock', 'f64', []))) },
  ],
  functions: {
    square: { params: ['i64'], result: 'i64', body: (b, x) => {
      const bound = b.let(x as ReturnType<typeof i64.const>);
      return i64.mul(bound, bound);
    } },
    host: { params: ['i32'], result: 'i32' },
    clock: { params: [], result: 'f64', everywhere: true },
  },
  services: ['service'],
};

export const toyOp = Object.fromEntries(toyIsa.instructions.map(({ name }, i) => [name, i])) as Readonly<Record<string, number>>;

/** What execution may not go on behind. */
const ENDS: readonly string[] = ['branch', 'jump', 'jumpTo', 'call', 'callTo', 'return'];

/** One instruction word. */
export function toy(name: string, a = 0, b = 0, imm = 0): number {
  const op = toyOp[name];
  if (op === undefined) throw new Error(`no instruction ${name}`);
  return op | (a << 8) | (b << 12) | (imm << 16);
}

export interface ToyOptions {
  /** log2 of the size memory may grow to. */
  readonly windowBits?: number;
  readonly service?: Service;
  readonly execution?: Execution;
  readonly translationBytes?: number;
  readonly compiler?: RegionCompiler;
  /** With more instructions behind its own. */
  readonly isa?: Isa;
  readonly interpreters?: InterpreterStore;
}

export class Toy implements Machine {
  readonly engine: Engine;
  readonly view: DataView;
  /** First address that is mapped, and the first behind. */
  readonly base: number;
  readonly limit: number;
  readonly state: number;
  /** What may be cached. */
  permitted: number = Permission.read | Permission.write | Permission.execute;
  /** Exceptions taken, as [what, address]. */
  readonly exceptions: (readonly [string, number])[] = [];
  /** Calls of translate. */
  translations = 0;
  #pending: readonly [string, number] = ['none', 0];
  readonly #handlers: HandlerTable;
  readonly #isa: Isa;

  constructor({ windowBits = 24, service = () => Status.leave, execution = 'interpreter', translationBytes = 1 << 28, compiler, isa = toyIsa, interpreters }: ToyOptions = {}) {
    this.#isa = isa;
    const memoryBytes = 2 ** windowBits;
    const layout = planLayout(isa, { state: 0x1000, base: 0x1000 + STATE_SIZE, memoryBytes, poolPages: 4 });
    this.base = Math.ceil(layout.end / 65536) * 65536;
    this.limit = this.base + 0x10_0000;
    this.state = layout.state;
    const limits = { min: this.limit / 65536, max: memoryBytes / 65536, shared: true };
    const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
    this.view = new DataView(memory.buffer);
    this.engine = new Engine(this, {
      isa,
      memory,
      memoryLimits: limits,
      layout,
      execution,
      translationBytes,
      ...(compiler === undefined ? {} : { compiler }),
      ...(interpreters === undefined ? {} : { interpreters }),
      services: { service },
      functions: { host: (x = 0) => x * 3, clock: () => 2 ** 40 },
    });
    this.#handlers = this.engine.handlers;
  }

  translate(lo: number, hi: number, access: Access, _size: number, offset: number): number {
    this.translations++;
    const address = (hi >>> 0) * 2 ** 32 + (lo >>> 0);
    if (address >= this.base && address < this.limit) return address;
    this.#pending = [`${['load', 'store', 'fetch'][access]}+${offset}`, address];
    return -1;
  }

  permissions(): number {
    return this.permitted;
  }

  place(physical: number): number {
    return physical;
  }

  accessFault(lo: number): void {
    this.#pending = ['fault', lo >>> 0];
  }

  misaligned(lo: number): void {
    this.#pending = ['misaligned', lo >>> 0];
  }

  /** An exception ends the run, with the pc on its instruction. */
  trap(): Status {
    this.exceptions.push(this.#pending);
    return Status.leave;
  }

  deviceRead(): boolean {
    return false;
  }

  deviceWrite(): boolean {
    return false;
  }

  decode(place: number, _available: number, record: number, offset: number): number {
    const word = this.view.getInt32(place, true);
    const op = word & 255;
    const imm = word >> 16;
    const { direct, name } = this.#isa.instructions[op] as Isa['instructions'][number];
    const near = direct === true && offset + imm >= 0 && offset + imm < 4096;
    this.view.setUint16(record, this.#handlers.handler(op, 4, near, near && imm <= 0), true);
    this.view.setUint16(record + 2, REGISTERS + ((word >> 8) & 15) * 8, true);
    this.view.setUint16(record + 4, REGISTERS + ((word >> 12) & 15) * 8, true);
    this.view.setInt32(record + 8, near ? imm * 4 : imm, true);
    return ENDS.includes(name) ? -4 : 4;
  }

  /** Puts a program at `offset` behind {@link base} and the pc on it. */
  load(words: readonly number[], offset = 0): void {
    words.forEach((word, i) => this.view.setInt32(this.base + offset + 4 * i, word, true));
    this.engine.invalidate(this.base + offset, 4 * words.length);
    this.pc = BigInt(this.base + offset);
  }

  get pc(): bigint {
    return this.view.getBigUint64(this.state + PC, true);
  }

  set pc(value: bigint) {
    this.view.setBigUint64(this.state + PC, value, true);
  }

  reg(i: number): bigint {
    return this.view.getBigInt64(this.state + REGISTERS + 8 * i, true);
  }

  setReg(i: number, value: bigint): void {
    this.view.setBigInt64(this.state + REGISTERS + 8 * i, value, true);
  }
}
