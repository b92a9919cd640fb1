/**
 * CPUID as a guest sees it: the processor's leaves without what the vCPU does not offer, its own topology, and the hypervisor's leaves
 * (SDM vol. 2, CPUID; APM vol. 3, appendix E).
 */
import { cpuid, Cr4, type CpuidResult } from '@axvisor/axvisor_api/arch/x86';
import type { LocalApic } from '@axvisor/axvisor_api/intc';
import { tickFrequency } from '@axvisor/axvisor_api/time';
import type { VmCpus } from './cpus.ts';
import type { Guest } from './guest.ts';

/** What the answers depend on. */
export interface CpuidView {
  readonly apicId: number;
  /** vCPUs of the VM. */
  readonly cpus: number;
  readonly cr4: bigint;
  /** Whether there is a local APIC, and whether IA32_APIC_BASE enables it. */
  readonly apic: boolean;
  readonly apicEnabled: boolean;
}

/** What of a vCPU is asked for it. */
interface CpuidSource {
  readonly guest: Guest;
  readonly apic: LocalApic | undefined;
}

/** {@link CpuidView} of a vCPU, as it is when it is asked. @param apicId - without a local APIC. */
export function cpuidViewOf(vcpu: CpuidSource, apicId: number, vm: VmCpus): CpuidView {
  return {
    get apicId() {
      return vcpu.apic?.id ?? apicId;
    },
    get cpus() {
      return vm.count;
    },
    get cr4() {
      return vcpu.guest.get('cr4');
    },
    get apic() {
      return vcpu.apic !== undefined;
    },
    get apicEnabled() {
      return vcpu.apic !== undefined && (vcpu.apic.base & 0x800n) !== 0n;
    },
  };
}

const ZEROES: CpuidResult = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
const bit = (n: number): number => 2 ** n;
const bits = (...list: readonly number[]): number => list.reduce((sum, n) => sum + bit(n), 0);
const without = (value: number, mask: number): number => (value & ~mask) >>> 0;
const withBits = (value: number, mask: number): number => (value | mask) >>> 0;
const setTo = (value: number, mask: number, on: boolean): number => (on ? withBits(value, mask) : without(value, mask));

/** Leaf 1, ECX: MONITOR, VMX, SMX, EIST, TM2, PDCM, DCA are not offered; x2APIC and the TSC deadline are the local APIC's. */
const ECX1_HIDDEN = bits(2, 3, 4, 5, 6, 7, 8, 11, 15, 18);
const ECX1_X2APIC = bit(21);
const ECX1_DEADLINE = bit(24);
const ECX1_OSXSAVE = bit(27);
const ECX1_HYPERVISOR = bit(31);
/** Leaf 1, EDX: MCE, MCA, DS, ACPI, TM, PBE are not offered. */
const EDX1_HIDDEN = bits(7, 14, 21, 22, 29, 31);
const EDX1_APIC = bit(9);
const EDX1_HTT = bit(28);
/**
 * Leaf 7, ECX: WAITPKG; EDX: L1D flush and core capabilities. What tells that the processor is not vulnerable stays: a kernel that does not know isolates
 * its page tables, at several times the cost of a system call.
 */
const ECX7_HIDDEN = bit(5);
const EDX7_HIDDEN = bits(28, 30);
/** Leaf 6, EAX: the APIC timer runs in every C-state. */
const ARAT = bit(2);
/** Leaf 0x8000_0001, ECX: SVM, SKINIT, IBS, WDT, LWP, topology extensions, performance counters. */
const ECX81_HIDDEN = bits(2, 10, 12, 13, 15, 22, 23, 24, 28);
/** Leaf 0x8000_0007, EDX. */
const INVARIANT_TSC = bit(8);

export const HYPERVISOR_LEAF = 0x4000_0000;
/** Frequencies of the TSC and of the APIC's bus, as several hypervisors report them. */
const FREQUENCY_LEAF = 0x4000_0010;
/** Interfaces of further hypervisors are looked for at multiples of 0x100 from the first. */
const KVM_LEAF = 0x4000_0100;
/** "KVMKVMKVM" and zeros. */
const KVM_SIGNATURE = { ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d } as const;
/** Ports need no delay; the clock's MSRs are there, and the clock is the same for all vCPUs. */
const KVM_FEATURES = bits(1, 3, 24);
/** "RVMR" "VMRV" "MRVM". */
const SIGNATURE = { ebx: 0x524d_5652, ecx: 0x5652_4d56, edx: 0x4d56_524d } as const;

const MAX_BASIC = 0x1f;

/** Bits of an APIC id that number the CPUs. */
const widthOf = (cpus: number): number => Math.ceil(Math.log2(Math.max(1, cpus)));

/** Leaves 0xb and 0x1f: threads (one a core), then cores. */
function topology(subleaf: number, { apicId, cpus }: CpuidView): CpuidResult {
  if (subleaf === 0) return { eax: 0, ebx: 1, ecx: 0x100, edx: apicId };
  if (subleaf === 1) return { eax: widthOf(cpus), ebx: cpus, ecx: 0x201, edx: apicId };
  return { eax: 0, ebx: 0, ecx: subleaf & 0xff, edx: apicId };
}

const kilohertz = (): number => Number(tickFrequency() / 1000n);

type Policy = (host: CpuidResult, view: CpuidView, subleaf: number) => CpuidResult;

const POLICIES: Readonly<Record<number, Policy>> = {
  0x0: (host) => ({ ...host, eax: Math.max(0x16, Math.min(host.eax, MAX_BASIC)) }),
  0x1: (host, { apicId, cpus, cr4, apic, apicEnabled }) => ({
    eax: host.eax,
    ebx: ((host.ebx & 0xff00) | (Math.min(cpus, 255) << 16) | ((apicId & 0xff) << 24)) >>> 0,
    ecx: withBits(setTo(setTo(without(host.ecx, ECX1_HIDDEN), ECX1_X2APIC + ECX1_DEADLINE, apic), ECX1_OSXSAVE, (cr4 & Cr4.OSXSAVE) !== 0n), ECX1_HYPERVISOR),
    edx: setTo(setTo(without(host.edx, EDX1_HIDDEN), EDX1_APIC, apicEnabled), EDX1_HTT, cpus > 1),
  }),
  0x4: (host, { cpus }) => ((host.eax & 31) === 0 ? host : { ...host, eax: ((host.eax & 0x3fff) | (Math.min(cpus - 1, 63) << 26)) >>> 0 }),
  0x5: () => ZEROES,
  0x6: (_, { apic }) => ({ ...ZEROES, eax: apic ? ARAT : 0 }),
  0x7: (host, _, subleaf) => (subleaf === 0 ? { ...host, ecx: without(host.ecx, ECX7_HIDDEN), edx: without(host.edx, EDX7_HIDDEN) } : host),
  0xa: () => ZEROES,
  0xb: (_, view, subleaf) => topology(subleaf, view),
  0x1f: (_, view, subleaf) => topology(subleaf, view),
  // The counter is the crystal's.
  0x15: () => ({ eax: 1, ebx: 1, ecx: Number(tickFrequency()), edx: 0 }),
  0x16: () => ({ ...ZEROES, eax: Math.max(1, Math.round(kilohertz() / 1000)) }),
  [HYPERVISOR_LEAF]: () => ({ eax: FREQUENCY_LEAF, ...SIGNATURE }),
  [FREQUENCY_LEAF]: () => ({ ...ZEROES, eax: kilohertz(), ebx: kilohertz() }),
  [KVM_LEAF]: () => ({ eax: KVM_LEAF + 1, ...KVM_SIGNATURE }),
  [KVM_LEAF + 1]: () => ({ ...ZEROES, eax: KVM_FEATURES }),
  0x8000_0001: (host) => ({ ...host, ecx: without(host.ecx, ECX81_HIDDEN) }),
  0x8000_0007: (host) => ({ ...ZEROES, edx: withBits(host.edx & INVARIANT_TSC, INVARIANT_TSC) }),
  0x8000_000a: () => ZEROES,
};

const isHypervisorLeaf = (leaf: number): boolean => leaf >= HYPERVISOR_LEAF && leaf < HYPERVISOR_LEAF + 0x1_0000;

/** What the guest gets for a leaf and subleaf. */
export function guestCpuid(leaf: number, subleaf: number, view: CpuidView): CpuidResult {
  const policy = POLICIES[leaf];
  if (isHypervisorLeaf(leaf)) return policy?.(ZEROES, view, subleaf) ?? ZEROES;
  const host = cpuid(leaf, subleaf);
  return policy === undefined ? host : policy(host, view, subleaf);
}
