/** One counter of an 8254 interval timer (Intel 8254 data sheet): six modes, as functions of the clocks that have passed. */

/** Values the counting element has: 16 bits, or four decimal digits. */
const BINARY_RANGE = 0x1_0000;
const BCD_RANGE = 10_000;

/** How the 16-bit count goes over the 8-bit bus: control word bits 5:4. */
const Access = { low: 1, high: 2, word: 3 } as const;
const NULL_COUNT = 0x40;

const toBcd = (n: number): number => (n % 10) | ((Math.floor(n / 10) % 10) << 4) | ((Math.floor(n / 100) % 10) << 8) | (Math.floor(n / 1000) << 12);
const fromBcd = (n: number): number => (n & 15) + 10 * ((n >> 4) & 15) + 100 * ((n >> 8) & 15) + 1000 * (n >> 12);
const modulo = (n: number, range: number): number => ((n % range) + range) % range;

/** Modes that count over and over. */
const isPeriodic = (mode: number): boolean => mode === 2 || mode === 3;
/** Modes that a rising edge of GATE starts, and nothing else. */
const isTriggered = (mode: number): boolean => mode === 1 || mode === 5;

export class PitCounter {
  readonly #now: () => number;
  #mode = 0;
  #bcd = false;
  #access: number = Access.word;
  /** What was written last: the count register. */
  #register = BINARY_RANGE;
  /** What is being counted down from; `undefined` before the first load. */
  #count: number | undefined;
  /** The clock at which #count was loaded; while GATE holds the counter, it is moved on. */
  #start = 0;
  /** Clocks counted when GATE or half a count stopped the counter. */
  #held: number | undefined;
  /** A count is written and not loaded yet. */
  #null = false;
  #gate: boolean;
  /** The first byte of a count that comes in two. */
  #lowByte: number | undefined;
  #readHigh = false;
  #latchedCount: number[] = [];
  #latchedStatus: number | undefined;

  /** @param now - clocks since some start */
  constructor(now: () => number, gate: boolean) {
    this.#now = now;
    this.#gate = gate;
  }

  reset(gate: boolean): void {
    this.#mode = 0;
    this.#bcd = false;
    this.#access = Access.word;
    this.#register = BINARY_RANGE;
    this.#count = this.#held = this.#lowByte = this.#latchedStatus = undefined;
    this.#null = this.#readHigh = false;
    this.#latchedCount = [];
    this.#gate = gate;
  }

  get mode(): number {
    return this.#mode;
  }

  /** Bits 5:0 of a control word for this counter. */
  control(value: number): void {
    if ((value & 0x30) === 0) return this.latchCount();
    this.#access = (value >> 4) & 3;
    const mode = (value >> 1) & 7;
    this.#mode = mode > 5 ? mode - 4 : mode;
    this.#bcd = (value & 1) === 1;
    this.#count = this.#held = this.#lowByte = undefined;
    this.#null = true;
    this.#readHigh = false;
    this.#latchedCount = [];
    this.#latchedStatus = undefined;
  }

  latchCount(): void {
    if (this.#latchedCount.length > 0) return;
    const count = this.#value();
    const bytes = [count & 0xff, count >> 8];
    this.#latchedCount = this.#access === Access.low ? [bytes[0] as number] : this.#access === Access.high ? [bytes[1] as number] : bytes;
  }

  latchStatus(): void {
    this.#settle();
    this.#latchedStatus ??= (this.out ? 0x80 : 0) | (this.#null ? NULL_COUNT : 0) | (this.#access << 4) | (this.#mode << 1) | (this.#bcd ? 1 : 0);
  }

  read(): number {
    const status = this.#latchedStatus;
    if (status !== undefined) {
      this.#latchedStatus = undefined;
      return status;
    }
    const latched = this.#latchedCount.shift();
    if (latched !== undefined) return latched;
    const count = this.#value();
    if (this.#access === Access.low) return count & 0xff;
    if (this.#access === Access.high) return count >> 8;
    this.#readHigh = !this.#readHigh;
    return this.#readHigh ? count & 0xff : count >> 8;
  }

  write(byte: number): void {
    if (this.#access === Access.word && this.#lowByte === undefined) {
      this.#lowByte = byte;
      // In mode 0 the first byte stops the counter and OUT falls.
      if (this.#mode === 0 && this.#count !== undefined) {
        this.#count = undefined;
        this.#held = undefined;
      }
      return;
    }
    const raw = this.#access === Access.low ? byte : this.#access === Access.high ? byte << 8 : (this.#lowByte ?? 0) | (byte << 8);
    this.#lowByte = undefined;
    this.#settle();
    const value = this.#bcd ? fromBcd(raw) : raw;
    this.#register = value === 0 ? this.#range : value;
    this.#null = true;
    // Periodic modes take a new count up at the end of the period, triggered ones at the next trigger, the others now.
    if (isTriggered(this.#mode) || (isPeriodic(this.#mode) && this.#count !== undefined)) return;
    this.#load(this.#now() + 1);
    if (!this.#gate) this.#held = 0;
  }

  setGate(level: boolean): void {
    if (level === this.#gate) return;
    this.#settle();
    this.#gate = level;
    if (isTriggered(this.#mode)) {
      if (level) this.#load(this.#now() + 1);
    } else if (this.#count !== undefined) {
      if (!level) this.#held = Math.max(0, this.#now() - this.#start);
      else if (isPeriodic(this.#mode)) this.#load(this.#now() + 1);
      else {
        this.#start = this.#now() - (this.#held ?? 0);
        this.#held = undefined;
      }
    }
  }

  /** The output pin. */
  get out(): boolean {
    this.#settle();
    const count = this.#count;
    if (count === undefined) return this.#mode !== 0;
    const elapsed = this.#elapsed();
    switch (this.#mode) {
      case 0:
      case 1:
        return elapsed >= count;
      case 2:
        return this.#held !== undefined || elapsed < 0 || elapsed % count !== count - 1;
      case 3:
        return this.#held !== undefined || elapsed < 0 || elapsed % count < Math.ceil(count / 2);
      default:
        return elapsed !== count;
    }
  }

  /** The first clock after `after` at which OUT rises; `undefined`: never, as things are. */
  nextRise(after: number): number | undefined {
    this.#settle();
    const count = this.#count;
    if (count === undefined || this.#held !== undefined) return undefined;
    if (isPeriodic(this.#mode)) return this.#start + (Math.max(0, Math.floor((after - this.#start) / count)) + 1) * count;
    const at = this.#start + count + (this.#mode === 4 || this.#mode === 5 ? 1 : 0);
    return at > after ? at : undefined;
  }

  get #range(): number {
    return this.#bcd ? BCD_RANGE : BINARY_RANGE;
  }

  #elapsed(): number {
    return this.#held ?? this.#now() - this.#start;
  }

  #load(at: number): void {
    this.#count = this.#register;
    this.#start = at;
    this.#held = undefined;
  }

  /** Takes up what has become due: the count of a new period, the clock of a load. */
  #settle(): void {
    const count = this.#count;
    if (count === undefined || !this.#null) return;
    const elapsed = this.#elapsed();
    if (count !== this.#register && isPeriodic(this.#mode)) {
      if (this.#held !== undefined || elapsed < count) return;
      this.#load(this.#start + Math.floor(elapsed / count) * count);
      this.#null = false;
    } else if (elapsed >= 0 && !(isTriggered(this.#mode) && count !== this.#register)) this.#null = false;
  }

  /** The counting element, as it is read. */
  #value(): number {
    this.#settle();
    const count = this.#count;
    const value = count === undefined ? this.#register : this.#remaining(count, Math.max(0, this.#elapsed()));
    return this.#bcd ? toBcd(modulo(value, BCD_RANGE)) : modulo(value, BINARY_RANGE);
  }

  #remaining(count: number, elapsed: number): number {
    if (this.#mode === 2) return count - (elapsed % count);
    if (this.#mode !== 3) return count - elapsed;
    // The square wave counts down by two in each half; an odd count is one less, and its first half one clock longer.
    const phase = elapsed % count;
    const high = Math.ceil(count / 2);
    return (count & ~1) - 2 * (phase < high ? phase : phase - high);
  }
}
