/** Guest physical memory through the nested page table, as the hypervisor reads it: EPT (SDM vol. 3, 29.3) or nested paging (APM vol. 2, 15.25). */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { axError } from '@axvisor/axvisor_api/errors';
import { physMemory } from '@axvisor/axvisor_api/memory';
import { hostWrote } from '@axvisor/axvisor_api/processor';

/** Bits of an entry that say whether it is there, and may be written. */
interface Entries {
  readonly present: number;
  readonly write: number;
}
const FORMATS: Readonly<Record<string, Entries>> = {
  ept: { present: 7, write: 2 },
  npt: { present: 1, write: 2 },
};
/** A leaf above the lowest level. */
const LEAF = 0x80;
const FRAME_HI = 0x000f_ffff;
const HIGH = 2 ** 32;
/** Bytes that an entry spans, by level from 0 on. */
const SPANS: readonly number[] = [0, 1, 2, 3, 4].map((level) => 2 ** (12 + 9 * level));

export class NestedMemory {
  readonly #root: NestedRoot;
  readonly #entries: Entries;

  /** @throws {AxError} Unsupported for a format that is not of x86 */
  constructor(root: NestedRoot) {
    const entries = FORMATS[root.format];
    if (entries === undefined) throw axError('Unsupported', `${root.format} is no format of nested page tables on x86`);
    this.#root = root;
    this.#entries = entries;
  }

  /** The host address of a guest physical one below 2^52; -1 where nothing is mapped or a write is not allowed. */
  place(gpa: number, write: boolean): number {
    const { words, bytes } = physMemory();
    const { present, write: writable } = this.#entries;
    let table = Number(this.#root.address);
    for (let level = this.#root.levels - 1; level >= 0; level--) {
      const size = SPANS[level] as number;
      const at = table / 4 + 2 * (Math.floor(gpa / size) & 511);
      const lo = words[at] ?? 0;
      if ((lo & present) === 0 || (write && (lo & writable) === 0)) return -1;
      const frame = ((words[at + 1] as number) & FRAME_HI) * HIGH + ((lo & ~0xfff) >>> 0);
      if (level === 0 || (lo & LEAF) !== 0) {
        const address = frame - (frame % size) + (gpa % size);
        return address < bytes.length ? address : -1;
      }
      table = frame;
    }
    return -1;
  }

  /** The host address of a guest physical one, undefined where nothing is mapped or a write is not allowed. */
  translate(gpa: bigint, write: boolean): number | undefined {
    const at = this.place(Number(BigInt.asUintN(52, gpa)), write);
    return at < 0 ? undefined : at;
  }

  /** A little-endian value that lies in one page; undefined where nothing is mapped. */
  read(gpa: bigint, size: number): bigint | undefined {
    const at = this.translate(gpa, false);
    if (at === undefined) return undefined;
    const { bytes } = physMemory();
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] as number);
    return value;
  }

  /** Bytes that lie in one page, as they are now; undefined where nothing is mapped. */
  bytes(gpa: bigint, size: number): Uint8Array | undefined {
    const at = this.translate(gpa, false);
    return at === undefined ? undefined : physMemory().bytes.slice(at, at + size);
  }

  /** Whether memory is there. */
  write(gpa: bigint, size: number, value: bigint): boolean {
    const at = this.translate(gpa, true);
    if (at === undefined) return false;
    const { bytes } = physMemory();
    for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    // What a port or a device was read into may be code.
    hostWrote(BigInt(at) as HostPhysAddr, size);
    return true;
  }
}
