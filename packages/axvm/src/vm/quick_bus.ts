/**
 * Accesses to devices that a vCPU on this thread makes without leaving its guest. Those to its interrupt controller are exits: what it has in list
 * registers has to be collected first.
 */
import { gpa } from '@axvisor/axvisor_api/addr';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { QuickDevices } from '@axvisor/axvisor_api/vcpu';
import type { VmServices } from './services.ts';
import type { AxVm } from './vm.ts';

/** What whoever runs the vCPU does around such an access. */
export interface Around {
  begin(): void;
  end(): void;
}

export class QuickBus implements QuickDevices {
  /** First and last address of the registers of the interrupt controller. */
  readonly #controller: readonly (readonly [first: number, last: number])[];
  readonly #services: VmServices;
  readonly #around: Around;

  constructor(vm: AxVm, services: VmServices, around: Around) {
    const regions = (vm.intc?.devices ?? []).flatMap((device) => device.regions);
    this.#controller = regions.flatMap((region) => (region.space === 'mmio' ? [[Number(region.range.start), Number(region.range.end) - 1] as const] : []));
    this.#services = services;
    this.#around = around;
  }

  read(address: number, width: AccessWidth): number | undefined {
    if (this.#isController(address)) return undefined;
    this.#around.begin();
    try {
      const value = this.#services.mmioRead(gpa(BigInt(address)), width);
      if (value === undefined) return undefined;
      this.#services.count('MmioRead');
      return Number(value);
    } finally {
      this.#around.end();
    }
  }

  write(address: number, width: AccessWidth, value: number): boolean {
    if (this.#isController(address)) return false;
    this.#around.begin();
    try {
      const done = this.#services.mmioWrite(gpa(BigInt(address)), width, BigInt(value));
      if (done) this.#services.count('MmioWrite');
      return done;
    } finally {
      this.#around.end();
    }
  }

  #isController(address: number): boolean {
    for (const [first, last] of this.#controller) if (address >= first && address <= last) return true;
    return false;
  }
}
