/** String comparisons of SSE4.2 (SDM vol. 2, 4.1), executed by JavaScript: the index or mask and the flags are left at VT. */
import { i32, i64x2 } from '@axvisor/softcpu';
import { GPR, Gpr, VT } from '../../state.ts';
import type { Definition, Definitions } from '../define.ts';
import { unpackFlags } from '../flags.ts';
import { setGpr } from '../operands.ts';
import { simd } from './define.ts';
import { slowly } from './float.ts';

/** Explicit lengths are in EAX and EDX, with REX.W in RAX and RDX: the words behind the operands. */
const compare = (toIndex: boolean): Definition =>
  simd((o) => {
    const { e } = o;
    const b = o.get(1);
    const a = o.get(0);
    e.setState('i64.store', VT + 32, e.state('i64.load', GPR + 8 * Gpr.rax));
    e.setState('i64.store', VT + 40, e.state('i64.load', GPR + 8 * Gpr.rdx));
    e.setState('i32.store', VT + 48, i32.const(o.wide));
    slowly(o, a, b);
    if (toIndex) setGpr(e, Gpr.rcx, 32, i64x2.extract_lane(e.state('v128.load', VT), 0));
    else o.setXmm0(e.state('v128.load', VT));
    unpackFlags(e, e.state('i32.load', VT + 52));
  }, { bySize: true });

export const textInstructions: Definitions = { pcmpestri: compare(true), pcmpistri: compare(true), pcmpestrm: compare(false), pcmpistrm: compare(false) };
