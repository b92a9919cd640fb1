/** Guest physical memory through the nested page table, as the hypervisor reads it: EPT (SDM vol. 3, 29.3) or nested paging (APM vol. 2, 15.25). */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { axError } from '@axvisor/axvisor_api/errors';
import { physMemory } from '@axvisor/axvisor_api/memory';
import { hostWrote } from '@axvisor/axvisor_api/processor';

/** Bits of an entry that say whether it is there, may be written, and is a leaf above the lowest level. */
interface Entries {
  readonly present: bigint;
  readonly write: bigint;
  readonly leaf: bigint;
}
const FORMATS: Readonly<Record<string, Entries>> = {
  ept: { present: 7n, write: 2n, leaf: 0x80n },
  npt: { present: 1n, write: 2n, leaf: 0x80n },
};
const FRAME_MASK = 0x000f_ffff_ffff_f000n;

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

  /** The host address of a guest physical one, undefined where nothing is mapped or a write is not allowed. */
  translate(gpa: bigint, write: boolean): number | undefined {
    const { longs, bytes } = physMemory();
    const { present, write: writable, leaf } = this.#entries;
    let table = BigInt(this.#root.address);
    for (let level = this.#root.levels - 1; level >= 0; level--) {
      const shift = BigInt(12 + 9 * level);
      const entry = longs[Number((table >> 3n) + ((gpa >> shift) & 511n))] ?? 0n;
      if ((entry & present) === 0n || (write && (entry & writable) === 0n)) return undefined;
      const frame = entry & FRAME_MASK;
      if (level === 0 || (entry & leaf) !== 0n) {
        const inside = (1n << shift) - 1n;
        const address = Number((frame & ~inside) | (gpa & inside));
        return address < bytes.length ? address : undefined;
      }
      table = frame;
    }
    return undefined;
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
