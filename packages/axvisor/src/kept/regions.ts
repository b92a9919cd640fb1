/**
 * Translated regions, kept from one run to the next: a guest that is started again finds what it executes translated as soon as it gets there.
 *
 * Files of regions and of their marks are only ever appended to, a region in one piece, so that several commands may do so at once. A file that is
 * long enough takes the place of the old one, and another is begun; what is found in the old one is written again, so that what nobody needs any
 * more goes with it.
 */
import { closeSync, fstatSync, ftruncateSync, futimesSync, mkdirSync, openSync, readSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { OpenStore, RegionStore } from '@axvisor/softcpu';
import { checksum } from '../checksum.ts';
import { marksIn, regionFiles, regionsIn } from './marks.ts';
import type { RegionFiles } from './marks.ts';
import { keepNewest } from './prune.ts';
import { keepingOf } from './sources.ts';

/** Bytes of regions from which on a file is old. */
const MAX_BYTES = 3 << 24;
/** Files in the folder: four for each of a few kinds of processors. */
const MAX_FILES = 24;
/** In front of each region, i32 each: lengths of its content and of its code, which follow; a checksum of all behind itself; a hash of the content; the mark of its entry. */
const Head = { content: 0, code: 4, checksum: 8, hash: 12, mark: 16 } as const;
const HEAD = 20;

/** Permissions of the files: what guests execute is their owner's business. */
const MODE = 0o600;

/** Where a region lies. */
interface Kept {
  readonly file: number;
  readonly at: number;
  readonly content: number;
  readonly code: number;
}

/** Bytes of a file; undefined where it ends before. */
function bytesAt(file: number, at: number, length: number): Buffer | undefined {
  const bytes = Buffer.alloc(length);
  return readSync(file, bytes, 0, length, at) === length ? bytes : undefined;
}

/** A region as it is written. */
function packed(content: Uint8Array, code: Uint8Array, mark: number): Buffer {
  const bytes = Buffer.alloc(HEAD + content.length + code.length);
  bytes.writeInt32LE(content.length, Head.content);
  bytes.writeInt32LE(code.length, Head.code);
  bytes.writeInt32LE(checksum(content), Head.hash);
  bytes.writeInt32LE(mark, Head.mark);
  bytes.set(content, HEAD);
  bytes.set(code, HEAD + content.length);
  bytes.writeInt32LE(checksum(bytes.subarray(Head.hash)), Head.checksum);
  return bytes;
}

const isWhole = (bytes: Buffer): boolean => bytes.readInt32LE(Head.checksum) === checksum(bytes.subarray(Head.hash));

export class KeptRegions implements RegionStore, Disposable {
  /** By the hashes of their contents. Of two with the same, the last one. */
  readonly #kept = new Map<number, Kept>();
  readonly #maxBytes: number;
  readonly #old: number | undefined;
  readonly #regions: number;
  readonly #marks: number;
  /** Of the file that is written. */
  #size: number;

  /** @param maxBytes - from which on a file is old. @throws {Error} the files cannot be read and written */
  constructor({ name, young, old }: RegionFiles, maxBytes: number = MAX_BYTES) {
    this.#maxBytes = maxBytes;
    const folder = dirname(young);
    mkdirSync(folder, { recursive: true });
    keepNewest(folder, MAX_FILES);
    if ((statSync(regionsIn(young), { throwIfNoEntry: false })?.size ?? 0) > maxBytes) {
      for (const kind of [regionsIn, marksIn]) renameSync(kind(young), kind(old));
    }
    // The name is in front, as if it were what a region without code is made of.
    const front = packed(Buffer.from(name), new Uint8Array(), 0);
    if (statSync(regionsIn(old), { throwIfNoEntry: false }) !== undefined) {
      this.#old = openSync(regionsIn(old), 'r');
      this.#scan(this.#old, front);
    }
    this.#regions = openSync(regionsIn(young), 'a+', MODE);
    this.#marks = openSync(marksIn(young), 'a', MODE);
    // They are in use, whether or not anything is written.
    for (const file of [this.#regions, this.#marks, ...(this.#old === undefined ? [] : [this.#old])]) futimesSync(file, new Date(), new Date());
    this.#size = this.#scan(this.#regions, front);
    // What was not written to its end, or is another's, is in the way of what follows.
    ftruncateSync(this.#regions, this.#size);
    ftruncateSync(this.#marks, this.#size === 0 ? 0 : Math.floor(fstatSync(this.#marks).size / 4) * 4);
    if (this.#size === 0) this.#size = writeSync(this.#regions, front);
  }

  /** Notes the regions of a file. @returns where the last one ends; 0: it is not for these */
  #scan(file: number, front: Buffer): number {
    if (bytesAt(file, 0, front.length)?.equals(front) !== true) return 0;
    const { size } = fstatSync(file);
    for (let at = front.length; ; ) {
      const head = bytesAt(file, at, HEAD);
      const content = head?.readInt32LE(Head.content) ?? -1;
      const code = head?.readInt32LE(Head.code) ?? -1;
      const end = at + HEAD + content + code;
      if (head === undefined || content < 0 || code < 0 || end > size) return at;
      this.#note(file, at, head);
      at = end;
    }
  }

  #note(file: number, at: number, head: Buffer): void {
    this.#kept.set(head.readInt32LE(Head.hash), { file, at, content: head.readInt32LE(Head.content), code: head.readInt32LE(Head.code) });
  }

  find(content: Uint8Array): Uint8Array | undefined {
    const kept = this.#kept.get(checksum(content));
    if (kept?.content !== content.length) return undefined;
    const start = HEAD + kept.content;
    const bytes = bytesAt(kept.file, kept.at, start + kept.code);
    // A guest may have chosen code with the hash of another's.
    if (bytes === undefined || !bytes.subarray(HEAD, start).equals(content) || !isWhole(bytes)) return undefined;
    if (kept.file === this.#old) this.#write(bytes);
    return bytes.subarray(start);
  }

  keep(content: Uint8Array, code: Uint8Array, mark: number): void {
    this.#write(packed(content, code, mark));
  }

  #write(bytes: Buffer): void {
    if (this.#size > this.#maxBytes) return;
    try {
      writeSync(this.#regions, bytes);
      writeSync(this.#marks, bytes, Head.mark, 4);
      // Others may have written before.
      this.#size = fstatSync(this.#regions).size;
      this.#note(this.#regions, this.#size - bytes.length, bytes);
    } catch {
      // It is generated again; and so is what follows.
      this.#size = Infinity;
    }
  }

  [Symbol.dispose](): void {
    for (const file of [this.#old, this.#regions, this.#marks]) if (file !== undefined) closeSync(file);
  }
}

/** The regions in these files; undefined where they cannot be read and written. */
export function openRegions(files: RegionFiles): KeptRegions | undefined {
  try {
    return new KeptRegions(files);
  } catch {
    return undefined;
  }
}

/** What the compiling thread finds the regions of an architecture in, if they are kept. */
export function keptRegions(arch: Architecture): OpenStore | undefined {
  const keeping = keepingOf('regions');
  return keeping === undefined ? undefined : (key) => openRegions(regionFiles(keeping, arch, key));
}
