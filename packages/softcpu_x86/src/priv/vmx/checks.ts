/** What all checks of VM entries share: a rule has a name and looks at the VMCS. */
import type { Physical } from '../physical.ts';
import { storable } from '../linear.ts';
import { validPat } from '../mtrr.ts';
import { F, type Field, type Vmcs } from './vmcs.ts';

/** What rules look at. */
export class Candidate {
  readonly vmcs: Vmcs;
  readonly physical: Physical;
  /** High-word bits of physical addresses that MAXPHYADDR rules out. */
  readonly reservedHi: number;

  constructor(vmcs: Vmcs, physical: Physical, reservedHi: number) {
    this.vmcs = vmcs;
    this.physical = physical;
    this.reservedHi = reservedHi;
  }

  lo(field: Field): number {
    return this.vmcs.lo(field);
  }

  hi(field: Field): number {
    return this.vmcs.hi(field);
  }

  has(field: Field, bit: number): boolean {
    return (this.vmcs.lo(field) & bit) !== 0;
  }

  /** Secondary controls count only when they are activated. */
  has2(bit: number): boolean {
    return this.lo(F.primaryProcessorBasedControls) < 0 && this.has(F.secondaryProcessorBasedControls, bit);
  }

  /** A physical address, a multiple of `align`. */
  address(field: Field, align: number): boolean {
    return (this.lo(field) & (align - 1)) === 0 && (this.hi(field) & this.reservedHi) === 0;
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

/** The first rule that does not hold. */
export function violated(rules: readonly Rule[], candidate: Candidate): Rule | undefined {
  for (const rule of rules) if (!rule.holds(candidate)) return rule;
  return undefined;
}
