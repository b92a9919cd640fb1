/** The interrupt-controller contract: from device wires to vCPUs. `@axvisor/riscv_vplic` (and the GIC and APIC packages) provide it. */
import type { Device, IrqLine } from './device.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';

/** How a controller reaches the vCPUs of its VM. */
export interface IntcContext {
  readonly vmId: number;
  readonly vcpuCount: number;
  /** Asserts or clears interrupt `vector` of a vCPU (RISC-V: interrupt number, e.g. 10 = VSEI). */
  setVcpuInterrupt(vcpu: number, vector: number, level: boolean): void;
}

/** The interrupt controller of one VM. */
export interface InterruptController {
  /** Its register files, to be added to the bus. */
  readonly devices: readonly Device[];
  /** Number of inputs; wires are 1 … sources (or the architecture's numbering). */
  readonly sources: number;
  /** The wire to input `irq`. @throws {AxError} OutOfRange */
  line(irq: number): IrqLine;
}

/** The functions of the `intc` API. */
export interface Intc {
  /** @throws {AxError} InvalidInput */
  createInterruptController(options: { readonly base: bigint; readonly sources?: number }, context: IntcContext): InterruptController;
}

export let createInterruptController: Intc['createInterruptController'];

export const intc: AxApiDef<'intc', Intc> = apiDef({
  name: 'intc',
  functions: { createInterruptController: required },
  bind: (f: Intc) => ({ createInterruptController } = f),
  providers: ['@axvisor/riscv_vplic'],
});
