/**
 * Moves between a register and one place of a device in 64-bit mode, which are most accesses to devices. The processor has told the guest physical
 * address, so that an instruction needs only be decoded once: what is known of it holds as long as its bytes are the same. All else is left to
 * `execute.ts`.
 */
import { Gpr } from '@axvisor/axvisor_api/arch/x86';
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { physMemory } from '@axvisor/axvisor_api/memory';
import { walk } from '../paging.ts';
import { EMULATED, type Emulated, type Local, type Outcome, type TransferExit } from './emulation.ts';
import type { EmulatedCpu, Size } from './machine.ts';
import { truncate } from './machine.ts';

const MAX_LENGTH = 15;
const PAGE = 4096;
/** Instructions that are remembered. */
const KNOWN = 256;

/** No register; RIP. */
const NONE = -1;
const RIP = -2;

/** An instruction. */
interface Move {
  readonly bytes: Uint8Array;
  readonly isLoad: boolean;
  /** Bytes of the place, and of the register that is loaded; whether the sign is extended. */
  readonly width: AccessWidth;
  readonly size: Size;
  readonly isSigned: boolean;
  readonly reg: number;
  readonly rex: boolean;
  /** What is stored; absent: the register. */
  readonly immediate: bigint | undefined;
  /** The place: base + index * 2^scale + displacement. */
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
}

/** By opcode: loads; the place's size if the opcode has it; whether the sign is extended. 0x0f00 more for the two-byte map. */
const OPCODES: Readonly<Record<number, { readonly isLoad: boolean; readonly width?: AccessWidth; readonly isSigned?: true; readonly immediate?: true; readonly extends?: true }>> = {
  0x88: { isLoad: false, width: 1 }, 0x89: { isLoad: false }, 0x8a: { isLoad: true, width: 1 }, 0x8b: { isLoad: true },
  0xc6: { isLoad: false, width: 1, immediate: true }, 0xc7: { isLoad: false, immediate: true },
  0x0fb6: { isLoad: true, width: 1, extends: true }, 0x0fb7: { isLoad: true, width: 2, extends: true },
  0x0fbe: { isLoad: true, width: 1, extends: true, isSigned: true }, 0x0fbf: { isLoad: true, width: 2, extends: true, isSigned: true },
};

/** Decodes an instruction of 64-bit mode with no prefix but 66 and REX; undefined for what is no such move. */
function decodeMove(code: Uint8Array): Move | undefined {
  let at = 0;
  const byte = (): number => code[at++] ?? 0;
  const signed = (size: number): number => {
    let value = 0;
    for (let i = 0; i < size; i++) value |= byte() << (8 * i);
    return (value << (32 - 8 * size)) >> (32 - 8 * size);
  };
  let next = byte();
  const isShort = next === 0x66;
  if (isShort) next = byte();
  const rex = (next & 0xf0) === 0x40 ? next : 0;
  if (rex !== 0) next = byte();
  const opcode = next === 0x0f ? 0x0f00 | byte() : next;
  const form = OPCODES[opcode];
  if (form === undefined) return undefined;
  const full: Size = (rex & 8) !== 0 ? 8 : isShort ? 2 : 4;
  const modrm = byte();
  const mod = modrm >> 6;
  if (mod === 3) return undefined;
  let base = modrm & 7;
  let index = NONE;
  let scale = 0;
  if (base === 4) {
    const sib = byte();
    scale = sib >> 6;
    index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index === Gpr.RSP) index = NONE;
    base = (sib & 7) === 5 && mod === 0 ? NONE : (sib & 7) | ((rex & 1) << 3);
  } else if (base === 5 && mod === 0) base = RIP;
  else base |= (rex & 1) << 3;
  const displacement = mod === 1 ? signed(1) : mod === 2 || base < 0 ? signed(4) : 0;
  const reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
  const width = form.width ?? full;
  let immediate: bigint | undefined;
  if (form.immediate === true) {
    if ((reg & 7) !== 0) return undefined;
    immediate = truncate(BigInt(signed(Math.min(width, 4))), width);
  }
  if (at > code.length) return undefined;
  return { bytes: code.slice(0, at), isLoad: form.isLoad, width, size: form.extends === true ? full : width, isSigned: form.isSigned === true, reg, rex: rex !== 0, immediate, base, index, scale, displacement };
}

/** Instructions by where their first bytes lie in the host's memory; undefined: it is no move. */
export class Moves {
  readonly #known = new Map<number, Move | undefined>();

  /**
   * The move that accesses `gpa`, as far as that can be known by the processor's word alone; undefined if another way must be gone.
   *
   * @param write - what the access was.
   */
  at(cpu: EmulatedCpu, gpa: bigint, write: boolean, local: Local): Emulated | undefined {
    const { guest, memory } = cpu;
    if (!cpu.mode.long) return undefined;
    const rip = guest.low('rip');
    if ((rip & (PAGE - 1)) + MAX_LENGTH > PAGE) return undefined;
    const gpaOfCode = walk(guest, memory, rip, Number(BigInt.asIntN(32, guest.get('rip') >> 32n)), { write: false, fetch: true, user: cpu.cpl === 3 });
    const place = gpaOfCode < 0 ? -1 : memory.place(gpaOfCode, false);
    const move = place < 0 ? undefined : this.#decoded(place);
    if (move === undefined || move.isLoad === write) return undefined;
    const offset = Number(BigInt.asUintN(12, gpa));
    if (offset + move.width > PAGE || ((addressOf(cpu, move, rip) ^ offset) & (PAGE - 1)) !== 0) return undefined;
    return new DeviceMove(cpu, move, gpa, local);
  }

  #decoded(place: number): Move | undefined {
    const { bytes } = physMemory();
    const known = this.#known.get(place);
    if (known !== undefined && isAt(bytes, place, known.bytes)) return known;
    const move = decodeMove(bytes.slice(place, place + MAX_LENGTH));
    if (this.#known.size === KNOWN) this.#known.clear();
    this.#known.set(place, move);
    return move;
  }
}

function isAt(memory: Uint8Array, place: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (memory[place + i] !== bytes[i]) return false;
  return true;
}

/** Low half of the address that an instruction computes: that it is where the processor saw the access tells that this is all of it. */
function addressOf(cpu: EmulatedCpu, { base, index, scale, displacement, bytes }: Move, rip: number): number {
  const low = (register: number): number => (register === Gpr.RSP ? cpu.guest.low('rsp') : cpu.context.low(register));
  let address = displacement;
  if (base === RIP) address += rip + bytes.length;
  else if (base !== NONE) address += low(base);
  if (index !== NONE) address += low(index) << scale;
  return address;
}

/** A move under way: one transfer. */
class DeviceMove implements Emulated {
  readonly length: number;
  outcome: Outcome = 'running';
  readonly #cpu: EmulatedCpu;
  readonly #move: Move;
  readonly #gpa: bigint;
  readonly #local: Local;
  #begun = false;
  #value = 0n;

  constructor(cpu: EmulatedCpu, move: Move, gpa: bigint, local: Local) {
    this.#cpu = cpu;
    this.#move = move;
    this.#gpa = gpa;
    this.#local = local;
    this.length = move.bytes.length;
  }

  answer(value: bigint): void {
    this.#value = value;
  }

  next(): TransferExit | undefined {
    if (!this.#begun) {
      this.#begun = true;
      const exit = this.#transfer();
      if (exit !== undefined) return exit;
    }
    const { isLoad, isSigned, width, size, reg, rex } = this.#move;
    if (isLoad) {
      const value = isSigned ? BigInt.asIntN(8 * width, this.#value) : truncate(this.#value, width);
      this.#cpu.setOperand(reg, size, rex, value);
    }
    this.outcome = 'done';
    return undefined;
  }

  /** Undefined: it is settled. */
  #transfer(): TransferExit | undefined {
    const { isLoad, width, reg, rex, immediate } = this.#move;
    const gpa = this.#gpa;
    if (isLoad) {
      const value = this.#local({ kind: 'read', gpa, width });
      if (value === undefined) return { reason: 'MmioRead', addr: gpa as GuestPhysAddr, width, reg: EMULATED, regWidth: 8, signedExt: false };
      this.#value = value;
      return undefined;
    }
    const data = immediate ?? this.#cpu.operand(reg, width, rex);
    const isLocal = this.#local({ kind: 'write', gpa, width, data }) !== undefined;
    return isLocal ? undefined : { reason: 'MmioWrite', addr: gpa as GuestPhysAddr, width, data };
  }
}
