/** The distributor's registers, GICD_* (GIC specification IHI 0069, 12.9; GICv2: IHI 0048, 4.3). */
import type { AccessWidth, DeviceRegion } from '@axvisor/axvisor_api/device';
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import { BankRegisters } from './bank_registers.ts';
import type { GicCore, RegisterFile } from './core.ts';
import { PRIVATE, SGIS } from './cpu.ts';
import { LPI_ID_BITS } from './lpis.ts';

const GICD = {
  CTLR: 0x0, TYPER: 0x4, IIDR: 0x8, ITARGETSR: 0x800, ITARGETSR_END: 0xc00, SGIR: 0xf00, CPENDSGIR: 0xf10, SPENDSGIR: 0xf20, SGI_END: 0xf30,
  IROUTER: 0x6000, IROUTER_END: 0x8000, PIDR2_V2: 0xfe8, PIDR2_V3: 0xffe8,
} as const;

export const DISTRIBUTOR_SIZE: { readonly 2: bigint; readonly 3: bigint } = { 2: 0x1000n, 3: 0x1_0000n };

/** Implementer Arm (JEP106), product "A". */
export const IIDR = 0x4100_043b;
/** GICD_CTLR of GICv3 with one security state: DS and ARE are always 1. */
const CTLR_DS_ARE = 0x50;
/** GICD_TYPER of GICv3: A3V, RSS, IDbits; LPIS with an ITS. */
const TYPER = { a3v: 1 << 24, rss: 1 << 26, lpis: 1 << 17, idBitsShift: 19 } as const;
/** Peripheral identification 2: the architecture revision in bits 7:4. */
export const pidr2 = (version: 2 | 3): number => (version << 4) | 0xb;
/** IROUTER: Interrupt_Routing_Mode, Aff3, Aff2 … Aff0. */
const ROUTE = 0xff_80ff_ffffn;

/** TargetListFilter of GICD_SGIR. */
const Filter = { list: 0, others: 1, self: 2 } as const;

export class Distributor implements RegisterFile {
  readonly name: string;
  readonly model: string;
  readonly regions: readonly DeviceRegion[];
  readonly #core: GicCore;
  readonly #banks: BankRegisters;
  readonly #typer: number;

  constructor(core: GicCore, base: bigint, withLpis: boolean) {
    this.#core = core;
    this.model = `gicv${core.version}`;
    this.name = `intc@${base.toString(16)}`;
    this.regions = [{ space: 'mmio', range: rangeFromStartSize(gpa(base), DISTRIBUTOR_SIZE[core.version]) }];
    const isV2 = core.version === 2;
    const lines = Math.ceil((PRIVATE + core.spis.count) / 32) - 1;
    this.#typer = isV2
      ? lines | ((core.cpus.length - 1) << 5)
      : lines | TYPER.a3v | TYPER.rss | ((withLpis ? LPI_ID_BITS - 1 : 9) << TYPER.idBitsShift) | (withLpis ? TYPER.lpis : 0);
    // With affinity routing the private interrupts are in the redistributors.
    this.#banks = new BankRegisters((intid) => (isV2 || intid >= PRIVATE ? core.find(core.currentCpu, intid) : undefined), { firstPendable: isV2 ? SGIS : 0 });
  }

  /** Registers are 32 bits wide, IROUTER 64; priorities, targets and pending SGIs may be accessed by the byte. Other accesses read 0 and write nothing. */
  read(offset: number, width: AccessWidth): bigint {
    const routes = this.#routerOf(offset, width);
    if (routes !== undefined) return routes.value;
    return BigInt(this.#read(offset, width) >>> 0);
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    const route = this.#routerOf(offset, width);
    if (route !== undefined) route.set(value);
    else if (!this.#write(offset, width, Number(BigInt.asUintN(32, value)))) return;
    this.#core.update();
  }

  #read(offset: number, width: AccessWidth): number {
    const core = this.#core;
    if (this.#banks.covers(offset)) return this.#banks.read(offset, width);
    if (core.version === 2 && offset >= GICD.ITARGETSR && offset < GICD.SGI_END && !(offset >= GICD.ITARGETSR_END && offset < GICD.CPENDSGIR)) return this.#bytes(offset, width);
    if (width !== 4) return 0;
    switch (offset) {
      case GICD.CTLR:
        return (core.version === 3 ? CTLR_DS_ARE : 0) | core.groups;
      case GICD.TYPER:
        return this.#typer;
      case GICD.IIDR:
        return IIDR;
      case core.version === 2 ? GICD.PIDR2_V2 : GICD.PIDR2_V3:
        return pidr2(core.version);
      default:
        return 0;
    }
  }

  /** Whether anything may have changed. */
  #write(offset: number, width: AccessWidth, value: number): boolean {
    const core = this.#core;
    if (this.#banks.covers(offset)) this.#banks.write(offset, width, value);
    else if (offset === GICD.CTLR && width === 4) core.groups = value;
    else if (core.version !== 2) return false;
    else if (offset === GICD.SGIR && width === 4) this.#generate(value);
    else {
      for (let n = 0; n < Math.min(width, 4); n++) this.#writeByte(offset + n, (value >>> (8 * n)) & 0xff);
    }
    return true;
  }

  // ── GICv3: routing by affinity ──

  /** IROUTER<n> at `offset`, whole or one half. */
  #routerOf(offset: number, width: AccessWidth): { readonly value: bigint; readonly set: (value: bigint) => void } | undefined {
    const { routes, version } = this.#core;
    if (version !== 3 || offset < GICD.IROUTER || offset >= GICD.IROUTER_END || width < 4 || (offset & (width - 1)) !== 0) return undefined;
    const i = ((offset - GICD.IROUTER) >> 3) - PRIVATE;
    const shift = BigInt(8 * (offset & 4));
    const mask = (width === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn) << shift;
    const old = routes[i] ?? 0n;
    return {
      value: (old & mask) >> shift,
      set: (value) => {
        if (i >= 0 && i < routes.length) routes[i] = ((old & ~mask) | ((value << shift) & mask)) & ROUTE;
      },
    };
  }

  // ── GICv2: targets and SGIs ──

  #bytes(offset: number, width: AccessWidth): number {
    let value = 0;
    for (let n = 0; n < Math.min(width, 4); n++) value += this.#readByte(offset + n) * 2 ** (8 * n);
    return value;
  }

  #readByte(offset: number): number {
    const core = this.#core;
    if (offset < GICD.ITARGETSR_END) {
      const intid = offset - GICD.ITARGETSR;
      return intid < PRIVATE ? 1 << core.currentCpu.index : Number(core.routes[intid - PRIVATE] ?? 0n);
    }
    return core.currentCpu.sgiSources[(offset - GICD.CPENDSGIR) & (SGIS - 1)] as number;
  }

  #writeByte(offset: number, value: number): void {
    const core = this.#core;
    if (offset >= GICD.ITARGETSR && offset < GICD.ITARGETSR_END) {
      const i = offset - GICD.ITARGETSR - PRIVATE;
      if (i >= 0 && i < core.routes.length) core.routes[i] = BigInt(value & (2 ** core.cpus.length - 1));
    } else if (offset >= GICD.CPENDSGIR && offset < GICD.SGI_END) {
      const cpu = core.currentCpu;
      const intid = (offset - GICD.CPENDSGIR) & (SGIS - 1);
      const sources = cpu.sgiSources[intid] as number;
      cpu.sgiSources[intid] = offset >= GICD.SPENDSGIR ? sources | value : sources & ~value;
      cpu.bank.setLatch(intid, cpu.sgiSources[intid] !== 0);
    }
  }

  /** GICD_SGIR: TargetListFilter 25:24, CPUTargetList 23:16, SGIINTID 3:0. */
  #generate(value: number): void {
    const core = this.#core;
    const source = core.currentCpu;
    const filter = (value >>> 24) & 3;
    const list = filter === Filter.list ? (value >>> 16) & 0xff : filter === Filter.others ? ~(1 << source.index) : filter === Filter.self ? 1 << source.index : 0;
    for (const cpu of core.cpus) if (((list >> cpu.index) & 1) === 1) core.sendSgi(cpu, value & (SGIS - 1), undefined, source.index);
  }
}
