/** The `time` API on a clock and a timer queue. */
import { axError } from '@axvisor/axvisor_api/errors';
import type { Time } from '@axvisor/axvisor_api/time';
import type { Clock } from './clock.ts';
import { TimerQueue } from './timer_queue.ts';

const NANOS_PER_SECOND = 1_000_000_000n;

/**
 * Ticks are rounded down to nanoseconds and nanoseconds up to ticks: a deadline is never early, and ticks that are converted
 * there and back are the same (up to 1 GHz).
 */
export function createTime(clock: Clock, frequency: bigint): Time {
  const timers = new TimerQueue();
  return {
    isVirtualClock: () => clock.virtual,
    tickFrequency: () => frequency,
    currentTicks: clock.now,
    ticksToNanos: (ticks) => (ticks * NANOS_PER_SECOND) / frequency,
    nanosToTicks: (nanos) => (nanos * frequency + NANOS_PER_SECOND - 1n) / NANOS_PER_SECOND,
    wallClock: clock.wallClock,
    registerTimer: (deadline, callback) => timers.add(deadline, callback),
    cancelTimer: (token) => {
      timers.cancel(token);
    },
    nextDeadline: () => timers.nextDeadline(),
    expireTimers: () => timers.expire(clock.now()),
    accountInstructions: (count) => {
      if (!Number.isInteger(count) || count < 0) throw axError('InvalidInput', `${count} instructions cannot have been retired`);
      clock.account(count);
    },
    instructionsUntil: clock.instructionsUntil,
    skipTo: clock.skipTo,
  };
}
