/**
 * The interrupt-controller contract: from device wires to vCPUs. `@axvisor/riscv_vplic`, `@axvisor/arm_vgic` and `@axvisor/x86_vlapic`
 * provide it.
 */
import type { GuestMemoryAccessor } from './addrspace.ts';
import type { AccessWidth, Device, IrqLine } from './device.ts';
import { apiDef, required, type AxApiDef } from './registry/api.ts';
import type { Ticks } from './time.ts';

/** How a controller reaches the vCPUs of its VM. */
export interface IntcContext {
  readonly vmId: number;
  readonly vcpuCount: number;
  /** Asserts or clears interrupt `vector` of a vCPU (RISC-V: interrupt number, e.g. 10 = VSEI; Arm: the pins `CpuPin`; x86: {@link ApicPin}). */
  setVcpuInterrupt(vcpu: number, vector: number, level: boolean): void;
  /** The numbers by which the guest names its CPUs, one for each vCPU. Default: 0, 1, 2 … */
  readonly cpuIds?: readonly bigint[];
  /** The vCPU whose access a device handles at the moment: controllers with registers banked by CPU need it. */
  currentVcpu?(): number;
  /**
   * Gives a controller so many 32-bit words, zeros, for state that threads of vCPUs share with it: it asks once, and a vCPU's part belongs to
   * another thread then. Absent: there is one thread.
   */
  sharedWords?(count: number): Int32Array;
  /** Guest memory, for controllers that keep tables in it (GICv3 ITS). */
  readonly memory?: GuestMemoryAccessor;
}

/** What a controller is made from. */
export interface IntcOptions {
  /** GPA of its registers (GIC: of the distributor). */
  readonly base: bigint;
  /** Number of inputs. */
  readonly sources?: number;
  /** GIC: architecture version. Default 3. */
  readonly version?: 2 | 3;
  /** GICv3: GPA of the redistributors, 128 KiB for each vCPU. */
  readonly redistributorBase?: bigint;
  /** GICv3: GPA of the interrupt translation service, 128 KiB; absent: there is none, and no LPIs. Needs {@link IntcContext.memory}. */
  readonly itsBase?: bigint;
  /** GICv2: GPA of the CPU interface. */
  readonly cpuInterfaceBase?: bigint;
  /** APIC: GPA of the I/O APIC. Default 0xfec0_0000; `base` is where the local APICs are at power-on. */
  readonly ioApicBase?: bigint;
  /** APIC: GPA of the high-precision event timers; absent: there are none. */
  readonly hpetBase?: bigint;
  /**
   * APIC: power-on state as firmware leaves it, for guests that are started without any: the first CPU in virtual wire mode (MultiProcessor
   * specification 1.4, 3.6.2.2), and the inputs that PCI uses level-triggered.
   */
  readonly firmwareState?: boolean;
}

/** An interrupt as a list register of a processor holds it. */
export interface VirtualInterrupt {
  readonly intid: number;
  /** 0 (most urgent) … 255. */
  readonly priority: number;
  readonly group: 0 | 1;
  readonly pending: boolean;
  readonly active: boolean;
  /** The controller wants to hear of the end of the interrupt at once: its wire may be asserted still. */
  readonly notifyEnd: boolean;
}

/** What became of a list register while the guest ran. */
export interface InterruptState {
  readonly intid: number;
  readonly pending: boolean;
  readonly active: boolean;
}

/** Software-generated interrupts, as ICC_SGI1R_EL1 and its like ask for them. */
export interface SgiRequest {
  readonly intid: number;
  readonly group: 0 | 1;
  /** All CPUs but the caller, or those whose affinity above level 0 is `affinity` and whose level 0 is in `targets` (bit n: 16 * range + n). */
  readonly targets: 'others' | { readonly affinity: bigint; readonly range: number; readonly list: number };
}

/** The side of a controller that belongs to one CPU: private wires, software interrupts, and the contents of list registers. */
export interface CpuInterrupts {
  /**
   * The CPU has list registers (a virtual CPU interface in hardware) and asks the controller to fill them. `false`: this controller has the CPU
   * interface itself and drives the CPU's pins.
   */
  useListRegisters(): boolean;
  /** The CPU interface is system registers, whoever has it (GICv3). */
  readonly systemRegisters?: boolean;
  /** The wire of a private interrupt (timers). */
  setPrivateLine(intid: number, level: boolean): void;
  /** Makes an interrupt pending as an edge does, or clears that. */
  setPending(intid: number, pending: boolean): void;
  /** This CPU sends interrupts to others. */
  sendSgi(request: SgiRequest): void;
  /**
   * The CPU is about to run: at most `count` interrupts for its list registers, active ones and then the most urgent pending ones; `more` says
   * that others have to wait. The controller leaves them to the CPU until {@link CpuInterrupts.sync}.
   */
  flush(count: number): { readonly interrupts: readonly VirtualInterrupt[]; readonly more: boolean };
  /** The CPU has run: what became of the interrupts of the last flush, and how many active ones it ended that were in no list register. */
  sync(states: readonly InterruptState[], endedElsewhere: number): void;
  /** Whether {@link CpuInterrupts.flush} would say anything new since it was last called. */
  readonly changed: boolean;
  /** The most urgent pending interrupt that the controller would deliver, whatever the CPU's own masks are. */
  highestPending(): { readonly priority: number; readonly group: 0 | 1 } | undefined;
}

/** What a local APIC asserts at its processor, as the `vector` of {@link IntcContext.setVcpuInterrupt}: beyond the 256 vectors of the architecture. */
export const ApicPin = {
  /** {@link LocalApic.pending} is not undefined. */
  intr: 0x100,
  /** Each of these until the processor takes it: {@link LocalApic.take}. */
  nmi: 0x101,
  init: 0x102,
  sipi: 0x103,
} as const;
export type ApicPin = (typeof ApicPin)[keyof typeof ApicPin];

/** The guest's time-stamp counter, as the processor that belongs to a local APIC has it. */
export interface TscClock {
  /** What RDTSC would read now. */
  read(): bigint;
  /** When RDTSC will read `tsc`, or now if it is past. */
  ticksAt(tsc: bigint): Ticks;
}

/** A local APIC as its processor sees it (Intel SDM volume 3, chapter 11). */
export interface LocalApic {
  /** The x2APIC ID; its low 8 bits are the xAPIC ID. */
  readonly id: number;
  /** IA32_APIC_BASE. */
  readonly base: bigint;
  /** The offset of `address` in the register page; `undefined` if the page is elsewhere or closed: then the access goes to memory or the bus. */
  offsetOf(address: bigint): number | undefined;
  /** An access of the processor to the register page. */
  read(offset: number, width: AccessWidth): bigint;
  write(offset: number, width: AccessWidth, value: bigint): void;
  /** RDMSR of IA32_APIC_BASE, IA32_TSC_DEADLINE or 0x800 to 0x8ff. `undefined`: #GP. */
  readMsr(msr: number): bigint | undefined;
  /** WRMSR of the same. `false`: #GP. */
  writeMsr(msr: number, value: bigint): boolean;
  /** The task priority, 0 to 255; CR8 is its upper half. */
  tpr: number;
  /** Whether {@link LocalApic.pending} is not undefined, timers aside. */
  readonly requests: boolean;
  /** The vector that the processor takes next if RFLAGS.IF and no shadow is in the way. */
  pending(): number | undefined;
  /** The interrupt-acknowledge cycle: the vector to deliver, which is now in service. Only if one was pending; else it is the spurious one. */
  acknowledge(): number;
  /** The highest vector that the processor would take at task priority 0: for TPR thresholds. */
  highestRequest(): number | undefined;
  /** Takes a latched event: whether there was one; of `sipi` the start vector. INIT puts the APIC in its INIT state. */
  take(event: 'nmi' | 'init'): boolean;
  take(event: 'sipi'): number | undefined;
  /** When the timer will make an interrupt pending that is not masked. */
  nextTimer(): Ticks | undefined;
  /** The processor raises an interrupt of its own. */
  raise(source: 'thermal' | 'performance'): void;
  /** Gives the APIC the counter that IA32_TSC_DEADLINE is about. Default: the host's ticks. */
  useTsc(tsc: TscClock): void;
}

/** The rest of an interrupt controller, as its parts on other threads reach it. */
export interface IntcBackplane {
  /** The end of an interrupt of which it has to know: at an APIC of a level-triggered vector, at a GIC of an LPI. */
  endOfInterrupt(vector: number): void;
}

/** The rest of a PC's interrupt controllers, as its local APICs reach it. */
export interface ApicBackplane extends IntcBackplane {
  /** The INTA cycle of an external interrupt: the 8259 gives the vector. */
  acknowledgeExternal(): number;
  /** What that would be now. */
  peekExternal(): number;
}

/** The interrupt controller of one VM. */
export interface InterruptController {
  /** Its register files, to be added to the bus. */
  readonly devices: readonly Device[];
  /** Number of inputs; wires are 1 … sources (or the architecture's numbering). */
  readonly sources: number;
  /** The wire to input `irq`. @throws {AxError} OutOfRange */
  line(irq: number): IrqLine;
  /**
   * The part of one vCPU, for `AxArchVCpu.attachInterrupts`; absent where the architecture has no private interrupts and no list registers.
   *
   * @throws {AxError} OutOfRange
   */
  cpu?(vcpu: number): CpuInterrupts;
  /** A message-signalled interrupt: device `deviceId` writes `eventId` to the translation register. Ignored if the guest did not map it. */
  signalMsi?(deviceId: number, eventId: number): void;
  /** A device writes `data` to `address` to signal an interrupt (APIC: 0xfee0_0000 to 0xfeef_ffff). Ignored if that is no such address. */
  writeMsi?(address: bigint, data: number): void;
  /**
   * The local APIC of one vCPU, for `AxArchVCpu.attachLocalApic`; x86 only.
   *
   * @throws {AxError} OutOfRange
   */
  localApic?(vcpu: number): LocalApic;
  /** What parts that other threads have taken up (`attached_intc`) ask for. */
  readonly backplane?: IntcBackplane & Partial<ApicBackplane>;
}

/** The functions of the `intc` API. */
export interface Intc {
  /** @throws {AxError} InvalidInput */
  createInterruptController(options: IntcOptions, context: IntcContext): InterruptController;
}

export let createInterruptController: Intc['createInterruptController'];

export const intc: AxApiDef<'intc', Intc> = apiDef({
  name: 'intc',
  functions: { createInterruptController: required },
  bind: (f: Intc) => ({ createInterruptController } = f),
  providers: ['@axvisor/riscv_vplic', '@axvisor/arm_vgic', '@axvisor/x86_vlapic'],
});
