/** The MSR lists of entries and exits (SDM vol. 3, 27.4, 28.4 and 28.6): entries of 16 bytes, each an index and a value. */
import type { Msrs } from '../msrs.ts';
import type { Physical } from '../physical.ts';
import { highWord, lowWord, toNumber } from '../registers.ts';
import { F, Vmcs, type Field } from './vmcs.ts';

/** Words that every entry and exit look at: the lengths. */
export const ENTRY_MSR_LOAD_COUNT: number = Vmcs.word(F.entryMsrLoadCount);
export const EXIT_MSR_STORE_COUNT: number = Vmcs.word(F.exitMsrStoreCount);
export const EXIT_MSR_LOAD_COUNT: number = Vmcs.word(F.exitMsrLoadCount);

export class MsrLists {
  private readonly vmcs: Vmcs;
  private readonly physical: Physical;
  private readonly msrs: Msrs;

  constructor(vmcs: Vmcs, physical: Physical, msrs: Msrs) {
    this.vmcs = vmcs;
    this.physical = physical;
    this.msrs = msrs;
  }

  /** All of them are empty. */
  get areEmpty(): boolean {
    const { vmcs } = this;
    return vmcs.wordAt(ENTRY_MSR_LOAD_COUNT) === 0 && vmcs.wordAt(EXIT_MSR_STORE_COUNT) === 0 && vmcs.wordAt(EXIT_MSR_LOAD_COUNT) === 0;
  }

  /** Loads the list whose length is in the word `count`; the number of the entry that cannot be loaded, 0 if all can. */
  load(count: number, address: Field): number {
    const { vmcs, physical, msrs } = this;
    const entries = vmcs.wordAt(count);
    if (entries === 0) return 0;
    const base = toNumber(vmcs.lo(address), vmcs.hi(address));
    for (let i = 0; i < entries; i++) {
      const at = base + 16 * i;
      const index = physical.read(at, 4) >>> 0;
      const reserved = physical.read(at + 4, 4);
      const lo = physical.read(at + 8, 4);
      const hi = physical.read(at + 12, 4);
      const forbidden = index === 0xc000_0100 || index === 0xc000_0101 || (index >= 0x800 && index < 0x900) || index === 0x79;
      if (reserved !== 0 || forbidden || !msrs.write(index, lo, hi)) return i + 1;
    }
    return 0;
  }

  /** Stores the list of exits; false if it cannot be. */
  store(): boolean {
    const { vmcs, physical, msrs } = this;
    const entries = vmcs.wordAt(EXIT_MSR_STORE_COUNT);
    if (entries === 0) return true;
    const base = toNumber(vmcs.lo(F.exitMsrStoreAddress), vmcs.hi(F.exitMsrStoreAddress));
    for (let i = 0; i < entries; i++) {
      const at = base + 16 * i;
      const index = physical.read(at, 4) >>> 0;
      const value = physical.read(at + 4, 4) === 0 ? msrs.read(index) : undefined;
      if (value === undefined) return false;
      physical.write(at + 8, 8, lowWord(value), highWord(value));
    }
    return true;
  }
}
