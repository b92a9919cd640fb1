/**
 * Which cached translations a logical processor may use, and forgetting them: address spaces by CR3 and PCID, VPID or ASID (SDM vol. 3, 4.10 and 29.4; APM
 * vol. 2, 15.16).
 */
import { LargeLeaves, type Space } from '@axvisor/softcpu';
import { FETCH, LARGE_PAGES, MMU } from '../state.ts';
import { CR0, CR4, EFER } from './fields.ts';
import type { PrivilegedHost } from './interface.ts';
import type { Registers } from './registers.ts';

/** What of the control registers decides how page tables are read: their low words are part of what translations are tagged with. */
const CR0_PAGING: number = CR0.PG | CR0.WP;
const CR4_PAGING: number = CR4.PSE | CR4.PAE | CR4.PGE | CR4.SMEP | CR4.SMAP | CR4.LA57;
const EFER_PAGING: number = EFER.NXE | EFER.LMA;

/** MMU and fetch modes that an address space is used in: generated code changes the privilege level. */
const DATA_MODES: readonly number[] = [MMU.user, MMU.supervisor, MMU.supervisorSmap];
const FETCH_MODES: readonly number[] = [FETCH.user, FETCH.supervisor];

/** Address spaces that are found again by numbers, without their keys. */
const RECENT = 8;

/** Groups of address spaces and keys in a group that are remembered. */
const MAX_GROUPS = 4096;
const MAX_KEYS = 256;

/** An address space of the current owner: CR3, then bits of CR0, CR4 and EFER. */
interface Recent {
  readonly lo: number;
  readonly hi: number;
  readonly cr0: number;
  readonly cr4: number;
  readonly efer: number;
  readonly space: Space;
}

const isOf = (r: Recent, lo: number, hi: number, cr0: number, cr4: number, efer: number): boolean =>
  r.lo === lo && r.hi === hi && r.cr0 === cr0 && r.cr4 === cr4 && r.efer === efer;

export class Translations {
  /** Large leaves of which pages may be cached. */
  readonly largePages: LargeLeaves;
  /** Called when cached translations of one or all pages must go. */
  flushed: (lo: number, hi: number, all: boolean) => void = () => {};
  private readonly regs: Registers;
  private readonly host: PrivilegedHost;
  /** Who owns translations, VPID or ASID, and the tables of the second stage: how the keys of address spaces begin. */
  private owner = '';
  private tables = '';
  /** The address space, undefined once a part of its key changed. */
  private current: Recent | undefined;
  private recent: Recent[] = [];
  private oldest = 0;
  /** By owner and PCID: keys of the address spaces that were entered since they were last forgotten. */
  private readonly entered = new Map<string, Set<string>>();

  constructor(regs: Registers, host: PrivilegedHost) {
    this.regs = regs;
    this.largePages = new LargeLeaves(regs, regs.stateBase + LARGE_PAGES);
    this.host = host;
  }

  /** Translations are those of a VPID or ASID from now on, and with a second stage, of its tables. {@link enter} must follow. */
  setOwner(owner: string, tables: string): void {
    if (owner === this.owner && tables === this.tables) return;
    this.owner = owner;
    this.tables = tables;
    this.renew();
  }

  private renew(): void {
    this.current = undefined;
    this.recent.length = this.oldest = 0;
  }

  /** How the keys of all address spaces of a VPID or ASID begin. */
  private static prefix(owner: string): string {
    return `${owner}:`;
  }

  /** To be called when CR3 or another control register changed, and what is cached of the address space stays. */
  enter(): void {
    const { regs } = this;
    const lo = regs.cr3Lo;
    const hi = regs.cr3Hi;
    const cr0 = regs.cr0 & CR0_PAGING;
    const cr4 = regs.cr4 & CR4_PAGING;
    const efer = regs.efer & EFER_PAGING;
    const { current, recent } = this;
    if (current !== undefined && isOf(current, lo, hi, cr0, cr4, efer)) return;
    let found: Recent | undefined;
    for (let i = 0; i < recent.length && found === undefined; i++) if (isOf(recent[i]!, lo, hi, cr0, cr4, efer)) found = recent[i];
    if (found === undefined) {
      const regime = `${Translations.prefix(this.owner)}${this.tables}/${cr0}.${cr4}.${efer}`;
      const key = `${regime} ${this.pcid} ${lo}.${hi}`;
      if (cr0 < 0) this.note(key);
      const space = cr0 < 0 ? this.host.space(key, regime) : this.host.space(regime);
      found = { lo, hi, cr0, cr4, efer, space };
      recent[this.oldest] = found;
      this.oldest = (this.oldest + 1) % RECENT;
    }
    this.current = found;
    this.flushed(0, 0, true);
    this.host.enterSpaces(found.space, found.space, DATA_MODES, FETCH_MODES);
  }

  /** Where {@link entered} has the address spaces of a PCID. */
  private group(pcid: number): string {
    return `${this.owner} ${pcid}`;
  }

  private note(key: string): void {
    const group = this.group(this.pcid);
    let keys = this.entered.get(group);
    // What a guest can make grow without end is forgotten now and then, and all that is cached with it.
    if (keys === undefined ? this.entered.size === MAX_GROUPS : keys.size === MAX_KEYS) {
      this.host.forgetSpaces(() => true);
      this.entered.clear();
      keys = undefined;
    }
    if (keys === undefined) this.entered.set(group, (keys = new Set()));
    keys.add(key);
  }

  /** The current process-context identifier (SDM vol. 3, 4.10.1). */
  get pcid(): number {
    const { regs } = this;
    return (regs.cr4 & CR4.PCIDE) !== 0 ? regs.cr3Lo & 0xfff : 0;
  }

  private forget(condition: (key: string) => boolean): void {
    this.renew();
    this.flushed(0, 0, true);
    this.host.forgetSpaces(condition);
    this.enter();
  }

  /** Drops everything cached of page tables. */
  flush(): void {
    this.largePages.clear();
    this.entered.clear();
    this.forget(() => true);
  }

  /** Drops what is cached of a PCID, all but global translations. */
  flushPcid(pcid: number): void {
    const group = this.group(pcid);
    const keys = this.entered.get(group);
    if (keys !== undefined) {
      this.entered.delete(group);
      this.host.dropSpaces(keys);
      this.recent = this.recent.filter(({ space }) => !space.dropped);
      this.oldest = this.recent.length % RECENT;
      if (this.current?.space.dropped === true) this.current = undefined;
    }
    this.enter();
  }

  /** Drops what is cached of all PCIDs but global translations. */
  flushLocal(): void {
    const prefix = Translations.prefix(this.owner);
    this.forget((key) => key.startsWith(prefix) && key.includes(' '));
  }

  /** Drops what is cached of a VPID or ASID. */
  flushOwner(owner: string): void {
    const prefix = Translations.prefix(owner);
    this.forget((key) => key.startsWith(prefix));
  }

  /** INVLPG: one page, or everything while pages of large leaves may be cached one by one. */
  invalidate(lo: number, hi: number): void {
    if (this.largePages.has(lo, hi)) {
      this.flush();
      return;
    }
    this.forgetPage(lo, hi);
  }

  /** Drops what is cached of a page of 4 KiB in all address spaces, of whatever size the page is. */
  forgetPage(lo: number, hi: number): void {
    this.flushed(lo, hi, false);
    this.host.flushPage(lo, hi);
  }
}
