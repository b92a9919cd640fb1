/**
 * Time of the host: a monotonic tick counter, timers, and the wall clock. It is either real, or a virtual clock that counts
 * retired instructions, with which a run is reproducible.
 */
import { apiDef, required, type AxApiDef } from './registry/api.ts';

/** A count of the host's tick counter. */
export type Ticks = bigint;
/** Nanoseconds: since start for {@link Time.currentTicks}' scale, since 1970-01-01T00:00Z for the wall clock. */
export type Nanos = bigint;

declare const token: unique symbol;
/** Names a registered timer. */
export type CancelToken = number & { readonly [token]: 'CancelToken' };

/** The functions of the `time` API. */
export interface Time {
  /** Whether time is counted in retired instructions. */
  isVirtualClock(): boolean;
  /** Ticks a second; constant. */
  tickFrequency(): bigint;
  /** The monotonic counter. */
  currentTicks(): Ticks;
  ticksToNanos(ticks: Ticks): Nanos;
  nanosToTicks(nanos: Nanos): Ticks;
  /** The wall clock; under a virtual clock a fixed start plus virtual time. */
  wallClock(): Nanos;
  /** Calls `callback(actual ticks)` once from {@link Time.expireTimers} when `deadline` (absolute) is reached. */
  registerTimer(deadline: Ticks, callback: (now: Ticks) => void): CancelToken;
  /** Forgets a timer. No effect once it has fired. */
  cancelTimer(token: CancelToken): void;
  /** The earliest deadline of all timers. */
  nextDeadline(): Ticks | undefined;
  /** Runs the callbacks that are due, in the order of their deadlines, and returns how many. */
  expireTimers(): number;
  /** Tells the clock that `count` instructions were executed, completed or ended by an exception. A real clock ignores it. */
  accountInstructions(count: number): void;
  /** How many instructions until `deadline`: exact for a virtual clock, `Infinity` for a real one. */
  instructionsUntil(deadline: Ticks): number;
  /** Lets an idle virtual clock jump to `deadline`. A real clock ignores it. */
  skipTo(deadline: Ticks): void;
}

export let isVirtualClock: Time['isVirtualClock'];
export let tickFrequency: Time['tickFrequency'];
export let currentTicks: Time['currentTicks'];
export let ticksToNanos: Time['ticksToNanos'];
export let nanosToTicks: Time['nanosToTicks'];
export let wallClock: Time['wallClock'];
export let registerTimer: Time['registerTimer'];
export let cancelTimer: Time['cancelTimer'];
export let nextDeadline: Time['nextDeadline'];
export let expireTimers: Time['expireTimers'];
export let accountInstructions: Time['accountInstructions'];
export let instructionsUntil: Time['instructionsUntil'];
export let skipTo: Time['skipTo'];

/** Nanoseconds since the start of the counter. */
export const currentTimeNanos = (): Nanos => ticksToNanos(currentTicks());

/** A timer that has one deadline at a time, or none. */
export class OneShotTimer {
  readonly #fire: (now: Ticks) => void;
  #token: CancelToken | undefined;
  #deadline: Ticks | undefined;

  /** @param expired - called once the deadline is reached; it may set the next one. */
  constructor(expired: () => void) {
    this.#fire = () => {
      this.#token = this.#deadline = undefined;
      expired();
    };
  }

  /** When it expires next; undefined: never. */
  get deadline(): Ticks | undefined {
    return this.#deadline;
  }

  /** Sets the deadline, in place of the one before. */
  set(deadline: Ticks): void {
    this.cancel();
    this.#deadline = deadline;
    this.#token = registerTimer(deadline, this.#fire);
  }

  cancel(): void {
    if (this.#token !== undefined) cancelTimer(this.#token);
    this.#token = this.#deadline = undefined;
  }
}

export const time: AxApiDef<'time', Time> = apiDef({
  name: 'time',
  functions: {
    isVirtualClock: required, tickFrequency: required, currentTicks: required, ticksToNanos: required, nanosToTicks: required,
    wallClock: required, registerTimer: required, cancelTimer: required, nextDeadline: required, expireTimers: required,
    accountInstructions: required, instructionsUntil: required, skipTo: required,
  },
  bind: (f: Time) =>
    ({
      isVirtualClock, tickFrequency, currentTicks, ticksToNanos, nanosToTicks, wallClock, registerTimer, cancelTimer,
      nextDeadline, expireTimers, accountInstructions, instructionsUntil, skipTo,
    } = f),
  providers: ['@axvisor/axhost'],
});
