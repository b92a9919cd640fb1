/**
 * What all checks of VM entries share: a rule has a name and looks at the VMCS. Which fields, and which bits of them, a rule has looked at is noted, so
 * that an entry looks only at those rules again of which something was written since they held.
 */
import type { Physical } from '../physical.ts';
import { storable } from '../linear.ts';
import { validPat } from '../mtrr.ts';
import { F, type Field, type Vmcs, type VmcsWatcher } from './vmcs.ts';

/** All bits of a word. */
const WORD = -1;

/** What rules look at. */
export class Candidate {
  readonly vmcs: Vmcs;
  /** High-word bits of physical addresses that MAXPHYADDR rules out. */
  readonly reservedHi: number;
  private readonly physical: Physical;
  /** Told about bits that are looked at: of a word of the VMCS, -1 for memory. */
  private readonly seen: (word: number, bits: number) => void;

  constructor(vmcs: Vmcs, physical: Physical, reservedHi: number, seen: (word: number, bits: number) => void) {
    this.vmcs = vmcs;
    this.physical = physical;
    this.reservedHi = reservedHi;
    this.seen = seen;
  }

  lo(field: Field): number {
    this.seen(this.vmcs.word(field), WORD);
    return this.vmcs.lo(field);
  }

  hi(field: Field): number {
    this.seen(this.vmcs.word(field) + 1, WORD);
    return this.vmcs.hi(field);
  }

  has(field: Field, bit: number): boolean {
    this.seen(this.vmcs.word(field), bit);
    return (this.vmcs.lo(field) & bit) !== 0;
  }

  /** Secondary controls count only when they are activated. */
  has2(bit: number): boolean {
    return this.has(F.primaryProcessorBasedControls, 1 << 31) && this.has(F.secondaryProcessorBasedControls, bit);
  }

  /** 4 bytes of physical memory. */
  memory(address: number): number {
    this.seen(-1, 0);
    return this.physical.read(address, 4);
  }

  /** A physical address, a multiple of `align`. */
  address(field: Field, align: number): boolean {
    return !this.has(field, align - 1) && (this.hi(field) & this.reservedHi) === 0;
  }

  /** A physical address in CR3. */
  cr3(field: Field): boolean {
    return (this.hi(field) & this.reservedHi) === 0;
  }

  /** An address that is canonical in the width that the processor has, whatever CR4.LA57 says. */
  canonical(field: Field): boolean {
    return storable(this.hi(field));
  }

  pat(field: Field): boolean {
    return validPat(this.lo(field), this.hi(field));
  }
}

/** A rule of the manual; `qualification` is that of the entry failure, 0 unless given. */
export interface Rule {
  readonly name: string;
  readonly holds: (c: Candidate) => boolean;
  readonly qualification?: number;
}

/** A rule that looked at a word, and at which bits of it. */
interface Reader {
  readonly rule: number;
  bits: number;
}

/** The rules in their order, and which of them must be looked at. */
export class Checks implements VmcsWatcher {
  readonly candidate: Candidate;
  private readonly rules: readonly Rule[];
  /** By rule: 1 where it did not hold, or something that it looked at was written since. */
  private readonly stale: Uint8Array;
  /** No rule before this one is stale. */
  private first = 0;
  /** By word of the VMCS. Once a rule has looked at bits, it counts as looking at them ever after. */
  private readonly readers: Reader[][];
  /** The rule at hand, and that it looked at what nobody tells of. */
  private current = 0;
  private volatile = false;
  private readonly volatiles: number[] = [];
  /** Bits that a rule is known to look at, by word and rule. */
  private readonly noted: Int32Array;

  constructor(rules: readonly Rule[], vmcs: Vmcs, physical: Physical, reservedHi: number) {
    this.rules = rules;
    this.stale = new Uint8Array(rules.length).fill(1);
    this.noted = new Int32Array(vmcs.words * rules.length);
    this.readers = Array.from({ length: vmcs.words }, () => []);
    this.candidate = new Candidate(vmcs, physical, reservedHi, (word, bits) => this.seen(word, bits));
    vmcs.watcher = this;
  }

  private seen(word: number, bits: number): void {
    if (word < 0) {
      this.volatile = true;
      return;
    }
    const at = word * this.rules.length + this.current;
    const before = this.noted[at]!;
    if ((before | bits) === before) return;
    this.noted[at] = before | bits;
    const readers = this.readers[word]!;
    const known = readers.find(({ rule }) => rule === this.current);
    if (known === undefined) readers.push({ rule: this.current, bits });
    else known.bits |= bits;
  }

  /** Another VMCS became the current one. */
  replaced(): void {
    this.stale.fill(1);
    this.first = 0;
    this.volatiles.length = 0;
  }

  /** Bits of a word of the VMCS changed. */
  written(word: number, bits: number): void {
    const readers = this.readers[word]!;
    for (let i = 0; i < readers.length; i++) {
      const reader = readers[i]!;
      if ((reader.bits & bits) !== 0) this.spoil(reader.rule);
    }
  }

  private spoil(rule: number): void {
    this.stale[rule] = 1;
    if (rule < this.first) this.first = rule;
  }

  /** Some rules look at what nobody tells of. */
  get areVolatile(): boolean {
    return this.volatiles.length > 0;
  }

  /** Number of the first rule that does not hold; -1: all do. */
  violated(): number {
    const { rules, stale, volatiles, candidate } = this;
    while (volatiles.length > 0) this.spoil(volatiles.pop()!);
    for (let i = this.first; i < rules.length; i++) {
      if (stale[i] === 0) continue;
      this.current = i;
      this.volatile = false;
      const holds = rules[i]!.holds(candidate);
      if (this.volatile) volatiles.push(i);
      if (!holds) {
        this.first = i;
        return i;
      }
      stale[i] = 0;
    }
    this.first = rules.length;
    return -1;
  }
}
