/** A PCI function of type 0 (PCI Local Bus Specification 3.0, chapter 6): configuration header, base address registers, capabilities. */
import type { AccessWidth, PciFunction } from '@axvisor/axvisor_api/device';

/** Offsets in the header (figure 6-1). */
export const PciReg = {
  vendor: 0x00, device: 0x02, command: 0x04, status: 0x06, revision: 0x08, classCode: 0x09, headerType: 0x0e, bar0: 0x10, subsystemVendor: 0x2c,
  subsystem: 0x2e, capabilities: 0x34, interruptLine: 0x3c, interruptPin: 0x3d,
} as const;

export const Command = { io: 1, memory: 2, master: 4, intxDisable: 0x400 } as const;
const COMMAND_WRITABLE = 0x0547;
const Status = { interrupt: 0x08, capabilities: 0x10 } as const;

const BAR_64BIT = 4;
const CONFIG_SIZE = 0x100;

/** The memory behind a base address register. */
export interface PciBar {
  /** 0 to 4; it takes two registers. */
  readonly index: number;
  /** A power of two from 16. */
  readonly size: bigint;
  read(offset: number, width: AccessWidth): bigint;
  write(offset: number, width: AccessWidth, value: bigint): void;
}

/** A capability: what follows its ID and link. */
export interface PciCapability {
  readonly id: number;
  /** Bytes from offset 2 on. */
  readonly body: Uint8Array;
  /** Bits of the body that the guest may write. Default: none. */
  readonly writable?: Uint8Array;
  /** Reads bytes that are not just memory: `offset` from the start of the capability. */
  read?(offset: number, width: 1 | 2 | 4): number | undefined;
  /** After a write to the capability. */
  written?(offset: number, width: 1 | 2 | 4): void;
}

export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  /** Base class, sub-class, programming interface. */
  readonly classCode: number;
  readonly revision: number;
  /** 1 to 4 for INTA to INTD, 0 for none. */
  readonly interruptPin: number;
  /** What firmware writes to the interrupt line register. */
  readonly interruptLine?: number;
}

interface PlacedCapability {
  readonly at: number;
  readonly capability: PciCapability;
}

export class PciEndpoint implements PciFunction {
  readonly slot: number;
  readonly function = 0;
  readonly bars: readonly PciBar[];
  readonly #config = new Uint8Array(CONFIG_SIZE);
  readonly #view = new DataView(this.#config.buffer);
  readonly #initial: Uint8Array;
  readonly #writable = new Uint8Array(CONFIG_SIZE);
  readonly #capabilities: PlacedCapability[] = [];
  /** Called when what the command register says has changed. */
  onCommand: () => void = () => {};

  constructor(slot: number, identity: PciIdentity, bars: readonly PciBar[], capabilities: readonly PciCapability[]) {
    this.slot = slot;
    this.bars = bars;
    const view = this.#view;
    view.setUint16(PciReg.vendor, identity.vendor, true);
    view.setUint16(PciReg.device, identity.device, true);
    view.setUint32(PciReg.revision, ((identity.classCode << 8) | identity.revision) >>> 0, true);
    view.setUint16(PciReg.subsystemVendor, identity.subsystemVendor, true);
    view.setUint16(PciReg.subsystem, identity.subsystem, true);
    view.setUint8(PciReg.interruptPin, identity.interruptPin);
    view.setUint8(PciReg.interruptLine, identity.interruptLine ?? 0);
    const writable = new DataView(this.#writable.buffer);
    writable.setUint16(PciReg.command, COMMAND_WRITABLE, true);
    // Cache line size and latency timer are memory to a device without a bus.
    writable.setUint16(0x0c, 0xffff, true);
    writable.setUint8(PciReg.interruptLine, 0xff);
    for (const bar of bars) {
      view.setUint32(PciReg.bar0 + 4 * bar.index, BAR_64BIT, true);
      writable.setBigUint64(PciReg.bar0 + 4 * bar.index, BigInt.asUintN(64, -bar.size), true);
    }
    this.#addCapabilities(capabilities);
    this.#initial = this.#config.slice();
  }

  #addCapabilities(capabilities: readonly PciCapability[]): void {
    let link: number = PciReg.capabilities;
    let at = 0x40;
    for (const capability of capabilities) {
      this.#view.setUint16(PciReg.status, this.#view.getUint16(PciReg.status, true) | Status.capabilities, true);
      this.#config[link] = at;
      this.#config[at] = capability.id;
      this.#config.set(capability.body, at + 2);
      if (capability.writable !== undefined) this.#writable.set(capability.writable, at + 2);
      this.#capabilities.push({ at, capability });
      link = at + 1;
      at += (capability.body.length + 2 + 3) & ~3;
    }
  }

  reset(): void {
    this.#config.set(this.#initial);
    this.onCommand();
  }

  get command(): number {
    return this.#view.getUint16(PciReg.command, true);
  }

  /** The interrupt status bit: INTx is asked for, whether or not it is disabled. */
  setInterruptStatus(level: boolean): void {
    const status = this.#view.getUint16(PciReg.status, true);
    this.#view.setUint16(PciReg.status, level ? status | Status.interrupt : status & ~Status.interrupt, true);
  }

  /** The bytes of the capability at place `index`, to read what the guest wrote. */
  capability(index: number): DataView {
    const { at, capability } = this.#capabilities[index] as PlacedCapability;
    return new DataView(this.#config.buffer, at, capability.body.length + 2);
  }

  assign(index: number, address: bigint): void {
    const at = PciReg.bar0 + 4 * index;
    new DataView(this.#initial.buffer).setBigUint64(at, address | BigInt(BAR_64BIT), true);
    this.#view.setBigUint64(at, address | BigInt(BAR_64BIT), true);
  }

  configRead(offset: number, width: 1 | 2 | 4): number {
    if (offset + width > CONFIG_SIZE) return 0;
    const found = this.#capabilityAt(offset);
    const special = found?.capability.read?.(offset - found.at, width);
    if (special !== undefined) return special;
    return width === 1 ? this.#view.getUint8(offset) : width === 2 ? this.#view.getUint16(offset, true) : this.#view.getUint32(offset, true);
  }

  configWrite(offset: number, width: 1 | 2 | 4, value: number): void {
    if (offset + width > CONFIG_SIZE) return;
    for (let i = 0; i < width; i++) {
      const mask = this.#writable[offset + i] as number;
      this.#config[offset + i] = ((this.#config[offset + i] as number) & ~mask) | ((value >>> (8 * i)) & mask);
    }
    if (offset < PciReg.status) this.onCommand();
    const found = this.#capabilityAt(offset);
    found?.capability.written?.(offset - found.at, width);
  }

  #capabilityAt(offset: number): PlacedCapability | undefined {
    return this.#capabilities.find(({ at, capability }) => offset >= at && offset < at + capability.body.length + 2);
  }

  read(address: bigint, width: AccessWidth): bigint | undefined {
    const hit = this.#decode(address, width);
    return hit?.bar.read(hit.offset, width);
  }

  write(address: bigint, width: AccessWidth, value: bigint): boolean {
    const hit = this.#decode(address, width);
    hit?.bar.write(hit.offset, width, value);
    return hit !== undefined;
  }

  #decode(address: bigint, width: AccessWidth): { readonly bar: PciBar; readonly offset: number } | undefined {
    if ((this.command & Command.memory) === 0) return undefined;
    for (const bar of this.bars) {
      const base = this.#view.getBigUint64(PciReg.bar0 + 4 * bar.index, true) & ~15n;
      if (address >= base && address + BigInt(width) <= base + bar.size) return { bar, offset: Number(address - base) };
    }
    return undefined;
  }
}
