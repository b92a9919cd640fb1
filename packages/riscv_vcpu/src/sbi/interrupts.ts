/** Timer, IPI and remote fence extensions (SBI 2.0, chapters 6 to 8). */
import { Irq } from '@axvisor/axvisor_api/arch/riscv';
import { activeVcpus, injectInterrupt, injectInterruptToCpus } from '@axvisor/axvisor_api/vmm';
import { ALL_ONES } from '../fields.ts';
import type { Fence } from '../fences.ts';
import { error, SbiError, success, type SbiAnswer, type SbiArguments, type SbiExtension, type SbiFunction, type SbiHart } from './call.ts';
import { hartsOf } from './hart_mask.ts';

export const timeExtension: SbiExtension = {
  eid: 0x54494d45n,
  name: 'TIME',
  functions: [
    [0n, {
      name: 'set_timer',
      call: (hart, [at]) => {
        hart.setTimer(at);
        return success();
      },
    }],
  ],
};

/** Makes the software interrupt of `targets` pending, as far as they are switched on. */
export function sendIpi(caller: SbiHart, targets: readonly SbiHart[]): void {
  // To itself, which is on.
  if (targets.length === 1 && targets[0] === caller) return injectInterrupt(caller.vmId, caller.vcpuId, Irq.vssi);
  const set = targets.reduce((bits, { vcpuId }) => bits | (1n << BigInt(vcpuId)), 0n) & activeVcpus(caller.vmId);
  if (set !== 0n) injectInterruptToCpus(caller.vmId, set, Irq.vssi);
}

export const ipiExtension: SbiExtension = {
  eid: 0x735049n,
  name: 'IPI',
  functions: [
    [0n, {
      name: 'send_ipi',
      call: (hart, [mask, base]) => {
        const targets = hartsOf(hart, mask, base);
        if (targets === undefined) return error(SbiError.INVALID_PARAM);
        sendIpi(hart, targets);
        return success();
      },
    }],
  ],
};

/** Fences on `targets`. */
export function fenceAll(caller: SbiHart, targets: readonly SbiHart[], fence: Fence): void {
  for (const target of targets) target.fence(fence, caller);
  for (const target of targets) if (target !== caller) target.awaitFences();
}

/** A fence of [start, start + size), where 0, 0 and a size of -1 mean everything; `undefined` if the range wraps around. */
export function vmaFence(start: bigint, size: bigint, asid?: bigint): Fence | undefined {
  const space = asid === undefined ? {} : { asid: Number(asid & 0xffffn) };
  if ((start === 0n && size === 0n) || size === ALL_ONES) return { kind: 'vma', ...space };
  return start + size > ALL_ONES + 1n ? undefined : { kind: 'vma', range: { start, size }, ...space };
}

const remote = (name: string, fenceOf: (a: SbiArguments) => Fence | undefined): SbiFunction => ({
  name,
  call: (hart, a): SbiAnswer => {
    const targets = hartsOf(hart, a[0], a[1]);
    if (targets === undefined) return error(SbiError.INVALID_PARAM);
    const fence = fenceOf(a);
    if (fence === undefined) return error(SbiError.INVALID_ADDRESS);
    fenceAll(hart, targets, fence);
    return success();
  },
});
/** Guests have no H extension, so there is nothing that HFENCE could order. */
const withoutH = (name: string): SbiFunction => ({ name, call: () => error(SbiError.NOT_SUPPORTED) });

export const rfenceExtension: SbiExtension = {
  eid: 0x52464e43n,
  name: 'RFENCE',
  functions: [
    [0n, remote('remote_fence_i', () => ({ kind: 'instruction' }))],
    [1n, remote('remote_sfence_vma', ([, , start, size]) => vmaFence(start, size))],
    [2n, remote('remote_sfence_vma_asid', ([, , start, size, asid]) => vmaFence(start, size, asid))],
    [3n, withoutH('remote_hfence_gvma_vmid')],
    [4n, withoutH('remote_hfence_gvma')],
    [5n, withoutH('remote_hfence_vvma_asid')],
    [6n, withoutH('remote_hfence_vvma')],
  ],
};
