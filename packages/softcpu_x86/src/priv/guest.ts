/**
 * What a processor that runs a guest asks its hypervisor's controls, for VMX and SVM alike. Every method either returns, and the instruction goes on, or
 * leaves the guest and aborts the instruction, unless it says otherwise: unwinding takes longer than the rest of a frequent exit.
 */
import type { SystemInsn } from './interface.ts';

/** Instructions that are intercepted as such, whatever their operands. */
export type Intercepted =
  | 'cpuid' | 'hlt' | 'invd' | 'wbinvd' | 'rdtsc' | 'rdtscp' | 'rdpmc' | 'pause' | 'monitor' | 'mwait' | 'rdrand' | 'rdseed' | 'rsm' | 'getsec' | 'xsetbv'
  | 'invpcid' | 'xsaves' | 'xrstors' | 'iret' | 'pushf' | 'popf' | 'int' | 'int1'
  | 'sgdt' | 'sidt' | 'lgdt' | 'lidt' | 'sldt' | 'str' | 'lldt' | 'ltr'
  | 'vmcall' | 'vmclear' | 'vmlaunch' | 'vmptrld' | 'vmptrst' | 'vmread' | 'vmresume' | 'vmwrite' | 'vmxoff' | 'vmxon' | 'invept' | 'invvpid'
  | 'vmrun' | 'vmmcall' | 'vmload' | 'vmsave' | 'stgi' | 'clgi' | 'skinit' | 'invlpga';

/** An event that is being delivered or injected, as interruption information describes it. */
export interface DeliveredEvent {
  vector: number;
  /** {@link EVENT}. */
  kind: number;
  hasError: boolean;
  errorCode: number;
  /** Bytes of the instruction that caused a software event. */
  length: number;
}

/** How a task switch began, as exit qualifications number it. */
export const TaskSource = { call: 0, iret: 1, jump: 2, gate: 3 } as const;
export type TaskSource = (typeof TaskSource)[keyof typeof TaskSource];

/** The controls of a guest. */
export interface GuestMode {
  readonly kind: 'vmx' | 'svm';
  /** An intercepted instruction. Some raise #UD where a control does not enable them. */
  instruction(name: Intercepted, insn: SystemInsn): void;
  /** The same, which says that the guest was left instead of aborting the instruction. */
  leaves(name: Intercepted, insn: SystemInsn): boolean;
  invlpg(lo: number, hi: number, insn: SystemInsn): void;
  /** MOV to a control register from general register `gpr`. */
  crWrite(cr: number, gpr: number, lo: number, hi: number, insn: SystemInsn): void;
  /** MOV from a control register to general register `gpr`. */
  crRead(cr: number, gpr: number, insn: SystemInsn): void;
  clts(insn: SystemInsn): void;
  lmsw(value: number, insn: SystemInsn): void;
  smsw(insn: SystemInsn): void;
  drAccess(dr: number, write: boolean, gpr: number, insn: SystemInsn): void;
  /** Whether an access to `size` ports leaves the guest. */
  portExits(port: number, size: number): boolean;
  /** IN, OUT, INS, OUTS, the first time of each iteration. True: the guest was left, and the instruction is over. */
  io(port: number, size: number, input: boolean, string: boolean, insn: SystemInsn): boolean;
  msr(index: number, write: boolean, insn: SystemInsn): void;
  taskSwitch(selector: number, source: TaskSource, hasError: boolean, errorCode: number, length: number): void;

  /** What a guest reads from CR0 or CR4, by the low word of the register. */
  visible(cr: number, value: number): number;
  /** The low word that a write of `value` leaves in CR0 or CR4, which holds `old`. */
  merged(cr: number, old: number, value: number): number;
  /** Whether CR0 and CR4 may have these values in the guest, beyond the architecture's own rules. */
  allowed(cr0: number, cr4: number): boolean;
  /** CR8 where it is virtual, else undefined. */
  readTpr(): number | undefined;
  /** True: CR8 is virtual, and was written. */
  writeTpr(value: number, insn: SystemInsn): boolean;

  /** An exception is about to be delivered; `cr2` for page faults, DR6 bits for debug exceptions are in the fault record. */
  exception(event: DeliveredEvent): void;
  /** An NMI (vector 2) or external interrupt arrived. True: the guest was left. */
  interrupt(nmi: boolean): boolean;
  /** Leaves the guest for a fault of the second stage, which the fault record describes. */
  secondStageFault(): void;
  /** The processor would shut down. */
  tripleFault(): void;
  /** INIT or SIPI arrived. True: the guest was left. */
  signal(init: boolean, vector: number): boolean;
  /** Before each instruction after which something may have changed: windows, timers, virtual interrupts. True: the guest was left. */
  poll(): boolean;
  /** Whether {@link poll} would do something to a guest that waits. */
  pollable(): boolean;
  /** A virtual interrupt to deliver now (SVM): its vector, or -1. It is no longer pending then. */
  virtualInterrupt(): number;
  /** A virtual NMI is to be delivered now (SVM). It is no longer pending then. */
  virtualNmi(): boolean;
  /** Blocking by NMI is that of virtual NMIs: it does not keep NMIs from arriving. */
  readonly blocksVirtualNmis: boolean;
  /** IF that masks host interrupts is the host's. */
  readonly hostMasksInterrupts: boolean;
  /** NMI blocking applies to virtual NMIs. */
  iretUnblocks(): void;
}
