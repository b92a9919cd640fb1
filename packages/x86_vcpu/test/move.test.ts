/** Moves that are decoded once do what the emulation of all instructions does, and are not taken for anything else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ExitReason, VmcsField } from '@axvisor/axvisor_api/arch/x86';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { EMULATED } from '../src/emulate/emulation.ts';
import { Moves } from '../src/emulate/move.ts';
import type { X86VCpu } from '../src/vcpu.ts';
import { CODE, withMachine, type Machine } from './fixture.ts';

const F = VmcsField;
const DEVICE = 0x20_0000n;
const RSP = 4;

interface Form {
  readonly opcode: readonly number[];
  readonly isStore: boolean;
  /** Bytes accessed; absent: by the prefixes. */
  readonly width?: number;
  readonly immediate?: true;
}
const FORMS: readonly Form[] = [
  { opcode: [0x88], isStore: true, width: 1 }, { opcode: [0x89], isStore: true }, { opcode: [0x8a], isStore: false, width: 1 }, { opcode: [0x8b], isStore: false },
  { opcode: [0xc6], isStore: true, width: 1, immediate: true }, { opcode: [0xc7], isStore: true, immediate: true },
  { opcode: [0x0f, 0xb6], isStore: false, width: 1 }, { opcode: [0x0f, 0xb7], isStore: false, width: 2 },
  { opcode: [0x0f, 0xbe], isStore: false, width: 1 }, { opcode: [0x0f, 0xbf], isStore: false, width: 2 },
];

interface Instruction {
  readonly bytes: readonly number[];
  readonly registers: readonly bigint[];
  readonly isStore: boolean;
}

const word = (value: bigint): number[] => [0, 8, 16, 24].map((shift) => Number((value >> BigInt(shift)) & 0xffn));

/** An instruction that accesses DEVICE + offset, and registers with which it does; undefined where these cannot be chosen. */
function build(form: Form, o: { offset: number; isShort: boolean; rex: number; mod: number; reg: number; rm: number; sib: number; displacement: number; registers: readonly bigint[] }): Instruction | undefined {
  const registers = [...o.registers];
  const target = DEVICE + BigInt(o.offset);
  const rex = o.rex === 0 ? [] : [0x40 | o.rex];
  const full = (o.rex & 8) !== 0 ? 8 : o.isShort ? 2 : 4;
  const immediate = form.immediate === true ? word(o.registers[0] as bigint).slice(0, Math.min(4, form.width ?? full)) : [];
  const reg = form.immediate === true ? 0 : o.reg;
  const head = [...(o.isShort ? [0x66] : []), ...rex, ...form.opcode, (o.mod << 6) | (reg << 3) | o.rm, ...(o.rm === 4 ? [o.sib] : [])];
  const index = ((o.sib >> 3) & 7) | ((o.rex & 2) << 2);
  const scaled = o.rm === 4 && index !== RSP ? (registers[index] as bigint) << BigInt(o.sib >> 6) : 0n;
  const low = o.rm === 4 ? o.sib & 7 : o.rm;
  const base = low | ((o.rex & 1) << 3);
  if (o.mod === 0 && low === 5) {
    const length = BigInt(head.length + 4 + immediate.length);
    const displacement = o.rm === 4 ? target - scaled : target - CODE - length;
    return displacement === BigInt.asIntN(32, displacement) ? { bytes: [...head, ...word(displacement), ...immediate], registers, isStore: form.isStore } : undefined;
  }
  if (o.rm === 4 && base === index) return undefined;
  const displacement = o.mod === 0 ? 0n : o.mod === 1 ? BigInt.asIntN(8, BigInt(o.displacement)) : BigInt(o.displacement);
  registers[base] = BigInt.asUintN(64, target - scaled - displacement);
  const bytes = o.mod === 0 ? [] : o.mod === 1 ? [o.displacement & 0xff] : word(displacement);
  return { bytes: [...head, ...bytes, ...immediate], registers, isStore: form.isStore };
}

/** Carries it out: the transfers and all registers. @param gpa - what the processor says was accessed. */
function access(m: Machine, { bytes, registers, isStore }: Instruction, gpa: bigint, value: bigint): readonly unknown[] {
  m.code(...bytes);
  registers.forEach((register, i) => m.vcpu.setGpr(i, register));
  const fault: AxVCpuExitReason = m.run((cpu) => {
    cpu.exit(ExitReason.eptViolation, (isStore ? 2 : 1) | 0x180);
    cpu.setField(F.guestPhysicalAddress, gpa);
  });
  expect(fault.reason).toBe('NestedPageFault');
  const log: unknown[] = [];
  for (let exit = m.vcpu.decodeMmio(); exit?.reason === 'MmioRead' || exit?.reason === 'MmioWrite'; exit = m.run() as typeof exit) {
    log.push(exit.reason, exit.addr, exit.width, exit.reason === 'MmioWrite' ? exit.data : undefined);
    if (exit.reason === 'MmioRead') m.vcpu.setGpr(EMULATED, value);
  }
  return [...log, ...Array.from({ length: 16 }, (_, i) => m.vcpu.getGpr(i)), m.cpu.field(F.guestRip)];
}

const quad = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test('the address of the fault leads to the same transfers and registers as the address of the operand', () => {
  withMachine((m) => {
    let moves = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...FORMS),
        fc.record({
          offset: fc.nat(0xff0), isShort: fc.boolean(), rex: fc.nat(15), mod: fc.nat(2), reg: fc.nat(7), rm: fc.nat(7), sib: fc.nat(255),
          displacement: fc.integer({ min: -0x8000, max: 0x7fff }), registers: fc.array(quad, { minLength: 16, maxLength: 16 }),
        }),
        quad,
        (form, operands, value) => {
          const instruction = build(form, operands);
          if (instruction === undefined) return;
          const gpa = DEVICE + BigInt(operands.offset);
          m.code(...instruction.bytes);
          instruction.registers.forEach((register, i) => m.vcpu.setGpr(i, register));
          const cpu = (m.vcpu as X86VCpu).cpu();
          expect(new Moves().at(cpu, gpa, instruction.isStore, () => undefined)).toBeDefined();
          // Somewhere else, and the other kind of access, is another instruction's.
          expect(new Moves().at(cpu, gpa ^ 1n, instruction.isStore, () => undefined)).toBeUndefined();
          expect(new Moves().at(cpu, gpa, !instruction.isStore, () => undefined)).toBeUndefined();
          expect(access(m, instruction, gpa, value)).toEqual(access(m, instruction, gpa ^ 1n, value));
          moves++;
        },
      ),
      { numRuns: 300 },
    );
    expect(moves).toBeGreaterThan(150);
  }, 64);
});

test('what is known of an instruction holds while its bytes are the same', () => {
  withMachine((m) => {
    const cpu = (m.vcpu as X86VCpu).cpu();
    const moves = new Moves();
    const length = (...bytes: number[]): number | undefined => {
      m.code(...bytes);
      m.vcpu.setGpr(3, DEVICE);
      return moves.at(cpu, DEVICE, false, () => undefined)?.length;
    };
    expect(length(0x8b, 0x03)).toBe(2);
    expect(length(0x48, 0x8b, 0x03)).toBe(3);
    // A prefix, an operand in a register, arithmetic.
    for (const bytes of [[0x64, 0x8b, 0x03], [0x8b, 0xc3], [0x03, 0x03], [0xf0, 0x87, 0x03]]) expect(length(...bytes)).toBeUndefined();
    expect(length(0x8b, 0x03)).toBe(2);
  }, 64);
});
