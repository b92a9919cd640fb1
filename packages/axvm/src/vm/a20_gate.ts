/**
 * The gate of address line 20 of a PC AT: as long as it is closed, processors find the first megabyte in the place of the second, as on an 8086,
 * whose addresses have 20 bits (IBM PC AT technical reference). Of all odd megabytes this is the one that real mode reaches, and that programs look
 * at to learn whether the gate is open; those above stay where they are.
 */
import { gpa } from '@axvisor/axvisor_api/addr';
import { createAddrSpace, type AddrSpace, type AreaInfo } from '@axvisor/axvisor_api/addrspace';

const LINE_20 = 0x10_0000n;

export class A20Gate {
  /** What the guest has set. */
  wanted = true;
  readonly #space: AddrSpace;
  readonly #vmid: number;
  #open = true;
  /** Keeps the second megabyte while it cannot be reached. */
  #behind: AddrSpace | undefined;

  constructor(space: AddrSpace, vmid: number) {
    this.#space = space;
    this.#vmid = vmid;
  }

  /** Memory that the host gave at a fixed place has no gate. */
  get isDue(): boolean {
    return this.wanted !== this.#open && !this.#space.areas().some(({ range, backend }) => backend === 'linear' && range.start < 2n * LINE_20);
  }

  /** Makes of memory what the guest has set. No vCPU is in the guest meanwhile. @throws {AxError} NoMemory */
  settle(): void {
    this.#open = this.wanted;
    const space = this.#space;
    const behind = (this.#behind ??= this.#keep());
    const source = this.#open ? behind : space;
    const from = this.#open ? LINE_20 : 0n;
    const areas = memoryOf(source, from);
    for (const { start, end } of memoryOf(space, LINE_20)) space.unmap(gpa(start), end - start);
    for (const { start, end, flags } of areas) space.mapShared(gpa(start - from + LINE_20), { space: source, gpa: gpa(start) }, end - start, flags);
  }

  /** Opens it, and forgets what memory was; all of it is mapped anew after this, or never. */
  reset(): void {
    if (!this.#open) for (const { start, end } of memoryOf(this.#space, LINE_20)) this.#space.unmap(gpa(start), end - start);
    this.wanted = this.#open = true;
    this.#behind?.[Symbol.dispose]();
    this.#behind = undefined;
  }

  #keep(): AddrSpace {
    const { format, levels } = this.#space.root;
    const behind = createAddrSpace({ format, ...(format === 'ept' ? { levels } : {}), vmid: this.#vmid });
    for (const { start, end, flags } of memoryOf(this.#space, LINE_20)) behind.mapShared(gpa(start), { space: this.#space, gpa: gpa(start) }, end - start, flags);
    return behind;
  }
}

/** The areas of the megabyte at `first`, cut to it. */
const memoryOf = (space: AddrSpace, first: bigint): { readonly start: bigint; readonly end: bigint; readonly flags: AreaInfo['flags'] }[] =>
  space.areas().flatMap(({ range, flags }) => {
    const start = range.start > first ? range.start : first;
    const end = range.end < first + LINE_20 ? range.end : first + LINE_20;
    return start < end ? [{ start, end, flags }] : [];
  });
