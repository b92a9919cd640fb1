/**
 * Device registers that a vCPU on this thread accesses without leaving its guest: those whose accesses have no effect that anybody but the device
 * has to see to, which are the ones that threads of their own need not wait for either.
 */
import { gpa } from '@axvisor/axvisor_api/addr';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { QuickDevices } from '@axvisor/axvisor_api/vcpu';
import { latchesOf, type LatchedRegister } from '../threads/latches.ts';
import type { VmServices } from './services.ts';
import type { AxVm } from './vm.ts';

/** What whoever runs the vCPU does around such an access. */
export interface Around {
  begin(): void;
  end(): void;
}

export class QuickRegisters implements QuickDevices {
  readonly #latched: ReadonlyMap<number, LatchedRegister>;
  readonly #posted: ReadonlySet<number>;
  readonly #services: VmServices;
  readonly #around: Around;

  constructor(vm: AxVm, services: VmServices, around: Around) {
    const { registers, posted } = latchesOf(vm.bus.devices());
    this.#latched = new Map(registers.map((register) => [register.address, register]));
    this.#posted = new Set(posted);
    this.#services = services;
    this.#around = around;
  }

  read(address: number, width: AccessWidth): number | undefined {
    const register = this.#latched.get(address);
    if (register?.width !== width || register.value() === undefined) return undefined;
    this.#around.begin();
    try {
      this.#services.count('MmioRead');
      return Number(this.#services.mmioRead(gpa(BigInt(address)), width));
    } finally {
      this.#around.end();
    }
  }

  write(address: number, width: AccessWidth, value: number): boolean {
    if (!this.#posted.has(address)) return false;
    this.#around.begin();
    try {
      this.#services.count('MmioWrite');
      return this.#services.mmioWrite(gpa(BigInt(address)), width, BigInt(value));
    } finally {
      this.#around.end();
    }
  }
}
