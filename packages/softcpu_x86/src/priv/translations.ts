/**
 * Which cached translations a logical processor may use, and forgetting them: address spaces by CR3 and PCID, VPID or ASID (SDM vol. 3, 4.10 and 29.4; APM
 * vol. 2, 15.16).
 */
import type { Space } from '@axvisor/softcpu';
import { FETCH, MMU } from '../state.ts';
import { CR0, CR4, EFER } from './fields.ts';
import type { PrivilegedHost } from './interface.ts';
import { LargePages } from './large_pages.ts';
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

/** An address space of the current owner: CR3, then bits of CR0, CR4 and EFER. */
interface Recent {
  readonly lo: number;
  readonly hi: number;
  readonly cr0: number;
  readonly cr4: number;
  readonly efer: number;
  readonly space: Space;
}

export class Translations {
  /** Large leaves of which pages may be cached. */
  readonly largePages: LargePages = new LargePages();
  /** Called when cached translations of one or all pages must go. */
  flushed: (lo: number, hi: number, all: boolean) => void = () => {};
  private readonly regs: Registers;
  private readonly host: PrivilegedHost;
  /** Who owns translations, VPID or ASID, and the tables of the second stage: how the keys of address spaces begin. */
  private owner = '';
  private tables = '';
  /** The address space, undefined once a part of its key changed. */
  private current: Recent | undefined;
  private readonly recent: Recent[] = [];
  private oldest = 0;

  constructor(regs: Registers, host: PrivilegedHost) {
    this.regs = regs;
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

  /** In the key of an address space: its PCID. */
  private static pcidPart(pcid: number): string {
    return ` ${pcid} `;
  }

  /** To be called when CR3 or another control register changed, and what is cached of the address space stays. */
  enter(): void {
    const { regs } = this;
    const lo = regs.cr3Lo;
    const hi = regs.cr3Hi;
    const cr0 = regs.cr0 & CR0_PAGING;
    const cr4 = regs.cr4 & CR4_PAGING;
    const efer = regs.efer & EFER_PAGING;
    const is = (r: Recent): boolean => r.lo === lo && r.hi === hi && r.cr0 === cr0 && r.cr4 === cr4 && r.efer === efer;
    if (this.current !== undefined && is(this.current)) return;
    let found = this.recent.find(is);
    if (found === undefined) {
      const regime = `${Translations.prefix(this.owner)}${this.tables}/${cr0}.${cr4}.${efer}`;
      const space = cr0 < 0 ? this.host.space(`${regime}${Translations.pcidPart(this.pcid)}${lo}.${hi}`, regime) : this.host.space(regime);
      found = { lo, hi, cr0, cr4, efer, space };
      this.recent[this.oldest] = found;
      this.oldest = (this.oldest + 1) % RECENT;
    }
    this.current = found;
    this.flushed(0, 0, true);
    this.host.enterSpaces(found.space, found.space, DATA_MODES, FETCH_MODES);
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
    this.forget(() => true);
  }

  /** Drops what is cached of a PCID, all but global translations. */
  flushPcid(pcid: number): void {
    const prefix = Translations.prefix(this.owner);
    const part = Translations.pcidPart(pcid);
    this.forget((key) => key.startsWith(prefix) && key.includes(part));
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
    this.flushed(lo, hi, false);
    this.host.flushPage(lo, hi);
  }
}
