/**
 * The MSRs of a guest that are neither in the control structure nor on the processor: what a read gives and a write does (SDM vol. 4; APM vol. 2,
 * appendix A). Others are the hypervisor's to answer, and raise #GP where it does not.
 */
import { FeatureControl, Msr, rdmsr } from '@axvisor/axvisor_api/arch/x86';
import { currentTicks, type Ticks } from '@axvisor/axvisor_api/time';
import type { Context } from './context.ts';
import type { Guest } from './guest.ts';
import { KvmClock, KvmMsr } from './kvm_clock.ts';
import type { NestedMemory } from './nested.ts';

/** Variable MTRRs. */
const VARIABLE_MTRRS = 8;
/** VCNT, fixed ranges, write combining. */
const MTRRCAP = BigInt(VARIABLE_MTRRS) | 0x500n;
/** IA32_MISC_ENABLE: fast strings, always; what is read-only says that there is neither branch tracing nor event sampling. */
const MISC_ENABLE = { readOnly: 0x1881n, fixed: 0x1801n } as const;
const PERF_EVT_SEL0 = 0xc001_0000;
const PERF_CTR0 = 0xc001_0004;
const COUNTER_BITS = 48;
const MEMORY_TYPES: ReadonlySet<bigint> = new Set([0n, 1n, 4n, 5n, 6n]);

/** The MSRs that guests may access without an exit: in the control structure, or switched with the vCPU. */
export const PASSED_THROUGH: readonly number[] = [
  Msr.IA32_SYSENTER_CS, Msr.IA32_SYSENTER_ESP, Msr.IA32_SYSENTER_EIP, Msr.IA32_PAT, Msr.IA32_EFER, Msr.IA32_STAR, Msr.IA32_LSTAR, Msr.IA32_CSTAR, Msr.IA32_FMASK,
  Msr.IA32_FS_BASE, Msr.IA32_GS_BASE, Msr.IA32_KERNEL_GS_BASE, Msr.IA32_TSC_AUX,
];

export const FIXED_MTRRS: readonly number[] = [
  Msr.IA32_MTRR_FIX64K_00000, Msr.IA32_MTRR_FIX16K_80000, Msr.IA32_MTRR_FIX16K_A0000,
  ...Array.from({ length: 8 }, (_, i) => Msr.IA32_MTRR_FIX4K_C0000 + i),
];

/** Eight types, one a byte. */
const areMemoryTypes = (value: bigint): boolean => Array.from({ length: 8 }, (_, i) => (value >> BigInt(8 * i)) & 0xffn).every((type) => MEMORY_TYPES.has(type));

interface Definition {
  /** False: reads raise #GP. */
  readonly readable?: false;
  /** Undefined: the value last written. */
  readonly read?: (msrs: GuestMsrs) => bigint;
  /** Whether the value may be written. Absent: read-only. */
  readonly write?: (value: bigint, msrs: GuestMsrs) => boolean;
}

const constant = (value: bigint): Definition => ({ read: () => value });
const ignored = (value: bigint): Definition => ({ read: () => value, write: () => true });
const stored = (valid: (value: bigint) => boolean): Definition => ({ write: valid });

const TABLE: ReadonlyMap<number, Definition> = new Map([
  [Msr.IA32_P5_MC_ADDR, constant(0n)],
  [Msr.IA32_P5_MC_TYPE, constant(0n)],
  [Msr.IA32_PLATFORM_ID, constant(0n)],
  [Msr.IA32_FEATURE_CONTROL, constant(FeatureControl.LOCK)],
  [Msr.IA32_BIOS_UPDT_TRIG, ignored(0n)],
  [Msr.IA32_BIOS_SIGN_ID, ignored(0n)],
  // What the processor says of itself; SPEC_CTRL and PRED_CMD have nothing to control.
  [Msr.IA32_ARCH_CAPABILITIES, { read: () => rdmsr(Msr.IA32_ARCH_CAPABILITIES) }],
  [Msr.IA32_SPEC_CTRL, stored((value) => (value & ~0x407n) === 0n)],
  [Msr.IA32_PRED_CMD, { readable: false, write: (value) => (value & ~1n) === 0n }],
  [Msr.IA32_XSS, stored((value) => value === 0n)],
  [Msr.IA32_MCG_CAP, constant(0n)],
  [Msr.IA32_MCG_STATUS, ignored(0n)],
  [Msr.IA32_PERF_STATUS, constant(0n)],
  [Msr.IA32_MISC_ENABLE, {
    read: (msrs) => (msrs.stored(Msr.IA32_MISC_ENABLE) & ~MISC_ENABLE.readOnly) | MISC_ENABLE.fixed,
    write: () => true,
  }],
  [Msr.IA32_DEBUGCTL, { read: ({ guest }) => guest.get('debugctl'), write: (value) => value === 0n }],
  [Msr.IA32_TIME_STAMP_COUNTER, { read: (msrs) => msrs.tsc, write: (value, msrs) => msrs.setTsc(value) }],
  [Msr.IA32_TSC_ADJUST, { write: (value, msrs) => msrs.adjustTsc(value) }],
  [Msr.IA32_MTRRCAP, constant(MTRRCAP)],
  [Msr.IA32_MTRR_DEF_TYPE, stored((value) => (value & ~0xcffn) === 0n && MEMORY_TYPES.has(value & 0xffn))],
  ...FIXED_MTRRS.map((msr): [number, Definition] => [msr, stored(areMemoryTypes)]),
  ...Array.from({ length: VARIABLE_MTRRS }, (_, i): [number, Definition][] => [
    [Msr.IA32_MTRR_PHYSBASE0 + 2 * i, stored((value) => (value & 0xf00n) === 0n && MEMORY_TYPES.has(value & 0xffn))],
    [Msr.IA32_MTRR_PHYSMASK0 + 2 * i, stored((value) => (value & 0x7ffn) === 0n)],
  ]).flat(),
  [Msr.SYSCFG, ignored(0n)],
  // Performance counters that AMD's processors always have, and that do not count here: four selectors, four counters.
  ...Array.from({ length: 8 }, (_, i): [number, Definition] => [PERF_EVT_SEL0 + i, stored(() => true)]),
  // The TSC counts at the frequency of P0.
  [Msr.HWCR, ignored(1n << 24n)],
  // The host bridge is none of AMD's: it has nothing to configure.
  [Msr.NB_CFG, ignored(0n)],
  [Msr.VM_CR, constant(0x18n)],
  [KvmMsr.wallClock, { write: (value, msrs) => msrs.clock.writeWallClock(value) }],
  [KvmMsr.systemTime, { write: (value, msrs) => msrs.setClockPage(value) }],
]);

/** Words in the context: what RDTSC adds to the host's counter, then the MSRs that have a value, each 0 until it is written. */
const OFFSET = 0;
const PLACES: ReadonlyMap<number, number> = new Map(Array.from(TABLE.keys(), (msr, i) => [msr, 1 + i]));

export class GuestMsrs {
  readonly guest: Guest;
  readonly #words: BigUint64Array;
  readonly clock: KvmClock;

  /** @param memory - of the guest, when it is there. */
  constructor(guest: Guest, context: Context, memory: () => NestedMemory | undefined) {
    this.guest = guest;
    this.#words = context.words(1 + PLACES.size);
    this.clock = new KvmClock(memory);
  }

  /** Power-on state. @param start - when the TSC was 0. */
  reset(start: Ticks): void {
    this.#words.fill(0n);
    this.#setOffset(-start);
  }

  get #offset(): bigint {
    return this.#words[OFFSET] as bigint;
  }

  /** What RDTSC reads now. */
  get tsc(): bigint {
    return BigInt.asUintN(64, currentTicks() + this.#offset);
  }

  /** When RDTSC will read `tsc`. */
  ticksAt(tsc: bigint): bigint {
    return BigInt.asUintN(64, tsc - this.#offset);
  }

  #setOffset(offset: bigint): void {
    this.#words[OFFSET] = offset;
    this.guest.setTscOffset(BigInt.asIntN(64, offset));
    this.clock.update(this.stored(KvmMsr.systemTime), this.#offset);
  }

  /** What was last written, 0 before. */
  stored(msr: number): bigint {
    return this.#words[PLACES.get(msr) as number] as bigint;
  }

  /** What RDPMC reads of a counter, undefined if there is none. */
  counter(index: number): bigint | undefined {
    return index < this.guest.counters ? BigInt.asUintN(COUNTER_BITS, this.stored(PERF_CTR0 + index)) : undefined;
  }

  #keep(msr: number, value: bigint): void {
    this.#words[PLACES.get(msr) as number] = value;
  }

  /** A write to the counter changes IA32_TSC_ADJUST by as much (SDM vol. 3, 18.17.3). */
  setTsc(value: bigint): true {
    const change = value - this.tsc;
    this.#setOffset(this.#offset + change);
    this.#keep(Msr.IA32_TSC_ADJUST, this.stored(Msr.IA32_TSC_ADJUST) + change);
    return true;
  }

  adjustTsc(value: bigint): true {
    this.#setOffset(this.#offset + BigInt.asIntN(64, value - this.stored(Msr.IA32_TSC_ADJUST)));
    return true;
  }

  setClockPage(value: bigint): boolean {
    if ((value & 2n) !== 0n) return false;
    this.clock.update(value, this.#offset);
    return true;
  }

  /** Undefined: not one of these. */
  read(msr: number): bigint | undefined {
    const definition = TABLE.get(msr);
    return definition === undefined || definition.readable === false ? undefined : (definition.read?.(this) ?? this.stored(msr));
  }

  /** Undefined: not one of these; false: #GP. */
  write(msr: number, value: bigint): boolean | undefined {
    const definition = TABLE.get(msr);
    if (definition === undefined) return undefined;
    if (definition.write?.(value, this) !== true) return false;
    this.#keep(msr, value);
    return true;
  }
}
