/**
 * A toy instruction set of bytes: instructions of one to six bytes at any address, with records that overlap where they do, a pinned word that
 * comparisons leave and conditions read, and two modes in which the same byte means two things.
 *
 * Encoding: any number of PAD bytes (0x90), one opcode byte (operation in bits 7:4, register in bits 2:0), and for some operations
 * a signed byte. In all at most {@link MAX_LENGTH} bytes, else it is the service.
 */
import { Engine, Permission, Status, i64, planLayout, recordShift, wasm } from '../../src/index.ts';
import type { Execution, HandlerTable, Isa, Machine } from '../../src/index.ts';

export const MAX_LENGTH = 6;
export const PAD = 0x90;

const FLAG = 64;
const PC = 72;
const BUDGET = 80;
const MMU_IDX = 84;
const FETCH_IDX = 88;
const STATE_SIZE = 128;

export const bytesIsa: Isa = {
  name: 'bytes',
  unit: 1,
  records: { size: 16, place: 8 },
  maxLength: MAX_LENGTH,
  fields: { length: { offset: 2, op: 'i32.load8_u' }, a: { offset: 4, op: 'i32.load16_u' }, imm: { offset: 12, op: 'i32.load' } },
  state: { pc: PC, budget: BUDGET, mmuIdx: MMU_IDX, fetchIdx: FETCH_IDX, pinned: [FLAG] },
  instructions: [
    { name: 'inc', lengths: 'any', emit: (e) => e.setReg('a', i64.add(e.reg('a'), i64.const(1))) },
    { name: 'dec', lengths: 'any', emit: (e) => e.setReg('a', i64.sub(e.reg('a'), i64.const(1))) },
    { name: 'add', lengths: 'any', emit: (e) => e.setReg('a', i64.add(e.reg('a'), e.field64('imm'))) },
    { name: 'compare', lengths: 'any', emit: (e) => e.setState('i64.store', FLAG, i64.sub(e.reg('a'), e.field64('imm'))) },
    // Sets the flag on one way only.
    { name: 'clear', lengths: 'any', emit: (e) => e.if(i64.lt_s(e.reg('a'), i64.const(0)), () => e.setState('i64.store', FLAG, i64.const(0))) },
    { name: 'flag', lengths: 'any', emit: (e) => e.setReg('a', e.state('i64.load', FLAG)) },
    { name: 'branch', lengths: 'any', direct: true, emit: (e) => e.branch(i64.ne(e.state('i64.load', FLAG), i64.const(0))) },
    { name: 'next', lengths: 'any', emit: (e) => e.setReg('a', i64.and(e.nextPc(), i64.const(0xfff))) },
    { name: 'mode', lengths: 'any', emit: (e) => e.service('mode') },
    { name: 'stop', lengths: 'any', emit: (e) => e.service('stop') },
  ],
  functions: {},
  services: ['mode', 'stop'],
};

/** Operations by the high half of their byte; those that have an operand byte. */
export const operations = ['inc', 'add', 'compare', 'clear', 'flag', 'branch', 'next', 'mode', 'stop'] as const;
export type Operation = (typeof operations)[number];
const WITH_OPERAND: ReadonlySet<string> = new Set(['add', 'compare', 'branch']);

export interface Decoded {
  readonly operation: Operation;
  readonly register: number;
  readonly operand: number;
  readonly length: number;
}

/** The instruction that `bytes` begin with, undefined if it does not end there. */
export function decodeBytes(bytes: Uint8Array): Decoded | undefined {
  let at = 0;
  while (at < bytes.length && at < MAX_LENGTH && bytes[at] === PAD) at++;
  if (at === MAX_LENGTH) return { operation: 'stop', register: 0, operand: 0, length: MAX_LENGTH };
  if (at === bytes.length) return undefined;
  const opcode = bytes[at] as number;
  const operation = operations[opcode >>> 4] ?? 'stop';
  if (!WITH_OPERAND.has(operation)) return { operation, register: opcode & 7, operand: 0, length: at + 1 };
  if (at + 1 === MAX_LENGTH) return { operation: 'stop', register: 0, operand: 0, length: MAX_LENGTH };
  if (at + 1 === bytes.length) return undefined;
  return { operation, register: opcode & 7, operand: ((bytes[at + 1] as number) << 24) >> 24, length: at + 2 };
}

/** The bytes of one instruction. */
export function encode(operation: Operation, register = 0, operand = 0, pads = 0): number[] {
  const opcode = (operations.indexOf(operation) << 4) | register;
  return [...Array.from({ length: pads }, () => PAD), opcode, ...(WITH_OPERAND.has(operation) ? [operand & 0xff] : [])];
}

/** What can be seen of a processor. */
export interface Outcome {
  readonly pc: number;
  readonly registers: readonly bigint[];
  readonly flag: bigint;
}

/** What the manual says, executed from memory that begins at address 0. */
export class Model {
  pc = 0;
  readonly #registers = Array.from({ length: 8 }, () => 0n);
  #flag = 0n;
  #mode = 0;
  readonly #memory: Uint8Array;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  get outcome(): Outcome {
    return { pc: this.pc, registers: [...this.#registers], flag: this.#flag };
  }

  /** At most so many instructions. */
  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      const decoded = decodeBytes(this.#memory.subarray(this.pc, this.pc + MAX_LENGTH));
      if (decoded === undefined || decoded.operation === 'stop') return;
      this.#execute(decoded);
    }
  }

  #execute({ operation, register, operand, length }: Decoded): void {
    const registers = this.#registers;
    const value = registers[register] as bigint;
    const before = this.pc;
    this.pc += length;
    switch (operation) {
      case 'inc':
        registers[register] = value + (this.#mode === 0 ? 1n : -1n);
        break;
      case 'add':
        registers[register] = value + BigInt(operand);
        break;
      case 'compare':
        this.#flag = value - BigInt(operand);
        break;
      case 'clear':
        if (value < 0n) this.#flag = 0n;
        break;
      case 'flag':
        registers[register] = this.#flag;
        break;
      case 'branch':
        if (this.#flag !== 0n) this.pc = before + operand;
        break;
      case 'next':
        registers[register] = BigInt(this.pc & 0xfff);
        break;
      case 'mode':
        this.#mode ^= 1;
    }
  }
}

/** The machine: memory is identity-mapped behind the engine's own part. */
export class Bytes implements Machine {
  readonly engine: Engine;
  readonly view: DataView;
  readonly base: number;
  readonly state: number;
  /** In mode 1, `inc` decrements. */
  mode = 0;
  readonly #limit: number;
  readonly #handlers: HandlerTable;

  constructor(execution: Execution) {
    const memoryBytes = 2 ** 24;
    const layout = planLayout(bytesIsa, { state: 0x1000, base: 0x1000 + STATE_SIZE, memoryBytes, poolPages: 4 });
    this.base = Math.ceil(layout.end / 65536) * 65536;
    this.#limit = this.base + 0x1_0000;
    this.state = layout.state;
    const limits = { min: this.#limit / 65536, max: memoryBytes / 65536, shared: true };
    const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
    this.view = new DataView(memory.buffer);
    this.engine = new Engine(this, {
      isa: bytesIsa,
      memory,
      memoryLimits: limits,
      layout,
      execution,
      services: {
        stop: () => Status.leave,
        mode: () => {
          this.mode ^= 1;
          this.pc += BigInt(this.#next?.length ?? 0);
          this.engine.pages.setMode(this.mode);
          return Status.refetch;
        },
      },
    });
    this.#handlers = this.engine.handlers;
  }

  get pc(): bigint {
    return this.view.getBigUint64(this.state + PC, true);
  }

  set pc(value: bigint) {
    this.view.setBigUint64(this.state + PC, value, true);
  }

  get flag(): bigint {
    return this.view.getBigInt64(this.state + FLAG, true);
  }

  register(n: number): bigint {
    return this.view.getBigInt64(this.state + n * 8, true);
  }

  get outcome(): Outcome {
    return { pc: Number(this.pc) - this.base, registers: Array.from({ length: 8 }, (_, n) => this.register(n)), flag: this.flag };
  }

  /** The next instruction. */
  get #next(): Decoded | undefined {
    const at = Number(this.pc);
    return decodeBytes(this.engine.bytes.subarray(at, at + MAX_LENGTH));
  }

  /** At most so many instructions. */
  execute(steps: number): void {
    for (let left = steps; left > 0 && this.#next?.operation !== 'stop'; ) {
      const taken = this.engine.run(Math.min(left, 701));
      if (taken === 0) return;
      left -= taken;
    }
  }

  /** Puts bytes `offset` behind the base, and the pc on them. */
  load(offset: number, bytes: readonly number[]): void {
    bytes.forEach((byte, i) => this.view.setUint8(this.base + offset + i, byte));
    this.engine.invalidate(this.base + offset, bytes.length);
    this.pc = BigInt(this.base + offset);
  }

  translate(lo: number): number {
    return lo >= this.base && lo < this.#limit ? lo : -1;
  }
  permissions(): number {
    return Permission.read | Permission.write | Permission.execute;
  }
  place(physical: number): number {
    return physical;
  }
  accessFault(): void {}
  misaligned(): void {}
  trap(): Status {
    return Status.leave;
  }
  deviceRead(): boolean {
    return false;
  }
  deviceWrite(): boolean {
    return false;
  }

  decode(place: number, available: number, record: number, offset: number): number {
    const decoded = decodeBytes(this.engine.bytes.subarray(place, place + Math.min(available, MAX_LENGTH)));
    if (decoded === undefined) return 0;
    const { operation, register, operand, length } = decoded;
    const name = operation === 'inc' && this.mode === 1 ? 'dec' : operation;
    const index = bytesIsa.instructions.findIndex((instruction) => instruction.name === name);
    const near = operation === 'branch' && offset + operand >= 0 && offset + operand < 4096;
    const { words } = this.engine;
    words[record >>> 2] = this.#handlers.handler(index, length, near, near && operand <= 0) | (length << 16);
    words[(record >>> 2) + 1] = register * 8;
    if (length > 1) {
      words[(record >>> 2) + 2] = 0;
      words[(record >>> 2) + 3] = near ? operand << recordShift(bytesIsa) : operand;
    }
    return operation === 'stop' || operation === 'mode' ? -length : length;
  }
}
