/** The one rounding of binary64 results (IEEE 754-2019, 4.3, 7.4, 7.5), from a native result and the sign of its error. */
import { highWord, lowWord, powerOfTwo } from './bits.ts';
import { flag, rounding } from './env.ts';
import type { FloatEnv } from './env.ts';

/** True when the direction of `env` moves magnitudes of this sign up. */
function roundsAway(env: FloatEnv, sign: number): boolean {
  return env.rounding === (sign === 0 ? rounding.RUP : rounding.RDN);
}

function overflow(env: FloatEnv, sign: number): void {
  env.flags |= flag.OF | flag.NX;
  const mode = env.rounding;
  const toInfinity = mode === rounding.RNE || mode === rounding.RMM || roundsAway(env, sign);
  env.hi = (sign << 31) | (toInfinity ? 0x7ff00000 : 0x7fefffff);
  env.lo = toInfinity ? 0 : -1;
}

/**
 * How far, in units of the last place, the correct rounding lies from `magnitude`, which is the exact value rounded to nearest even.
 * `error` is exact value minus `magnitude`; neither its size nor its scale matter except for a tie.
 */
function adjustment(env: FloatEnv, sign: number, magnitude: number, error: number): -1 | 0 | 1 {
  switch (env.rounding) {
    case rounding.RNE:
      return 0;
    case rounding.RMM:
      // A tie that went down to an even neighbour goes up instead.
      return error > 0 && error * 2 ** 53 === powerOfTwo((highWord(magnitude) >>> 20) - 1023) ? 1 : 0;
    case rounding.ODD:
      highWord(magnitude);
      if ((lowWord() & 1) === 1) return 0;
      return error > 0 ? 1 : -1;
    default:
      if (roundsAway(env, sign)) return error > 0 ? 1 : 0;
      return error < 0 ? -1 : 0;
  }
}

/**
 * Leaves (-1)^sign × (magnitude + error) × 2^scale in env.hi and env.lo, rounded in the direction of `env`.
 * `magnitude` is positive and normal, and is the rounding to nearest even of magnitude + error; `error` has the right sign, and
 * the right size if it is half a unit in the last place of magnitude.
 */
export function pack64(env: FloatEnv, sign: number, magnitude: number, error: number, scale: number): void {
  let hi = highWord(magnitude);
  let lo = lowWord();
  let below = error < 0;
  if (error !== 0) {
    const step = adjustment(env, sign, magnitude, error);
    if (step > 0) {
      lo = (lo + 1) | 0;
      if (lo === 0) hi += 1;
      below = true;
    } else if (step < 0) {
      if (lo === 0) hi -= 1;
      lo = (lo - 1) | 0;
      below = false;
    }
  }
  const field = (hi >>> 20) + scale;
  if (field >= 0x7ff) return overflow(env, sign);
  if (field <= 0) return packSubnormal(env, sign, magnitude, error, scale);
  env.hi = (sign << 31) | (field << 20) | (hi & 0xfffff);
  env.lo = lo;
  if (error === 0) return;
  env.flags |= flag.NX;
  // Exactly 2^emin, but rounded up to it: tiny before rounding, not after.
  if (below && field === 1 && env.tininessBefore && (hi & 0xfffff) === 0 && lo === 0) env.flags |= flag.UF;
}

/** Exponent of the last place of every subnormal number. */
const LAST_PLACE = -1074;

function packSubnormal(env: FloatEnv, sign: number, magnitude: number, error: number, scale: number): void {
  const exponent = ((highWord(magnitude) >>> 20) & 0x7ff) - 1023;
  // Below 2^-60 of a unit only "more than nothing" matters.
  const drop = Math.min(LAST_PLACE - scale, 60 + exponent);
  const units = magnitude * powerOfTwo(-drop);
  let whole = Math.floor(units);
  let fraction = units - whole;
  const sticky = Math.sign(error);
  if (fraction === 0 && sticky < 0) {
    whole -= 1;
    fraction = 1;
  }
  if (fraction !== 0 || sticky !== 0) {
    env.flags |= flag.NX | flag.UF;
    const overHalf = fraction > 0.5 || (fraction === 0.5 && sticky > 0);
    const half = fraction === 0.5 && sticky === 0;
    const odd = whole % 2 === 1;
    if (roundsUp(env, sign, overHalf, half, odd)) whole += 1;
  }
  const hi = Math.floor(whole / 0x1_0000_0000);
  env.hi = (sign << 31) | hi;
  env.lo = (whole - hi * 0x1_0000_0000) | 0;
}

/** Whether an inexact magnitude is rounded up to the next unit. */
export function roundsUp(env: FloatEnv, sign: number, overHalf: boolean, half: boolean, odd: boolean): boolean {
  switch (env.rounding) {
    case rounding.RNE:
      return overHalf || (half && odd);
    case rounding.RMM:
      return overHalf || half;
    case rounding.ODD:
      return !odd;
    default:
      return roundsAway(env, sign);
  }
}

/** Leaves a number that is an exact result in env.hi and env.lo. */
export function putExact(env: FloatEnv, value: number): void {
  env.hi = highWord(value);
  env.lo = lowWord();
}

/** Leaves the exact zero sum of operands of opposite sign (6.3). */
export function putZeroSum(env: FloatEnv): void {
  env.hi = env.rounding === rounding.RDN ? -0x80000000 : 0;
  env.lo = 0;
}
