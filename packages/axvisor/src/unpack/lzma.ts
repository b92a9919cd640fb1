/** LZMA2 (LZMA specification; .xz file format 1.2, 5.3.1): chunks of LZMA, or as they are, with the output as dictionary. */

/** Probabilities are out of 2^11; each step goes 1/32 of the way. */
const HALF = 1 << 10;
const MODEL_BITS = 11;
const MOVE_BITS = 5;
const TOP = 0x100_0000;

const STATES = 12;
/** Below it the last symbol was a literal. */
const FIRST_MATCH_STATE = 7;
const POSITION_STATES = 16;
const MATCH_MIN = 2;
const DISTANCE_SLOTS = 64;
const FIRST_DIRECT_SLOT = 14;
const ALIGN_BITS = 4;

/** Probabilities of a length: two choices, then trees for 8, 8 and 256 values. */
class LengthModel {
  readonly choice: Uint16Array = new Uint16Array(2);
  readonly low: readonly Uint16Array[] = Array.from({ length: POSITION_STATES }, () => new Uint16Array(8));
  readonly middle: readonly Uint16Array[] = Array.from({ length: POSITION_STATES }, () => new Uint16Array(8));
  readonly high: Uint16Array = new Uint16Array(256);

  get all(): readonly Uint16Array[] {
    return [this.choice, ...this.low, ...this.middle, this.high];
  }
}

const damaged = (what: string): RangeError => new RangeError(`LZMA2: ${what}`);

export class Lzma2Decoder {
  readonly #input: Uint8Array;
  readonly #output: Uint8Array;
  #at: number;
  #to: number;
  /** Where the dictionary begins. */
  #start = 0;

  // The range decoder.
  #range = 0;
  #code = 0;

  // The model.
  #literalPositionMask = 0;
  #literalContextBits = 0;
  #positionMask = 0;
  #state = 0;
  readonly #distances = new Int32Array(4);
  #literals: Uint16Array = new Uint16Array(0);
  readonly #isMatch = new Uint16Array(STATES * POSITION_STATES);
  readonly #isRepeat = new Uint16Array(STATES);
  readonly #isRepeat0 = new Uint16Array(STATES);
  readonly #isRepeat1 = new Uint16Array(STATES);
  readonly #isRepeat2 = new Uint16Array(STATES);
  readonly #isLongRepeat0 = new Uint16Array(STATES * POSITION_STATES);
  readonly #slots: readonly Uint16Array[] = Array.from({ length: 4 }, () => new Uint16Array(DISTANCE_SLOTS));
  readonly #special = new Uint16Array(1 << 7);
  readonly #align = new Uint16Array(1 << ALIGN_BITS);
  readonly #length = new LengthModel();
  readonly #repeatLength = new LengthModel();

  /** @param at - where in `input` the first chunk is; @param to - where in `output` its bytes go. */
  constructor(input: Uint8Array, at: number, output: Uint8Array, to: number) {
    this.#input = input;
    this.#output = output;
    this.#at = at;
    this.#to = to;
  }

  /** Behind the last byte read, and the last one written. */
  get at(): number {
    return this.#at;
  }

  get to(): number {
    return this.#to;
  }

  /** All chunks. @throws {RangeError} for damaged data */
  run(): void {
    let needsDictionary = true;
    let needsProperties = true;
    for (;;) {
      const control = this.#byte();
      if (control === 0) return;
      const resetsDictionary = control === 1 || control >= 0xe0;
      if (resetsDictionary) this.#start = this.#to;
      else if (needsDictionary) throw damaged('no dictionary');
      needsDictionary = false;
      if (control < 0x80) {
        if (control > 2) throw damaged(`chunk of kind ${control}`);
        this.#copy(((this.#byte() << 8) | this.#byte()) + 1);
        continue;
      }
      const size = ((control & 0x1f) << 16) + ((this.#byte() << 8) | this.#byte()) + 1;
      const packed = ((this.#byte() << 8) | this.#byte()) + 1;
      if (control >= 0xc0) this.#setProperties(this.#byte());
      else if (needsProperties) throw damaged('no properties');
      needsProperties = false;
      if (control >= 0xa0) this.#resetState();
      this.#chunk(size, packed);
    }
  }

  #byte(): number {
    if (this.#at >= this.#input.length) throw damaged('ends too early');
    return this.#input[this.#at++] as number;
  }

  #copy(size: number): void {
    if (this.#at + size > this.#input.length || this.#to + size > this.#output.length) throw damaged('a chunk beyond the end');
    this.#output.set(this.#input.subarray(this.#at, this.#at + size), this.#to);
    this.#at += size;
    this.#to += size;
  }

  /** Literal context bits, literal position bits, position bits. */
  #setProperties(byte: number): void {
    const contextBits = byte % 9;
    const positionBits = Math.floor(byte / 9) % 5;
    if (byte > 224 || contextBits + positionBits > 4) throw damaged('properties out of range');
    this.#literalContextBits = contextBits;
    this.#literalPositionMask = (1 << positionBits) - 1;
    this.#positionMask = (1 << Math.floor(byte / 45)) - 1;
    this.#literals = new Uint16Array(0x300 << (contextBits + positionBits));
  }

  #resetState(): void {
    const models = [
      this.#literals, this.#isMatch, this.#isRepeat, this.#isRepeat0, this.#isRepeat1, this.#isRepeat2, this.#isLongRepeat0, this.#special, this.#align, ...this.#slots, ...this.#length.all, ...this.#repeatLength.all,
    ];
    for (const model of models) model.fill(HALF);
    this.#state = 0;
    this.#distances.fill(0);
  }

  // ── bits ──

  #bit(model: Uint16Array, index: number): number {
    const probability = model[index] as number;
    const bound = (this.#range >>> MODEL_BITS) * probability;
    let bit: number;
    if (this.#code < bound) {
      this.#range = bound;
      model[index] = probability + (((1 << MODEL_BITS) - probability) >>> MOVE_BITS);
      bit = 0;
    } else {
      this.#range -= bound;
      this.#code -= bound;
      model[index] = probability - (probability >>> MOVE_BITS);
      bit = 1;
    }
    if (this.#range < TOP) this.#normalize();
    return bit;
  }

  #normalize(): void {
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#input[this.#at++] as number)) >>> 0;
  }

  /** A tree of `bits` levels, highest bit first. */
  #tree(model: Uint16Array, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i++) node = (node << 1) | this.#bit(model, node);
    return node - (1 << bits);
  }

  /** The same, lowest bit first; the nodes are counted from `base`. */
  #reverseTree(model: Uint16Array, base: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(model, base + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #direct(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) {
      this.#range >>>= 1;
      const isOne = this.#code >= this.#range;
      if (isOne) this.#code -= this.#range;
      value = (value << 1) | Number(isOne);
      if (this.#range < TOP) this.#normalize();
    }
    return value;
  }

  // ── symbols ──

  #chunk(size: number, packed: number): void {
    const end = this.#to + size;
    const last = this.#at + packed;
    if (last > this.#input.length || end > this.#output.length) throw damaged('a chunk beyond the end');
    if (this.#byte() !== 0) throw damaged('a chunk that does not begin with 0');
    this.#code = 0;
    for (let i = 0; i < 4; i++) this.#code = ((this.#code << 8) | this.#byte()) >>> 0;
    this.#range = 0xffff_ffff;
    while (this.#to < end) {
      const position = (this.#to - this.#start) & this.#positionMask;
      const context = this.#state * POSITION_STATES + position;
      if (this.#bit(this.#isMatch, context) === 0) {
        this.#literal();
        continue;
      }
      const length = this.#bit(this.#isRepeat, this.#state) === 0 ? this.#match(position) : this.#repeat(context, position);
      this.#copyMatch(length, end);
    }
    if (this.#at !== last || this.#code !== 0) throw damaged('a chunk of another length');
  }

  #literal(): void {
    const output = this.#output;
    const at = this.#to;
    const before = at > this.#start ? (output[at - 1] as number) : 0;
    const context = (((at - this.#start) & this.#literalPositionMask) << this.#literalContextBits) | (before >>> (8 - this.#literalContextBits));
    const base = 0x300 * context;
    const model = this.#literals;
    let symbol = 1;
    if (this.#state >= FIRST_MATCH_STATE) {
      // As long as it is what the match would have gone on with, that is the context.
      let expected = output[at - (this.#distances[0] as number) - 1] as number;
      let same = true;
      while (same && symbol < 0x100) {
        const wanted = (expected >>> 7) & 1;
        expected <<= 1;
        const bit = this.#bit(model, base + ((1 + wanted) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        same = wanted === bit;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(model, base + symbol);
    output[at] = symbol & 0xff;
    this.#to = at + 1;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #lengthOf(model: LengthModel, position: number): number {
    if (this.#bit(model.choice, 0) === 0) return MATCH_MIN + this.#tree(model.low[position] as Uint16Array, 3);
    if (this.#bit(model.choice, 1) === 0) return MATCH_MIN + 8 + this.#tree(model.middle[position] as Uint16Array, 3);
    return MATCH_MIN + 16 + this.#tree(model.high, 8);
  }

  /** A match at a new distance. */
  #match(position: number): number {
    const distances = this.#distances;
    distances.copyWithin(1, 0, 3);
    const length = this.#lengthOf(this.#length, position);
    const slot = this.#tree(this.#slots[Math.min(length - MATCH_MIN, 3)] as Uint16Array, 6);
    let distance = slot;
    if (slot >= 4) {
      const bits = (slot >>> 1) - 1;
      distance = (2 | (slot & 1)) << bits;
      if (slot < FIRST_DIRECT_SLOT) distance += this.#reverseTree(this.#special, distance - slot, bits);
      else distance += (this.#direct(bits - ALIGN_BITS) << ALIGN_BITS) + this.#reverseTree(this.#align, 0, ALIGN_BITS);
    }
    distances[0] = distance;
    this.#state = this.#state < FIRST_MATCH_STATE ? 7 : 10;
    return length;
  }

  /** A match at one of the last four distances, or a single byte at the last one. */
  #repeat(context: number, position: number): number {
    const distances = this.#distances;
    const state = this.#state;
    let which = 0;
    if (this.#bit(this.#isRepeat0, state) !== 0) which = this.#bit(this.#isRepeat1, state) === 0 ? 1 : 2 + this.#bit(this.#isRepeat2, state);
    else if (this.#bit(this.#isLongRepeat0, context) === 0) {
      this.#state = state < FIRST_MATCH_STATE ? 9 : 11;
      return 1;
    }
    const distance = distances[which] as number;
    distances.copyWithin(1, 0, which);
    distances[0] = distance;
    this.#state = state < FIRST_MATCH_STATE ? 8 : 11;
    return this.#lengthOf(this.#repeatLength, position);
  }

  #copyMatch(length: number, end: number): void {
    const output = this.#output;
    const distance = (this.#distances[0] as number) + 1;
    let to = this.#to;
    if (distance <= 0 || distance > to - this.#start || to + length > end) throw damaged('a copy from outside');
    if (distance >= length) output.copyWithin(to, to - distance, to - distance + length);
    else for (let i = 0; i < length; i++) output[to + i] = output[to + i - distance] as number;
    to += length;
    this.#to = to;
  }
}
