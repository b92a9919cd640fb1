/** Encoding and decoding of entries by their format, prepared as look-up tables. */
import { MappingFlags } from '@axvisor/axvisor_api/addrspace';
import { MEMORY_TYPES, type Bits, type EntryFormat, type MemoryType } from './format.ts';

const { READ, WRITE, EXECUTE, DEVICE, UNCACHED } = MappingFlags;
/** Flags that an entry can hold. USER has no meaning in the second stage. */
const ENTRY_FLAGS: number = READ | WRITE | EXECUTE | DEVICE | UNCACHED;
const ACCESS_FLAGS: number = READ | WRITE | EXECUTE;

const TYPE_FLAGS: Readonly<Record<MemoryType, number>> = { normal: 0, uncached: UNCACHED, device: DEVICE };

/** Flags as an entry holds them: without USER, and DEVICE includes UNCACHED. */
export function canonicalFlags(flags: MappingFlags): MappingFlags {
  return flags & ((flags & DEVICE) !== 0 ? ENTRY_FLAGS & ~UNCACHED : ENTRY_FLAGS);
}

const union = (...all: readonly Bits[]): Bits => [all.reduce((u, [lo]) => u | lo, 0), all.reduce((u, [, hi]) => u | hi, 0)];
const any = (lo: number, hi: number, mask: Bits): boolean => ((lo & mask[0]) | (hi & mask[1])) !== 0;
const NONE: Bits = [0, 0];

/** The attributes of leaves, i.e. all but the address. */
export class EntryCodec {
  readonly format: EntryFormat;
  readonly #typeMask: Bits;
  readonly #permissions: ReadonlySet<number>;

  constructor(format: EntryFormat) {
    this.format = format;
    this.#typeMask = union(...MEMORY_TYPES.map((t) => format.types[t]));
    this.#permissions = new Set([0, ...format.permissions]);
  }

  /** Whether an entry can express the permissions in `flags`. */
  canExpress(flags: MappingFlags): boolean {
    return this.#permissions.has(flags & ACCESS_FLAGS);
  }

  /** The attributes of a leaf of `level`. A leaf without permission is not present for the processor, but not empty either. */
  encode(flags: MappingFlags, level: number, dirty: boolean): Bits {
    const f = this.format;
    const type: MemoryType = (flags & DEVICE) !== 0 ? 'device' : (flags & UNCACHED) !== 0 ? 'uncached' : 'normal';
    const dirtyBits = (flags & WRITE) === 0 && any(...f.dirtyReadOnly, f.dirtyReadOnly) ? f.dirtyReadOnly : f.dirty;
    return union(
      (flags & ACCESS_FLAGS) !== 0 ? f.leaf : f.inaccessible,
      level === 0 ? f.page : f.block,
      (flags & READ) !== 0 ? f.read : NONE,
      (flags & WRITE) !== 0 ? f.write : NONE,
      (flags & EXECUTE) !== 0 ? f.execute : f.executeNever,
      f.types[type],
      dirty ? dirtyBits : NONE,
    );
  }

  /** The flags of a leaf; {@link encode}'s inverse up to {@link canonicalFlags}. */
  decode(lo: number, hi: number): MappingFlags {
    const f = this.format;
    const type = MEMORY_TYPES.find((t) => (lo & this.#typeMask[0]) === f.types[t][0] && (hi & this.#typeMask[1]) === f.types[t][1]) ?? 'normal';
    let flags: number = TYPE_FLAGS[type];
    if ((lo & f.present[0]) === 0) return flags;
    if (any(lo, hi, f.read)) flags |= READ;
    if (any(lo, hi, f.write)) flags |= WRITE;
    if (any(...f.executeNever, f.executeNever) ? !any(lo, hi, f.executeNever) : any(lo, hi, f.execute)) flags |= EXECUTE;
    return flags;
  }

  isDirty(lo: number, hi: number): boolean {
    return any(lo, hi, this.format.dirty) || any(lo, hi, this.format.dirtyReadOnly);
  }
}
