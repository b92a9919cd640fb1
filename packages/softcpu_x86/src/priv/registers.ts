/**
 * The state of the privileged architecture of one logical processor: control registers and MSRs, segment caches, and the words of the shared state
 * block that follow from them.
 */
import type { Space } from '@axvisor/softcpu';
import { readEflags, writeEflags } from '../eflags.ts';
import {
  ALIGN_TRAP, AVX_TRAP, CODE, CPL, CS_LIMIT, EFLAGS, FETCH, FETCH_IDX, FPU_TRAP, Flag, GPR, IF_ALLOWED, IF_AWAITED, INTERCEPTS, LIMITS, MMU, MMU_IDX, MODE, NON_ADDRESS_BITS, PAUSES, PAUSES_LEFT, PC, READ_HIGH, READ_LOW, RIGHTS, SEG_BASE,
  SELECTOR, SHADOW_PC, SMAP, SSE_TRAP, STORED, UMIP_TRAP, WRITE_HIGH, WRITE_LOW, storedAt,
} from '../state.ts';
import { FaultRecord } from './abort.ts';
import { AR, CR0, CR4, DPL_SHIFT, DR6, DR7, EFER, SEG, SHADOW, TYPE } from './fields.ts';
import { LargePages } from './large_pages.ts';
import { Waiting, type PrivilegedHost, type PrivilegedOptions } from './interface.ts';

/** A register that is stored as two words. */
export type Stored = (typeof STORED)[number];

/** Index of the low word of each register in {@link Registers.sys}; the high word follows. */
export const slot: Readonly<Record<Stored, number>> = Object.fromEntries(STORED.map((name, i) => [name, 2 * i])) as Record<Stored, number>;

/** IA32_PAT at reset: WB, WT, UC-, UC, twice. */
const PAT_RESET = 0x0007_0406;

/** The unsigned value of a pair of words as a number; exact below 2^53. */
export const toNumber = (lo: number, hi: number): number => (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
/** High word of a number below 2^53. */
export const highOf = (value: number): number => Math.floor(value / 0x1_0000_0000) | 0;
/** The unsigned value of a pair of words. */
export const toBigint = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
export const lowWord = (value: bigint): number => Number(BigInt.asIntN(32, value));
export const highWord = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

/** What of the control registers decides how page tables are read: their low words are part of what translations are tagged with. */
const CR0_PAGING: number = CR0.PG | CR0.WP;
const CR4_PAGING: number = CR4.PSE | CR4.PAE | CR4.PGE | CR4.SMEP | CR4.SMAP | CR4.LA57;
const EFER_PAGING: number = EFER.NXE | EFER.LMA;

/** MMU and fetch modes that an address space is used in: generated code changes the privilege level. */
const DATA_MODES: readonly number[] = [MMU.user, MMU.supervisor, MMU.supervisorSmap];
const FETCH_MODES: readonly number[] = [FETCH.user, FETCH.supervisor];

/** Registers and mode of one logical processor. */
export class Registers {
  /** Stored registers, two words each, at {@link slot}. */
  sys!: Int32Array;
  private sys64!: BigUint64Array;
  /** Limits in bytes and access rights (as in the VMCS) of the segment registers, LDTR and TR. */
  limits!: Uint32Array;
  rights!: Int32Array;
  ldtrSelector = 0;
  trSelector = 0;
  gdtrLimit = 0xffff;
  idtrLimit = 0xffff;
  /** Size of code: {@link CODE.code16}, `code32`, `code64`. */
  code = 0;
  waiting: Waiting = Waiting.no;
  /** Hosted: the guest was left. */
  exited = false;
  /** Blocking by STI, MOV SS or NMI (interruptibility state); of the first two, until more instructions than `shadowAt` retired. */
  nmiBlocked = false;
  shadow = 0;
  shadowAt = -1;
  /** RFLAGS.RF is the one of the instruction before which this many instructions had retired. */
  rfAt = -1;
  /** Multiplier of the guest's TSC with 48 fractional bits, 0 for none. */
  tscMultiplier = 0n;
  /** Debug exceptions that wait for an instruction boundary: bits of DR6. */
  pendingDebug = 0;
  readonly fault: FaultRecord = new FaultRecord();
  readonly host: PrivilegedHost;
  readonly stateBase: number;
  /** The linear memory; the state block begins at word `base`. */
  words!: Int32Array;
  view!: DataView;
  /** Other threads write the memory, too. */
  shared = false;
  readonly base: number;
  private readonly memory: { readonly buffer: ArrayBufferLike };
  private mode = -1;
  /** Who owns translations, VPID or ASID, and the tables of the second stage: how the keys of address spaces begin. */
  private owner = '';
  private tables = '';
  /** The address space, undefined once a part of its key changed: CR3, then bits of CR0, CR4 and EFER. */
  private space: Space | undefined;
  private readonly spaceKey = new Int32Array(5);
  /** Large leaves of which pages may be cached. */
  readonly largePages: LargePages = new LargePages();
  /** Called when cached translations of one or all pages must go. */
  flushed: (lo: number, hi: number, all: boolean) => void = () => {};

  constructor(options: PrivilegedOptions) {
    this.host = options.host;
    this.memory = options.memory;
    this.stateBase = options.stateBase;
    this.base = options.stateBase >> 2;
    this.refresh();
  }

  refresh(): void {
    const { memory, stateBase } = this;
    this.words = new Int32Array(memory.buffer);
    this.shared = !(memory.buffer instanceof ArrayBuffer);
    this.view = new DataView(memory.buffer);
    this.sys = new Int32Array(memory.buffer, stateBase + storedAt(STORED[0]), 2 * STORED.length);
    this.sys64 = new BigUint64Array(memory.buffer, stateBase + storedAt(STORED[0]), STORED.length);
    this.limits = new Uint32Array(memory.buffer, stateBase + LIMITS, 8);
    this.rights = new Int32Array(memory.buffer, stateBase + RIGHTS, 8);
  }

  /** Current privilege level. */
  get cpl(): number {
    return this.words[this.base + (CPL >> 2)]!;
  }

  /** {@link modeChanged} must follow. */
  set cpl(level: number) {
    this.words[this.base + (CPL >> 2)] = level;
  }

  /** As after power-on or, with `init`, after INIT (SDM vol. 3, table 10-1). Vector and x87 state are not here. */
  reset(init: boolean, model: number): void {
    const { sys } = this;
    const cr0 = init ? sys[slot.cr0]! & (CR0.CD | CR0.NW) : CR0.CD | CR0.NW;
    for (const name of ['cr2', 'cr3', 'cr4', 'efer', 'dr0', 'dr1', 'dr2', 'dr3', 'gdtrBase', 'idtrBase'] as const) this.set(name, 0, 0);
    if (!init) {
      sys.fill(0);
      this.set('pat', PAT_RESET, PAT_RESET);
      this.set('xcr0', 1, 0);
      this.set('miscEnable', 1, 0);
    }
    this.set('cr0', cr0 | CR0.ET, 0);
    this.set('dr6', DR6.ones, 0);
    this.set('dr7', DR7.ones, 0);
    this.gdtrLimit = this.idtrLimit = 0xffff;
    for (let i = 0; i < 6; i++) this.setSegment(i, 0, 0, 0, 0xffff, i === SEG.cs ? 0x9b : 0x93);
    this.setSegment(SEG.cs, 0xf000, 0xffff_0000 | 0, 0, 0xffff, 0x9b);
    this.setSegment(SEG.ldtr, 0, 0, 0, 0xffff, 0x82);
    this.setSegment(SEG.tr, 0, 0, 0, 0xffff, 0x8b);
    for (let i = 0; i < 16; i++) this.setGpr(i, 0, 0);
    this.setGpr(2, model, 0);
    this.nmiBlocked = false;
    this.clearShadow();
    this.pendingDebug = 0;
    this.waiting = Waiting.no;
    this.exited = false;
    this.cpl = 0;
    this.flags = 2;
    this.flush();
    this.modeChanged();
    this.setRip(0xfff0, 0);
  }

  // ── stored registers ──

  set(name: Stored, lo: number, hi: number): void {
    this.sys[slot[name]] = lo;
    this.sys[slot[name] + 1] = hi;
  }

  get(name: Stored): bigint {
    return this.sys64[slot[name] / 2]!;
  }

  get cr0(): number {
    return this.sys[slot.cr0]!;
  }

  get cr4(): number {
    return this.sys[slot.cr4]!;
  }

  get efer(): number {
    return this.sys[slot.efer]!;
  }

  /** IA-32e mode is active. */
  get long(): boolean {
    return (this.sys[slot.efer]! & EFER.LMA) !== 0;
  }

  get protectedMode(): boolean {
    return (this.sys[slot.cr0]! & CR0.PE) !== 0;
  }

  get v86(): boolean {
    return (this.words[this.base + (EFLAGS >> 2)]! & Flag.VM) !== 0;
  }

  /** Real-address or virtual-8086 mode. */
  get real(): boolean {
    return !this.protectedMode || this.v86;
  }

  get code64(): boolean {
    return this.code === CODE.code64;
  }

  // ── general registers, RIP, RFLAGS ──

  /** Index of the low word of a general register in `words`. */
  gpr(register: number): number {
    return this.base + (GPR >> 2) + 2 * register;
  }

  lo(register: number): number {
    return this.words[this.base + (GPR >> 2) + 2 * register]!;
  }

  hi(register: number): number {
    return this.words[this.base + (GPR >> 2) + 2 * register + 1]!;
  }

  setGpr(register: number, lo: number, hi: number): void {
    const at = this.gpr(register);
    this.words[at] = lo;
    this.words[at + 1] = hi;
  }

  /** Writes a register with an operand size of 2, 4 (zero-extending) or 8 bytes. */
  setSized(register: number, size: number, lo: number, hi: number): void {
    const at = this.gpr(register);
    if (size === 8) this.words[at + 1] = hi;
    else if (size === 4) this.words[at + 1] = 0;
    this.words[at] = size === 2 ? (this.words[at]! & ~0xffff) | (lo & 0xffff) : lo;
  }

  get flags(): number {
    return readEflags(this.words, this.stateBase);
  }

  /** Sets all of RFLAGS; {@link modeChanged} must follow if VM, AC or IOPL changed. */
  set flags(value: number) {
    writeEflags(this.words, this.stateBase, value);
  }

  /** System flags only: no arithmetic ones. */
  get systemFlags(): number {
    return this.words[this.base + (EFLAGS >> 2)]!;
  }

  set systemFlags(value: number) {
    this.words[this.base + (EFLAGS >> 2)] = value;
  }

  get iopl(): number {
    return (this.systemFlags >>> 12) & 3;
  }

  /** RIP as the guest sees it. */
  ripLo(): number {
    const pc = this.words[this.base + (PC >> 2)]!;
    return this.code === CODE.code64 ? pc : (pc - this.baseLo(SEG.cs)) | 0;
  }

  ripHi(): number {
    return this.code === CODE.code64 ? this.words[this.base + (PC >> 2) + 1]! : 0;
  }

  setRip(lo: number, hi: number): void {
    const at = this.base + (PC >> 2);
    const wide = this.code === CODE.code64;
    this.words[at] = wide ? lo : lo + this.baseLo(SEG.cs);
    this.words[at + 1] = wide ? hi : 0;
  }

  /** Moves RIP past an instruction of `length` bytes. */
  advance(length: number): void {
    const at = this.base + (PC >> 2);
    const lo = (this.words[at]! + length) | 0;
    if (lo >>> 0 < length && this.code === CODE.code64) this.words[at + 1]! += 1;
    this.words[at] = lo;
  }

  // ── segments ──

  selector(segment: number): number {
    return segment < 6 ? this.words[this.base + (SELECTOR >> 2) + segment]! : segment === SEG.ldtr ? this.ldtrSelector : this.trSelector;
  }

  setSelector(segment: number, selector: number): void {
    if (segment < 6) this.words[this.base + (SELECTOR >> 2) + segment] = selector;
    else if (segment === SEG.ldtr) this.ldtrSelector = selector;
    else this.trSelector = selector;
  }

  baseLo(segment: number): number {
    if (segment < 6) return this.words[this.base + (SEG_BASE >> 2) + 2 * segment]!;
    return this.sys[segment === SEG.ldtr ? slot.ldtrBase : slot.trBase]!;
  }

  baseHi(segment: number): number {
    if (segment < 6) return this.words[this.base + (SEG_BASE >> 2) + 2 * segment + 1]!;
    return this.sys[(segment === SEG.ldtr ? slot.ldtrBase : slot.trBase) + 1]!;
  }

  setBase(segment: number, lo: number, hi: number): void {
    if (segment < 6) {
      const at = this.base + (SEG_BASE >> 2) + 2 * segment;
      this.words[at] = lo;
      this.words[at + 1] = hi;
    } else this.set(segment === SEG.ldtr ? 'ldtrBase' : 'trBase', lo, hi);
  }

  /** Loads all of a segment register. {@link modeChanged} must follow for the six that instructions name. */
  setSegment(segment: number, selector: number, baseLo: number, baseHi: number, limit: number, rights: number): void {
    this.setSelector(segment, selector);
    this.setBase(segment, baseLo, baseHi);
    this.limits[segment] = limit;
    this.rights[segment] = rights;
  }

  unusable(segment: number): boolean {
    return (this.rights[segment]! & AR.unusable) !== 0;
  }

  // ── what follows ──

  /** Whether AVX instructions exist: #NM by CR0.TS comes behind that. */
  get isAvxEnabled(): boolean {
    return (this.sys[slot.cr4]! & CR4.OSXSAVE) !== 0 && (this.sys[slot.xcr0]! & 6) === 6;
  }

  /** Recomputes what generated code looks at after a control register, a segment, the privilege level or a system flag changed. */
  modeChanged(): void {
    const { words, base, sys, rights, limits } = this;
    const cr0 = sys[slot.cr0]!;
    const cr4 = sys[slot.cr4]!;
    const flags = this.systemFlags;
    const real = (cr0 & CR0.PE) === 0;
    const v86 = (flags & Flag.VM) !== 0;
    const csRights = rights[SEG.cs]!;
    const { cpl } = this;
    const long = (sys[slot.efer]! & EFER.LMA) !== 0;
    this.code = long && (csRights & AR.L) !== 0 ? CODE.code64 : (csRights & AR.DB) !== 0 ? CODE.code32 : CODE.code16;
    const wide = this.code === CODE.code64;
    const segmented = !wide && !this.flat();
    const stack32 = wide || (rights[SEG.ss]! & AR.DB) !== 0;
    const mode = this.code | (stack32 ? CODE.stack32 : 0) | (segmented ? CODE.segmented : 0) | (real || v86 ? CODE.real : 0);
    words[base + (MODE >> 2)] = mode;
    words[base + (FETCH_IDX >> 2)] = cpl === 3 ? FETCH.user : FETCH.supervisor;
    words[base + (MMU_IDX >> 2)] = cpl === 3 ? MMU.user : (cr4 & CR4.SMAP) !== 0 && (flags & Flag.AC) === 0 ? MMU.supervisorSmap : MMU.supervisor;
    words[base + (IF_ALLOWED >> 2)] = real || (!v86 && cpl <= ((flags >>> 12) & 3)) ? 1 : 0;
    const fpuOff = (cr0 & (CR0.EM | CR0.TS)) !== 0;
    words[base + (FPU_TRAP >> 2)] = fpuOff ? 1 : 0;
    words[base + (SSE_TRAP >> 2)] = fpuOff || (cr4 & CR4.OSFXSR) === 0 ? 1 : 0;
    words[base + (AVX_TRAP >> 2)] = (cr0 & CR0.TS) !== 0 || real || v86 || !this.isAvxEnabled ? 1 : 0;
    words[base + (UMIP_TRAP >> 2)] = (cr4 & CR4.UMIP) !== 0 && cpl > 0 ? 1 : 0;
    const aligned = (cr0 & CR0.AM) !== 0 && (flags & Flag.AC) !== 0 && cpl === 3 ? 1 : 0;
    // From here on instructions are executed one by one.
    if (aligned !== words[base + (ALIGN_TRAP >> 2)]) this.host.endSlice();
    words[base + (ALIGN_TRAP >> 2)] = aligned;
    words[base + (SMAP >> 2)] = cr4 & CR4.SMAP;
    words[base + (NON_ADDRESS_BITS >> 2)] = (cr4 & CR4.LA57) !== 0 ? 7 : 16;
    const csLimit = wide ? -1 : limits[SEG.cs]! | 0;
    if (words[base + (CS_LIMIT >> 2)] !== csLimit) {
      words[base + (CS_LIMIT >> 2)] = csLimit;
      this.host.flushFetch();
    }
    // FS, GS and CS are looked at in flat modes too.
    if (!wide) for (let i = 0; i < 6; i++) this.setRange(i, real || v86);
    if (mode !== this.mode) {
      this.mode = mode;
      this.host.modeChanged(mode);
    }
    this.enterSpace();
  }

  /** ES, CS, SS and DS span 4 GiB from 0 and permit what flat code does with them. */
  private flat(): boolean {
    const { rights, limits, words, base } = this;
    for (let i = 0; i < 4; i++) {
      const r = rights[i]!;
      if (limits[i] !== 0xffff_ffff || words[base + (SEG_BASE >> 2) + 2 * i] !== 0 || (r & (AR.P | AR.unusable)) !== AR.P) return false;
      // A readable code segment, writable data segments that do not expand down.
      if ((r & (TYPE.code | TYPE.writable)) !== (i === SEG.cs ? TYPE.code | TYPE.readable : TYPE.writable)) return false;
      if (i !== SEG.cs && (r & TYPE.expandDown) !== 0) return false;
    }
    return true;
  }

  /** The offsets that may be read and written through a segment. */
  private setRange(segment: number, real: boolean): void {
    const { words, base } = this;
    const rights = this.rights[segment]!;
    const limit = this.limits[segment]!;
    const code = (rights & TYPE.code) !== 0;
    let low = 0;
    let high = limit;
    if (!code && (rights & TYPE.expandDown) !== 0) {
      low = limit + 1;
      high = (rights & AR.DB) !== 0 ? 0xffff_ffff : 0xffff;
      if (low > high) {
        low = 1;
        high = 0;
      }
    }
    const usable = (rights & AR.unusable) === 0;
    const put = (lowAt: number, highAt: number, allowed: boolean): void => {
      words[base + (lowAt >> 2) + segment] = allowed ? low | 0 : 1;
      words[base + (highAt >> 2) + segment] = allowed ? high | 0 : 0;
    };
    put(READ_LOW, READ_HIGH, usable && (real || !code || (rights & TYPE.readable) !== 0));
    put(WRITE_LOW, WRITE_HIGH, usable && (real || (!code && (rights & TYPE.writable) !== 0)));
  }

  /** CPL as descriptors give it, for who loads SS as a whole. */
  dpl(segment: number): number {
    return (this.rights[segment]! & AR.DPL) >>> DPL_SHIFT;
  }

  // ── interruptibility ──

  /** Whether something waits for IF to be set, or may: STI looks at it then. */
  set ifAwaited(awaited: boolean) {
    this.words[this.base + (IF_AWAITED >> 2)] = awaited ? 1 : 0;
  }

  /** Which instructions of generated code are intercepted: bits of `state.ts`. */
  set intercepts(bits: number) {
    this.words[this.base + (INTERCEPTS >> 2)] = bits;
  }

  /** How often PAUSE was executed since this was asked, one execution that asks included. */
  countPauses(): number {
    const at = this.base + (PAUSES_LEFT >> 2);
    const count = PAUSES - this.words[at]! + 1;
    this.words[at] = PAUSES;
    return count;
  }

  /** Blocks interrupts until after the next instruction. The instruction at hand is counted when it retires, hence the one more. */
  block(kind: number): void {
    this.shadow = kind;
    this.shadowAt = this.host.retired() + 1;
  }

  /** Blocks interrupts until after the instruction at PC. */
  blockNext(kind: number): void {
    this.shadow = kind;
    this.shadowAt = this.host.retired();
  }

  clearShadow(): void {
    const { words, base } = this;
    this.shadow = 0;
    words[base + (SHADOW_PC >> 2)] = words[base + (SHADOW_PC >> 2) + 1] = -1;
  }

  /** Blocking by STI and MOV SS that is in force before the instruction at PC. */
  currentShadow(): number {
    const { words, base } = this;
    const at = base + (SHADOW_PC >> 2);
    // That this PC was come to from STI is likely, and certain no more when it is left.
    if (words[at] === words[base + (PC >> 2)] && words[at + 1] === words[base + (PC >> 2) + 1]) {
      this.clearShadow();
      this.blockNext(SHADOW.sti);
    }
    if (this.shadow !== 0 && this.host.retired() > this.shadowAt) this.shadow = 0;
    return this.shadow;
  }

  // ── translations ──

  /** Translations are those of a VPID or ASID from now on, and with a second stage, of its tables. {@link modeChanged} must follow. */
  setOwner(owner: string, tables: string): void {
    if (owner === this.owner && tables === this.tables) return;
    this.owner = owner;
    this.tables = tables;
    this.space = undefined;
  }

  /** How the keys of all address spaces of a VPID or ASID begin. */
  private static prefix(owner: string): string {
    return `${owner}:`;
  }

  /** In the key of an address space: its PCID. */
  private static pcidPart(pcid: number): string {
    return ` ${pcid} `;
  }

  /** To be called when CR3 changed, and what is cached of the address space stays. */
  enterSpace(): void {
    const { sys, spaceKey } = this;
    const cr3 = slot.cr3;
    const lo = sys[cr3]!;
    const hi = sys[cr3 + 1]!;
    const cr0 = sys[slot.cr0]! & CR0_PAGING;
    const cr4 = sys[slot.cr4]! & CR4_PAGING;
    const efer = sys[slot.efer]! & EFER_PAGING;
    const same = lo === spaceKey[0] && hi === spaceKey[1] && cr0 === spaceKey[2] && cr4 === spaceKey[3] && efer === spaceKey[4];
    if (this.space !== undefined && same) return;
    spaceKey[0] = lo;
    spaceKey[1] = hi;
    spaceKey[2] = cr0;
    spaceKey[3] = cr4;
    spaceKey[4] = efer;
    const regime = `${Registers.prefix(this.owner)}${this.tables}/${cr0}.${cr4}.${efer}`;
    const paging = cr0 < 0;
    this.space = paging ? this.host.space(`${regime}${Registers.pcidPart(this.pcid)}${lo}.${hi}`, regime) : this.host.space(regime);
    this.flushed(0, 0, true);
    this.host.enterSpaces(this.space, this.space, DATA_MODES, FETCH_MODES);
  }

  /** The current process-context identifier (SDM vol. 3, 4.10.1). */
  get pcid(): number {
    const { sys } = this;
    return (sys[slot.cr4]! & CR4.PCIDE) !== 0 ? sys[slot.cr3]! & 0xfff : 0;
  }

  private forget(condition: (key: string) => boolean): void {
    this.space = undefined;
    this.flushed(0, 0, true);
    this.host.forgetSpaces(condition);
    this.enterSpace();
  }

  /** Drops everything cached of page tables. */
  flush(): void {
    this.largePages.clear();
    this.forget(() => true);
  }

  /** Drops what is cached of a PCID, all but global translations. */
  flushPcid(pcid: number): void {
    const prefix = Registers.prefix(this.owner);
    const part = Registers.pcidPart(pcid);
    this.forget((key) => key.startsWith(prefix) && key.includes(part));
  }

  /** Drops what is cached of all PCIDs but global translations. */
  flushLocal(): void {
    const prefix = Registers.prefix(this.owner);
    this.forget((key) => key.startsWith(prefix) && key.includes(' '));
  }

  /** Drops what is cached of a VPID or ASID. */
  flushOwner(owner: string): void {
    const prefix = Registers.prefix(owner);
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
