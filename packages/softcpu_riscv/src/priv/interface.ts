/**
 * The seam between the privileged architecture (this directory) and the engine that runs instructions:
 * what the engine may call, and what it must provide.
 *
 * Hot calls pass 64-bit values as pairs of 32-bit words and physical addresses as JavaScript numbers; the
 * methods for native supervisor software (`csrRead` and the like) take and return bigint.
 */

import type { CoreHost, PhysBus, RamWindow, Status } from '@axvisor/softcpu';

/** Kinds of memory access for {@link PrivilegedHart.translate}. */
export const Access = {
  load: 0,
  /** Stores, SC and AMOs; also cbo.zero. */
  store: 1,
  fetch: 2,
  /** The load of HLVX, which needs execute instead of read permission. */
  loadExecutable: 3,
} as const;
export type Access = (typeof Access)[keyof typeof Access];

/**
 * {@link PrivilegedHart.system} tells the run loop by a `Status`: `next`, go on behind the instruction, the PC in the state block is untouched; `refetch`, that was
 * written; `leave`, {@link PrivilegedHart.exited} or {@link PrivilegedHart.waiting} says why, and the PC is where to resume.
 */
export { Permission, Status } from '@axvisor/softcpu';

/** What the privileged architecture needs from the engine around it. The constructor of the hart already calls it (reset flushes). */
export interface PrivilegedHost extends CoreHost {
  /** mtime, 64 bits. */
  now(): bigint;
  /** Forgets every cached data translation (all values of MMU_IDX). */
  flushTlb(): void;
}

/** How a hart is built. */
export interface PrivilegedOptions {
  /** The linear memory with the state block and the RAM windows; only `buffer` is used. */
  readonly memory: { readonly buffer: ArrayBufferLike };
  /** Byte offset of the state block in `memory`, a multiple of 8. */
  readonly stateBase: number;
  readonly ram: readonly RamWindow[];
  /** Byte offset of `Layout.guestBlocks` in `memory`. Absent: nothing walks but this. */
  readonly guestBlocks?: number;
  readonly bus?: PhysBus;
  readonly host: PrivilegedHost;
  /**
   * True: there is no machine-mode software and HS-mode software is native code. Traps to HS-mode while V=1 update
   * the HS-level CSRs and set `exited` instead of vectoring. False (default): a bare hart that resets into M-mode.
   */
  readonly hosted?: boolean;
  /** mhartid. Default 0. */
  readonly hartId?: number;
  /** Number of PMP entries: 16 (default; as the manual demands, S- and U-mode see nothing until one matches) or 0 (default when hosted). */
  readonly pmpEntries?: 0 | 16;
}

/** An exception that was recorded and not yet taken. */
export interface PendingException {
  /** Exception code of mcause/scause; -1 when none is recorded. */
  readonly cause: number;
  /** xtval. */
  readonly tvalLo: number;
  readonly tvalHi: number;
  /** Faulting guest physical address (not shifted), 0 if none. */
  readonly gpaLo: number;
  readonly gpaHi: number;
  /** Pseudoinstruction for mtinst/htinst, 0 if none: then {@link PrivilegedHart.takeTrap} transforms the instruction. */
  readonly tinst: number;
  /** tval is a guest virtual address. */
  readonly gva: boolean;
}

/** The privileged architecture as the engine sees it. */
export interface PrivilegedHart {
  /** Current nominal privilege mode: 0 U, 1 S, 3 M. */
  readonly prv: number;
  /** Current virtualization mode: 0 or 1. */
  readonly v: number;
  /** Hosted: the guest was left, the HS-level CSRs say why. Cleared by `enterGuest`. */
  readonly exited: boolean;
  /** A WFI found nothing pending. Cleared by `wakeable()` returning true, or by any trap. */
  readonly waiting: boolean;
  readonly exception: PendingException;
  /** Count of exceptions taken: an instruction that raised it has not retired. */
  readonly exceptions: number;

  /** After a successful translation: which accesses of the current MMU_IDX / FETCH_IDX to the 4 KiB page may go ahead
   *  without asking again (write only if D is set and writable at both stages). 0: do not cache the page at all. */
  readonly permissions: number;
  /** After a successful translation: the page is mapped alike in all address spaces of the regime (G in the leaf, or no first stage). */
  readonly global: boolean;
  /** After a successful translation: bytes of the naturally aligned block around the address that maps linearly, at least 4096. */
  readonly pageSize: number;

  /**
   * Translates and checks one access that lies within a page, as the current mode makes it (fetch: prv and V;
   * others: with MPRV). `offset` is the distance of the address from the start of the instruction's access: nonzero
   * for the second part of an access that crosses a page.
   * @returns the physical address (>= 0; it need not be RAM), or -1 with `exception` filled in.
   */
  translate(vaLo: number, vaHi: number, access: Access, size: number, offset?: number): number;

  /** Records an exception that did not come from `translate`; for access faults of the bus, misaligned atomics and the like
   *  tval is the virtual address, for illegal instructions the bits. */
  raise(cause: number, tvalLo: number, tvalHi: number, offset?: number): void;

  /**
   * Takes the recorded exception of the instruction at PC (state block). `bits` is the instruction, raw (a compressed one in
   * the low half), or 0 when it could not be fetched.
   * @returns Status.refetch, or Status.leave when the hart exited.
   */
  takeTrap(bits: number): Status;

  /** raise(2, bits) and takeTrap(bits). */
  illegal(bits: number): Status;

  /**
   * Executes one SYSTEM or cache-block instruction at PC: Zicsr, ecall, ebreak, xRET, wfi, fences, hlv/hsv, cbo.*.
   * `op` is the op number of isa/table.ts, `bits` the raw instruction.
   */
  system(op: number, bits: number): Status;

  /**
   * Looks at timers and interrupt lines. If an interrupt must be taken, takes it (epc = PC) and returns Status.refetch,
   * or Status.leave when hosted and it belongs to HS-mode; Status.next otherwise. To be called once per slice.
   *
   * @param timers - false: what the clock made pending since it was last looked at is left for the next call
   */
  pendingInterrupt(timers?: boolean): Status;

  /** True if an interrupt that is enabled in mie (whatever the global enables) is pending: a WFI would not wait. */
  wakeable(): boolean;

  /** The earliest mtime at which a timer of this hart (stimecmp, vstimecmp) makes an enabled interrupt pending, or undefined. */
  nextTimer(): bigint | undefined;

  /** The next mtime at which a timer's pending bit rises, enabled or not, or undefined. */
  nextTimerEdge(): bigint | undefined;

  /** Sets or clears an interrupt line: `irq` is the bit in mip. For SSIP (1) and VSSIP (2) a rising line sets the software bit. */
  setPending(irq: number, level: boolean): void;

  /** Puts the hart in its reset state. PC is the caller's. */
  reset(): void;

  /** Looks up `memory.buffer` again; to be called when the memory has grown. */
  refresh(): void;
}

/** The hart as native HS-mode software sees it (hosted mode). */
export interface HostedHart {
  /** Reads a CSR as HS-mode code would. @throws {RangeError} there is no such CSR, or HS-mode may not read it. */
  csrRead(csr: number): bigint;
  /** Writes a CSR as HS-mode code would (WARL rules apply). @throws {RangeError} as for csrRead, and for read-only CSRs. */
  csrWrite(csr: number, value: bigint): void;
  /** SRET from HS-mode into the guest: needs hstatus.SPV=1. @throws {Error} when the hart is already in a guest, or SPV=0. */
  enterGuest(): void;
  /** SFENCE.VMA of HS-mode. */
  sfenceVma(): void;
  /** HFENCE.VVMA of the current VMID: of one address or all, of one address space or all. */
  hfenceVvma(va?: bigint, asid?: number): void;
  /** HFENCE.GVMA. */
  hfenceGvma(): void;
  /** HLV.x: `size` 1, 2, 4 or 8; zero-extended. Undefined: it faulted, `exception` says how (nothing is trapped). */
  hlv(va: bigint, size: number): bigint | undefined;
  /** HLVX.x: `size` 2 or 4. */
  hlvx(va: bigint, size: number): bigint | undefined;
  /** HSV.x. False: it faulted, `exception` says how. */
  hsv(va: bigint, size: number, value: bigint): boolean;
}
