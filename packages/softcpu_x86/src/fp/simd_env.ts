/** SSE arithmetic by definition, with MXCSR: denormals, flushing, masks (SDM vol. 1, 10.2.3, 11.5). */
import { binary32, binary64, createFloatEnv, exact, flag, integerX86, nanX86, rounding } from '@axvisor/softcpu/softfloat';
import type { FloatEnv, Format, Rounding } from '@axvisor/softcpu/softfloat';

/** Bits of MXCSR. */
export const Mxcsr = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32, flags: 0x3f, DAZ: 64, maskShift: 7, roundingShift: 13, FTZ: 0x8000 } as const;

const DIRECTIONS: readonly Rounding[] = [rounding.RNE, rounding.RDN, rounding.RUP, rounding.RTZ];
const FLAGS: readonly (readonly [number, number])[] = [[flag.NV, Mxcsr.IE], [flag.DZ, Mxcsr.ZE], [flag.OF, Mxcsr.OE], [flag.UF, Mxcsr.UE], [flag.NX, Mxcsr.PE]];

interface Parts {
  readonly sign: bigint;
  readonly exponent: bigint;
  readonly fraction: bigint;
  readonly largest: bigint;
}

/** Fields of an encoding. */
function parts({ exponentBits, fractionBits }: Format, bits: bigint): Parts {
  const fraction = bits & ((1n << BigInt(fractionBits)) - 1n);
  const largest = (1n << BigInt(exponentBits)) - 1n;
  return { sign: (bits >> BigInt(exponentBits + fractionBits)) & 1n, exponent: (bits >> BigInt(fractionBits)) & largest, fraction, largest };
}
export function isNan(format: Format, bits: bigint): boolean {
  const { exponent, fraction, largest } = parts(format, bits);
  return exponent === largest && fraction !== 0n;
}
export function isDenormal(format: Format, bits: bigint): boolean {
  const { exponent, fraction } = parts(format, bits);
  return exponent === 0n && fraction !== 0n;
}
const signedZero = (format: Format, bits: bigint): bigint => parts(format, bits).sign << BigInt(format.exponentBits + format.fractionBits);

export type Operation = (format: Format, env: FloatEnv, operands: readonly bigint[]) => bigint;

/** One instruction's environment: operands come in, results go out, flags gather. */
export class SimdEnv {
  readonly env: FloatEnv = createFloatEnv({ tininessBefore: false, nan: nanX86, integer: integerX86 });
  /** Flags raised, as MXCSR has them. */
  raised = 0;
  /** Whether MXCSR.FTZ is obeyed. */
  flushes = true;
  #mxcsr = 0;

  begin(mxcsr: number): void {
    this.#mxcsr = mxcsr;
    this.raised = 0;
    this.flushes = true;
    this.env.rounding = DIRECTIONS[(mxcsr >>> Mxcsr.roundingShift) & 3] as Rounding;
  }

  /** An operand as the instruction sees it: zero for a denormal with DAZ. */
  operand(format: Format, bits: bigint): bigint {
    return (this.#mxcsr & Mxcsr.DAZ) !== 0 && isDenormal(format, bits) ? signedZero(format, bits) : bits;
  }

  /** Runs an operation that rounds to `to` on operands of `from`. */
  run(from: Format, to: Format, operation: Operation, ...bits: readonly bigint[]): bigint {
    const operands = bits.map((each) => this.operand(from, each));
    this.env.flags = 0;
    let result = operation(from, this.env, operands);
    const raised = FLAGS.reduce((all, [theirs, ours]) => ((this.env.flags & theirs) === 0 ? all : all | ours), 0);
    this.raised |= raised;
    const hasNan = operands.some((each) => isNan(from, each));
    // Invalid operations and NaNs come before denormals.
    if (!hasNan && (raised & (Mxcsr.IE | Mxcsr.ZE)) === 0 && operands.some((each) => isDenormal(from, each))) this.raised |= Mxcsr.DE;
    if (this.flushes && (this.#mxcsr & Mxcsr.FTZ) !== 0 && (this.#mxcsr & (Mxcsr.UE << Mxcsr.maskShift)) !== 0 && isDenormal(to, result)) {
      result = signedZero(to, result);
      this.raised |= Mxcsr.UE | Mxcsr.PE;
    }
    return result;
  }

  /** MXCSR afterwards, and whether an exception is not masked. */
  end(): { readonly mxcsr: number; readonly unmasked: boolean } {
    const masks = (this.#mxcsr >>> Mxcsr.maskShift) & Mxcsr.flags;
    return { mxcsr: this.#mxcsr | this.raised, unmasked: (this.raised & ~masks) !== 0 };
  }
}

/** Arithmetic by its stem. */
export const operations: Readonly<Record<'add' | 'sub' | 'mul' | 'div' | 'sqrt', Operation>> = {
  add: (format, env, [a, b]) => exact.add(format, env, a as bigint, b as bigint),
  sub: (format, env, [a, b]) => exact.sub(format, env, a as bigint, b as bigint),
  mul: (format, env, [a, b]) => exact.mul(format, env, a as bigint, b as bigint),
  div: (format, env, [a, b]) => exact.div(format, env, a as bigint, b as bigint),
  sqrt: (format, env, [, b]) => exact.sqrt(format, env, b as bigint),
};

/** The format of `ps`, `ss` and of `pd`, `sd`. */
export const formatOf = (double: boolean): Format => (double ? binary64 : binary32);
