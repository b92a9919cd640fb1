/**
 * Interrupts for a vCPU, asserted and cleared from any thread: two words in its context say which lines changed since the
 * vCPU took notice, and to what. hvip holds the rest; the guest itself clears VSSIP there.
 */
import { axError } from '@axvisor/axvisor_api/errors';
import { Irq } from '@axvisor/axvisor_api/arch/riscv';
import { Control, type VCpuContext } from './context.ts';

/** The interrupts a hypervisor can assert. */
const VECTORS: readonly number[] = [Irq.vssi, Irq.vsti, Irq.vsei];

export class InterruptLines {
  readonly #context: VCpuContext;

  constructor(context: VCpuContext) {
    this.#context = context;
  }

  /** @throws {AxError} InvalidInput for another vector than 2 (VSSI), 6 (VSTI), 10 (VSEI) */
  set(vector: number, level: boolean): void {
    if (!VECTORS.includes(vector))
      throw axError('InvalidInput', `interrupt ${String(vector)} cannot be injected: a hart takes ${Irq.vssi} (VSSI), ${Irq.vsti} (VSTI) and ${Irq.vsei} (VSEI)`);
    const { control } = this.#context;
    const bit = 1 << vector;
    // The level first: whoever sees the change sees the level too.
    if (level) Atomics.or(control, Control.pending, bit);
    else Atomics.and(control, Control.pending, ~bit);
    Atomics.or(control, Control.changed, bit);
  }

  /** Whether {@link merge} would change anything. */
  get changed(): boolean {
    return Atomics.load(this.#context.control, Control.changed) !== 0;
  }

  /** hvip as it will be at the next entry. */
  peek(hvip: bigint): bigint {
    return this.#apply(hvip, Atomics.load(this.#context.control, Control.changed));
  }

  /** hvip for this entry; the changes are done with. */
  merge(hvip: bigint): bigint {
    return this.#apply(hvip, Atomics.exchange(this.#context.control, Control.changed, 0));
  }

  #apply(hvip: bigint, changed: number): bigint {
    const level = Atomics.load(this.#context.control, Control.pending) & changed;
    return (hvip & ~BigInt(changed)) | BigInt(level);
  }
}
