/**
 * What the threads of one host share, as a message can carry it: physical memory, the state of its allocator, and a *line* of
 * words for each CPU.
 */
import { MAX_MESSAGE_BYTES, MAX_MESSAGE_VALUES, MAX_POST_VALUES, PAGE_NOTES_HEADER } from '@axvisor/axvisor_api/smp';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import type { WasmMemory } from '@axvisor/axvisor_api/memory';
import type { Nanos } from '@axvisor/axvisor_api/time';
import { allocatorBytes } from '../memory/frame_allocator.ts';
import { createPhysMemory } from '../memory/phys_memory.ts';
import { runtime } from '../runtime.ts';
import { sharedNanos } from '../time/clock.ts';
import { threadObstacle } from './support.ts';

/** Made by one thread, given to the others. */
export interface HostShare {
  readonly memory: WasmMemory;
  readonly frames: ArrayBufferLike;
  readonly lines: ArrayBufferLike;
  /** What `smp.pageNotes()` gives. */
  readonly pageNotes: ArrayBufferLike;
  /** Guest CPUs; the monitor is one more. */
  readonly guestCpus: number;
  /** When the tick counter was 0. */
  readonly epoch: Nanos;
}

/** 32-bit words of a line. */
export const Word = {
  signals: 0,
  inGuest: 1,
  /** A {@link Call}. */
  call: 2,
  operation: 3,
  values: 4,
  bytes: 5,
  /** The answer is an error: its kind, a line feed and its message are in the bytes. */
  error: 6,
  /** How many posts were written, and how many the monitor has taken up. */
  posted: 7,
  taken: 8,
} as const;

/** Posts that may be on their way: a power of two. */
export const POSTS = 256;
/** 64-bit values of a post: the operation, and how many values, in the first one. */
export const POST_SIZE: number = MAX_POST_VALUES + 1;

/** State of the call that a line holds. */
export const Call = { none: 0, posted: 1, answered: 2 } as const;

/** The operation with which a line says that its CPU is gone, for the reason in its bytes. */
export const GONE = 0;

const VALUES = 64;
const BYTES: number = VALUES + 8 * MAX_MESSAGE_VALUES;
const POSTED: number = BYTES + MAX_MESSAGE_BYTES;
const LINE: number = POSTED + 8 * POST_SIZE * POSTS;

/** One CPU's words. */
export interface Line {
  readonly words: Int32Array;
  readonly values: BigUint64Array;
  readonly bytes: Uint8Array;
  /** A ring of {@link POSTS}. */
  readonly posts: BigUint64Array;
}

/** @throws {AxError} InvalidInput for a number of CPUs or a size of memory that cannot be; Unsupported where {@link threadObstacle} finds one */
export function createHostShare(options: { readonly memory: number; readonly guestCpus: number }): HostShare {
  const { guestCpus } = options;
  ensure(Number.isInteger(guestCpus) && guestCpus > 0, 'InvalidInput', `${guestCpus} guest CPUs`);
  const { SharedArrayBuffer } = runtime;
  const obstacle = threadObstacle();
  if (SharedArrayBuffer === undefined || obstacle !== undefined) throw axError('Unsupported', obstacle ?? 'no shared memory');
  const { memory, bytes } = createPhysMemory(options.memory);
  return {
    memory,
    frames: new SharedArrayBuffer(allocatorBytes(bytes.length / 0x1000)),
    pageNotes: new SharedArrayBuffer(PAGE_NOTES_HEADER + 8 * (bytes.length / 0x1000)),
    lines: new SharedArrayBuffer((guestCpus + 1) * LINE),
    guestCpus,
    epoch: sharedNanos(),
  };
}

/** The words of CPU `cpu`. */
export function lineOf(share: HostShare, cpu: number): Line {
  const at = cpu * LINE;
  return {
    words: new Int32Array(share.lines, at, VALUES / 4),
    values: new BigUint64Array(share.lines, at + VALUES, MAX_MESSAGE_VALUES),
    bytes: new Uint8Array(share.lines, at + BYTES, MAX_MESSAGE_BYTES),
    posts: new BigUint64Array(share.lines, at + POSTED, POST_SIZE * POSTS),
  };
}

/** Tells the monitor that the thread of guest CPU `cpu` has ended or is about to. */
export function failCpu(share: HostShare, cpu: number, reason: string): void {
  const { words, bytes } = lineOf(share, cpu);
  const text = new runtime.TextEncoder().encode(reason).subarray(0, MAX_MESSAGE_BYTES);
  bytes.set(text);
  words[Word.bytes] = text.length;
  words[Word.values] = 0;
  words[Word.operation] = GONE;
  Atomics.store(words, Word.call, Call.posted);
  Atomics.notify(words, Word.call);
}
