/** The life of VMs whose vCPUs run on threads: pause, stop, start again, and where they live. */
import { frameCounts } from '@axvisor/axvisor_api/memory';
import { vms } from '@axvisor/axvisor_api/vm';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { CpuThreads } from '../../src/threads/start.ts';
import { boot, executed, runFor, start } from './busy.ts';

let threads: CpuThreads | undefined;
beforeAll(async () => void (threads = await start(2)));
afterEach(async () => {
  for (const vm of vms()) await vm[Symbol.asyncDispose]();
});
afterAll(async () => threads?.[Symbol.asyncDispose]());

test('a paused VM executes nothing, and goes on when it is resumed', async () => {
  const vm = boot(2);
  await runFor(300);
  for (let round = 0; round < 5; round++) {
    vm.pause();
    const before = executed(vm);
    expect(before).toBeGreaterThan(0n);
    await runFor(60);
    expect(executed(vm)).toBe(before);
    vm.resume();
    await runFor(60);
    vm.pause();
    expect(executed(vm)).toBeGreaterThan(before);
    vm.resume();
  }
  vm.pause();
  vm.shutdown();
  expect(vm.ended).toEqual({ end: 'stopped' });
});

test('VMs are stopped and started again and again, and leave nothing', async () => {
  let free: number | undefined;
  for (let round = 0; round < 6; round++) {
    const vm = boot(3, { id: 1 + (round % 2) });
    await runFor(round % 3 === 0 ? 1 : 80);
    if (round % 2 === 0) vm.shutdown();
    await vm[Symbol.asyncDispose]();
    // What the first one brought up stays.
    if (round > 0) expect(frameCounts().free).toBe((free ??= frameCounts().free));
  }
});

test('a reset while all harts are busy', async () => {
  const vm = boot(2);
  for (let round = 0; round < 10; round++) {
    await runFor(20);
    vm.reset();
    expect(vm.status).toBe('running');
  }
  await runFor(100);
  expect(vm.stats().resets).toBe(10);
  expect(vm.status).toBe('running');
});

test('vCPUs live where the configuration says', async () => {
  const pinned = boot(3, { physCpuSets: [2n, 1n, 2n] });
  expect(pinned.stats().homes).toEqual([1, 0, 1]);
  const free = boot(2, { id: 2 });
  // The less loaded CPU first; a set that names no CPU of the host restricts nothing.
  expect(free.stats().homes?.[0]).toBe(0);
  expect(boot(1, { id: 3, physCpuSets: [1n << 40n] }).stats().homes).toHaveLength(1);
  await runFor(50);
  expect(pinned.status).toBe('running');
});
