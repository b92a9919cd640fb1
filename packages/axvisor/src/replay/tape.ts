/**
 * What a run under a real clock cannot know by itself, in the order in which it asks: the time, the wall clock, console input, random
 * bytes, and when it was told to end. Everything else follows from these, so a run that is given the same answers is the same run.
 *
 * A file is the line `axvisor recording 2`, a line of JSON ({@link TapeHeader}), and events. An event is a LEB128 number,
 * `8 * payload + kind`:
 *
 * | kind | payload | then |
 * |---|---|---|
 * | 0 time | ticks since the last time | |
 * | 1 wall clock | milliseconds since 1970 | nanoseconds, a number |
 * | 2 input | bytes | the bytes |
 * | 3 random | bytes | the bytes |
 * | 4 check | instructions retired since the last check | |
 * | 5 quit | exit status | |
 * | 6 end | bytes | JSON ({@link TapeEnd}); the last event |
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Nanos, Ticks } from '@axvisor/axvisor_api/time';
import { usageError } from '../errors.ts';
import { VarintReader, VarintWriter } from './varint.ts';

const MAGIC = 'axvisor recording ';
/** Changes with the order of questions, too. */
const VERSION = 2;
/** A first line longer than this is not ours. */
const MAX_LINE = 1 << 16;
const KINDS = 8;
const Kind = { time: 0, wall: 1, input: 2, random: 3, check: 4, quit: 5, end: 6 } as const;
const KIND_NAMES = Object.keys(Kind);
/** Times between two checks. */
const CHECK_EVERY = 1024;
const NANOS_PER_MILLI = 1_000_000n;

/** What a recording is of. */
export interface TapeHeader {
  /** Hash of the configurations and images. */
  readonly guests: string;
  /** Whether Ctrl-A was an escape on its console. */
  readonly escapes: boolean;
}

/** How the run ended, to be compared with. */
export interface TapeEnd {
  readonly instructions: number;
  readonly console: string;
  readonly memory: string;
}

/** Answers the hypervisor's questions: with what the host says, noted, or with what it said. */
export interface Tape {
  /** Whether it answers by itself. */
  readonly replays: boolean;
  /** The run has ended: whatever closes its machines is nothing of it, and asks the host itself. */
  readonly isOver: boolean;
  readonly header: TapeHeader;
  time(host: () => Ticks): Ticks;
  wall(host: () => Nanos): Nanos;
  input(host: () => Uint8Array): Uint8Array;
  random(into: Uint8Array, host: (into: Uint8Array) => void): void;
  /** Whether the run is told to end, with which status; asked at every turn. */
  quit(host: () => number | undefined): number | undefined;
}

/** @param instructions - how many are retired now, a number that never falls */
export class Recorder implements Tape {
  readonly replays = false;
  isOver = false;
  readonly header: TapeHeader;
  readonly #fd: number;
  readonly #writer: VarintWriter;
  readonly #instructions: () => number;
  #lastTime = 0;
  #times = 0;
  #checked = 0;

  /** @throws {CliError} if the file cannot be written */
  constructor(path: string, header: TapeHeader, instructions: () => number) {
    this.header = header;
    this.#instructions = instructions;
    try {
      this.#fd = openSync(path, 'w');
    } catch (e) {
      throw usageError(`--record ${path}: ${e instanceof Error ? e.message : String(e)}`, e);
    }
    this.#writer = new VarintWriter((bytes) => {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    });
    this.#writer.bytes(Buffer.from(`${MAGIC}${VERSION}\n${JSON.stringify(header)}\n`));
  }

  #event(kind: number, payload: number): void {
    this.#writer.number(payload * KINDS + kind);
  }

  #block(kind: number, bytes: Uint8Array): void {
    this.#event(kind, bytes.length);
    this.#writer.bytes(bytes);
  }

  time(host: () => Ticks): Ticks {
    const now = host();
    const ticks = Number(now);
    this.#event(Kind.time, ticks - this.#lastTime);
    this.#lastTime = ticks;
    if (++this.#times % CHECK_EVERY === 0) {
      const instructions = this.#instructions();
      this.#event(Kind.check, instructions - this.#checked);
      this.#checked = instructions;
    }
    return now;
  }

  wall(host: () => Nanos): Nanos {
    const now = host();
    this.#event(Kind.wall, Number(now / NANOS_PER_MILLI));
    this.#writer.number(Number(now % NANOS_PER_MILLI));
    return now;
  }

  input(host: () => Uint8Array): Uint8Array {
    const bytes = host();
    if (bytes.length > 0) this.#block(Kind.input, bytes);
    return bytes;
  }

  random(into: Uint8Array, host: (into: Uint8Array) => void): void {
    host(into);
    this.#block(Kind.random, into);
  }

  quit(host: () => number | undefined): number | undefined {
    const status = host();
    if (status !== undefined) this.#event(Kind.quit, status);
    return status;
  }

  end(end: TapeEnd): void {
    this.isOver = true;
    this.#block(Kind.end, Buffer.from(JSON.stringify(end)));
    closeSync(this.#fd);
  }
}

export class Replayer implements Tape {
  readonly replays = true;
  isOver = false;
  readonly header: TapeHeader;
  readonly end: TapeEnd;
  readonly #reader: VarintReader;
  readonly #instructions: () => number;
  #lastTime = 0;
  #times = 0;
  #checked = 0;
  /** The next event; read ahead, for input and the end come only where they came. */
  #next = 0;

  private constructor(header: TapeHeader, end: TapeEnd, reader: VarintReader, instructions: () => number) {
    this.header = header;
    this.end = end;
    this.#reader = reader;
    this.#instructions = instructions;
    this.#next = reader.number();
  }

  /** Opens a recording. @throws {CliError} if it cannot be read, is none, is of another version, or is not whole */
  static async open(path: string, instructions: () => number): Promise<Replayer> {
    const fail = (what: string, cause?: unknown): never => {
      throw usageError(`--replay ${path}: ${what}`, cause);
    };
    const bytes = await readFile(path).catch((e: Error) => fail(e.message, e));
    const lineEnd = bytes.subarray(0, MAX_LINE).indexOf(10);
    const first = bytes.subarray(0, Math.max(0, lineEnd)).toString('latin1');
    if (!first.startsWith(MAGIC)) fail('it is not a recording of axvisor');
    if (first !== `${MAGIC}${VERSION}`) fail(`it is a recording of version ${first.slice(MAGIC.length)}; this axvisor replays version ${VERSION}`);
    const headerEnd = bytes.indexOf(10, lineEnd + 1);
    if (headerEnd < 0) fail('it is cut off in its header');
    try {
      const header = JSON.parse(bytes.subarray(lineEnd + 1, headerEnd).toString('utf8')) as TapeHeader;
      // A Buffer's slices are views, ours are copies.
      const events = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
      const end = JSON.parse(Buffer.from(lastBlock(events, headerEnd + 1)).toString('utf8')) as TapeEnd;
      return new Replayer(header, end, new VarintReader(events, headerEnd + 1), instructions);
    } catch (e) {
      return fail(`it is damaged or cut off: ${e instanceof Error ? e.message : String(e)}`, e);
    }
  }

  /** The payload of the next event, which must be of `kind`. @throws {Error} if the run went another way */
  #take(kind: number): number {
    const found = this.#next % KINDS;
    if (found !== kind) throw new Error(`the replay left the recording after ${this.#instructions()} instructions: it asks for ${KIND_NAMES[kind]}, the recording has ${KIND_NAMES[found]}`);
    const payload = Math.floor(this.#next / KINDS);
    if (kind === Kind.time || kind === Kind.check || kind === Kind.quit) this.#next = this.#reader.number();
    return payload;
  }

  #block(kind: number): Uint8Array {
    const bytes = this.#reader.bytes(this.#take(kind));
    this.#next = this.#reader.number();
    return bytes;
  }

  time(): Ticks {
    this.#lastTime += this.#take(Kind.time);
    if (++this.#times % CHECK_EVERY === 0) {
      const instructions = this.#instructions();
      this.#checked += this.#take(Kind.check);
      if (instructions !== this.#checked) throw new Error(`the replay left the recording: ${instructions} instructions are retired where ${this.#checked} were`);
    }
    return BigInt(this.#lastTime);
  }

  wall(): Nanos {
    const millis = this.#take(Kind.wall);
    const nanos = this.#reader.number();
    this.#next = this.#reader.number();
    return BigInt(millis) * NANOS_PER_MILLI + BigInt(nanos);
  }

  input(): Uint8Array {
    return this.#next % KINDS === Kind.input ? this.#block(Kind.input) : new Uint8Array(0);
  }

  random(into: Uint8Array): void {
    const bytes = this.#block(Kind.random);
    if (bytes.length !== into.length) throw new Error(`the replay left the recording: it asks for ${into.length} random bytes, the recording has ${bytes.length}`);
    into.set(bytes);
  }

  quit(): number | undefined {
    return this.#next % KINDS === Kind.quit ? this.#take(Kind.quit) : undefined;
  }
}

/** Reads all events through to the end event, which must be there and be the last. @throws {RangeError} */
function lastBlock(bytes: Uint8Array, start: number): Uint8Array {
  const reader = new VarintReader(bytes, start);
  for (;;) {
    if (reader.isAtEnd) throw new RangeError('it has no end; was the run killed?');
    const event = reader.number();
    const payload = Math.floor(event / KINDS);
    const kind = event % KINDS;
    if (kind >= KIND_NAMES.length) throw new RangeError(`there is no event ${kind}`);
    if (kind === Kind.wall) reader.number();
    if (kind !== Kind.input && kind !== Kind.random && kind !== Kind.end) continue;
    const block = reader.bytes(payload);
    if (kind !== Kind.end) continue;
    if (!reader.isAtEnd) throw new RangeError('something follows its end');
    return block;
  }
}
