/**
 * Where decoded records lie. A page takes chunks of them as it is decoded; in each, what is executed one after the other lies one after the
 * other from the beginning on, and from the end on what is jumped to but was not decoded yet. A map by page tells which record an offset has.
 *
 * Records are known by their numbers here: {@link Records.place} is where one is in linear memory.
 */
import { RECORD_SIZE } from '../isa.ts';
import type { Isa } from '../isa.ts';
import { CHUNK_BITS, CHUNK_RECORDS, Handler, PAGE_SIZE, START_RECORD, UNCACHED_RECORD, STRADDLE_ENTRIES, STRADDLE_RECORD, chunksPerPage, mapSize, placesPerPage } from './layout.ts';
import type { Layout } from './layout.ts';

const RECORD_BITS: number = Math.log2(RECORD_SIZE);
const RECORD_WORDS = RECORD_SIZE / 4;

/** No record. */
export const NONE = -1;

/** Room for records and their maps, of pages that are known by the number of their map. */
export class RecordStore {
  readonly #layout: Pick<Layout, 'records' | 'offsets' | 'maps' | 'uncachedMap' | 'poolPages'>;
  readonly #mapSize: number;
  readonly #unitBits: number;
  readonly #places: number;
  readonly #maxChunks: number;
  /** By chunk: the map of the page that has it, -1 if none has. */
  readonly #owner: Int32Array;
  readonly #free: number[] = [];
  /** Given up since {@link recycle}: the interpreter may still be in one of them. */
  readonly #given: number[] = [];
  /** By chunk: the one that the page took before it, 0 if none. Chunk 0 is no page's. */
  readonly #before: Int32Array;
  /** By map: the page's newest chunk, 0 if none, and how many it has; in the newest one the first free record, and the first behind the free ones. */
  readonly #newest: Int32Array;
  readonly #taken: Uint16Array;
  readonly #tail: Int32Array;
  readonly #limit: Int32Array;
  /** By record: of branches that wait for their target to be decoded the next one, of what they wait for the first. 0: none. */
  readonly #waiting: Int32Array;
  /** The free record behind the last one in a chunk that was closed, while another is used already. */
  #bridge = NONE;
  #words: Int32Array;
  #halves: Uint16Array;

  constructor(words: Int32Array, isa: Pick<Isa, 'unit'>, layout: Layout) {
    this.#words = words;
    this.#halves = new Uint16Array(words.buffer);
    this.#layout = layout;
    this.#mapSize = mapSize(isa);
    this.#unitBits = Math.log2(isa.unit);
    this.#places = placesPerPage(isa);
    this.#maxChunks = chunksPerPage(isa);
    this.#owner = new Int32Array(layout.chunks).fill(-1);
    this.#before = new Int32Array(layout.chunks);
    this.#newest = new Int32Array(layout.poolPages);
    this.#taken = new Uint16Array(layout.poolPages);
    this.#tail = new Int32Array(layout.poolPages);
    this.#limit = new Int32Array(layout.poolPages);
    this.#waiting = new Int32Array(layout.chunks * CHUNK_RECORDS);
    for (let chunk = layout.chunks - 1; chunk > 0; chunk--) this.#free.push(chunk);
    this.#set(START_RECORD, Handler.start, 0);
    for (let entry = 0; entry < STRADDLE_ENTRIES; entry++) this.#set(STRADDLE_RECORD + 2 * entry, Handler.lookup, 0);
  }

  set words(words: Int32Array) {
    this.#words = words;
    this.#halves = new Uint16Array(words.buffer);
  }

  // ── places ──

  /** Place of a map. */
  map(index: number): number {
    return this.#layout.maps + index * this.#mapSize;
  }

  /** Number of the map at a place. */
  indexOf(map: number): number {
    return (map - this.#layout.maps) / this.#mapSize;
  }

  place(record: number): number {
    return this.#layout.records + record * RECORD_SIZE;
  }

  #number(ip: number): number {
    return (ip - this.#layout.records) >>> RECORD_BITS;
  }

  /** Number of the map of the page that the record at `ip` is of, -1 if of none. */
  ownerOf(ip: number): number {
    return ip < this.#layout.records ? -1 : (this.#owner[this.#number(ip) >>> CHUNK_BITS] ?? -1);
  }

  /** Where in its page the instruction of the record at `ip` begins. */
  offsetOf(ip: number): number {
    return this.#halves[(this.#layout.offsets >>> 1) + this.#number(ip)] as number;
  }

  handler(record: number): number {
    return this.#halves[(this.place(record) >>> 1)] as number;
  }

  /** Number of the word of a record that holds what the first bytes of it are. */
  word(record: number): number {
    return (this.#layout.records >>> 2) + record * RECORD_WORDS;
  }

  /** Number of the word of a map that says where the record of an offset is. */
  #entry(index: number, offset: number): number {
    return (this.map(index) >>> 2) + (offset >>> this.#unitBits);
  }

  /** The record of an offset in a page, {@link NONE} if it has none. */
  find(index: number, offset: number): number {
    const place = this.#words[this.#entry(index, offset)] as number;
    return place === 0 ? NONE : this.#number(place);
  }

  // ── room ──

  /** The interpreter is in no chunk that was given up: others may have them. */
  recycle(): void {
    for (let chunk = this.#given.pop(); chunk !== undefined; chunk = this.#given.pop()) this.#free.push(chunk);
  }

  get hasRoom(): boolean {
    return this.#free.length > 0;
  }

  /** A page takes another chunk; false if it cannot. */
  #open(index: number): boolean {
    if (this.#taken[index] === this.#maxChunks) return false;
    const chunk = this.#free.pop();
    if (chunk === undefined) return false;
    const first = chunk * CHUNK_RECORDS;
    (this.#taken[index] as number) += 1;
    this.#owner[chunk] = index;
    this.#before[chunk] = this.#newest[index] as number;
    this.#newest[index] = chunk;
    this.#tail[index] = first;
    this.#limit[index] = first + CHUNK_RECORDS;
    return true;
  }

  #set(record: number, handler: number, offset: number): void {
    this.#words[this.word(record)] = handler;
    this.#halves[(this.#layout.offsets >>> 1) + record] = offset;
    this.#waiting[record] = 0;
  }

  #link(record: number, to: number): void {
    const word = this.word(record);
    this.#words[word] = Handler.link;
    this.#words[word + 1] = this.place(to);
  }

  // ── sequences ──

  /** The record in which an offset is decoded that execution did not come to from the one before. */
  begin(index: number, offset: number): number {
    const known = this.find(index, offset);
    if (known !== NONE && known + 1 === this.#tail[index] && known < (this.#limit[index] as number) - 1) return known;
    if ((this.#limit[index] as number) - (this.#tail[index] as number) < 2 && !this.#open(index)) return NONE;
    return this.#take(index, offset);
  }

  /** The next free record, which is an offset's from now on. Another one stays free behind it. */
  #take(index: number, offset: number): number {
    const record = this.#tail[index] as number;
    this.#tail[index] = record + 1;
    this.#set(record, Handler.undecoded, offset);
    this.#words[this.#entry(index, offset)] = this.place(record);
    return record;
  }

  /** The record behind the one that was decoded last, for the offset that execution comes to; {@link NONE} without room. */
  next(index: number, offset: number): number {
    let bridge = this.#bridge;
    this.#bridge = NONE;
    if (bridge === NONE && (this.#limit[index] as number) - (this.#tail[index] as number) < 2) {
      bridge = this.#tail[index] as number;
      if (!this.#open(index)) return NONE;
    }
    const record = this.#take(index, offset);
    if (bridge !== NONE) {
      this.#set(bridge, Handler.undecoded, offset);
      this.#link(bridge, record);
    }
    return record;
  }

  #last(index: number, offset: number, handler: number): number {
    const record = this.#bridge === NONE ? (this.#tail[index] as number) : this.#bridge;
    if (this.#bridge === NONE) this.#tail[index] = record + 1;
    this.#bridge = NONE;
    this.#set(record, handler, offset);
    return record;
  }

  /** Behind the last record of a sequence: execution goes on with another one. */
  join(index: number, offset: number, to: number): void {
    this.#link(this.#last(index, offset, Handler.undecoded), to);
  }

  /** Behind the last record of a sequence: whether execution comes here is not known. */
  pause(index: number, offset: number): void {
    const record = this.#last(index, offset, Handler.undecoded);
    this.#words[this.#entry(index, offset)] = this.place(record);
  }

  /** Behind the last record of a sequence: the next page begins. */
  leave(index: number): void {
    this.#last(index, PAGE_SIZE, Handler.lookup);
  }

  /** No record is needed behind the last one. */
  stop(): void {
    this.#bridge = NONE;
  }

  /** A record to stand for an offset until it is decoded, {@link NONE} without room. */
  #stub(index: number, offset: number): number {
    // One stays free behind the record that is being decoded.
    if ((this.#limit[index] as number) - (this.#tail[index] as number) < 2) {
      const tail = this.#tail[index] as number;
      if (!this.#open(index)) return NONE;
      if (this.#bridge === NONE) this.#bridge = tail;
    }
    const record = (this.#limit[index] as number) - 1;
    this.#limit[index] = record;
    this.#set(record, Handler.undecoded, offset);
    this.#words[this.#entry(index, offset)] = this.place(record);
    return record;
  }

  /** Place of what a branch leads to, in the word of its record that `word` is the number of; false without room. */
  aim(index: number, record: number, word: number, target: number): boolean {
    let to = this.find(index, target);
    if (to === NONE) to = this.#stub(index, target);
    if (to === NONE) return false;
    this.#words[word] = this.place(to);
    if (this.handler(to) === Handler.undecoded) {
      this.#waiting[record] = this.#waiting[to] as number;
      this.#waiting[to] = record;
    }
    return true;
  }

  /** What stood for an offset gives way to the record where it was decoded. @param immediate - words from a branch's first one to the one that says where it leads. */
  resolve(stub: number, record: number, immediate: number): void {
    for (let branch = this.#waiting[stub] as number; branch !== 0; branch = this.#waiting[branch] as number) this.#words[this.word(branch) + immediate] = this.place(record);
    this.#link(stub, record);
  }

  /** The record at `ip` is executed no more: what it was decoded from has another one. */
  redirect(ip: number, record: number): void {
    this.#link(this.#number(ip), record);
  }

  // ── forgetting ──

  /**
   * Makes records undecoded, and nothing more: the instruction that is being executed may be one of them, and has yet to read
   * which registers it is about. The handler number is the first two bytes.
   */
  forget(index: number, from: number, to: number): void {
    const step = 1 << this.#unitBits;
    for (let offset = from; offset < to; offset += step) {
      const record = this.find(index, offset);
      if (record === NONE || this.handler(record) === Handler.undecoded) continue;
      this.#halves[this.place(record) >>> 1] = Handler.undecoded;
      this.#words[this.#entry(index, offset)] = 0;
    }
  }

  /** Gives all records of a page up. */
  clear(index: number): void {
    for (let chunk = this.#newest[index] as number; chunk !== 0; chunk = this.#before[chunk] as number) {
      const first = chunk * CHUNK_RECORDS;
      for (let record = first; record < first + CHUNK_RECORDS; record++) this.#halves[this.place(record) >>> 1] = Handler.undecoded;
      this.#owner[chunk] = -1;
      this.#given.push(chunk);
    }
    this.#words.fill(0, this.#entry(index, 0), this.#entry(index, 0) + this.#places);
    this.#newest[index] = this.#taken[index] = this.#tail[index] = this.#limit[index] = 0;
  }

  // ── records that are no page's ──

  /** The instruction at an offset, and what is behind it, `pair` being the first of two records. @returns place of the first one. */
  alone(pair: number, offset: number): number {
    this.#set(pair, Handler.undecoded, offset);
    this.#set(pair + 1, Handler.undecoded, offset);
    return this.place(pair);
  }

  /** What is behind it, at an offset, is looked up. */
  behind(pair: number, offset: number): void {
    this.#set(pair + 1, Handler.lookup, offset);
  }

  /** The only record of the page that may not be cached is that of an offset, and not that of `before` any more. */
  mapUncached(before: number, offset: number): void {
    const first = this.#layout.uncachedMap >>> 2;
    this.#words[first + (before >>> this.#unitBits)] = 0;
    this.#words[first + (offset >>> this.#unitBits)] = this.place(UNCACHED_RECORD);
  }
}
