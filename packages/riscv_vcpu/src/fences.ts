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

/** How long to wait before looking again at a thread that does not answer, in ms. */
const RECHECK = 100;

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

/** The CPU on which a vCPU is in the guest with a request that it has not taken; `undefined` if there is none. */
export function overdueOn({ control }: VCpuContext): number | undefined {
  const running = Atomics.load(control, Control.running);
  return running !== 0 && Atomics.load(control, Control.requests) !== 0 ? running - 1 : undefined;
}

/** Waits until a vCPU that is on another thread has left the guest or taken its requests. */
export function awaitTaken(context: VCpuContext, cpu: number): void {
  const { control } = context;
  for (;;) {
    const requests = Atomics.load(control, Control.requests);
    if (requests === 0 || Atomics.load(control, Control.running) !== cpu + 1) return;
    // Nobody leaves the guest with requests that he does not take, so this word changes, unless his thread died.
    Atomics.wait(control, Control.requests, requests, RECHECK);
  }
}

/** From here on the vCPU is in the guest on `cpu`: what is requested after this has been looked at needs a kick. */
export function enter({ control }: VCpuContext, cpu: number): void {
  Atomics.store(control, Control.running, cpu + 1);
}

/** The vCPU has left the guest; what is requested from now on waits until it enters it again. */
export function leave(context: VCpuContext): void {
  Atomics.store(context.control, Control.running, 0);
  executeRequests(context);
}

/** Executes what was requested of this vCPU. */
export function executeRequests(context: VCpuContext): void {
  const { control } = context;
  if (Atomics.load(control, Control.requests) === 0) return;
  const requests = Atomics.exchange(control, Control.requests, 0);
  Atomics.notify(control, Control.requests);
  if ((requests & REQUEST.instruction) !== 0) executeFence({ kind: 'instruction' });
  if ((requests & REQUEST.vma) !== 0) executeFence({ kind: 'vma' });
}
