/** The two clocks: the runtime's monotonic one, and a virtual one that counts retired instructions. */
import type { Nanos, Ticks } from '@axvisor/axvisor_api/time';
import { runtime } from '../runtime.ts';

/** Where the ticks come from. */
export interface Clock {
  readonly virtual: boolean;
  now(): Ticks;
  wallClock(): Nanos;
  account(instructions: number): void;
  instructionsUntil(deadline: Ticks): number;
  skipTo(deadline: Ticks): void;
}

const NANOS_PER_SECOND = 1_000_000_000n;
const NANOS_PER_MILLI = 1_000_000n;

/** Ticks of the runtime's monotonic clock since the clock was made; exact to 2^53 ticks (28 years at 10 MHz). */
export function realClock(frequency: bigint): Clock {
  const { performance } = runtime;
  const start = performance.now();
  const ticksPerMilli = Number(frequency) / 1000;
  // The runtime's clock is monotonic by definition; a browser that adds jitter to it may still step back by microseconds.
  let latest = 0;
  return {
    virtual: false,
    now: () => {
      const ticks = Math.floor((performance.now() - start) * ticksPerMilli);
      if (ticks > latest) latest = ticks;
      return BigInt(latest);
    },
    wallClock: () => BigInt(Date.now()) * NANOS_PER_MILLI,
    account: () => {},
    instructionsUntil: () => Infinity,
    skipTo: () => {},
  };
}

const originNanos = (): bigint => BigInt(Math.round(runtime.performance.timeOrigin * 1e6));

/** A monotonic count of nanoseconds that is the same in all threads. */
export const sharedNanos: () => Nanos =
  runtime.process?.hrtime === undefined
    ? () => originNanos() + BigInt(Math.floor(runtime.performance.now() * 1e6))
    : runtime.process.hrtime.bigint;

/** Ticks since {@link sharedNanos} was `epoch`: threads with the same epoch agree on the time. */
export function sharedClock(frequency: bigint, epoch: Nanos): Clock {
  const ticksPerNano = Number(frequency) / 1e9;
  return { ...realClock(frequency), now: () => BigInt(Math.floor(Number(sharedNanos() - epoch) * ticksPerNano)) };
}

/**
 * A clock on which `instructionsPerSecond` instructions take one second, whatever the real time. It starts at 0, and its wall
 * clock at `epoch`.
 */
export function virtualClock(frequency: bigint, instructionsPerSecond: bigint, epoch: Nanos): Clock {
  let ticks = 0n;
  // The fraction of a tick that has passed, in units of 1 / instructionsPerSecond.
  let fraction = 0n;
  return {
    virtual: true,
    now: () => ticks,
    wallClock: () => epoch + (ticks * NANOS_PER_SECOND) / frequency,
    account: (instructions) => {
      const sum = fraction + BigInt(instructions) * frequency;
      ticks += sum / instructionsPerSecond;
      fraction = sum % instructionsPerSecond;
    },
    instructionsUntil: (deadline) => {
      if (deadline <= ticks) return 0;
      const missing = (deadline - ticks) * instructionsPerSecond - fraction;
      return Number((missing + frequency - 1n) / frequency);
    },
    skipTo: (deadline) => {
      if (deadline <= ticks) return;
      ticks = deadline;
      fraction = 0n;
    },
  };
}
