/** Samples of where guests execute: one every so many instructions, with the code around it and the real time since the last. */
import type { Probe, ProcessorView } from '@axvisor/axvisor_api/processor';

const PAGE = 4096n;

/** One address that was sampled. */
export interface Sample {
  readonly pc: bigint;
  /** How often. */
  count: number;
  /** Real time before these samples, in seconds. */
  seconds: number;
}

/** Samples of one page of one address space. */
export interface SampledPage {
  /** Its virtual address. */
  readonly address: bigint;
  /** 0: user, 1: supervisor. */
  readonly privilege: number;
  /** Its content when it was first sampled; empty if it could not be read. */
  readonly code: Uint8Array;
  readonly samples: Map<bigint, Sample>;
  /** The WebAssembly module with what addresses were translated to, where that was asked for. */
  readonly translations: Map<bigint, Uint8Array>;
}

export class Sampler {
  readonly #period: bigint;
  /** Of supervisor code by address; of user code by address space too, for programs lie at the same addresses. */
  readonly #pages = new Map<string, SampledPage>();
  readonly #now: () => number;
  readonly #addressSpace: string;
  readonly #translations: boolean;
  #last: number | undefined;
  #count = 0;

  /**
   * @param now - seconds of a monotonic clock
   * @param addressSpace - the register that tells address spaces apart
   * @param translations - whether to keep what code was translated to
   */
  constructor(period: bigint, now: () => number, addressSpace: string, translations: boolean) {
    this.#period = period;
    this.#now = now;
    this.#addressSpace = addressSpace;
    this.#translations = translations;
  }

  /** Samples and asks for the next. */
  readonly probe: Probe = (view) => {
    const now = this.#now();
    this.#add(view, now - (this.#last ?? now));
    // What the sampling itself takes is nobody's.
    this.#last = this.#now();
    return view.instructions + this.#period;
  };

  #add(view: ProcessorView, seconds: number): void {
    this.#count++;
    const { pc } = view;
    const address = pc - (pc % PAGE);
    const registers = view.registers();
    const privilege = registers['privilege'] ?? 0n;
    const key = privilege === 0n ? `${registers[this.#addressSpace]} ${address}` : `${address}`;
    let page = this.#pages.get(key);
    if (page === undefined) this.#pages.set(key, (page = { address, privilege: Number(privilege), code: view.code(Number(PAGE), address), samples: new Map(), translations: new Map() }));
    let sample = page.samples.get(pc);
    if (sample === undefined) page.samples.set(pc, (sample = { pc, count: 0, seconds: 0 }));
    sample.count++;
    sample.seconds += seconds;
    // It may be translated later only, or again: every doubling is a look at it.
    if (!this.#translations || (sample.count & (sample.count - 1)) !== 0) return;
    const translation = view.translation();
    if (translation !== undefined) page.translations.set(pc, translation);
  }

  get pages(): readonly SampledPage[] {
    return [...this.#pages.values()];
  }

  get count(): number {
    return this.#count;
  }
}
