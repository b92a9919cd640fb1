/** The physical harts as vCPUs share them: what each can do, and whose state its CSRs hold. */
import { thisCpuId } from '@axvisor/axvisor_api/host';
import { initProcessor } from '@axvisor/axvisor_api/processor';
import { probeHart, type HartFeatures } from './features.ts';
import type { GuestState } from './guest_state.ts';

/** One physical hart. */
export class Hart {
  readonly cpu: number;
  readonly features: HartFeatures;
  /** Virtualization is switched on. */
  enabled = false;
  /** Whose values the VS-level CSRs hold. */
  loaded: GuestState | undefined;
  /** Serial number of the vCPU of each VMID that was here last: its translations may be in the TLB. */
  readonly lastOfVmid: Map<number, number> = new Map();

  constructor(cpu: number) {
    this.cpu = cpu;
    this.features = probeHart();
  }
}

/** All harts of this thread's linking. */
export class Harts {
  readonly #harts = new Map<number, Hart>();

  /** The hart of the calling thread, brought up if it was not. @throws {AxError} what bringing it up throws */
  current(): Hart {
    const cpu = thisCpuId();
    let hart = this.#harts.get(cpu);
    if (hart === undefined) {
      initProcessor(cpu);
      hart = new Hart(cpu);
      this.#harts.set(cpu, hart);
    }
    return hart;
  }

  /** The hart of CPU `cpu`, if it was brought up here. */
  find(cpu: number): Hart | undefined {
    return this.#harts.get(cpu);
  }
}
