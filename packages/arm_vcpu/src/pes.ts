/** The processing elements as vCPUs share them: what each can do, and whose state its system registers hold. */
import { thisCpuId } from '@axvisor/axvisor_api/host';
import { initProcessor } from '@axvisor/axvisor_api/processor';
import { probePe, type PeFeatures } from './features.ts';
import type { GuestState } from './guest_state.ts';

/** One processing element. */
export class Pe {
  readonly cpu: number;
  readonly features: PeFeatures;
  /** Virtualization is switched on. */
  enabled = false;
  /** Whose values the guest's registers hold. */
  loaded: GuestState | undefined;
  /** Serial number of the vCPU of each VMID that was here last: its translations may be in the TLB. */
  readonly lastOfVmid: Map<number, number> = new Map();

  constructor(cpu: number) {
    this.cpu = cpu;
    this.features = probePe();
  }
}

/** All processing elements of this thread's linking. */
export class Pes {
  readonly #pes = new Map<number, Pe>();
  #last: Pe | undefined;

  /** The processing element of the calling thread, brought up if it was not. @throws {AxError} what bringing it up throws */
  current(): Pe {
    const cpu = thisCpuId();
    if (this.#last?.cpu === cpu) return this.#last;
    let pe = this.#pes.get(cpu);
    if (pe === undefined) {
      initProcessor(cpu);
      pe = new Pe(cpu);
      this.#pes.set(cpu, pe);
    }
    this.#last = pe;
    return pe;
  }

  /** The processing element of CPU `cpu`, if it was brought up here. */
  find(cpu: number): Pe | undefined {
    return this.#pes.get(cpu);
  }
}
