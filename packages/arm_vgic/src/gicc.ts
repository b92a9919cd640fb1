/** The CPU interface's registers in memory, GICC_* (GICv2: IHI 0048, 4.4), banked by CPU. */
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import type { AccessWidth, DeviceRegion } from '@axvisor/axvisor_api/device';
import type { GicCore, RegisterFile } from './core.ts';
import type { GicCpu } from './cpu.ts';
import type { CpuInterface } from './cpu_interface.ts';

export const GICC_SIZE = 0x2000n;

/** GICC_IIDR: architecture version 2 in bits 19:16, implementer Arm. */
const IIDR = 0x0002_043b;
/** GICC_CTLR. */
const CTLR = { group0: 1, group1: 2, ackCtl: 4, fiqEn: 8, cbpr: 0x10, eoiMode: 0x200 } as const;
const flag = (condition: boolean, bit: number): number => (condition ? bit : 0);

interface Register {
  readonly name: string;
  readonly read?: (cpu: CpuInterface) => number;
  readonly write?: (cpu: CpuInterface, value: number) => void;
}

const acknowledge = (group: 0 | 1) => (cpu: CpuInterface): number => cpu.acknowledge(group);
const end = (group: 0 | 1) => (cpu: CpuInterface, value: number): void => cpu.end(group, value);

/** By offset. */
const REGISTERS: ReadonlyMap<number, Register> = new Map<number, Register>([
  [0x00, {
    name: 'CTLR',
    read: (c) =>
      flag(c.groupEnabled(0), CTLR.group0) | flag(c.groupEnabled(1), CTLR.group1) | flag(c.ackControl, CTLR.ackCtl) | flag(c.fiqEnable, CTLR.fiqEn) |
      flag(c.commonBinaryPoint, CTLR.cbpr) | flag(c.eoiMode, CTLR.eoiMode),
    write: (c, value) => {
      c.enableGroup(0, (value & CTLR.group0) !== 0);
      c.enableGroup(1, (value & CTLR.group1) !== 0);
      c.ackControl = (value & CTLR.ackCtl) !== 0;
      c.fiqEnable = (value & CTLR.fiqEn) !== 0;
      c.commonBinaryPoint = (value & CTLR.cbpr) !== 0;
      c.eoiMode = (value & CTLR.eoiMode) !== 0;
    },
  }],
  [0x04, { name: 'PMR', read: (c) => c.priorityMask, write: (c, value) => void (c.priorityMask = value) }],
  [0x08, { name: 'BPR', read: (c) => c.binaryPoint(0), write: (c, value) => c.setBinaryPoint(0, value) }],
  [0x0c, { name: 'IAR', read: acknowledge(0) }],
  [0x10, { name: 'EOIR', write: end(0) }],
  [0x14, { name: 'RPR', read: (c) => c.runningPriority }],
  [0x18, { name: 'HPPIR', read: (c) => c.highestPending(0) }],
  [0x1c, { name: 'ABPR', read: (c) => c.binaryPoint(1), write: (c, value) => c.setBinaryPoint(1, value) }],
  [0x20, { name: 'AIAR', read: acknowledge(1) }],
  [0x24, { name: 'AEOIR', write: end(1) }],
  [0x28, { name: 'AHPPIR', read: (c) => c.highestPending(1) }],
  [0xd0, { name: 'APR0', read: (c) => c.activePriorities(0), write: (c, value) => c.setActivePriorities(0, value) }],
  [0xe0, { name: 'NSAPR0', read: (c) => c.activePriorities(1), write: (c, value) => c.setActivePriorities(1, value) }],
  [0xfc, { name: 'IIDR', read: () => IIDR }],
  [0x1000, { name: 'DIR', write: (c, value) => c.deactivate(value) }],
]);

export class Gicc implements RegisterFile {
  readonly name: string;
  readonly model = 'gicv2-cpu-interface';
  readonly regions: readonly DeviceRegion[];
  readonly #core: GicCore;

  constructor(core: GicCore, base: bigint) {
    this.#core = core;
    this.name = `gicc@${base.toString(16)}`;
    this.regions = [{ space: 'mmio', range: rangeFromStartSize(gpa(base), GICC_SIZE) }];
  }

  get #cpu(): GicCpu {
    return this.#core.currentCpu;
  }

  /** Registers are 32 bits wide; other widths read 0 and write nothing. */
  read(offset: number, width: AccessWidth): bigint {
    return width === 4 ? BigInt((REGISTERS.get(offset)?.read?.(this.#cpu.cpuInterface) ?? 0) >>> 0) : 0n;
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    const register = width === 4 ? REGISTERS.get(offset)?.write : undefined;
    if (register === undefined) return;
    register(this.#cpu.cpuInterface, Number(BigInt.asUintN(32, value)));
    this.#core.updateOutput(this.#cpu);
  }
}
