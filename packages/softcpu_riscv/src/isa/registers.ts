/** Register names of the calling convention (RISC-V ABIs, "Register Convention"). */

/** ABI names of x0..x31. */
export const integerRegisters: readonly string[] = [
  'zero', 'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2', 's0', 's1', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5',
  'a6', 'a7', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9', 's10', 's11', 't3', 't4', 't5', 't6',
];

/** ABI names of f0..f31. */
export const floatRegisters: readonly string[] = [
  'ft0', 'ft1', 'ft2', 'ft3', 'ft4', 'ft5', 'ft6', 'ft7', 'fs0', 'fs1', 'fa0', 'fa1', 'fa2', 'fa3', 'fa4', 'fa5',
  'fa6', 'fa7', 'fs2', 'fs3', 'fs4', 'fs5', 'fs6', 'fs7', 'fs8', 'fs9', 'fs10', 'fs11', 'ft8', 'ft9', 'ft10', 'ft11',
];

const numbers = (abi: readonly string[], prefix: string): ReadonlyMap<string, number> =>
  new Map(abi.flatMap((name, index) => [[name, index], [`${prefix}${index}`, index]] as const));

/** Numbers of the integer registers by either name; `fp` is s0. */
export const integerRegisterNumbers: ReadonlyMap<string, number> = new Map([...numbers(integerRegisters, 'x'), ['fp', 8]]);

/** Numbers of the floating-point registers by either name. */
export const floatRegisterNumbers: ReadonlyMap<string, number> = numbers(floatRegisters, 'f');

/** Names of the rounding modes by their encoding; 5 and 6 are reserved (unprivileged manual, "Floating-Point Control and Status Register"). */
export const roundingModes: readonly (string | undefined)[] = ['rne', 'rtz', 'rdn', 'rup', 'rmm', undefined, undefined, 'dyn'];

/** The encoding of the dynamic rounding mode. */
export const DYNAMIC_ROUNDING = 7;
