/** Fences of guests: done at once on the vCPU that asks, requested from the others and done before they next enter the guest. */
import { fenceI, hfenceVvma } from '@axvisor/axvisor_api/arch/riscv';
import { Control, MAX_RANGES, type VCpuContext } from './context.ts';

/** A fence of the SBI RFENCE extension. */
export type Fence =
  | { readonly kind: 'instruction' }
  /** SFENCE.VMA of [start, start + size); without a range of everything, without an ASID of all address spaces. */
  | { readonly kind: 'vma'; readonly range?: { readonly start: bigint; readonly size: bigint }; readonly asid?: number };

/** `ranges`: of what is in {@link VCpuContext.ranges}. */
const REQUEST = { instruction: 1, vma: 2, ranges: 4 } as const;
const PAGE = 0x1000n;
/** More pages than this are cheaper to drop all at once. */
const MAX_PAGES = 64n;

/** How long to wait before looking again at a thread that does not answer, in ms. */
const RECHECK = 100;

/** The pages of a fence that is worth doing page by page. */
function pagesOf(fence: Fence): { readonly first: bigint; readonly pages: bigint } | undefined {
  if (fence.kind === 'instruction' || fence.range === undefined) return undefined;
  const first = fence.range.start & ~(PAGE - 1n);
  const pages = (fence.range.start + fence.range.size - first + PAGE - 1n) / PAGE;
  return pages > MAX_PAGES ? undefined : { first, pages };
}

function executePages(first: bigint, pages: bigint, asid: number | undefined): void {
  for (let page = first; page < first + pages * PAGE; page += PAGE) hfenceVvma(page, asid);
}

/** Executes `fence` on this hart, for the VMID in hgatp. */
export function executeFence(fence: Fence): void {
  if (fence.kind === 'instruction') return fenceI();
  const pages = pagesOf(fence);
  if (pages === undefined) hfenceVvma(undefined, fence.asid);
  else executePages(pages.first, pages.pages, fence.asid);
}

/** Whether the ranges of a vCPU are now this thread's. Nobody waits for them: without them everything is fenced. */
const holdRanges = ({ control }: VCpuContext): boolean => Atomics.compareExchange(control, Control.rangesHeld, 0, 1) === 0;
const releaseRanges = ({ control }: VCpuContext): void => void Atomics.store(control, Control.rangesHeld, 0);

/** Keeps the range of a fence, if there is room. */
function keepRange(context: VCpuContext, fence: Fence): boolean {
  const pages = pagesOf(fence);
  if (fence.kind === 'instruction' || pages === undefined || !holdRanges(context)) return false;
  const { control, ranges } = context;
  const count = Atomics.load(control, Control.ranges);
  if (count < MAX_RANGES) {
    ranges[2 * count] = pages.first;
    ranges[2 * count + 1] = pages.pages | (BigInt(fence.asid === undefined ? 0 : fence.asid + 1) << 32n);
    Atomics.store(control, Control.ranges, count + 1);
  }
  releaseRanges(context);
  return count < MAX_RANGES;
}

/** Executes the fences whose ranges were kept, or all there could be. */
function executeRanges(context: VCpuContext): void {
  if (!holdRanges(context)) return hfenceVvma();
  const { control, ranges } = context;
  const count = Atomics.exchange(control, Control.ranges, 0);
  const kept = ranges.slice(0, 2 * count);
  releaseRanges(context);
  for (let i = 0; i < count; i++) {
    const space = Number((kept[2 * i + 1] as bigint) >> 32n);
    executePages(kept[2 * i] as bigint, (kept[2 * i + 1] as bigint) & 0xffff_ffffn, space === 0 ? undefined : space - 1);
  }
}

/** Asks a vCPU for a fence. */
export function requestFence(context: VCpuContext, fence: Fence): void {
  Atomics.or(context.control, Control.requests, fence.kind === 'vma' && keepRange(context, fence) ? REQUEST.ranges : REQUEST[fence.kind]);
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
export function enter(context: VCpuContext, cpu: number): void {
  setRunning(context, cpu + 1);
}

/** An atomic store waits until it is seen by all, and costs as much as a short exit can spare: where all is one thread a plain one does. */
function setRunning({ control, hasOthers }: VCpuContext, running: number): void {
  if (hasOthers) Atomics.store(control, Control.running, running);
  else control[Control.running] = running;
}

/** The vCPU has left the guest; what is requested from now on waits until it enters it again. */
export function leave(context: VCpuContext): void {
  setRunning(context, 0);
  executeRequests(context);
}

/** Executes what was requested of this vCPU. */
export function executeRequests(context: VCpuContext): void {
  const { control } = context;
  if (Atomics.load(control, Control.requests) === 0) return;
  const requests = Atomics.exchange(control, Control.requests, 0);
  Atomics.notify(control, Control.requests);
  if ((requests & REQUEST.instruction) !== 0) executeFence({ kind: 'instruction' });
  if ((requests & REQUEST.ranges) !== 0) executeRanges(context);
  if ((requests & REQUEST.vma) !== 0) hfenceVvma();
}
