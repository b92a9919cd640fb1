/**
 * The RISC-V processor contract: what HS-mode software does to a hart with the H extension (privileged specification 1.13,
 * chapter 21). `@axvisor/softcpu_riscv` provides a software hart.
 */
import type { HostPhysAddr } from '../addr.ts';
import type { LiveRegisters } from '../quick_devices.ts';
import { apiDef, required, type AxApiDef } from '../registry/api.ts';

/** CSR numbers that a hypervisor programs (privileged specification, chapter 2). */
export const CSR = {
  fflags: 0x001, frm: 0x002, fcsr: 0x003,
  sstatus: 0x100, sie: 0x104, stvec: 0x105, scounteren: 0x106, senvcfg: 0x10a, sscratch: 0x140, sepc: 0x141, scause: 0x142,
  stval: 0x143, sip: 0x144, stimecmp: 0x14d, satp: 0x180,
  vsstatus: 0x200, vsie: 0x204, vstvec: 0x205, vsscratch: 0x240, vsepc: 0x241, vscause: 0x242, vstval: 0x243, vsip: 0x244,
  vstimecmp: 0x24d, vsatp: 0x280,
  hstatus: 0x600, hedeleg: 0x602, hideleg: 0x603, hie: 0x604, htimedelta: 0x605, hcounteren: 0x606, hgeie: 0x607,
  henvcfg: 0x60a, htval: 0x643, hip: 0x644, hvip: 0x645, htinst: 0x64a, hgatp: 0x680, hgeip: 0xe12,
  cycle: 0xc00, time: 0xc01, instret: 0xc02,
} as const;

/** Exception codes of scause (privileged specification, table of scause values). */
export const Cause = {
  instAddrMisaligned: 0, instAccessFault: 1, illegalInst: 2, breakpoint: 3, loadAddrMisaligned: 4, loadAccessFault: 5,
  storeAddrMisaligned: 6, storeAccessFault: 7, ecallU: 8, ecallS: 9, ecallVS: 10, ecallM: 11, instPageFault: 12,
  loadPageFault: 13, storePageFault: 15, instGuestPageFault: 20, loadGuestPageFault: 21, virtualInst: 22, storeGuestPageFault: 23,
} as const;

/** Interrupt numbers (bit positions of sip, hip, hvip). */
export const Irq = { ssi: 1, vssi: 2, msi: 3, sti: 5, vsti: 6, mti: 7, sei: 9, vsei: 10, mei: 11, sgei: 12 } as const;

/** Bit 63 of scause: an interrupt. */
export const CAUSE_INTERRUPT: bigint = 1n << 63n;

/** Bytes of a guest register context: x0 … x31, then f0 … f31, 8 bytes each, little-endian. x0 is ignored. */
export const GUEST_CONTEXT_SIZE = 512;

/** Result of an access with the guest's translation and permissions: the value, or the exception it raised. */
export type GuestAccess = { readonly value: bigint } | { readonly cause: number; readonly tval: bigint; readonly htval: bigint };

/**
 * The first thing that HS-mode's trap handler does with a guest page fault of a load or store whose instruction htinst has.
 *
 * @param htinst - the transformed instruction.
 * @param address - the guest physical address, below 2^53.
 * @returns true: the access was carried out, and the guest goes on behind the instruction. Else nothing happened
 */
export type FaultVector = (htinst: number, address: number, registers: LiveRegisters) => boolean;

/** The functions of the `arch/riscv` API. They act on this thread's hart. */
export interface RiscvProcessor {
  /** @throws {AxError} InvalidInput for a CSR that the hart lacks */
  csrRead(csr: number): bigint;
  csrWrite(csr: number, value: bigint): void;
  /** Sets bits and returns the old value. */
  csrSet(csr: number, bits: bigint): bigint;
  csrClear(csr: number, bits: bigint): bigint;
  /**
   * Loads the registers x and f from the context at `context`, executes SRET into the guest (hstatus.SPV = 1), and returns
   * when a trap to HS-mode is taken: scause, stval, htval, htinst, sepc, sstatus and hstatus describe it, and the registers
   * are back in the context.
   */
  enterGuest(context: HostPhysAddr): void;
  /**
   * Has a vector called while guests run, from which it need not return here. In it no other function of this API may be called. Nothing is
   * lost where a hart never calls it.
   */
  setFaultVector(vector: FaultVector | undefined): void;
  /** HFENCE.GVMA: `gpa` and `vmid` undefined mean all. */
  hfenceGvma(gpa?: bigint, vmid?: number): void;
  /** HFENCE.VVMA for the current hgatp.VMID. */
  hfenceVvma(gva?: bigint, asid?: number): void;
  /** HLV of `width` bytes (zero-extended). */
  hlv(address: bigint, width: 1 | 2 | 4 | 8): GuestAccess;
  /** HLVX: needs execute permission. */
  hlvx(address: bigint, width: 2 | 4): GuestAccess;
  hsv(address: bigint, width: 1 | 2 | 4 | 8, value: bigint): GuestAccess;
  /** FENCE.I: later instruction fetches of this hart see all earlier stores. */
  fenceI(): void;
  /** Instructions the guest retired on this hart. */
  retiredInstructions(): bigint;
  /** The extensions of the hart as the device-tree property `riscv,isa-extensions` names them: `i`, `m`, … `h`, `zba`, `sstc`. */
  isaExtensions(): readonly string[];
  /** Bytes of the cache blocks that cbo.* instructions work on. */
  cacheBlockSize(): number;
}

export let csrRead: RiscvProcessor['csrRead'];
export let csrWrite: RiscvProcessor['csrWrite'];
export let csrSet: RiscvProcessor['csrSet'];
export let csrClear: RiscvProcessor['csrClear'];
export let enterGuest: RiscvProcessor['enterGuest'];
export let setFaultVector: RiscvProcessor['setFaultVector'];
export let hfenceGvma: RiscvProcessor['hfenceGvma'];
export let hfenceVvma: RiscvProcessor['hfenceVvma'];
export let hlv: RiscvProcessor['hlv'];
export let hlvx: RiscvProcessor['hlvx'];
export let hsv: RiscvProcessor['hsv'];
export let fenceI: RiscvProcessor['fenceI'];
export let retiredInstructions: RiscvProcessor['retiredInstructions'];
export let isaExtensions: RiscvProcessor['isaExtensions'];
export let cacheBlockSize: RiscvProcessor['cacheBlockSize'];

export const riscv: AxApiDef<'arch/riscv', RiscvProcessor, 'setFaultVector'> = apiDef({
  name: 'arch/riscv',
  functions: {
    csrRead: required, csrWrite: required, csrSet: required, csrClear: required, enterGuest: required,
    setFaultVector: () => {}, hfenceGvma: required, hfenceVvma: required, hlv: required, hlvx: required, hsv: required, fenceI: required, retiredInstructions: required,
    isaExtensions: required, cacheBlockSize: required,
  },
  bind: (f: RiscvProcessor) =>
    ({
      csrRead, csrWrite, csrSet, csrClear, enterGuest, setFaultVector, hfenceGvma, hfenceVvma, hlv, hlvx, hsv, fenceI, retiredInstructions,
      isaExtensions, cacheBlockSize,
    } = f),
  providers: ['@axvisor/softcpu_riscv'],
});
