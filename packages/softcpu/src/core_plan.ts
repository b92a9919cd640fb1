/** Where a processor lies in linear memory: its state block, what its engine keeps, and copies of code where it shares its memory. */
import { copiesSize } from './interp/copies.ts';
import { PAGE_SIZE, planLayout, type Layout } from './interp/layout.ts';
import type { Isa } from './isa.ts';

/** Where a processor keeps its state in linear memory. */
export interface CorePlan {
  /** First byte. */
  readonly base: number;
  /** First byte behind it. */
  readonly end: number;
  readonly layout: Layout;
  /** Where one that shares its memory keeps copies of code. */
  readonly copies: number;
}

/**
 * Plans the region of a processor.
 *
 * @param stateSize - bytes of its state block.
 * @param base - where the region may begin.
 * @param memoryBytes - size the linear memory may grow to; the TLB takes 1/32 of it.
 * @param poolPages - code pages whose decoded instructions are kept.
 */
export function planCore(isa: Isa, stateSize: number, base: number, memoryBytes: number, poolPages: number): CorePlan {
  const state = Math.ceil(base / 64) * 64;
  const layout = planLayout(isa, { state, base: state + stateSize, memoryBytes, poolPages });
  const copies = Math.ceil(layout.end / PAGE_SIZE) * PAGE_SIZE;
  return { base: state, end: copies + copiesSize(layout), layout, copies };
}
