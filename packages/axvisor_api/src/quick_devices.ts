/** Device registers that a guest accesses without being left: the way from a processor's trap to whoever runs the vCPU and its devices. */
import type { AccessWidth, DeviceRegion } from './device.ts';
import { thisCpuId } from './host.ts';
import { kickProcessor } from './processor.ts';

/** The general registers of a guest that is still on its processor, by their numbers in instructions, as pairs of 32-bit words; one that is always zero is not written. */
export interface LiveRegisters {
  xLo(register: number): number;
  xHi(register: number): number;
  setX(register: number, lo: number, hi: number): void;
}

/** Where registers can be that are accessed so. */
export type QuickSpace = Exclude<DeviceRegion['space'], 'sysreg'>;

/** Devices whose registers may be accessed without an exit. Addresses are below 2^53, widths at most 4. */
export interface QuickDevices {
  /** What a load or IN gives; `undefined`: it has to be an exit. */
  read(space: QuickSpace, address: number, width: AccessWidth): number | undefined;
  /** Carries a store or OUT out; `false`: it has to be an exit. */
  write(space: QuickSpace, address: number, width: AccessWidth, value: number): boolean;
}

/**
 * {@link QuickDevices} as a processor may call them from the middle of a guest: what a device throws is kept until the run is over, and the guest
 * is left soon for that or when something has come for it.
 */
export class GuardedDevices implements QuickDevices {
  readonly #devices: QuickDevices;
  readonly #isDue: () => boolean;
  #thrown: { readonly error: unknown } | undefined;

  /** @param isDue - whether something came for the guest since it was entered. */
  constructor(devices: QuickDevices, isDue: () => boolean) {
    this.#devices = devices;
    this.#isDue = isDue;
  }

  read(space: QuickSpace, address: number, width: AccessWidth): number | undefined {
    let value: number | undefined = 0;
    try {
      value = this.#devices.read(space, address, width);
    } catch (error) {
      this.#thrown = { error };
    }
    if (value !== undefined) this.#attend();
    return value;
  }

  write(space: QuickSpace, address: number, width: AccessWidth, value: number): boolean {
    let done = true;
    try {
      done = this.#devices.write(space, address, width, value);
    } catch (error) {
      this.#thrown = { error };
    }
    if (done) this.#attend();
    return done;
  }

  #attend(): void {
    if (this.#thrown !== undefined || this.#isDue()) kickProcessor(thisCpuId());
  }

  /** After the run: throws what a device threw. */
  rethrow(): void {
    if (this.#thrown === undefined) return;
    const { error } = this.#thrown;
    this.#thrown = undefined;
    throw error;
  }
}
