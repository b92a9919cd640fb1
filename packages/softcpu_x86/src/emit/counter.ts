/**
 * RDTSC and RDTSCP (SDM vol. 3, 18.17) where the counter is a clock's, with what is added to it. A counter of instructions is the service's, which
 * knows how many there were.
 */
import { i32, i64 } from '@axvisor/softcpu';
import type { FunctionDefinition, I32 } from '@axvisor/softcpu';
import { CR4 } from '../priv/fields.ts';
import { CPL, INTERCEPTS, Intercepts, storedAt } from '../state.ts';
import { define } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { setGpr } from './operands.ts';
import { SYSTEM, systemRecord } from './system.ts';
import { zext } from './value.ts';

/** The clock: a number of ticks below 2^53. */
export const CLOCK = 'clock';

const RAX = 0;
const RCX = 1;
const RDX = 2;

const read = (aux: boolean): Definition => define(({ e }) => {
  const word = (offset: number): I32 => e.state('i32.load', offset);
  const forbidden = i32.and(i32.shr_u(word(storedAt('cr4')), i32.const(Math.log2(CR4.TSD))), i32.ne(word(CPL), i32.const(0)));
  const special = i32.or(i32.and(word(INTERCEPTS), i32.const(Intercepts.counter)), i32.and(forbidden, i32.const(1)));
  e.if(i32.eqz(special), () => {
    const ticks = i64.trunc_sat_f64_u(e.call(CLOCK, 'f64', []));
    const count = e.let(i64.add(ticks, i64.add(e.state('i64.load', storedAt('tscAdjust')), e.state('i64.load', storedAt('tscOffset')))));
    setGpr(e, RAX, 64, zext(count, 32));
    setGpr(e, RDX, 64, i64.shr_u(count, i64.const(32)));
    if (aux) setGpr(e, RCX, 64, zext(e.state('i64.load', storedAt('tscAux')), 32));
  }, () => e.service(SYSTEM), true);
}, { record: systemRecord });

export const counterFunctions: Readonly<Record<string, FunctionDefinition>> = { [CLOCK]: { params: [], result: 'f64', everywhere: true } };

export const counter: Definitions = { rdtsc: read(false), rdtscp: read(true) };
