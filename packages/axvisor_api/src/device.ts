/** The device contract: what a device is to the bus, and what a virtual machine gives to a device. `@axvisor/axdevice` provides the bus and the models. */
import type { AddrRange, GuestPhysAddr } from './addr.ts';
import type { GuestMemoryAccessor } from './addrspace.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';

/** Width of an access in bytes. */
export type AccessWidth = 1 | 2 | 4 | 8;

/** Where a device answers: guest physical memory (half open), I/O ports or system registers (both inclusive). */
export type DeviceRegion =
  | { readonly space: 'mmio'; readonly range: AddrRange<GuestPhysAddr> }
  | { readonly space: 'port' | 'sysreg'; readonly first: number; readonly last: number };

/** A device on the bus. Whatever a guest does to it, it neither throws nor grows without bound. */
export interface Device {
  /** Unique in its VM, e.g. `serial@10000000`. */
  readonly name: string;
  /** The model, e.g. `ns16550a`. */
  readonly model: string;
  readonly regions: readonly DeviceRegion[];
  /** Reads `width` bytes at `offset` of region `region`; the upper bits of the result are 0. */
  read(offset: number, width: AccessWidth, region: number): bigint;
  write(offset: number, width: AccessWidth, value: bigint, region: number): void;
  /** Power-on state. */
  reset(): void;
  /** Flushes and gives resources back. */
  close?(): Promise<void>;
  /**
   * Offsets of registers in the first region to which writes may arrive late: no guest can tell, as long as they come in the order
   * in which its CPU made them and before that CPU's next other access to a device. For CPUs that are threads of their own.
   */
  readonly posted?: readonly number[];
  /**
   * Registers in the first region that reading does not change: offset, width, and the value that a read has now, `undefined` if
   * it had an effect now.
   */
  readonly latched?: readonly { readonly offset: number; readonly width: AccessWidth; readonly value: () => number | undefined }[];
  /** Properties of its device-tree node beyond compatible, reg and interrupts, for boards that describe themselves so. */
  readonly fdt?: FdtNode;
  /** It is a PCI function: the host bridge on the bus finds it by its configuration space. */
  readonly pci?: PciFunction;
  /** It is a PCI host bridge: takes the functions of the bus. */
  readonly pciHost?: PciHost;
}

/** A PCI host bridge. */
export interface PciHost {
  /** @throws {AxError} AlreadyExists if the place is taken, NoMemory if its base address registers do not fit */
  plug(fn: PciFunction): void;
  unplug(fn: PciFunction): void;
}

/** A PCI function: its configuration space, and what its base address registers decode. */
export interface PciFunction {
  /** Device number, 0 to 31, on bus 0. */
  readonly slot: number;
  /** 0 to 7. */
  readonly function: number;
  /** `offset` 0 to 4095 is aligned to `width`. */
  /** Addresses that its base address registers want. */
  readonly bars: readonly { readonly index: number; readonly size: bigint }[];
  /** Firmware's part: gives BAR `index` an address, also for after a reset. */
  assign(index: number, address: bigint): void;
  configRead(offset: number, width: 1 | 2 | 4): number;
  configWrite(offset: number, width: 1 | 2 | 4, value: number): void;
  /** Reads memory behind a base address register; `undefined`: none that is enabled decodes the address. */
  read(address: bigint, width: AccessWidth): bigint | undefined;
  /** Whether it was decoded. */
  write(address: bigint, width: AccessWidth, value: bigint): boolean;
}

/** Properties of a device-tree node: 32-bit cells, a string, a list of strings, bytes, or present without a value. */
export type FdtProperties = Readonly<Record<string, readonly number[] | string | readonly string[] | Uint8Array | true>>;

/** What a device tells a device tree about itself. */
export interface FdtNode {
  /** Node name without unit address, e.g. `serial`. */
  readonly node: string;
  readonly compatible: readonly string[];
  readonly properties?: FdtProperties;
}

/** A wire from a device to an interrupt controller. */
export interface IrqLine {
  /** The controller's input (PLIC source, GIC INTID, GSI). */
  readonly irq: number;
  /** Level-triggered: asserted as long as `true`. */
  set(level: boolean): void;
}

/** What the virtual machine gives to a device. */
export interface DeviceContext {
  readonly vmId: number;
  /** Guest memory for DMA. */
  readonly memory: GuestMemoryAccessor;
  /** The wire of this device; `undefined` if it has no interrupt. */
  readonly irq: IrqLine | undefined;
  /** Sends a message-signalled interrupt; absent: the machine has none. */
  readonly msi?: (address: bigint, data: number) => void;
  readonly console: ConsolePort;
  /** The guest asks for power-off, reset, or reports a result (test devices). */
  requestPower(action: 'poweroff' | 'reset', code: number): void;
  /** Registers what happens when somebody presses (and lets go of) the machine's power button; absent: there is none. */
  readonly onPowerButton?: (listener: (pressed: boolean) => void) => void;
  /** Opens or closes the gate of address line 20 of a PC, from the processors' next access on; absent: the machine has none. */
  readonly setA20?: (open: boolean) => void;
  /** Schedules work outside the guest's access (disk I/O). It runs on the VM's thread before the guest goes on. */
  defer(work: () => void): void;
}

/** The guest side of a console. */
export interface ConsolePort {
  /** Bytes the guest sent. */
  write(bytes: Uint8Array): void;
  /** Takes at most `max` typed bytes. */
  read(max: number): Uint8Array;
  /** Called when bytes are waiting. */
  onInput(listener: () => void): void;
}

/** A disk, network interface … behind a virtio device: the host side. */
export interface BlockBackend {
  /** 512-byte sectors. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** Reads `into.length` bytes (a multiple of 512) from `sector`. @throws Error on host I/O failure */
  read(sector: number, into: Uint8Array): void;
  write(sector: number, from: Uint8Array): void;
  flush(): void;
  close(): void;
}

/** A device to be made: the model and where it goes. */
export interface DeviceSpec {
  readonly model: string;
  readonly name?: string;
  /** GPA, port, or PCI device number. */
  readonly base: bigint;
  readonly size?: bigint;
  /** 0: none. */
  readonly irq: number;
  /** The model's options (validated by the model). */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly block?: BlockBackend;
}

/** A device model, for `axvisor devices`. */
export interface DeviceModel {
  readonly model: string;
  readonly summary: string;
  /** Default size of its MMIO region. */
  readonly size: bigint;
  readonly options: readonly { readonly name: string; readonly summary: string }[];
}

/** A bus: devices by address. */
export interface DeviceBus {
  /** @throws {AxError} AlreadyExists naming both devices if regions overlap */
  add(device: Device): void;
  /** @throws {AxError} NotFound */
  remove(name: string): void;
  devices(): readonly Device[];
  /** How often each device was read or written, by name. */
  accesses(): Readonly<Record<string, number>>;
  /** The value, or `undefined` if nobody answers there. */
  mmioRead(address: GuestPhysAddr, width: AccessWidth): bigint | undefined;
  /** Whether somebody answered. */
  mmioWrite(address: GuestPhysAddr, width: AccessWidth, value: bigint): boolean;
  portRead(port: number, width: AccessWidth): bigint | undefined;
  portWrite(port: number, width: AccessWidth, value: bigint): boolean;
  sysRegRead(register: number): bigint | undefined;
  sysRegWrite(register: number, value: bigint): boolean;
  reset(): void;
}

/** The functions of the `device` API. */
export interface Devices {
  createBus(): DeviceBus;
  /** @throws {AxError} NotFound for an unknown model, InvalidInput for bad options */
  createDevice(spec: DeviceSpec, context: DeviceContext): Device;
  deviceModels(): readonly DeviceModel[];
}

export let createBus: Devices['createBus'];
export let createDevice: Devices['createDevice'];
export let deviceModels: Devices['deviceModels'];

export const device: AxApiDef<'device', Devices> = apiDef({
  name: 'device',
  functions: { createBus: required, createDevice: required, deviceModels: required },
  bind: (f: Devices) => ({ createBus, createDevice, deviceModels } = f),
  providers: ['@axvisor/axdevice'],
});
