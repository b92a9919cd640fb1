/**
 * The state of the privileged architecture of one logical processor: control registers and MSRs, segment caches, and the words of the shared state
 * block that follow from them.
 */
import { readEflags, writeEflags } from '../eflags.ts';
import {
  CODE, CPL, CR_READS, EFLAGS, Flag, GDTR_LIMIT, GPR, IF_AWAITED, INTERCEPTS, Intercepts, LIMITS, PAUSES, PAUSES_LEFT, PC, RIGHTS, SEG_BASE, SELECTOR, SHADOW_PC, STORED, storedAt,
} from '../state.ts';
import { FaultRecord } from './abort.ts';
import { AR, CR0, CR4, DPL_SHIFT, DR6, DR7, EFER, SEG, SHADOW } from './fields.ts';
import { Waiting, type PrivilegedHost, type PrivilegedOptions } from './interface.ts';
import { codeSize, recompute } from './mode.ts';
import { Translations } from './translations.ts';

export { highWord, lowWord, toBigint, toNumber } from '@axvisor/softcpu';

/** A register that is stored as two words. */
export type Stored = (typeof STORED)[number];

/** Index of the low word of each register in {@link Registers.sys}; the high word follows. */
export const slot: Readonly<Record<Stored, number>> = Object.fromEntries(STORED.map((name, i) => [name, 2 * i])) as Record<Stored, number>;

/** All control registers but CR2 and CR3. */
const OTHER_CONTROL = (0xffff & ~0b1100) << CR_READS;

/** IA32_PAT at reset: WB, WT, UC-, UC, twice. */
const PAT_RESET = 0x0007_0406;

/** High word of a number below 2^53. */
export const highOf = (value: number): number => Math.floor(value / 0x1_0000_0000) | 0;

/** Upper half of what no PC is: no canonical address. */
const NOWHERE_HI = 0x8000_0000 | 0;

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
  idtrLimit = 0xffff;
  /** Size of code: {@link CODE.code16}, `code32`, `code64`. */
  code = 0;
  waiting: Waiting = Waiting.no;
  /** Hosted: the guest was left. */
  exited = false;
  /** Blocking by STI, MOV SS or NMI (interruptibility state); of the first two, until more instructions than `shadowAt` retired. */
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
  readonly translations: Translations;

  constructor(options: PrivilegedOptions) {
    this.host = options.host;
    this.memory = options.memory;
    this.stateBase = options.stateBase;
    this.base = options.stateBase >> 2;
    this.translations = new Translations(this, options.host);
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
    this.translations.flush();
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

  get cr3Lo(): number {
    return this.sys[slot.cr3]!;
  }

  get cr3Hi(): number {
    return this.sys[slot.cr3 + 1]!;
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
    this.code = codeSize(this);
    const mode = recompute(this);
    if (mode !== this.mode) {
      this.mode = mode;
      this.host.modeChanged(mode);
    }
    this.translations.enter();
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

  /** Which instructions of generated code are intercepted: bits of `state.ts`. What CR2 and CR3 hold is what is read of them, unless said otherwise. */
  set intercepts(bits: number) {
    const at = this.base + (INTERCEPTS >> 2);
    this.words[at] = bits | OTHER_CONTROL | (this.host.hasClock === true ? 0 : Intercepts.counter) | (this.words[at]! & Intercepts.nmiBlocked);
  }

  get nmiBlocked(): boolean {
    return (this.words[this.base + (INTERCEPTS >> 2)]! & Intercepts.nmiBlocked) !== 0;
  }

  set nmiBlocked(blocked: boolean) {
    const at = this.base + (INTERCEPTS >> 2);
    this.words[at] = blocked ? this.words[at]! | Intercepts.nmiBlocked : this.words[at]! & ~Intercepts.nmiBlocked;
  }

  get gdtrLimit(): number {
    return this.words[this.base + (GDTR_LIMIT >> 2)]!;
  }

  set gdtrLimit(limit: number) {
    this.words[this.base + (GDTR_LIMIT >> 2)] = limit;
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
    words[base + (SHADOW_PC >> 2) + 1] = NOWHERE_HI;
  }

  /** Blocking by STI and MOV SS that is in force before the instruction at PC. */
  currentShadow(): number {
    const { words, base } = this;
    const at = base + (SHADOW_PC >> 2);
    // That this PC was come to from STI is likely while IF is set, and certain no more when it is left.
    if (words[at] === words[base + (PC >> 2)] && words[at + 1] === words[base + (PC >> 2) + 1]) {
      this.clearShadow();
      if ((this.systemFlags & Flag.IF) !== 0) this.blockNext(SHADOW.sti);
    }
    if (this.shadow !== 0 && this.host.retired() > this.shadowAt) this.shadow = 0;
    return this.shadow;
  }
}
