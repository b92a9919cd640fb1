/** What Arm's PrimeCell peripherals have in common: 32-bit registers in 4 KiB, with identification registers at the end (e.g. DDI 0183, 3.3.15). */
import type { AccessWidth, Device, DeviceRegion, DeviceSpec, FdtNode } from '@axvisor/axvisor_api/device';
import { deviceName, mmioRegion } from './model.ts';

/** Bytes of its registers. */
export const PRIMECELL_SIZE = 0x1000n;

/** UARTPeriphID0 … 3 and UARTPCellID0 … 3, and their like: one byte in each word. */
const ID_BASE = 0xfe0;
const CELL_ID = [0x0d, 0xf0, 0x05, 0xb1] as const;
const DESIGNER_ARM = 0x41;

/** Which PrimeCell it is. */
export interface PrimecellKind {
  /** E.g. `pl011`: the model, and with `arm,` the device-tree binding. */
  readonly model: string;
  /** Twelve bits of the peripheral ID. */
  readonly part: number;
  /** Four bits of the peripheral ID. */
  readonly revision: number;
  /** Name of its device-tree node. */
  readonly node: string;
  /** Its clocks, by the names of the binding. */
  readonly clocks: readonly string[];
  readonly properties?: FdtNode['properties'];
}

/** A PrimeCell on the bus: accesses of any width to registers that are words. */
export abstract class Primecell implements Device {
  readonly name: string;
  readonly model: string;
  readonly regions: readonly DeviceRegion[];
  readonly fdt: FdtNode;
  readonly #ids: readonly number[];

  constructor(spec: DeviceSpec, { model, part, revision, node, clocks, properties }: PrimecellKind) {
    this.name = deviceName(spec, node);
    this.model = model;
    this.regions = [mmioRegion(spec, PRIMECELL_SIZE)];
    this.fdt = { node, compatible: [`arm,${model}`, 'arm,primecell'], properties: { 'clock-names': clocks, ...properties } };
    this.#ids = [part & 0xff, ((DESIGNER_ARM & 0xf) << 4) | (part >> 8), (revision << 4) | (DESIGNER_ARM >> 4), 0, ...CELL_ID];
  }

  /** The register at `offset`, a multiple of 4, as 32 bits; 0 where there is none. */
  protected abstract readWord(offset: number): number;
  protected abstract writeWord(offset: number, value: number): void;
  abstract reset(): void;

  read(offset: number): bigint {
    const word = offset >= ID_BASE ? (this.#ids[(offset - ID_BASE) >> 2] ?? 0) : this.readWord(offset & ~3);
    return BigInt((word >>> 0) >>> (8 * (offset & 3)));
  }

  /** The bytes of a register above its lowest cannot be written alone. */
  write(offset: number, _width: AccessWidth, value: bigint): void {
    if ((offset & 3) === 0 && offset < ID_BASE) this.writeWord(offset, Number(value & 0xffff_ffffn));
  }
}
