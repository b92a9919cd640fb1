/** Runtimes without what threads need, faked by their globals. */
import { withLinked } from '@axvisor/axvisor_api';
import { guestCpus } from '@axvisor/axvisor_api/smp';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createComponent, createHostShare, threadObstacle, usableThreads } from '../src/index.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

test('Node has all that threads need, and so has a worker of an isolated page', () => {
  expect(threadObstacle()).toBeUndefined();
  vi.stubGlobal('crossOriginIsolated', true);
  expect(threadObstacle()).toBeUndefined();
  expect(usableThreads(4)).toBe(4);
});

describe.each([
  ['a page that is not isolated', { crossOriginIsolated: false, SharedArrayBuffer: undefined }, 'cross-origin isolated'],
  ['its worker, in a browser that hides nothing', { crossOriginIsolated: false }, 'cross-origin isolated'],
  ['a runtime without shared memory', { SharedArrayBuffer: undefined }, 'shares no memory'],
  ['a runtime that cannot wait asynchronously', { Atomics: Object.create(Atomics, { waitAsync: { value: undefined } }) as unknown }, 'waitAsync'],
  ["an isolated page's own thread", { crossOriginIsolated: true, document: {} }, 'may not block'],
])('%s', (_, globals, reason) => {
  test('vCPUs run in slices, and the log says why', () => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    const lines: string[] = [];
    expect(usableThreads(2, (level, _source, message) => lines.push(`${level} ${message}`))).toBe(1);
    expect(lines).toEqual([expect.stringMatching(/^warn vCPUs run in slices on one thread instead of on 2: /)]);
    expect(lines[0]).toContain(reason);
    // One thread was all that was wanted.
    expect(usableThreads(1, (_level, _source, message) => lines.push(message))).toBe(1);
    expect(lines).toHaveLength(1);
    expect(() => createHostShare({ memory: 1 << 20, guestCpus: 2 })).toThrow(reason);
    // What one thread needs is there.
    withLinked([createComponent({ memory: 1 << 20 })], () => expect(guestCpus()).toBe(0));
  });
});
