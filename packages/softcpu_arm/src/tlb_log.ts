/**
 * TLB maintenance as processing elements on threads tell each other: a ring in memory that they share. Each appends what is to be
 * invalidated and reads what others have appended; who comes so late that entries were overwritten invalidates everything.
 */
import type { TlbRequest } from './priv/interface.ts';

/** Entries of the ring, and words of one. */
const ENTRIES = 128;
const WORDS = 8;
/** Words before the ring: how many entries were begun. */
const HEADER = 16;

/** Words of an entry; its stamp is one more than its number once it is complete. */
const Word = { stamp: 0, flags: 1, vaLo: 2, vaHi: 3, machineLo: 4, machineHi: 5 } as const;
const Flag = { stage2: 1, va: 2, asid: 4 } as const;
/** In the flags: who appended it, and the ASID. */
const WRITER_SHIFT = 8;
const WRITER_MASK = 0xff;
const ASID_SHIFT = 16;

/** Looks at an entry that is not complete before it counts as lost: appending takes a microsecond, unless a thread was ended in it. */
const PATIENCE = 100_000;

export class TlbLog {
  /** Bytes of shared memory, zeros at first. */
  static readonly bytes: number = 4 * (HEADER + ENTRIES * WORDS);

  readonly #words: Int32Array;
  readonly #self: number;
  /** Entries that were read. */
  #seen: number;

  /** @param self - number of the processing element. */
  constructor(shared: ArrayBufferLike, offset: number, self: number) {
    this.#words = new Int32Array(shared, offset, TlbLog.bytes / 4);
    this.#self = self & WRITER_MASK;
    this.#seen = Atomics.load(this.#words, 0);
  }

  append({ stage2, va, asid, machine }: TlbRequest): void {
    const words = this.#words;
    const number = Atomics.add(words, 0, 1);
    const at = entry(number);
    // Whoever still reads what was there sees that it is not that any more.
    Atomics.store(words, at + Word.stamp, 0);
    const kind = (stage2 ? Flag.stage2 : 0) | (va === undefined ? 0 : Flag.va) | (asid === undefined ? 0 : Flag.asid);
    Atomics.store(words, at + Word.flags, kind | (this.#self << WRITER_SHIFT) | ((asid ?? 0) << ASID_SHIFT));
    Atomics.store(words, at + Word.vaLo, va?.lo ?? 0);
    Atomics.store(words, at + Word.vaHi, va?.hi ?? 0);
    Atomics.store(words, at + Word.machineLo, machine?.lo ?? 0);
    Atomics.store(words, at + Word.machineHi, machine?.hi ?? 0);
    Atomics.store(words, at + Word.stamp, (number + 1) | 0);
  }

  /** What the others have appended since the last call; `undefined`: anything. */
  read(): readonly TlbRequest[] | undefined {
    const end = Atomics.load(this.#words, 0);
    const count = (end - this.#seen) | 0;
    const first = this.#seen;
    this.#seen = end;
    if (count > ENTRIES || count < 0) return undefined;
    const requests: TlbRequest[] = [];
    for (let i = 0; i < count; i++) {
      const request = this.#entry((first + i) | 0);
      if (request === undefined) return undefined;
      if (request.writer !== this.#self) requests.push(request);
    }
    return requests;
  }

  /** The entry of a number, if it is still there. */
  #entry(number: number): (TlbRequest & { readonly writer: number }) | undefined {
    const words = this.#words;
    const at = entry(number);
    const stamp = (number + 1) | 0;
    for (let tries = 0; Atomics.load(words, at + Word.stamp) !== stamp; tries++) if (tries === PATIENCE) return undefined;
    const flags = Atomics.load(words, at + Word.flags);
    const va = { lo: Atomics.load(words, at + Word.vaLo), hi: Atomics.load(words, at + Word.vaHi) };
    const machine = { lo: Atomics.load(words, at + Word.machineLo), hi: Atomics.load(words, at + Word.machineHi) };
    if (Atomics.load(words, at + Word.stamp) !== stamp) return undefined;
    return {
      writer: (flags >>> WRITER_SHIFT) & WRITER_MASK,
      stage2: (flags & Flag.stage2) !== 0,
      va: (flags & Flag.va) === 0 ? undefined : va,
      ...((flags & Flag.asid) === 0 ? {} : { asid: flags >>> ASID_SHIFT }),
      machine,
    };
  }
}

/** Where the entry of a number is. */
const entry = (number: number): number => HEADER + (number & (ENTRIES - 1)) * WORDS;
