/** Registers of devices that a thread accesses without the monitor: those of an interrupt controller's parts. */
import type { AccessWidth, Device, DeviceRegion } from '@axvisor/axvisor_api/device';

/** A region of a device: first and last address, both inclusive, below 2^53. */
interface Window {
  readonly space: DeviceRegion['space'];
  readonly first: number;
  readonly last: number;
  readonly device: Device;
  readonly region: number;
}

export class LocalDevices {
  readonly #windows: readonly Window[];

  constructor(devices: readonly Device[]) {
    this.#windows = devices.flatMap((device) =>
      device.regions.map((r, region) => {
        const [first, last] = r.space === 'mmio' ? [Number(r.range.start), Number(r.range.end) - 1] : [r.first, r.last];
        return { space: r.space, first, last, device, region };
      }),
    );
  }

  /** The value, or `undefined` if none of them answers there. A register number has 8 bytes at one address. */
  read(space: DeviceRegion['space'], address: number, width: AccessWidth): bigint | undefined {
    const found = this.#find(space, address, space === 'sysreg' ? 1 : width);
    return found && BigInt.asUintN(8 * width, found.device.read(address - found.first, width, found.region));
  }

  /** Whether one of them answered. */
  write(space: DeviceRegion['space'], address: number, width: AccessWidth, value: bigint): boolean {
    const found = this.#find(space, address, space === 'sysreg' ? 1 : width);
    found?.device.write(address - found.first, width, BigInt.asUintN(8 * width, value), found.region);
    return found !== undefined;
  }

  #find(space: Window['space'], address: number, length: number): Window | undefined {
    return this.#windows.find((w) => w.space === space && address >= w.first && address + length - 1 <= w.last);
  }
}
