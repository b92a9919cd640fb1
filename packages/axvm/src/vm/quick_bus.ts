/**
 * Accesses to devices that a vCPU on this thread makes without leaving its guest. Those to its interrupt controller are exits: what it has in list
 * registers has to be collected first.
 */
import { gpa } from '@axvisor/axvisor_api/addr';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { QuickDevices, QuickSpace } from '@axvisor/axvisor_api/vcpu';
import type { VmServices } from './services.ts';
import type { AxVm } from './vm.ts';

/** What whoever runs the vCPU does around such an access. */
export interface Around {
  begin(): void;
  end(): void;
}

/** How a space is accessed, and the exits that are counted. */
interface Accesses {
  readonly counted: readonly [read: 'MmioRead' | 'IoRead', write: 'MmioWrite' | 'IoWrite'];
  read(address: number, width: AccessWidth): bigint | undefined;
  write(address: number, width: AccessWidth, value: bigint): boolean;
}

export class QuickBus implements QuickDevices {
  readonly #spaces: Readonly<Record<QuickSpace, Accesses>>;
  /** First and last address of the registers of the interrupt controller, by space. */
  readonly #controller: Readonly<Record<QuickSpace, readonly (readonly [first: number, last: number])[]>>;
  readonly #services: VmServices;
  readonly #around: Around;

  constructor(vm: AxVm, services: VmServices, around: Around) {
    const { bus } = vm;
    const regions = (vm.intc?.devices ?? []).flatMap((device) => device.regions);
    this.#controller = {
      mmio: regions.flatMap((region) => (region.space === 'mmio' ? [[Number(region.range.start), Number(region.range.end) - 1] as const] : [])),
      port: regions.flatMap((region) => (region.space === 'port' ? [[region.first, region.last] as const] : [])),
    };
    this.#spaces = {
      mmio: {
        counted: ['MmioRead', 'MmioWrite'],
        read: (address, width) => bus.mmioRead(gpa(BigInt(address)), width),
        write: (address, width, value) => bus.mmioWrite(gpa(BigInt(address)), width, value),
      },
      port: { counted: ['IoRead', 'IoWrite'], read: (port, width) => bus.portRead(port, width), write: (port, width, value) => bus.portWrite(port, width, value) },
    };
    this.#services = services;
    this.#around = around;
  }

  read(space: QuickSpace, address: number, width: AccessWidth): number | undefined {
    if (this.#isController(space, address)) return undefined;
    const { read, counted } = this.#spaces[space];
    this.#around.begin();
    try {
      const value = read(address, width);
      if (value === undefined) return undefined;
      this.#services.count(counted[0]);
      return Number(value);
    } finally {
      this.#around.end();
    }
  }

  write(space: QuickSpace, address: number, width: AccessWidth, value: number): boolean {
    if (this.#isController(space, address)) return false;
    const { write, counted } = this.#spaces[space];
    this.#around.begin();
    try {
      const done = write(address, width, BigInt(value));
      if (done) this.#services.count(counted[1]);
      return done;
    } finally {
      this.#around.end();
    }
  }

  #isController(space: QuickSpace, address: number): boolean {
    for (const [first, last] of this.#controller[space]) if (address >= first && address <= last) return true;
    return false;
  }
}
