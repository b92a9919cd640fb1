/** The redistributors' registers, GICR_*: two frames of 64 KiB for each CPU (GIC specification IHI 0069, 12.11). */
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import type { AccessWidth, DeviceRegion } from '@axvisor/axvisor_api/device';
import { BankRegisters } from './bank_registers.ts';
import type { GicCore, RegisterFile } from './core.ts';
import { PRIVATE, type GicCpu } from './cpu.ts';
import { IIDR, pidr2 } from './distributor.ts';

/** RD_base and SGI_base. */
export const REDISTRIBUTOR_STRIDE = 0x2_0000;
const SGI_BASE = 0x1_0000;

const GICR = {
  CTLR: 0x0, IIDR: 0x4, TYPER: 0x8, WAKER: 0x14, PROPBASER: 0x70, PENDBASER: 0x78, PIDR2: 0xffe8,
} as const;

/** GICR_TYPER: PLPIS, Last, Processor_Number 23:8, Affinity_Value 63:32. */
const TYPER = { plpis: 1n, last: 1n << 4n, numberShift: 8n, affinityShift: 32n } as const;
/** GICR_WAKER: ProcessorSleep and, following it, ChildrenAsleep. */
const WAKER = { sleep: 2, asleep: 4 } as const;
const CTLR_ENABLE_LPIS = 1;

/** A 64-bit register of a redistributor. */
interface Wide {
  readonly get: (cpu: GicCpu) => bigint;
  readonly set?: (cpu: GicCpu, value: bigint) => void;
}

export class Redistributors implements RegisterFile {
  readonly name: string;
  readonly model = 'gicv3-redistributor';
  readonly regions: readonly DeviceRegion[];
  readonly #core: GicCore;
  readonly #wide: ReadonlyMap<number, Wide>;
  readonly #banks: readonly BankRegisters[];

  constructor(core: GicCore, base: bigint) {
    this.#core = core;
    this.name = `gicr@${base.toString(16)}`;
    this.regions = [{ space: 'mmio', range: rangeFromStartSize(gpa(base), BigInt(REDISTRIBUTOR_STRIDE * core.cpus.length)) }];
    this.#banks = core.cpus.map((cpu) => new BankRegisters((intid) => (intid < PRIVATE ? { bank: cpu.bank, i: intid } : undefined)));
    this.#wide = new Map<number, Wide>([
      [GICR.TYPER, { get: (cpu) => this.#typer(cpu) }],
      [GICR.PROPBASER, { get: ({ lpis }) => lpis?.propbaser ?? 0n, set: ({ lpis }, value) => lpis?.setPropbaser(value) }],
      [GICR.PENDBASER, { get: ({ lpis }) => lpis?.readPendbaser() ?? 0n, set: ({ lpis }, value) => lpis?.setPendbaser(value) }],
    ]);
  }

  read(offset: number, width: AccessWidth): bigint {
    const cpu = this.#core.cpus[Math.floor(offset / REDISTRIBUTOR_STRIDE)];
    const register = offset % REDISTRIBUTOR_STRIDE;
    if (cpu === undefined) return 0n;
    const wide = this.#halfOf(register, width);
    if (wide !== undefined) return (wide.register.get(cpu) & wide.mask) >> wide.shift;
    if (register >= SGI_BASE) {
      const banks = this.#banks[cpu.index];
      return banks?.covers(register - SGI_BASE) === true ? BigInt(banks.read(register - SGI_BASE, width) >>> 0) : 0n;
    }
    return width === 4 ? BigInt(this.#read(cpu, register) >>> 0) : 0n;
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    const cpu = this.#core.cpus[Math.floor(offset / REDISTRIBUTOR_STRIDE)];
    const register = offset % REDISTRIBUTOR_STRIDE;
    if (cpu === undefined) return;
    const wide = this.#halfOf(register, width);
    const narrow = Number(BigInt.asUintN(32, value));
    if (wide !== undefined) {
      const { get, set } = wide.register;
      // The half that is not written keeps its value.
      set?.(cpu, (get(cpu) & ~wide.mask) | ((value << wide.shift) & wide.mask));
    } else if (register >= SGI_BASE) {
      const banks = this.#banks[cpu.index];
      if (banks?.covers(register - SGI_BASE) !== true) return;
      banks.write(register - SGI_BASE, width, narrow);
    } else if (width === 4) this.#write(cpu, register, narrow);
    this.#core.update();
  }

  /** A 64-bit register whole, or one half of it. */
  #halfOf(register: number, width: AccessWidth): { readonly register: Wide; readonly mask: bigint; readonly shift: bigint } | undefined {
    const wide = this.#wide.get(register & ~7);
    if (wide === undefined || width < 4 || (register & (width - 1)) !== 0) return undefined;
    const shift = BigInt(8 * (register & 4));
    return { register: wide, mask: (width === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn) << shift, shift };
  }

  #typer({ index, affinity, lpis }: GicCpu): bigint {
    // Aff3 in 31:24, as the register has it.
    const value = ((affinity >> 8n) & 0xff00_0000n) | (affinity & 0xff_ffffn);
    return (
      (lpis === undefined ? 0n : TYPER.plpis) |
      (index === this.#core.cpus.length - 1 ? TYPER.last : 0n) |
      (BigInt(index) << TYPER.numberShift) |
      (value << TYPER.affinityShift)
    );
  }

  #read(cpu: GicCpu, register: number): number {
    switch (register) {
      case GICR.CTLR:
        return cpu.lpis?.enabled === true ? CTLR_ENABLE_LPIS : 0;
      case GICR.IIDR:
        return IIDR;
      case GICR.WAKER:
        return cpu.asleep ? WAKER.sleep | WAKER.asleep : 0;
      case GICR.PIDR2:
        return pidr2(3);
      default:
        return 0;
    }
  }

  #write(cpu: GicCpu, register: number, value: number): void {
    if (register === GICR.CTLR) cpu.lpis?.enable((value & CTLR_ENABLE_LPIS) !== 0);
    else if (register === GICR.WAKER) cpu.asleep = (value & WAKER.sleep) !== 0;
  }
}
