/** Whether rounded results are inexact, for FPSR.IXC while it is still clear. */
import { i32, i32x4, i64x2, select, v128, vectorInexact } from '@axvisor/softcpu';
import type { Block, FindInexact, FunctionDefinition, I32, V128 } from '@axvisor/softcpu';
import { FPSR } from '../../state.ts';
import { ZERO } from './vector.ts';

/** FPSR.IXC. */
export const IXC: number = 1 << 4;

/** Sets FPSR.IXC if the condition holds. */
export const raiseInexact = (e: Pick<Block, 'if' | 'setState' | 'state'>, condition: I32): void =>
  e.if(condition, () => e.setState('i32.store', FPSR, i32.or(e.state('i32.load', FPSR), i32.const(IXC))));

const HIGH = v128.const(((1n << 64n) - 1n) << 64n);
const note = (find: FindInexact, all: (lanes: V128) => I32): FunctionDefinition => ({
  params: ['v128', 'v128', 'v128', 'i32'],
  result: 'i32',
  body: (b, ...params) => {
    const [x, y, result, q] = params as [V128, V128, V128, I32];
    const { inexact, known } = find(b, x, y, result);
    // Without Q the upper half does not count.
    const ignored = b.let(select(q, ZERO, HIGH));
    const settled = b.let(all(v128.or(known, ignored)));
    raiseInexact(b, i32.and(settled, v128.any_true(v128.andnot(inexact, ignored))));
    return settled;
  },
});

/** Functions `(a, b, result, Q)` that raise the inexact exception if it is due, and answer 0 where they cannot tell: sums and products, by precision. */
export const inexactFunctions: Readonly<Record<string, FunctionDefinition>> = {
  fpNoteAdd4s: note(vectorInexact.single.add, i32x4.all_true),
  fpNoteMul4s: note(vectorInexact.single.mul, i32x4.all_true),
  fpNoteAdd2d: note(vectorInexact.double.add, i64x2.all_true),
  fpNoteMul2d: note(vectorInexact.double.mul, i64x2.all_true),
};
