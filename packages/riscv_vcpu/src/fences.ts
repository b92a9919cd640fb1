/** Fences of guests: done at once on the vCPU that asks, requested from the others and done before they next enter the guest. */
import { fenceI, hfenceVvma } from '@axvisor/axvisor_api/arch/riscv';
import { Control, type VCpuContext } from './context.ts';

/** A fence of the SBI RFENCE extension. */
export type Fence =
  | { readonly kind: 'instruction' }
  /** SFENCE.VMA of [start, start + size); without a range of everything, without an ASID of all address spaces. */
  | { readonly kind: 'vma'; readonly range?: { readonly start: bigint; readonly size: bigint }; readonly asid?: number };

const REQUEST = { instruction: 1, vma: 2 } as const;
const PAGE = 0x1000n;
/** More pages than this are cheaper to drop all at once. */
const MAX_PAGES = 64n;

/** Executes `fence` on this hart, for the VMID in hgatp. */
export function executeFence(fence: Fence): void {
  if (fence.kind === 'instruction') return fenceI();
  const { range, asid } = fence;
  const first = range === undefined ? 0n : range.start & ~(PAGE - 1n);
  const end = range === undefined ? 0n : range.start + range.size;
  if (range === undefined || end - first > MAX_PAGES * PAGE) return hfenceVvma(undefined, asid);
  for (let page = first; page < end; page += PAGE) hfenceVvma(page, asid);
}

/** Asks a vCPU for a fence. Its range is not kept: a vCPU that was away from its hart fences everything anyway. */
export function requestFence(context: VCpuContext, { kind }: Fence): void {
  Atomics.or(context.control, Control.requests, REQUEST[kind]);
}

/** Executes what was requested of this vCPU. */
export function executeRequests(context: VCpuContext): void {
  const { control } = context;
  if (Atomics.load(control, Control.requests) === 0) return;
  const requests = Atomics.exchange(control, Control.requests, 0);
  if ((requests & REQUEST.instruction) !== 0) executeFence({ kind: 'instruction' });
  if ((requests & REQUEST.vma) !== 0) executeFence({ kind: 'vma' });
}
