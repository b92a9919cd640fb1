import { Worker } from 'node:worker_threads';
import { withLinked, type Component } from '@axvisor/axvisor_api';
import { isAxError } from '@axvisor/axvisor_api/errors';
import { allocFrame, deallocFrame, frameCounts, physMemory } from '@axvisor/axvisor_api/memory';
import { awaitTaken, callMonitor, guestCpus, pendingSignals, postMonitor, serveCpus, setInGuest, Signal, signalCpu, takeSignals, waitForSignal } from '@axvisor/axvisor_api/smp';
import { currentTicks, tickFrequency } from '@axvisor/axvisor_api/time';
import { describe, expect, test } from 'vitest';
import { createComponent, createHostShare, failCpu, type HostShare } from '../src/index.ts';

const share = (): HostShare => createHostShare({ memory: 1 << 20, guestCpus: 2 });
/** The host as CPU `cpu` sees it; 2 is the monitor. */
const host = (shared: HostShare, cpu: number): readonly [Component<never, never>] => [createComponent({ share: shared, cpu }) as Component<never, never>];

test('threads take frames of one memory, and agree on the time', () => {
  const shared = share();
  const frames = withLinked(host(shared, 0), () => [allocFrame(), allocFrame(), frameCounts().free] as const);
  withLinked(host(shared, 1), () => {
    expect(frameCounts().free).toBe(frames[2]);
    const third = allocFrame();
    expect(frames).not.toContain(third);
    deallocFrame(frames[0] as NonNullable<(typeof frames)[0]>);
    expect(frameCounts().free).toBe(frames[2]);
    physMemory().bytes[4096] = 7;
  });
  withLinked(host(shared, 2), () => expect(physMemory().bytes[4096]).toBe(7));
  const first = withLinked(host(shared, 0), () => currentTicks());
  const second = withLinked(host(shared, 1), () => currentTicks());
  expect(second).toBeGreaterThanOrEqual(first);
  expect(second - first).toBeLessThan(withLinked(host(shared, 1), () => tickFrequency()));
});

test('signals stay until they are taken, and end waits', () => {
  const shared = share();
  withLinked(host(shared, 2), () => {
    expect(guestCpus()).toBe(2);
    signalCpu(0, Signal.kick);
    signalCpu(0, Signal.nested);
    expect(() => signalCpu(3, Signal.kick)).toThrow(/no CPU 3/);
    // CPU 0 is in no guest, so there is nothing to wait for.
    awaitTaken(0, Signal.nested);
  });
  withLinked(host(shared, 0), () => {
    expect(pendingSignals()).toBe(Signal.kick | Signal.nested);
    waitForSignal(Signal.kick);
    expect(takeSignals(Signal.kick | Signal.order)).toBe(Signal.kick);
    expect(pendingSignals()).toBe(Signal.nested);
    setInGuest(true);
    expect(takeSignals(Signal.nested)).toBe(Signal.nested);
    setInGuest(false);
    const before = currentTicks();
    waitForSignal(Signal.kick, before + tickFrequency() / 100n);
    expect(currentTicks() - before).toBeGreaterThanOrEqual(tickFrequency() / 200n);
  });
  withLinked(host(shared, 1), () => expect(pendingSignals()).toBe(0));
});

test('posts reach the monitor in order, before the next call, and are refused while too many are on their way', async () => {
  const shared = share();
  const done: (readonly bigint[])[] = [];
  withLinked(host(shared, 0), () => {
    let n = 0n;
    while (postMonitor(3, [n, (1n << 64n) - 1n])) n++;
    expect(n).toBeGreaterThan(100n);
    expect(() => postMonitor(3, Array.from({ length: 8 }, () => 0n))).toThrow(/8 values/);
  });
  await new Promise<void>((resolve) =>
    withLinked(host(shared, 2), () =>
      serveCpus({
        call: () => ({ values: [], bytes: new Uint8Array(0) }),
        posted: (cpu, operation, values) => {
          expect([cpu, operation]).toEqual([0, 3]);
          done.push(values);
          if (values.length === 1) resolve();
          else if (done.length === 10) withLinked(host(shared, 0), () => postMonitor(3, [7n]));
        },
        failed: () => {},
      }),
    ),
  );
  expect(done.slice(0, -1)).toEqual(done.slice(0, -1).map((_, i) => [BigInt(i), (1n << 64n) - 1n]));
  expect(done.at(-1)).toEqual([7n]);
});

describe('calls', () => {
  /** Runs `body` in a thread that is CPU 0, while `call` answers. */
  async function onCpu0(body: string, call: Parameters<typeof serveCpus>[0]['call']): Promise<unknown> {
    const shared = share();
    const program = `
      import { parentPort, workerData } from 'node:worker_threads';
      import { link } from '@axvisor/axvisor_api';
      import { callMonitor } from '@axvisor/axvisor_api/smp';
      import { createComponent } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
      link([createComponent({ share: workerData, cpu: 0 })]);
      ${body}`;
    const file = new URL(`./smp_thread_${process.pid}.mjs`, import.meta.url);
    const { rmSync, writeFileSync } = await import('node:fs');
    writeFileSync(file, program);
    withLinked(host(shared, 2), () => serveCpus({ call, posted: () => {}, failed: () => {} }));
    const worker = new Worker(file, { workerData: shared });
    try {
      return await new Promise((resolve, reject) => {
        worker.on('message', resolve);
        worker.on('error', reject);
      });
    } finally {
      await worker.terminate();
      rmSync(file);
    }
  }

  test('carry values and bytes both ways, one after the other', async () => {
    const answer = await onCpu0(
      `let sum = 0n;
       for (let i = 0n; i < 100n; i++) {
         const { values, bytes } = callMonitor(5, [i, (1n << 64n) - 1n], Uint8Array.of(1, 2, 3));
         sum += values[0] + BigInt(bytes.length);
       }
       parentPort.postMessage(sum);`,
      (cpu, operation, { values, bytes }) => {
        expect([cpu, operation, values[1], [...bytes]]).toEqual([0, 5, (1n << 64n) - 1n, [1, 2, 3]]);
        return { values: [(values[0] as bigint) * 2n], bytes: new Uint8Array(2) };
      },
    );
    expect(answer).toBe(9900n + 200n);
  });

  test('throw what the monitor throws', async () => {
    const answer = await onCpu0(
      `try { callMonitor(1, []); } catch (e) { parentPort.postMessage([e.kind, e.message]); }`,
      () => {
        throw Object.assign(new Error('no such thing'), { name: 'AxError', kind: 'NotFound' });
      },
    );
    expect(answer).toEqual(['NotFound', 'no such thing']);
  });
});

test('the monitor is told of a CPU that is gone', async () => {
  const shared = share();
  const gone = new Promise((resolve) =>
    withLinked(host(shared, 2), () => serveCpus({ call: () => ({ values: [], bytes: new Uint8Array(0) }), posted: () => {}, failed: (cpu, reason) => resolve([cpu, reason]) })),
  );
  failCpu(shared, 1, 'out of memory');
  expect(await gone).toEqual([1, 'out of memory']);
});

test('a virtual clock and shared memory exclude each other', () => {
  expect(() => withLinked([createComponent({ share: share(), clock: 'virtual' })], () => 0)).toThrow(/one thread/);
  expect(() => createHostShare({ memory: 1 << 20, guestCpus: 0 })).toThrow(/0 guest CPUs/);
});

test('one thread is the default: no guest CPUs, and nobody to call', () => {
  withLinked([createComponent()], () => {
    expect(guestCpus()).toBe(0);
    expect(pendingSignals()).toBe(0);
    expect(() => callMonitor(1, [])).toThrow(/one thread/);
    try {
      waitForSignal(Signal.kick);
    } catch (e) {
      expect(isAxError(e)).toBe(false);
    }
  });
});
