/** All SBI extensions, and the way from an ECALL to a function (SBI 2.0; a7 = extension, a6 = function). */
import { baseExtension } from './base.ts';
import { error, SbiError, type SbiAnswer, type SbiArguments, type SbiExtension, type SbiFunction, type SbiHart } from './call.ts';
import { dbcnExtension } from './console.ts';
import { ipiExtension, rfenceExtension, timeExtension } from './interrupts.ts';
import { legacyExtensions } from './legacy.ts';
import { pmuExtension } from './pmu.ts';
import { hsmExtension, srstExtension, suspExtension } from './power.ts';

/** Hypercalls of the hypervisor itself: "HVC". a6 is the number, a0 … a5 the arguments, a0 the result. */
export const EID_HVC = 0x485643n;

/** Every extension but the hypercalls, which are an exit reason. */
export const SBI_EXTENSIONS: readonly SbiExtension[] = [
  ...legacyExtensions,
  baseExtension((eid) => eid === EID_HVC || TABLE.has(Number(eid))),
  timeExtension,
  ipiExtension,
  rfenceExtension,
  hsmExtension,
  srstExtension,
  pmuExtension,
  dbcnExtension,
  suspExtension,
];

interface Entry {
  readonly only?: SbiFunction;
  readonly byFid: ReadonlyMap<number, SbiFunction>;
}

/** By numbers, which are quicker to find than bigints; no register that is too large for one is taken for an id. */
const TABLE: ReadonlyMap<number, Entry> = new Map(
  SBI_EXTENSIONS.map(({ eid, functions }): [number, Entry] => [
    Number(eid),
    'call' in functions ? { only: functions, byFid: new Map() } : { byFid: new Map(functions.map(([fid, f]) => [Number(fid), f])) },
  ]),
);

/** The function of an extension; legacy extensions do not look at the function number. */
export function findFunction(eid: bigint, fid: bigint): SbiFunction | undefined {
  const entry = TABLE.get(Number(eid));
  return entry?.only ?? entry?.byFid.get(Number(fid));
}

/** Carries out a call; an unknown one answers NOT_SUPPORTED. */
export function callSbi(hart: SbiHart, eid: bigint, fid: bigint, a: SbiArguments): SbiAnswer {
  return findFunction(eid, fid)?.call(hart, a) ?? error(SbiError.NOT_SUPPORTED);
}
