/**
 * The x86-64 processor contract: what a hypervisor at CPL 0 does to a logical processor with VMX and EPT (Intel SDM vol. 3, chapters 24 to 31) or
 * SVM and nested paging (AMD APM vol. 2, chapter 15). `@axvisor/softcpu_x86` provides a software one.
 *
 * Registers that neither a VM entry nor a VM exit loads hold the guest's values while the host runs, as on silicon: CR2, DR0 to DR3, DR6, XCR0,
 * STAR and its family, the x87 and vector registers. Who lets two guests share a processor switches them.
 */
import type { HostPhysAddr } from '../addr.ts';
import { axError } from '../errors.ts';
import { apiDef, required, type AxApiDef } from '../registry/api.ts';

export * from './x86_registers.ts';
export * from './x86_svm.ts';
export * from './x86_vmcs.ts';
export * from './x86_vmx.ts';

/**
 * Bytes of a guest register context, 8 bytes each, little-endian: RAX RCX RDX RBX RSP RBP RSI RDI R8 … R15, the order of their encoding. RSP is in
 * the VMCS, RSP and RAX are in the VMCB: their words are left alone.
 */
export const GUEST_CONTEXT_SIZE = 128;

/** Indices into a guest register context. */
export const Gpr = {
  RAX: 0, RCX: 1, RDX: 2, RBX: 3, RSP: 4, RBP: 5, RSI: 6, RDI: 7, R8: 8, R9: 9, R10: 10, R11: 11, R12: 12, R13: 13, R14: 14, R15: 15,
} as const;
export type Gpr = (typeof Gpr)[keyof typeof Gpr];

/** Bytes of an XSAVE area that {@link X86Processor.xsave} may write: legacy region, header, and AVX component in standard form. Aligned to 64. */
export const XSAVE_AREA_SIZE = 832;

/** Vector of the external interrupt by which a kick or the end of a time slice ends a guest's run. */
export const HOST_INTERRUPT_VECTOR = 0xf0;

/** How a VMX instruction ended (SDM vol. 3, 31.2): {@link VMSUCCEED}, {@link VMFAIL_INVALID}, or the VM-instruction error of VMfailValid. */
export type VmxResult = number;
export const VMSUCCEED = 0;
/** There is no current VMCS that could hold an error number. */
export const VMFAIL_INVALID = -1;

/** EAX, EBX, ECX, EDX, unsigned. */
export interface CpuidResult {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** Segment registers and descriptor tables of the host as STR, SGDT and the like store them, for the host-state area. */
export interface HostSegments {
  readonly es: number;
  readonly cs: number;
  readonly ss: number;
  readonly ds: number;
  readonly fs: number;
  readonly gs: number;
  readonly tr: number;
  readonly trBase: bigint;
  readonly gdtrBase: bigint;
  readonly idtrBase: bigint;
}

/**
 * The first thing that a VM exit for IN or OUT of the accumulator leads to.
 *
 * @param value - what OUT writes, unsigned.
 * @returns what IN reads, unsigned, and for OUT any number: it was carried out, and the guest goes on behind the instruction. `undefined`: nothing happened
 */
export type PortVector = (port: number, width: 1 | 2 | 4, input: boolean, value: number) => number | undefined;

/** The functions of the `arch/x86` API. They act on this thread's logical processor. */
export interface X86Processor {
  /** CPUID, in VMX root operation or SVM host mode. */
  cpuid(leaf: number, subleaf: number): CpuidResult;
  /**
   * RDMSR. IA32_TIME_STAMP_COUNTER counts what `currentTicks` of the `time` API does.
   *
   * @throws {AxError} InvalidInput where the instruction would raise #GP
   */
  rdmsr(msr: number): bigint;
  /** WRMSR. @throws {AxError} InvalidInput where the instruction would raise #GP */
  wrmsr(msr: number, value: bigint): void;
  /** MOV from CR0, CR2, CR3, CR4 or CR8. @throws {AxError} InvalidInput for any other */
  readCr(cr: number): bigint;
  /** MOV to a control register. @throws {AxError} InvalidInput where the instruction would raise #UD or #GP */
  writeCr(cr: number, value: bigint): void;
  /** MOV from DR0 … DR3, DR6, DR7. @throws {AxError} InvalidInput for any other */
  readDr(dr: number): bigint;
  /** MOV to a debug register. @throws {AxError} InvalidInput where the instruction would raise #UD or #GP */
  writeDr(dr: number, value: bigint): void;
  /** XCR0. @throws {AxError} BadState while CR4.OSXSAVE is clear */
  xgetbv(): bigint;
  /** Writes XCR0. @throws {AxError} InvalidInput for a combination that the processor lacks, BadState while CR4.OSXSAVE is clear */
  xsetbv(value: bigint): void;
  /** XSAVE of x87, SSE and AVX state, whatever XCR0 says, to {@link XSAVE_AREA_SIZE} bytes at `area`. */
  xsave(area: HostPhysAddr): void;
  /** XRSTOR of what {@link X86Processor.xsave} wrote. A component whose bit in XSTATE_BV is clear gets its initial state. */
  xrstor(area: HostPhysAddr): void;
  hostSegments(): HostSegments;

  /** @throws {AxError} BadState where the instruction would raise #UD or #GP: CR4.VMXE clear, IA32_FEATURE_CONTROL, fixed bits */
  vmxon(region: HostPhysAddr): VmxResult;
  /** @throws {AxError} BadState outside VMX operation, like all that follow up to {@link X86Processor.invvpid} */
  vmxoff(): VmxResult;
  vmclear(vmcs: HostPhysAddr): VmxResult;
  vmptrld(vmcs: HostPhysAddr): VmxResult;
  /** Address of the current VMCS, all ones if there is none. */
  vmptrst(): bigint;
  /**
   * Reads a field of the current VMCS, zero-extended.
   *
   * @throws {AxError} BadState without a current VMCS, InvalidInput for a field the processor lacks (VM-instruction error 12)
   */
  vmread(field: number): bigint;
  vmwrite(field: number, value: bigint): VmxResult;
  /** The low 32 bits of what {@link X86Processor.vmread} reads, unsigned: all of a 16- or 32-bit field, for what is read at every exit. Errors as there. */
  vmreadLow(field: number): number;
  /** Writes the low 32 bits of a field; the others stay. `value`: unsigned, or the same bits signed. */
  vmwriteLow(field: number, value: number): VmxResult;
  /**
   * Loads the general registers from the context at `context` and enters the guest of the current VMCS. {@link VMSUCCEED}: a VM exit brought
   * control back, whose reason is in the VMCS, and the registers are in the context again. A failed entry after the host state was found good is
   * an exit as well ({@link EXIT_REASON_ENTRY_FAILURE}).
   */
  vmlaunch(context: HostPhysAddr): VmxResult;
  vmresume(context: HostPhysAddr): VmxResult;
  invept(type: number, eptp: bigint): VmxResult;
  invvpid(type: number, vpid: number, linear: bigint): VmxResult;

  /**
   * VMRUN: enters the guest of the VMCB at `vmcb` with the registers of the context, and returns at #VMEXIT with EXITCODE in the VMCB. What VMLOAD and
   * VMSAVE move is not switched. A pending host interrupt ends the run (VMEXIT_INTR) whether GIF is set or not.
   *
   * @throws {AxError} BadState while EFER.SVME is clear, InvalidInput for an address that is not aligned or not memory
   */
  vmrun(vmcb: HostPhysAddr, context: HostPhysAddr): void;
  /** FS, GS, TR, LDTR, KernelGSBase, STAR and its family, SYSENTER_* from a VMCB. Errors as {@link X86Processor.vmrun}. */
  vmload(vmcb: HostPhysAddr): void;
  vmsave(vmcb: HostPhysAddr): void;
  stgi(): void;
  clgi(): void;
  /** Drops translations of one linear page of an ASID. */
  invlpga(linear: bigint, asid: number): void;
  /**
   * Has a vector called while guests run, from which none of the functions that enter guests need return. In it no other function of this API may be
   * called. Nothing is lost where a processor never calls it.
   */
  setPortVector(vector: PortVector | undefined): void;
  /** Instructions guests retired on this logical processor. */
  retiredInstructions(): bigint;
}

export let cpuid: X86Processor['cpuid'];
export let rdmsr: X86Processor['rdmsr'];
export let wrmsr: X86Processor['wrmsr'];
export let readCr: X86Processor['readCr'];
export let writeCr: X86Processor['writeCr'];
export let readDr: X86Processor['readDr'];
export let writeDr: X86Processor['writeDr'];
export let xgetbv: X86Processor['xgetbv'];
export let xsetbv: X86Processor['xsetbv'];
export let xsave: X86Processor['xsave'];
export let xrstor: X86Processor['xrstor'];
export let hostSegments: X86Processor['hostSegments'];
export let vmxon: X86Processor['vmxon'];
export let vmxoff: X86Processor['vmxoff'];
export let vmclear: X86Processor['vmclear'];
export let vmptrld: X86Processor['vmptrld'];
export let vmptrst: X86Processor['vmptrst'];
export let vmread: X86Processor['vmread'];
export let vmwrite: X86Processor['vmwrite'];
export let vmreadLow: X86Processor['vmreadLow'];
export let vmwriteLow: X86Processor['vmwriteLow'];
export let vmlaunch: X86Processor['vmlaunch'];
export let vmresume: X86Processor['vmresume'];
export let invept: X86Processor['invept'];
export let invvpid: X86Processor['invvpid'];
export let vmrun: X86Processor['vmrun'];
export let vmload: X86Processor['vmload'];
export let vmsave: X86Processor['vmsave'];
export let stgi: X86Processor['stgi'];
export let clgi: X86Processor['clgi'];
export let invlpga: X86Processor['invlpga'];
export let setPortVector: X86Processor['setPortVector'];
export let retiredInstructions: X86Processor['retiredInstructions'];

/** The functions a processor without VMX, or without SVM, does not define. */
type Optional =
  | 'setPortVector' | 'vmxon' | 'vmxoff' | 'vmclear' | 'vmptrld' | 'vmptrst' | 'vmread' | 'vmwrite' | 'vmreadLow' | 'vmwriteLow' | 'vmlaunch' | 'vmresume' | 'invept' | 'invvpid'
  | 'vmrun' | 'vmload' | 'vmsave' | 'stgi' | 'clgi' | 'invlpga';

const noVmx = (): never => {
  throw axError('Unsupported', 'this processor has no VMX');
};

const noSvm = (): never => {
  throw axError('Unsupported', 'this processor has no SVM');
};

export const x86: AxApiDef<'arch/x86', X86Processor, Optional> = apiDef({
  name: 'arch/x86',
  functions: {
    cpuid: required, rdmsr: required, wrmsr: required, readCr: required, writeCr: required, readDr: required, writeDr: required,
    xgetbv: required, xsetbv: required, xsave: required, xrstor: required, hostSegments: required,
    vmxon: noVmx, vmxoff: noVmx, vmclear: noVmx, vmptrld: noVmx, vmptrst: noVmx, vmread: noVmx, vmwrite: noVmx, vmreadLow: noVmx, vmwriteLow: noVmx, vmlaunch: noVmx,
    vmresume: noVmx, invept: noVmx, invvpid: noVmx,
    vmrun: noSvm, vmload: noSvm, vmsave: noSvm, stgi: noSvm, clgi: noSvm, invlpga: noSvm,
    setPortVector: () => {}, retiredInstructions: required,
  },
  bind: (f: X86Processor) =>
    ({
      cpuid, rdmsr, wrmsr, readCr, writeCr, readDr, writeDr, xgetbv, xsetbv, xsave, xrstor, hostSegments, vmxon, vmxoff, vmclear, vmptrld,
      vmptrst, vmread, vmwrite, vmreadLow, vmwriteLow, vmlaunch, vmresume, invept, invvpid, vmrun, vmload, vmsave, stgi, clgi, invlpga,
      setPortVector, retiredInstructions,
    } = f),
  providers: ['@axvisor/softcpu_x86'],
});
