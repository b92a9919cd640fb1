/** Moves between vector registers and devices: MMX's, SSE's, and their AVX forms of 16 and 32 bytes (SDM vol. 2, MOVUPS, MOVDQU, MOVQ, MOVLPS and their like). */
import type { Instruction } from './decode.ts';
import { truncate, type EmulatedCpu, type Size, type Steps } from './machine.ts';
import { linearOf, modrm, readRm, writeRm, type Definition } from './operands.ts';

interface Move {
  readonly load: boolean;
  /** Bytes; whole registers; a doubleword, or a quadword with REX.W. */
  readonly bytes: 4 | 8 | 'all' | 'word';
  /** The half of the register that 8 bytes are, and the other one stays; else loads clear what they do not fill. */
  readonly half?: 0 | 1;
}
/** By mandatory prefix. */
type Moves = Readonly<Partial<Record<'none' | '66' | 'f3' | 'f2', Move>>>;

const load = (bytes: Move['bytes'], half?: 0 | 1): Move => ({ load: true, bytes, ...(half === undefined ? {} : { half }) });
const store = (bytes: Move['bytes'], half?: 0 | 1): Move => ({ load: false, bytes, ...(half === undefined ? {} : { half }) });
const both = (move: Move): Moves => ({ none: move, 66: move });

const MOVES: Readonly<Record<number, Moves>> = {
  0x0f10: { ...both(load('all')), f3: load(4), f2: load(8) },
  0x0f11: { ...both(store('all')), f3: store(4), f2: store(8) },
  0x0f12: both(load(8, 0)), 0x0f13: both(store(8, 0)), 0x0f16: both(load(8, 1)), 0x0f17: both(store(8, 1)),
  0x0f28: both(load('all')), 0x0f29: both(store('all')), 0x0f2b: both(store('all')),
  0x0f6e: { 66: load('word') },
  0x0f6f: { 66: load('all'), f3: load('all') },
  0x0f7e: { 66: store('word'), f3: load(8) },
  0x0f7f: { 66: store('all'), f3: store('all') },
  0x0fd6: { 66: store(8) },
  0x0fe7: { 66: store('all') },
};

function moveOf({ opcode, repeat, operandPrefix, register, vex }: Instruction): Move | undefined {
  const move = register ? undefined : MOVES[opcode]?.[repeat === 0xf3 ? 'f3' : repeat === 0xf2 ? 'f2' : operandPrefix ? '66' : 'none'];
  // The AVX forms that load half a register take the other one from a third operand.
  return move === undefined || (vex !== 0 && move.load && move.half !== undefined) ? undefined : move;
}

/** Whether the instruction is a move of a vector register; these must be in the context then. */
export const usesVectors = (i: Instruction): boolean => MOVES[i.opcode] !== undefined;

/** MOVD, MOVQ and MOVNTQ of MMX, by opcode: whether they load, and their bytes. */
const MMX: Readonly<Record<number, Move>> = { 0x0f6e: load('word'), 0x0f6f: load(8), 0x0f7e: store('word'), 0x0f7f: store(8), 0x0fe7: store(8) };

function* moveMmx(cpu: EmulatedCpu, i: Instruction, { load: isLoad, bytes }: Move): Steps {
  const { context } = cpu;
  const size = bytes === 8 || i.size === 8 ? 8 : 4;
  const index = i.reg & 7;
  const loaded = isLoad ? yield* readRm(cpu, i, size) : 0n;
  context.beginMmx();
  if (isLoad) context.setMmx(index, loaded);
  else yield* writeRm(cpu, i, size, truncate(context.mmx(index), size));
}

/** The work of a move, undefined for others that are not emulated. */
export function moveVector(cpu: EmulatedCpu, i: Instruction): Steps | undefined {
  const mmx = MMX[i.opcode];
  if (mmx !== undefined && !i.register && i.vex === 0 && i.repeat === 0 && !i.operandPrefix) return moveMmx(cpu, i, mmx);
  const move = moveOf(i);
  if (move === undefined) return undefined;
  const all = i.vex === 0 ? 16 : i.vex;
  const bytes = move.bytes === 'all' ? all : move.bytes === 'word' ? (i.size === 8 ? 8 : 4) : move.bytes;
  return move.load ? loaded(cpu, i, bytes, move.half) : stored(cpu, i, bytes, move.half ?? 0);
}

function* loaded(cpu: EmulatedCpu, i: Instruction, bytes: number, half?: 0 | 1): Steps {
  const { context } = cpu;
  const quads: bigint[] = [0n, 0n, 0n, 0n];
  if (bytes < 8) quads[0] = yield* readRm(cpu, i, bytes as Size);
  else {
    cpu.probe(linearOf(cpu, i), bytes, false);
    for (let q = 0; 8 * q < bytes; q++) quads[q] = yield* cpu.read(truncate(linearOf(cpu, i) + BigInt(8 * q), 8), 8);
  }
  if (half !== undefined) return context.setXmm(i.reg, half, quads[0] as bigint);
  for (const q of [0, 1] as const) {
    context.setXmm(i.reg, q, quads[q] as bigint);
    if (i.vex !== 0) context.setUpper(i.reg, q, quads[2 + q] as bigint);
  }
}

function* stored(cpu: EmulatedCpu, i: Instruction, bytes: number, half: 0 | 1): Steps {
  const { context } = cpu;
  if (bytes <= 8) return yield* writeRm(cpu, i, bytes as Size, truncate(context.xmm(i.reg, half), bytes));
  cpu.probe(linearOf(cpu, i), bytes, true);
  for (let q = 0; 8 * q < bytes; q++) {
    const value = q < 2 ? context.xmm(i.reg, q as 0 | 1) : context.upper(i.reg, (q - 2) as 0 | 1);
    yield* cpu.write(truncate(linearOf(cpu, i) + BigInt(8 * q), 8), 8, value);
  }
}

/** To find their ends; {@link moveVector} does the work. */
export const VECTOR_DEFINITIONS: readonly (readonly [number, Definition])[] = Object.keys(MOVES).map((opcode) => [Number(opcode), modrm(function* () {})] as const);
