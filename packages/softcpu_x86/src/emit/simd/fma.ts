/** FMA3: products with a sum, rounded once (SDM vol. 1, 14.5; SDM vol. 2, VFMADD132PD and its relatives). */
import { f32x4, f64x2, floatFunctions, i32, i32x4, i64x2, v128 } from '@axvisor/softcpu';
import type { Block, Expr, FunctionDefinition, V128 } from '@axvisor/softcpu';
import { MXCSR, VT } from '../../state.ts';
import type { Definition, Definitions } from '../define.ts';
import { simd } from './define.ts';
import { KINDS, PE, everywhere, isDouble, isScalar, ordinary, plainMode, result, slowly } from './float.ts';
import type { Kind } from './float.ts';
import type { VexOperands } from './vex.ts';

/** WebAssembly functions `(a, b, c)`: lanes of a × b + c, NaN where the host's arithmetic does not settle it. The precision flag is raised. */
const nameOf = (kind: Kind): string => `fused_${kind}`;

const scalars = floatFunctions((b, condition) => b.if(condition, () => b.setState('i32.store', MXCSR, i32.or(b.state('i32.load', MXCSR), i32.const(PE)))));

function lanes(kind: Kind, block: Block, [a, b, c]: readonly V128[]): V128 {
  const double = isDouble(kind);
  const args = (n: number): Expr[] => [a, b, c].map((x) => (double === 1 ? f64x2 : f32x4).extract_lane(x as V128, n) as Expr);
  let joined = v128.const(0n);
  for (let n = 0; n < (isScalar(kind) ? 1 : 4 >> double); n++) {
    if (double === 1) joined = f64x2.replace_lane(joined, n, block.call('fpFused64', 'f64', args(n)));
    else joined = f32x4.replace_lane(joined, n, block.call('fpFused32', 'f32', args(n)));
  }
  return joined;
}

export const fmaFunctions: Readonly<Record<string, FunctionDefinition>> = {
  fpFused32: scalars['fpFused32'] as FunctionDefinition,
  fpFused64: scalars['fpFused64'] as FunctionDefinition,
  ...Object.fromEntries(KINDS.map((kind): [string, FunctionDefinition] => [
    nameOf(kind), { params: ['v128', 'v128', 'v128'], result: 'v128', body: (block, ...x) => lanes(kind, block, x as V128[]) },
  ])),
};

/** Sign bits: of all lanes, of the even, of the odd ones. */
const signs = (double: 0 | 1, which: (lane: number) => boolean): V128 =>
  v128.const(Array.from({ length: 4 >> double }, (_, n) => (which(n) ? 1n << BigInt((n + 1) * (double === 1 ? 64 : 32) - 1) : 0n)).reduce((all, bit) => all | bit, 0n));
const SUBTRACTED: Readonly<Record<string, (lane: number) => boolean>> = { add: () => false, sub: () => true, addsub: (n) => n % 2 === 0, subadd: (n) => n % 2 === 1 };

/**
 * @param order - which operands are multiplied, and which is added: 1 the destination, 2 VEX.vvvv's, 3 ModRM.rm's.
 * @param negated - the product is.
 */
const multiplyAdd = (order: string, negated: boolean, sign: string, kind: Kind): Definition =>
  simd((operands) => {
    const o = operands as VexOperands;
    const { e } = o;
    const d = isDouble(kind);
    const third = o.get(1);
    const byNumber: readonly V128[] = [o.old(), o.get(0), third];
    const [a, factor, addend] = [...order].map((n) => byNumber[Number(n) - 1]) as [V128, V128, V128];
    const product = negated ? v128.xor(a, signs(d, () => true)) : a;
    const sum = v128.xor(addend, signs(d, SUBTRACTED[sign] as (lane: number) => boolean));
    const value = e.variable(v128.const(0n));
    const usual = everywhere(kind, [a, factor, addend].map((x) => ordinary(d, x)).reduce((x, y) => v128.and(x, y)));
    const nan = v128.const((1n << 128n) - 1n);
    e.if(i32.and(plainMode(o), usual), () => e.assign(value, e.call(nameOf(kind), 'v128', [product, factor, sum])), () => e.assign(value, nan));
    const settled = everywhere(kind, (d === 1 ? f64x2 : f32x4).eq(value.get, value.get));
    e.if(settled, () => {}, () => {
      e.setState('v128.store', VT + 32, addend);
      slowly(o, a, factor);
      e.assign(value, result(o));
    }, true);
    if (!isScalar(kind)) o.put(o.half, value.get);
    else o.put(0, d === 1 ? i64x2.replace_lane(byNumber[0] as V128, 0, i64x2.extract_lane(value.get, 0)) : i32x4.replace_lane(byNumber[0] as V128, 0, i32x4.extract_lane(value.get, 0)));
  });

export const fusedFloats: Definitions = Object.fromEntries(
  ['132', '213', '231'].flatMap((order) =>
    KINDS.flatMap((kind) =>
      ['add', 'sub', 'nadd', 'nsub', ...(kind[0] === 'p' ? ['addsub', 'subadd'] : [])].map((operation): [string, Definition] => {
        const negated = operation.startsWith('n');
        const sign = negated ? operation.slice(1) : operation;
        return [`vf${negated ? 'n' : ''}m${sign}${order}${kind}`, multiplyAdd(order, negated, sign, kind)];
      }))),
);
