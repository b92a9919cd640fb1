/** All functions by identifier, and the way from an HVC or SMC to one of them (SMC Calling Convention 1.1, DEN0028, 2.5 and 7). */
import { result, SmcError, type SmcAnswer, type SmcArguments, type SmcCaller, type SmcFunction } from './call.ts';
import { psciFunctions } from './psci.ts';

/** Bit 31: a fast call; without it an identifier is the hypervisor's own. */
const FAST = 1n << 31n;
/** Bit 30: 64-bit arguments. */
const CALL64 = 1n << 30n;
/** Owning entity in bits 29:24: standard secure services, with PSCI, and vendor-specific hypervisor services. */
const STANDARD = 4n << 24n;
const HYPERVISOR = 6n << 24n;

const SMCCC_VERSION = FAST;
const ARCH_FEATURES = FAST | 1n;
/** 1.1. */
export const SMCCC_VERSION_VALUE = 0x1_0001n;

/** General queries of an owning entity: number of calls, UID, revision (6.2). */
const Query = { count: 0xff00n, uid: 0xff01n, revision: 0xff03n } as const;

/** Tells this hypervisor from others: c5a0a8b2-7d34-4c1e-9b6f-5641697561e1 in four words. */
export const HYPERVISOR_UID: readonly [bigint, bigint, bigint, bigint] = [0xc5a0_a8b2n, 0x7d34_4c1en, 0x9b6f_5641n, 0x6975_61e1n];

const ARCHITECTURE: readonly (readonly [bigint, SmcFunction])[] = [
  [SMCCC_VERSION, { name: 'SMCCC_VERSION', call: () => result(SMCCC_VERSION_VALUE) }],
  [
    ARCH_FEATURES,
    {
      name: 'SMCCC_ARCH_FEATURES',
      call: (_caller, [id]) => result(ARCHITECTURE.some(([known]) => known === BigInt.asUintN(32, id)) ? SmcError.SUCCESS : SmcError.NOT_SUPPORTED),
    },
  ],
];

const VENDOR: readonly (readonly [bigint, SmcFunction])[] = [
  [FAST | HYPERVISOR | Query.count, { name: 'CALL_COUNT', call: () => result(BigInt(VENDOR.length)) }],
  [FAST | HYPERVISOR | Query.uid, { name: 'CALL_UID', call: () => ({ x: HYPERVISOR_UID }) }],
  [FAST | HYPERVISOR | Query.revision, { name: 'CALL_REVISION', call: () => ({ x: [0n, 1n] }) }],
];

/** PSCI's own functions, and SMCCC_VERSION as PSCI_FEATURES is how a guest finds it. */
const psci = psciFunctions((id) => id === SMCCC_VERSION || (((id & ~CALL64) >> 24n) << 24n === (FAST | STANDARD) && SMC_FUNCTIONS.has(id)));

/** Every function by its identifier. */
export const SMC_FUNCTIONS: ReadonlyMap<bigint, SmcFunction> = new Map([
  ...ARCHITECTURE,
  ...psci.flatMap(([number, width, f]): [bigint, SmcFunction][] => {
    const id = FAST | STANDARD | BigInt(number);
    return width === 64 ? [[id, f], [id | CALL64, f]] : [[id, f]];
  }),
  ...VENDOR,
]);

/** Whether x0 names a function of the calling convention, not a hypercall. */
export const isFastCall = (x0: bigint): boolean => (BigInt.asUintN(32, x0) & FAST) !== 0n;

/** Carries out a fast call: x0 is the identifier. 32-bit calls have 32-bit arguments; an unknown one answers NOT_SUPPORTED. */
export function callSmc(caller: SmcCaller, x0: bigint, [x1, x2, x3]: SmcArguments): SmcAnswer {
  const id = BigInt.asUintN(32, x0);
  const bits = (id & CALL64) === 0n ? 32 : 64;
  const f = SMC_FUNCTIONS.get(id);
  if (f === undefined) return result(SmcError.NOT_SUPPORTED);
  return f.call(caller, [BigInt.asUintN(bits, x1), BigInt.asUintN(bits, x2), BigInt.asUintN(bits, x3)]);
}
