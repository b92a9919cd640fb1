/** Legacy extensions (SBI 2.0, chapter 5): one function each, a0 the only result, hart masks in guest virtual memory. */
import { guestConsole } from '@axvisor/axvisor_api/vmm';
import { ALL_ONES } from '../fields.ts';
import type { Fence } from '../fences.ts';
import { SbiError, type SbiAnswer, type SbiArguments, type SbiExtension, type SbiHart } from './call.ts';
import { hartsOf } from './hart_mask.ts';
import { fenceAll, sendIpi, vmaFence } from './interrupts.ts';

const legacyError = (code: bigint): SbiAnswer => ({ a0: BigInt.asUintN(64, code) });

/** Calls `f` with the harts whose mask is at `address`; address 0 means all. A fault is the guest's. */
function withMask(hart: SbiHart, address: bigint, f: (targets: readonly SbiHart[]) => SbiAnswer): SbiAnswer {
  const mask = address === 0n ? { value: ALL_ONES } : hart.readGuest(address);
  if (!('value' in mask)) return { fault: mask };
  const targets = address === 0n ? hart.siblings() : hartsOf(hart, mask.value, 0n);
  return targets === undefined ? legacyError(SbiError.INVALID_PARAM) : f(targets);
}

const remote =
  (fenceOf: (a: SbiArguments) => Fence | undefined) =>
  (hart: SbiHart, a: SbiArguments): SbiAnswer =>
    withMask(hart, a[0], (targets) => {
      const fence = fenceOf(a);
      if (fence === undefined) return legacyError(SbiError.INVALID_ADDRESS);
      fenceAll(hart, targets, fence);
      return { a0: 0n };
    });

const CALLS: readonly (readonly [name: string, call: (hart: SbiHart, a: SbiArguments) => SbiAnswer])[] = [
  ['set_timer', (hart, [at]) => {
    hart.setTimer(at);
    return { a0: 0n };
  }],
  ['console_putchar', ({ vmId }, [character]) => {
    guestConsole(vmId).write(Uint8Array.of(Number(character & 0xffn)));
    return { a0: 0n };
  }],
  ['console_getchar', ({ vmId }) => {
    const byte = guestConsole(vmId).read(1)[0];
    return byte === undefined ? legacyError(SbiError.FAILED) : { a0: BigInt(byte) };
  }],
  ['clear_ipi', (hart) => ({ a0: hart.clearSoftwareInterrupt() ? 1n : 0n })],
  ['send_ipi', (hart, [address]) =>
    withMask(hart, address, (targets) => {
      sendIpi(hart, targets);
      return { a0: 0n };
    })],
  ['remote_fence_i', remote(() => ({ kind: 'instruction' }))],
  ['remote_sfence_vma', remote(([, start, size]) => vmaFence(start, size))],
  ['remote_sfence_vma_asid', remote(([, start, size, asid]) => vmaFence(start, size, asid))],
  ['shutdown', () => ({ exit: { reason: 'SystemDown' } })],
];

export const legacyExtensions: readonly SbiExtension[] = CALLS.map(([name, call], i) => ({
  eid: BigInt(i),
  name: `legacy ${name}`,
  functions: { name, call },
}));
