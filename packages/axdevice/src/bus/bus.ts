/** The device bus of one VM: finds the device of an address, and keeps devices from overlapping. */
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { AccessWidth, Device, DeviceBus, DeviceRegion, PciHost } from '@axvisor/axvisor_api/device';
import { axError, ensure } from '@axvisor/axvisor_api/errors';

/** A region of a device: first and last address, both inclusive, below 2^53. */
interface Window {
  readonly first: number;
  readonly last: number;
  readonly device: Device;
  readonly region: number;
  accesses: number;
}

type Space = DeviceRegion['space'];

/** With constants: the runtime has no instructions for a truncation to a width that it does not know. */
const TRUNCATE: Readonly<Record<AccessWidth, (value: bigint) => bigint>> = {
  1: (value) => BigInt.asUintN(8, value),
  2: (value) => BigInt.asUintN(16, value),
  4: (value) => BigInt.asUintN(32, value),
  8: (value) => BigInt.asUintN(64, value),
};

const bounds = (region: DeviceRegion): readonly [number, number] =>
  region.space === 'mmio' ? [Number(region.range.start), Number(region.range.end) - 1] : [region.first, region.last];

const describe = (w: Pick<Window, 'first' | 'last'>): string => `0x${w.first.toString(16)} to 0x${w.last.toString(16)}`;

export class Bus implements DeviceBus {
  readonly #devices = new Map<string, Device>();
  /** Sorted by address; regions do not overlap. */
  readonly #windows: Record<Space, Window[]> = { mmio: [], port: [], sysreg: [] };
  /** The window that answered last in each space: guests access one device many times in a row. */
  readonly #recent: Record<Space, Window | undefined> = { mmio: undefined, port: undefined, sysreg: undefined };

  add(device: Device): void {
    ensure(!this.#devices.has(device.name), 'AlreadyExists', `there is a device ${device.name} already`);
    const host = this.#pciHost;
    ensure(device.pci === undefined || host !== undefined, 'InvalidInput', `device ${device.name} is a PCI function, and there is no host bridge on the bus`);
    const windows = device.regions.map((region, i) => {
      const [first, last] = bounds(region);
      ensure(first <= last, 'InvalidInput', `device ${device.name}: region ${i} is empty`);
      ensure(last <= Number.MAX_SAFE_INTEGER, 'InvalidInput', `device ${device.name}: region ${i} is not below 2^53`);
      return { space: region.space, window: { first, last, device, region: i, accesses: 0 } };
    });
    for (const [i, { space, window }] of windows.entries()) {
      const others = [...this.#windows[space], ...windows.slice(0, i).filter((w) => w.space === space).map((w) => w.window)];
      const hit = others.find((o) => window.first <= o.last && o.first <= window.last);
      if (hit !== undefined)
        throw axError('AlreadyExists', `device ${device.name} (${describe(window)}) overlaps device ${hit.device.name} (${describe(hit)})`);
    }
    if (device.pci !== undefined) host?.plug(device.pci);
    for (const { space, window } of windows) {
      this.#windows[space].push(window);
      this.#windows[space].sort((a, b) => (a.first < b.first ? -1 : 1));
    }
    this.#devices.set(device.name, device);
  }

  remove(name: string): void {
    const device = this.#devices.get(name);
    ensure(device !== undefined, 'NotFound', `there is no device ${name}`);
    if (device.pci !== undefined) this.#pciHost?.unplug(device.pci);
    this.#devices.delete(name);
    for (const space of ['mmio', 'port', 'sysreg'] as const) {
      this.#windows[space] = this.#windows[space].filter((w) => w.device.name !== name);
      this.#recent[space] = undefined;
    }
  }

  get #pciHost(): PciHost | undefined {
    return this.devices().find((d) => d.pciHost !== undefined)?.pciHost;
  }

  devices(): readonly Device[] {
    return [...this.#devices.values()];
  }

  accesses(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { device, accesses } of Object.values(this.#windows).flat()) counts[device.name] = (counts[device.name] ?? 0) + accesses;
    return counts;
  }

  mmioRead(address: GuestPhysAddr, width: AccessWidth): bigint | undefined {
    return this.#read('mmio', Number(address), width);
  }

  mmioWrite(address: GuestPhysAddr, width: AccessWidth, value: bigint): boolean {
    return this.#write('mmio', Number(address), width, value);
  }

  portRead(port: number, width: AccessWidth): bigint | undefined {
    return this.#read('port', port, width);
  }

  portWrite(port: number, width: AccessWidth, value: bigint): boolean {
    return this.#write('port', port, width, value);
  }

  sysRegRead(register: number): bigint | undefined {
    return this.#read('sysreg', register, 8);
  }

  sysRegWrite(register: number, value: bigint): boolean {
    return this.#write('sysreg', register, 8, value);
  }

  reset(): void {
    for (const device of this.#devices.values()) device.reset();
  }

  #read(space: Space, address: number, width: AccessWidth): bigint | undefined {
    const w = this.#find(space, address, width);
    if (w === undefined) return undefined;
    w.accesses++;
    return TRUNCATE[width](w.device.read(address - w.first, width, w.region));
  }

  #write(space: Space, address: number, width: AccessWidth, value: bigint): boolean {
    const w = this.#find(space, address, width);
    if (w === undefined) return false;
    w.accesses++;
    w.device.write(address - w.first, width, TRUNCATE[width](value), w.region);
    return true;
  }

  /** The window that contains the whole access. A register number occupies one address whatever its width. */
  #find(space: Space, address: number, width: AccessWidth): Window | undefined {
    const last = space === 'sysreg' ? address : address + width - 1;
    const recent = this.#recent[space];
    if (recent !== undefined && address >= recent.first && last <= recent.last) return recent;
    const windows = this.#windows[space];
    let low = 0;
    let high = windows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((windows[middle] as Window).last < address) low = middle + 1;
      else high = middle;
    }
    const found = windows[low];
    if (found === undefined || address < found.first || last > found.last) return undefined;
    return (this.#recent[space] = found);
  }
}
