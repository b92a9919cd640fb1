/** A bare hart that executes one floating-point instruction at a time, with its registers set and read from outside. */
import { wasm } from '@axvisor/softcpu';
import { Hart, planHart } from '../../src/hart.ts';
import { formats, registerShift } from '../../src/isa/formats.ts';
import { insns, op } from '../../src/isa/table.ts';
import type { Insn, InsnName } from '../../src/isa/table.ts';
import { FFLAGS, FRM, FS_DIRTY } from '../../src/state.ts';

const PAGES = 256;
const CODE = 0x1000;
export const DATA = 0x8000;
const RAM_BASE = 0x8000_0000;
const RAM_SIZE = 0x10000;
/** Where traps go: mtvec. */
const HANDLER = 0x9000;

/** csrw mtvec, a0; csrs mstatus, a0; csrc mstatus, a0. */
const setup = [0x30551073, 0x30052073, 0x30053073];

/** Registers of the instruction under test, in both files. */
const numbers = { rd: 5, rs1: 6, rs2: 7, rs3: 8 } as const;
export type Source = 'rs1' | 'rs2' | 'rs3';

export interface Outcome {
  readonly rd: bigint;
  readonly flags: number;
  readonly dirty: boolean;
  readonly trapped: boolean;
}

/** Whether a register field of an instruction is a floating-point register. */
export function isFloat(insn: Insn, field: 'rd' | Source): boolean {
  return (formats[insn.format].operands as readonly string[]).includes(`f:${field}`);
}

export class FpMachine {
  readonly hart: Hart;
  readonly #view: DataView;
  readonly #state: number;

  constructor() {
    const limits = { min: PAGES, max: PAGES };
    const memory = new wasm.Memory({ initial: PAGES, maximum: PAGES });
    const plan = planHart(RAM_SIZE, PAGES * 0x10000, 4);
    this.hart = new Hart({ memory, memoryLimits: limits, plan, ram: [{ pa: RAM_BASE, size: RAM_SIZE, offset: 0 }], now: () => 0n });
    this.hart.reset(BigInt(RAM_BASE));
    this.#view = new DataView(memory.buffer);
    this.#state = plan.layout.state;
    // Every instruction with every rm, eight words each.
    insns.forEach((insn, i) => {
      for (let rm = 0; rm < 8; rm++) this.#view.setInt32(CODE + 32 * i + 4 * rm, FpMachine.#encode(insn, rm), true);
    });
    setup.forEach((bits, i) => this.#view.setUint32(4 * i, bits, true));
    this.#execute(0, BigInt(RAM_BASE + HANDLER));
    this.on = true;
  }

  static #encode({ match, format }: Insn, rm: number): number {
    const registers = formats[format].fields.reduce((bits, field) => bits | (numbers[field] << registerShift[field]), match);
    return formats[format].aux === 'rm' ? registers | (rm << 12) : registers;
  }

  /** Executes an instruction of {@link setup}. */
  #execute(index: number, a0: bigint): void {
    this.hart.setReg(10, a0);
    this.hart.pc = BigInt(RAM_BASE + 4 * index);
    this.hart.run(1);
  }

  /** Whether floating point is on: mstatus.FS is Dirty or Off. */
  set on(value: boolean) {
    this.#execute(value ? 1 : 2, 0x6000n);
  }

  /** Executes `name` with static rounding mode or 7, the sources in the register files the instruction reads. */
  run(name: InsnName, rm: number, frm: number, flags: number, sources: Readonly<Partial<Record<Source, bigint>>>): Outcome {
    const { hart } = this;
    const insn = insns[op[name]]!;
    for (const field of ['rs1', 'rs2', 'rs3'] as const) {
      const value = sources[field];
      if (value === undefined) continue;
      if (isFloat(insn, field)) hart.setFreg(numbers[field], value);
      else hart.setReg(numbers[field], value);
    }
    this.#view.setInt32(this.#state + FFLAGS, flags, true);
    this.#view.setInt32(this.#state + FRM, frm, true);
    this.#view.setInt32(this.#state + FS_DIRTY, 0, true);
    const pc = RAM_BASE + CODE + 32 * op[name] + 4 * rm;
    hart.pc = BigInt(pc);
    hart.run(1);
    return {
      rd: isFloat(insn, 'rd') ? hart.freg(numbers.rd) : hart.reg(numbers.rd),
      flags: this.#view.getInt32(this.#state + FFLAGS, true),
      dirty: this.#view.getInt32(this.#state + FS_DIRTY, true) !== 0,
      trapped: hart.pc !== BigInt(pc + 4),
    };
  }

  /** Physical memory of the hart. */
  get memory(): DataView {
    return this.#view;
  }

  get dataAddress(): bigint {
    return BigInt(RAM_BASE + DATA);
  }
}
