import { expect, test } from 'vitest';
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { describeExit, EXIT_REASONS } from '../src/index.ts';
import { Affinity } from '../src/affinity.ts';

const at = 0x1000n as GuestPhysAddr;

/** One exit of each reason; the type makes a missing one a compile error. */
const EXAMPLES: { readonly [R in AxVCpuExitReason['reason']]: readonly [Extract<AxVCpuExitReason, { readonly reason: R }>, string] } = {
  Hypercall: [{ reason: 'Hypercall', nr: 42n, args: [1n, 2n, 3n, 4n, 5n, 6n] }, 'hypercall 42(0x1, 0x2, 0x3, 0x4, 0x5, 0x6)'],
  MmioRead: [{ reason: 'MmioRead', addr: at, width: 4, reg: 5, regWidth: 8, signedExt: true }, 'load of 4 bytes at 0x1000 to register 5, sign-extended'],
  MmioWrite: [{ reason: 'MmioWrite', addr: at, width: 2, data: 0xffn }, 'store of 2 bytes at 0x1000: 0xff'],
  SysRegRead: [{ reason: 'SysRegRead', addr: 0x1b, reg: 3 }, 'read of system register 0x1b to register 3'],
  SysRegWrite: [{ reason: 'SysRegWrite', addr: 0x1b, value: 9n }, 'write of system register 0x1b: 0x9'],
  IoRead: [{ reason: 'IoRead', port: 0x3f8, width: 1 }, 'read of 1 bytes from port 0x3f8'],
  IoWrite: [{ reason: 'IoWrite', port: 0x3f8, width: 1, data: 65n }, 'write of 1 bytes to port 0x3f8: 0x41'],
  ExternalInterrupt: [{ reason: 'ExternalInterrupt', vector: 5n }, 'host interrupt 0x5'],
  NestedPageFault: [{ reason: 'NestedPageFault', addr: at, accessFlags: 2 }, 'access to 0x1000 that the nested page table does not allow (flags 0x2)'],
  Halt: [{ reason: 'Halt' }, 'waits for an interrupt'],
  CpuUp: [{ reason: 'CpuUp', targetCpu: 1n, entryPoint: at, arg: 7n }, 'starts CPU 1 at 0x1000 with 0x7'],
  CpuDown: [{ reason: 'CpuDown', state: 0n }, 'switches its CPU off (state 0x0)'],
  SystemDown: [{ reason: 'SystemDown' }, 'switches the machine off'],
  SystemReset: [{ reason: 'SystemReset', warm: true }, 'restarts the machine (warm)'],
  Nothing: [{ reason: 'Nothing' }, 'handled'],
  FailEntry: [{ reason: 'FailEntry', hardwareEntryFailureReason: 7n }, 'the processor refused to enter the guest, reason 0x7'],
  GuestError: [{ reason: 'GuestError', message: 'lost' }, 'failed: lost'],
  SendIPI: [{ reason: 'SendIPI', targetCpu: 1n, targetCpuAux: 0n, sendToAll: false, sendToSelf: false, vector: 32n }, 'sends interrupt 32 to CPU 0x1 (0x0)'],
};

test.each(Object.entries(EXAMPLES))('%s is described', (_, [exit, text]) => expect(describeExit(exit)).toBe(text));

test('all reasons are listed', () => expect([...EXIT_REASONS].sort()).toEqual(Object.keys(EXAMPLES).sort()));

test('the favourite CPU is chosen where it is possible', () => {
  expect(new Affinity(undefined, 2).choose(4)).toBe(2);
  expect(new Affinity(undefined, 9).choose(4)).toBe(0);
  expect(new Affinity(0b1010n, 2).choose(4)).toBe(1);
  expect(new Affinity(0b1010n, 3).choose(4)).toBe(3);
  expect(new Affinity(0b1_0000n, undefined).choose(4)).toBe(0);
});
