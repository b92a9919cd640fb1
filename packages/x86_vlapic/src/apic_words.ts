/**
 * The state of a local APIC: 32-bit words, accessed atomically, so that whoever sends it an interrupt may be on another thread than its processor
 * (Intel SDM volume 3, chapter 11).
 */
import { VECTOR_WORDS, VectorSet } from './vector_set.ts';

/** Words of one local APIC. */
export const APIC_WORDS = 48;

/** The first words are IRR, ISR and TMR, 8 each. */
export const Word = {
  irr: 0, isr: 8, tmr: 16,
  /** Six entries of the local vector table. */
  lvt: 24,
  id: 30,
  /** IA32_APIC_BASE, low half first. */
  base: 31,
  tpr: 33, svr: 34, ldr: 35, dfr: 36,
  /** ICR, low half first. */
  icr: 37,
  /** What software reads, and what was found since it last wrote. */
  esr: 39, errors: 40,
  /** Levels of LINT0 and LINT1, a bit each. */
  lint: 41,
  /** {@link Event} that the processor has not taken. */
  events: 42,
  /** A startup IPI that the processor has not taken: {@link SIPI} and its vector. */
  sipi: 43,
  /** Pins that are asserted, a bit each in the order of `ApicPin`. */
  pins: 44,
} as const;

/** An I/O APIC sent an ExtINT; a second NMI came before the first was taken, which a processor that handles none takes, too; the others are the architecture's. */
export const Event = { external: 1, nmi: 2, init: 4, nmiAgain: 8 } as const;
export const SIPI = 0x100;

/** IA32_APIC_BASE (11.4.4). */
export const Base = { bsp: 0x100n, extd: 0x400n, enable: 0x800n } as const;
const EXTD = Number(Base.extd);
const ENABLE = Number(Base.enable);

export const SVR_ENABLE = 0x100;

export class ApicWords {
  readonly irr: VectorSet;
  readonly isr: VectorSet;
  readonly tmr: VectorSet;
  readonly #words: Int32Array;

  /** @param all - the words of the local APICs of all processors, in order */
  constructor(all: Int32Array, cpu: number) {
    const words = all.subarray(cpu * APIC_WORDS, (cpu + 1) * APIC_WORDS);
    this.#words = words;
    const vectors = (first: number): VectorSet => new VectorSet(words.subarray(first, first + VECTOR_WORDS));
    this.irr = vectors(Word.irr);
    this.isr = vectors(Word.isr);
    this.tmr = vectors(Word.tmr);
  }

  protected word(at: number): number {
    return Atomics.load(this.#words, at);
  }

  protected setWord(at: number, value: number): void {
    Atomics.store(this.#words, at, value);
  }

  /** Sets bits. @returns the word before */
  protected setBits(at: number, bits: number): number {
    return Atomics.or(this.#words, at, bits);
  }

  /** @returns the word before */
  protected clearBits(at: number, bits: number): number {
    return Atomics.and(this.#words, at, ~bits);
  }

  /** Puts `value` there. @returns the word before */
  protected exchange(at: number, value: number): number {
    return Atomics.exchange(this.#words, at, value);
  }

  /** Puts `value` there if there is `expected`. Whether it was. */
  protected replace(at: number, expected: number, value: number): boolean {
    return Atomics.compareExchange(this.#words, at, expected, value) === expected;
  }

  /** Two words, the low half first. */
  #wide(at: number): bigint {
    return (BigInt(this.word(at + 1) >>> 0) << 32n) | BigInt(this.word(at) >>> 0);
  }

  #setWide(at: number, value: bigint): void {
    this.setWord(at + 1, Number(BigInt.asIntN(32, value >> 32n)));
    this.setWord(at, Number(BigInt.asIntN(32, value)));
  }

  // --- Registers

  get id(): number {
    return this.word(Word.id) >>> 0;
  }

  get base(): bigint {
    return this.#wide(Word.base);
  }

  protected setBase(value: bigint): void {
    this.#setWide(Word.base, value);
  }

  get enabled(): boolean {
    return (this.word(Word.base) & ENABLE) !== 0;
  }

  get x2apic(): boolean {
    return (this.word(Word.base) & (ENABLE | EXTD)) === (ENABLE | EXTD);
  }

  get softwareEnabled(): boolean {
    return this.enabled && (this.svr & SVR_ENABLE) !== 0;
  }

  /** The ID that messages name. */
  get apicId(): number {
    return this.x2apic ? this.id : this.id & 0xff;
  }

  get svr(): number {
    return this.word(Word.svr);
  }

  get ldr(): number {
    return this.word(Word.ldr) >>> 0;
  }

  set ldr(value: number) {
    this.setWord(Word.ldr, value | 0);
  }

  get dfr(): number {
    return this.word(Word.dfr) >>> 0;
  }

  set dfr(value: number) {
    this.setWord(Word.dfr, value | 0);
  }

  /** The destination is in its upper half. */
  get icr(): bigint {
    return this.#wide(Word.icr);
  }

  set icr(value: bigint) {
    this.#setWide(Word.icr, value);
  }

  get esr(): number {
    return this.word(Word.esr);
  }

  /** A write to ESR shows the errors found since the last one. */
  latchErrors(): void {
    this.setWord(Word.esr, this.exchange(Word.errors, 0));
  }

  /** An entry of the local vector table. */
  lvt(entry: number): number {
    return this.word(Word.lvt + entry);
  }

  /** Whether LINT0 or LINT1 is asserted. */
  protected lint(n: 0 | 1): boolean {
    return ((this.word(Word.lint) >> n) & 1) === 1;
  }

  /** Takes events that were latched. Whether there were any. */
  protected takeEvents(events: number): boolean {
    return (this.clearBits(Word.events, events) & events) !== 0;
  }

  protected latch(event: number): true {
    const before = this.setBits(Word.events, event);
    if ((before & event & Event.nmi) !== 0) this.setBits(Word.events, Event.nmiAgain);
    return true;
  }
}
