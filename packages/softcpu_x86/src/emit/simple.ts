/** Instructions that do nothing the guest could see, or only raise exceptions (SDM vol. 2: NOP, PREFETCHh, CLFLUSH, fences, BOUND, UD). */
import { i32, i64 } from '@axvisor/softcpu';
import { define, named } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { constant as c, sext } from './value.ts';

/** Service that raises #UD. */
export const UNDEFINED = 'undefined';
/** Service that raises #BR. */
export const BOUND = 'bound';

const nothing: Definition = define(() => {}, { frequent: true, record: (fields) => void (fields.k = 0) });
const undefinedInstruction: Definition = define(({ e }) => e.fault(UNDEFINED), { ends: true });
/** They fault as a load of a byte would. */
const flush: Definition = define((o) => void o.raw(0), { outline: true });

export const simple: Definitions = {
  ...named(['nop', 'endbr32', 'endbr64', 'prefetchnta', 'prefetcht0', 'prefetcht1', 'prefetcht2', 'lfence', 'sfence'], () => nothing),
  ...named(['ud0', 'ud1', 'ud2'], () => undefinedInstruction),
  ...named(['clflush', 'clflushopt', 'clwb'], () => flush),
  mfence: define(({ e }) => e.atomicFence()),
  /** The bounds are two signed numbers in memory. */
  bound: define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const index = e.let(sext(o.raw(0), size));
    const { linear } = o.address(1, false);
    const access = size === 16 ? 's16' : 's32';
    const lower = e.load(access, linear);
    const upper = e.load(access, i64.add(linear, c(size / 8)));
    e.if(i32.or(i64.lt_s(index, lower), i64.gt_s(index, upper)), () => e.fault(BOUND), undefined, false);
  }, { bySize: true, outline: true }),
};
