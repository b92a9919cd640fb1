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

/** Clocks of the high half of a square wave; the low half has the rest. */
const highHalf = (count: number): number => Math.ceil(count / 2);

export class PitCounter {
  readonly #now: () => number;
  /** Bits 5:0 of the last control word, as the status shows them. */
  #control = 0;
  #mode = 0;
  #bcd = false;
  #access: number = Access.word;
  /** What was written last: the count register. */
  #register = BINARY_RANGE;
  /** What is being counted down from; `undefined` before the first load. */
  #count: number | undefined;
  /** The clock at which #count was loaded; while GATE holds the counter, it is moved on. */
  #start = 0;
  /** Clocks counted when the counter was stopped; `undefined`: it runs. */
  #held: number | undefined;
  /** The clock at which the count register will be loaded, and whether a square wave is low from there. */
  #loadAt: number | undefined;
  #loadLow = false;
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
    this.control(Access.word << 4);
    this.#register = BINARY_RANGE;
    this.#null = false;
    this.#gate = gate;
  }

  get mode(): number {
    return this.#mode;
  }

  /** Bits 5:0 of a control word for this counter. */
  control(value: number): void {
    if ((value & 0x30) === 0) return this.latchCount();
    this.#control = value;
    this.#access = (value >> 4) & 3;
    const mode = (value >> 1) & 7;
    this.#mode = mode > 5 ? mode - 4 : mode;
    this.#bcd = (value & 1) === 1;
    this.#count = this.#held = this.#loadAt = this.#lowByte = this.#latchedStatus = undefined;
    this.#null = true;
    this.#readHigh = false;
    this.#latchedCount = [];
  }

  latchCount(): void {
    if (this.#latchedCount.length > 0) return;
    const count = this.#value();
    const bytes = [count & 0xff, count >> 8] as const;
    this.#latchedCount = this.#access === Access.low ? [bytes[0]] : this.#access === Access.high ? [bytes[1]] : [...bytes];
  }

  latchStatus(): void {
    this.#latchedStatus ??= (this.out ? 0x80 : 0) | (this.#null ? NULL_COUNT : 0) | this.#control;
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
    this.#settle();
    if (this.#access === Access.word && this.#lowByte === undefined) {
      this.#lowByte = byte;
      // In mode 0 the first byte stops the counter.
      if (this.#mode === 0 && this.#count !== undefined) this.#held ??= this.#elapsed();
      return;
    }
    const raw = this.#access === Access.low ? byte : this.#access === Access.high ? byte << 8 : (this.#lowByte ?? 0) | (byte << 8);
    this.#lowByte = undefined;
    const value = this.#bcd ? fromBcd(raw) : raw;
    this.#register = value === 0 ? this.#range : value;
    this.#null = true;
    // Triggered modes load at the trigger, the others at the next clock, but what repeats goes on to its end first.
    if (isTriggered(this.#mode)) return;
    const count = this.#count;
    if (count === undefined || !isPeriodic(this.#mode)) this.#loadAt = this.#now() + 1;
    else if (this.#held === undefined && this.#loadAt === undefined) {
      const elapsed = this.#elapsed();
      const phase = elapsed % count;
      // A square wave takes a new count up after each half.
      this.#loadLow = this.#mode === 3 && phase < highHalf(count);
      this.#loadAt = this.#now() - phase + (this.#loadLow ? highHalf(count) : count);
    }
  }

  setGate(level: boolean): void {
    if (level === this.#gate) return;
    this.#settle();
    this.#gate = level;
    if (isTriggered(this.#mode) || (isPeriodic(this.#mode) && this.#count !== undefined)) {
      if (level) {
        this.#loadAt = this.#now() + 1;
        this.#loadLow = false;
      } else if (isPeriodic(this.#mode)) {
        this.#held = this.#elapsed();
        this.#loadAt = undefined;
      }
    } else if (this.#count !== undefined) {
      if (!level) this.#held ??= this.#elapsed();
      else if (this.#lowByte === undefined) {
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
        return this.#lowByte === undefined && elapsed >= count;
      case 1:
        return elapsed >= count;
      case 2:
        return !this.#gate || elapsed % count !== count - 1;
      case 3:
        return !this.#gate || elapsed % count < highHalf(count);
      default:
        return elapsed !== count;
    }
  }

  /** The first clock after `after` at which OUT rises; `undefined`: never, as things are. */
  nextRise(after: number): number | undefined {
    this.#settle();
    const rise = this.#riseOf(this.#count, this.#held === undefined ? this.#start : undefined, after);
    const at = this.#loadAt;
    if (at === undefined || (rise !== undefined && rise <= at)) return rise;
    return this.#riseOf(this.#register, this.#loadLow ? at - highHalf(this.#register) : at, after);
  }

  #riseOf(count: number | undefined, start: number | undefined, after: number): number | undefined {
    if (count === undefined || start === undefined) return undefined;
    if (isPeriodic(this.#mode)) return start + (Math.max(0, Math.floor((after - start) / count)) + 1) * count;
    const at = start + count + (this.#mode > 3 ? 1 : 0);
    return at > after ? at : undefined;
  }

  get #range(): number {
    return this.#bcd ? BCD_RANGE : BINARY_RANGE;
  }

  #elapsed(): number {
    return this.#held ?? this.#now() - this.#start;
  }

  /** Loads the count register if that was due. */
  #settle(): void {
    const at = this.#loadAt;
    if (at === undefined || this.#now() < at) return;
    this.#count = this.#register;
    this.#start = this.#loadLow ? at - highHalf(this.#register) : at;
    this.#held = this.#gate || isTriggered(this.#mode) ? undefined : 0;
    this.#loadAt = undefined;
    this.#loadLow = this.#null = false;
  }

  /** The counting element, as it is read. */
  #value(): number {
    this.#settle();
    const value = this.#count === undefined ? this.#register : this.#remaining(this.#count, this.#elapsed());
    return this.#bcd ? toBcd(modulo(value, BCD_RANGE)) : modulo(value, BINARY_RANGE);
  }

  #remaining(count: number, elapsed: number): number {
    if (this.#mode === 2) return count - (elapsed % count);
    if (this.#mode !== 3) return count - elapsed;
    // The square wave counts down by two in each half; an odd count is one less, and its first half one clock longer.
    const phase = elapsed % count;
    const high = highHalf(count);
    return (count & ~1) - 2 * (phase < high ? phase : phase - high);
  }
}
