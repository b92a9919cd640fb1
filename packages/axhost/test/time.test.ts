import { withLinked } from '@axvisor/axvisor_api';
import {
  OneShotTimer, accountInstructions, cancelTimer, currentTicks, currentTimeNanos, expireTimers, instructionsUntil, isVirtualClock, nanosToTicks,
  nextDeadline, registerTimer, skipTo, tickFrequency, ticksToNanos, wallClock, type CancelToken,
} from '@axvisor/axvisor_api/time';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createComponent, type HostOptions } from '../src/index.ts';
import { TimerQueue } from '../src/time/timer_queue.ts';

const linked = (options: HostOptions, f: () => undefined): undefined => withLinked([createComponent({ memory: 65536, ...options })], f);

describe('real clock', () => {
  test('moves with real time at the given frequency', () =>
    linked({ tickFrequency: 1_000_000n }, () => {
      expect(isVirtualClock()).toBe(false);
      expect(tickFrequency()).toBe(1_000_000n);
      const start = currentTicks();
      const from = performance.now();
      let before = start;
      while (performance.now() - from < 5) {
        const now = currentTicks();
        expect(now).toBeGreaterThanOrEqual(before);
        before = now;
      }
      expect(currentTicks() - start).toBeGreaterThanOrEqual(4_990n);
      expect(Math.abs(Number(wallClock() / 1_000_000n) - Date.now())).toBeLessThan(100);
      accountInstructions(1000);
      skipTo(10n ** 15n);
      expect(currentTicks()).toBeLessThan(10n ** 9n);
      expect(instructionsUntil(0n)).toBe(Infinity);
    }));
});

describe('virtual clock', () => {
  test('a nanosecond an instruction, a tick every 100', () =>
    linked({ clock: 'virtual' }, () => {
      expect([isVirtualClock(), tickFrequency(), currentTicks()]).toEqual([true, 10_000_000n, 0n]);
      accountInstructions(99);
      expect(currentTicks()).toBe(0n);
      expect(instructionsUntil(1n)).toBe(1);
      accountInstructions(1);
      expect(currentTicks()).toBe(1n);
      accountInstructions(1_000_000_000);
      expect(currentTimeNanos()).toBe(1_000_000_100n);
      expect(instructionsUntil(10_000_002n)).toBe(100);
      expect(instructionsUntil(1n)).toBe(0);
      skipTo(5n);
      expect(currentTicks()).toBe(10_000_001n);
      skipTo(20_000_000n);
      expect(currentTicks()).toBe(20_000_000n);
      expect(wallClock()).toBe(BigInt(Date.UTC(2025, 0)) * 1_000_000n + 2_000_000_000n);
      expect(() => accountInstructions(-1)).toThrow();
    }));

  test('instructionsUntil is exact at any ratio', () => {
    fc.assert(
      fc.property(
        fc.bigInt(1n, 10n ** 9n), fc.bigInt(1n, 10n ** 10n), fc.array(fc.integer({ min: 0, max: 10 ** 9 }), { maxLength: 5 }), fc.bigInt(0n, 10n ** 6n),
        (frequency, instructionsPerSecond, slices, ahead) =>
          linked({ clock: 'virtual', tickFrequency: frequency, instructionsPerSecond }, () => {
            for (const s of slices) accountInstructions(s);
            const total = BigInt(slices.reduce((a, b) => a + b, 0));
            expect(currentTicks()).toBe((total * frequency) / instructionsPerSecond);
            const deadline = currentTicks() + ahead;
            const n = instructionsUntil(deadline);
            if (n > Number.MAX_SAFE_INTEGER) return;
            if (n > 0) {
              accountInstructions(n - 1);
              expect(currentTicks()).toBeLessThan(deadline);
              accountInstructions(1);
            }
            expect(currentTicks()).toBeGreaterThanOrEqual(deadline);
          }),
      ),
      { numRuns: 100 },
    );
  });
});

test('nanoseconds and ticks convert there and back, never early', () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 10n ** 9n), fc.bigInt(0n, 10n ** 15n), (frequency, x) =>
      linked({ clock: 'virtual', tickFrequency: frequency }, () => {
        expect(nanosToTicks(ticksToNanos(x))).toBe(x);
        expect(ticksToNanos(nanosToTicks(x))).toBeGreaterThanOrEqual(x);
      }),
    ),
    { numRuns: 50 },
  );
});

describe('timers', () => {
  test('fire once, in the order of deadlines, when due', () =>
    linked({ clock: 'virtual' }, () => {
      const fired: [string, bigint][] = [];
      const timer = (name: string, deadline: bigint): CancelToken => registerTimer(deadline, (now) => fired.push([name, now]));
      timer('b', 20n);
      timer('a', 10n);
      timer('b2', 20n);
      const c = timer('c', 15n);
      timer('d', 30n);
      expect([nextDeadline(), expireTimers()]).toEqual([10n, 0]);
      cancelTimer(c);
      cancelTimer(c);
      skipTo(25n);
      expect(expireTimers()).toBe(3);
      expect(fired).toEqual([['a', 25n], ['b', 25n], ['b2', 25n]]);
      expect([nextDeadline(), expireTimers()]).toEqual([30n, 0]);
      skipTo(30n);
      expect([expireTimers(), nextDeadline()]).toEqual([1, undefined]);
      cancelTimer(c);
    }));

  test('a callback may register and cancel; what it registers waits for the next call', () =>
    linked({ clock: 'virtual' }, () => {
      let again = 0;
      const rearm = (): void => void registerTimer(0n, () => (again++, rearm()));
      rearm();
      expect([expireTimers(), again, expireTimers(), again]).toEqual([1, 1, 1, 2]);
      let cancelled = 0;
      let victim: CancelToken;
      registerTimer(1n, () => cancelTimer(victim));
      victim = registerTimer(2n, () => cancelled++);
      skipTo(5n);
      expireTimers();
      expect(cancelled).toBe(0);
    }));

  test('a callback that throws costs only its own timer', () =>
    linked({ clock: 'virtual' }, () => {
      let ran = 0;
      registerTimer(0n, () => {
        throw new Error('no');
      });
      registerTimer(0n, () => ran++);
      expect(() => expireTimers()).toThrow('no');
      expect([expireTimers(), ran, nextDeadline()]).toEqual([1, 1, undefined]);
    }));

  test('the queue against a sorted list', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.record({ add: fc.bigInt(0n, 50n) }), fc.record({ cancel: fc.nat() }), fc.record({ expire: fc.bigInt(0n, 60n) })), { maxLength: 100 }),
        (operations) => {
          const queue = new TimerQueue();
          let model: { token: CancelToken; deadline: bigint; n: number }[] = [];
          const fired: number[] = [];
          const expected: number[] = [];
          operations.forEach((op, n) => {
            if ('add' in op) model.push({ token: queue.add(op.add, () => fired.push(n)), deadline: op.add, n });
            else if ('cancel' in op) {
              const [victim] = model.length > 0 ? model.splice(op.cancel % model.length, 1) : [];
              if (victim !== undefined) queue.cancel(victim.token);
            } else {
              const due = model.filter((t) => t.deadline <= op.expire).sort((a, b) => Number(a.deadline - b.deadline) || a.n - b.n);
              model = model.filter((t) => t.deadline > op.expire);
              expected.push(...due.map((t) => t.n));
              expect(queue.expire(op.expire)).toBe(due.length);
            }
            expect(queue.nextDeadline()).toBe(model.map((t) => t.deadline).sort((a, b) => Number(a - b))[0]);
          });
          expect(fired).toEqual(expected);
        },
      ),
    );
  });
});

test('a timer has one deadline at a time', () =>
  linked({ clock: 'virtual' }, () => {
    const expired: bigint[] = [];
    const timer: OneShotTimer = new OneShotTimer(() => {
      expired.push(currentTicks());
      if (expired.length === 1) timer.set(50n);
    });
    timer.set(10n);
    timer.set(30n);
    expect([timer.deadline, nextDeadline()]).toEqual([30n, 30n]);
    skipTo(40n);
    expect([expireTimers(), expired, timer.deadline]).toEqual([1, [40n], 50n]);
    timer.cancel();
    timer.cancel();
    expect([timer.deadline, nextDeadline()]).toEqual([undefined, undefined]);
    timer.set(60n);
    skipTo(60n);
    expect([expireTimers(), expired, timer.deadline]).toEqual([1, [40n, 60n], undefined]);
  }));
