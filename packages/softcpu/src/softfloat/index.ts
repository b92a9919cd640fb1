/** IEEE 754-2019 floating point in software: `f64` and `narrow` are quick and work on int32 words, `exact` is the definition in bigint. */
export {
  createFloatEnv, flag, floatClass, integerArm, integerRiscv, integerX86, nanArm, nanArmDefault, nanRiscv, nanX86, rounding,
} from './env.ts';
export type { FloatEnv, IntegerRule, MinMaxKind, NanPolicy, Rounding } from './env.ts';
export * as exact from './exact/index.ts';
export type { IntegerType } from './exact/index.ts';
export * as f64 from './f64.ts';
export { bfloat16, bias, binary16, binary32, binary64, extended80, minExponent, precision, width } from './format.ts';
export type { Format } from './format.ts';
export * as narrow from './narrow.ts';
