/** NaN results: default NaNs and the propagation of payloads (IEEE 754-2019, 6.2). */
import { flag } from '../env.ts';
import type { FloatEnv } from '../env.ts';
import type { Format } from '../format.ts';
import { encode } from './value.ts';
import type { Value } from './value.ts';

function quietBit(format: Format): bigint {
  return 1n << BigInt(format.fractionBits - 1);
}

function encodeNan(format: Format, sign: number, fraction: bigint): bigint {
  return encode(format, sign, 2 ** format.exponentBits - 1, fraction);
}

/** The NaN the architecture makes by itself. */
export function defaultNan(format: Format, env: FloatEnv): bigint {
  return encodeNan(format, env.nan.defaultSign, quietBit(format));
}

/** The result of an invalid operation on operands that are no NaNs. */
export function invalid(format: Format, env: FloatEnv): bigint {
  env.flags |= flag.NV;
  return defaultNan(format, env);
}

/** The result of an operation of which at least one operand, in the order of their priority, is a NaN of the same format. */
export function propagate(format: Format, env: FloatEnv, operands: readonly Value[]): bigint {
  const signaling = operands.find((value) => value.signaling);
  if (signaling !== undefined) env.flags |= flag.NV;
  const first = operands.find((value) => value.kind === 'nan');
  const chosen = { none: undefined, first, 'signaling-first': signaling ?? first }[env.nan.propagate];
  return chosen === undefined ? defaultNan(format, env) : encodeNan(format, chosen.sign, chosen.significand | quietBit(format));
}

/** Converts a NaN between formats: the payload keeps its leading bits. */
export function convertNan(from: Format, to: Format, env: FloatEnv, value: Value): bigint {
  if (value.signaling) env.flags |= flag.NV;
  if (env.nan.propagate === 'none') return defaultNan(to, env);
  const shift = to.fractionBits - from.fractionBits;
  const fraction = shift >= 0 ? value.significand << BigInt(shift) : value.significand >> BigInt(-shift);
  return encodeNan(to, value.sign, fraction | quietBit(to));
}
