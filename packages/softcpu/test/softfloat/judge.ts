/** Cases in the text form of Berkeley TestFloat: operands, result and flags in hexadecimal, separated by blanks. */
import { rounding } from '../../src/softfloat/index.ts';
import type { FloatEnv, Rounding } from '../../src/softfloat/index.ts';
import { typeWidth } from './functions.ts';
import type { TestFunction } from './functions.ts';

/** TestFloat's names of the rounding directions. */
export const modes = { near_even: rounding.RNE, minMag: rounding.RTZ, min: rounding.RDN, max: rounding.RUP, near_maxMag: rounding.RMM, odd: rounding.ODD } as const;
export type Mode = keyof typeof modes;

const word = (hex: string): number => Number.parseInt(hex, 16) | 0;
const words = new Int32Array(6);

/** Says what is wrong with the quick form's answer to a case. */
export function judgeQuick(f: TestFunction, env: FloatEnv, mode: Mode, parts: readonly string[]): string | undefined {
  if (f.quick === undefined) return judgeExact(f, env, mode, parts);
  f.operands.forEach((type, i) => {
    const hex = parts[i]!;
    words[2 * i] = typeWidth(type) === 64 ? word(hex.slice(0, 8)) : 0;
    words[2 * i + 1] = word(hex.slice(-8));
  });
  const result = parts[f.operands.length]!;
  const flags = word(parts[f.operands.length + 1]!);
  env.rounding = modes[mode] as Rounding;
  env.flags = 0;
  f.quick(env, words);
  const wide = typeWidth(f.result) === 64;
  if (env.lo === word(result.slice(-8)) && (!wide || env.hi === word(result.slice(0, 8))) && env.flags === flags) return undefined;
  return `${mode} ${parts.join(' ')}: got ${(env.hi >>> 0).toString(16)}:${(env.lo >>> 0).toString(16)}, flags ${env.flags}`;
}

/** Says what is wrong with the exact form's answer. */
export function judgeExact(f: TestFunction, env: FloatEnv, mode: Mode, parts: readonly string[]): string | undefined {
  const [result, flags] = parts.slice(f.operands.length) as [string, string];
  env.rounding = modes[mode] as Rounding;
  env.flags = 0;
  const bits = f.exact(env, parts.slice(0, f.operands.length).map((hex) => BigInt(`0x${hex}`)));
  if (bits === BigInt(`0x${result}`) && env.flags === word(flags)) return undefined;
  return `${mode} ${parts.join(' ')}: exactly got ${bits.toString(16)}, flags ${env.flags}`;
}
