/** One CPU of a GIC: its private interrupts, and words of state. */
import { Bank } from './bank.ts';
import type { GicCore } from './core.ts';
import { CpuInterface, INTERFACE_WORDS } from './cpu_interface.ts';
import { OFFERED_LPIS, OfferedLpis } from './lpi_offer.ts';
import type { Lpis, LpiView } from './lpis.ts';
import type { Space } from './space.ts';

/** Private interrupts of a CPU: 16 SGIs and 16 PPIs. */
export const PRIVATE = 32;
export const SGIS = 16;

/** The pins that are asserted; with list registers what was signalled, whether they are used, and are to be filled again. */
const Word = { outputs: 0, signalled: 1, usesLists: 2, changed: 3, lpi: 4 } as const;
const WORDS: number = Word.lpi + OFFERED_LPIS;

export class GicCpu {
  readonly index: number;
  readonly affinity: bigint;
  readonly bank: Bank;
  /** The LPIs of its redistributor, on the thread where that is. */
  readonly lpis: Lpis | undefined;
  /** The same as this CPU sees them. */
  readonly lpiView: LpiView;
  /** The LPIs that threads hand over. */
  readonly lpiWords: Int32Array;
  readonly cpuInterface: CpuInterface;
  /** GICv2: a bit for each CPU that sent the SGI. */
  readonly sgiSources: Uint8Array;
  /** GICR_WAKER.ProcessorSleep. */
  asleep = true;
  readonly #words: Int32Array;

  constructor(core: GicCore, index: number, affinity: bigint, space: Space, lpis: Lpis | undefined) {
    this.index = index;
    this.affinity = affinity;
    this.#words = space.words(WORDS);
    this.lpiWords = this.#words.subarray(Word.lpi, Word.lpi + OFFERED_LPIS);
    this.sgiSources = space.bytes(SGIS);
    this.bank = new Bank(space, 0, PRIVATE, SGIS);
    this.lpis = lpis;
    this.lpiView = lpis ?? new OfferedLpis(this.lpiWords, () => core.tellLpiTaken());
    this.cpuInterface = new CpuInterface(core, this, space.words(INTERFACE_WORDS));
  }

  get outputs(): number {
    return this.#words[Word.outputs] as number;
  }

  set outputs(outputs: number) {
    this.#words[Word.outputs] = outputs;
  }

  /** What it was told last that there is for its list registers. */
  get signalled(): number {
    return this.#words[Word.signalled] as number;
  }

  set signalled(signalled: number) {
    this.#words[Word.signalled] = signalled;
  }

  /** Its list registers are filled by this controller; the CPU interface here is not used. */
  get usesListRegisters(): boolean {
    return this.#words[Word.usesLists] === 1;
  }

  set usesListRegisters(uses: boolean) {
    this.#words[Word.usesLists] = uses ? 1 : 0;
  }

  /** There may be something new for its list registers. Can be read at any time. */
  get changed(): boolean {
    return Atomics.load(this.#words, Word.changed) === 1;
  }

  set changed(changed: boolean) {
    Atomics.store(this.#words, Word.changed, changed ? 1 : 0);
  }

  /** Power-on state. */
  reset(): void {
    this.bank.reset();
    this.lpis?.reset();
    this.lpiWords.fill(0);
    this.sgiSources.fill(0);
    this.asleep = true;
    this.cpuInterface.reset();
  }
}
