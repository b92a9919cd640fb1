/** Segments of operands that ModRM does not name, in records. */
import type { Decoded } from '../isa/decode.ts';
import { CODE, SEG_BASE, Seg, ZERO } from '../state.ts';
import type { RecordFields } from './define.ts';
import { K } from './operands.ts';

/** Slot of a segment's base: of those that are flat, the one that is zero. */
export function segmentSlot(mode: number, segment: number): number {
  return (mode & CODE.segmented) !== 0 || segment >= Seg.fs || segment === Seg.cs ? SEG_BASE + 8 * segment : ZERO;
}

/** Whether accesses through a segment are checked: in 64-bit mode never, otherwise of FS, GS and (which is not written to) CS always. */
export function isChecked(mode: number, segment: number): boolean {
  return (mode & CODE.size) !== CODE.code64 && ((mode & CODE.segmented) !== 0 || segment >= Seg.fs || segment === Seg.cs);
}

/** Field g and the check for a segment. */
export function useSegment(fields: RecordFields, mode: number, segment: number): void {
  fields.g = segmentSlot(mode, segment);
  if (isChecked(mode, segment)) fields.k |= K.segmented;
}

/** DS, or what overrides it. */
export function dataSegment(fields: RecordFields, insn: Decoded): void {
  useSegment(fields, insn.mode, insn.override >= 0 ? insn.override : Seg.ds);
}

/** No segment: the address is not used to access memory. */
export function dropSegment(fields: RecordFields): void {
  fields.g = ZERO;
  fields.k &= ~K.segmented;
}
