/** Threads that fail. */
import { runVms, vms } from '@axvisor/axvisor_api/vm';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { CpuThreads } from '../../src/threads/start.ts';
import { boot, executed, runFor, start } from './busy.ts';

let threads: CpuThreads | undefined;
beforeAll(async () => void (threads = await start(3, { program: new URL('./dying_thread.ts', import.meta.url) })));
afterEach(async () => {
  for (const vm of vms()) await vm[Symbol.asyncDispose]();
});
afterAll(async () => threads?.[Symbol.asyncDispose]());

test('a thread that fails stops its VM, says which vCPU it was, and leaves the others to their VMs', async () => {
  const other = boot(1, { id: 2, physCpuSets: [1n] });
  const vm = boot(3, { physCpuSets: [1n, 2n, 2n] });
  await runVms(() => vm.status === 'stopped');
  expect(vm.ended?.end).toBe('failed');
  expect(vm.ended).toMatchObject({ message: expect.stringMatching(/^vCPU 1, 2: the thread of CPU 1 has ended: .*out of luck/) });
  const before = executed(vm);
  await runFor(100);
  expect(executed(vm)).toBe(before);
  expect(other.status).toBe('running');
  // What is left runs VMs as ever.
  const next = boot(1, { id: 3 });
  expect(next.stats().homes).toEqual([0]);
  await runFor(30);
  expect(next.status).toBe('running');
});

test('a thread that does not even start', async () => {
  const vm = boot(1, { physCpuSets: [4n] });
  await runVms(() => vm.status === 'stopped');
  expect(vm.ended).toMatchObject({ end: 'failed', message: expect.stringContaining('not today') });
});
