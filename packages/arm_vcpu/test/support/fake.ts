/**
 * A processing element that records: a file of system registers, and a script in place of guests. Around it fakes of everything else that arm_vcpu
 * calls, so that a test can assert every value it programs.
 */
import { apiImpl, component, resolve } from '@axvisor/axvisor_api';
import { type GuestPhysAddr, type HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor, NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { arm, ExceptionKind, SYSREG, type AddressTranslation, type SysReg, type SysRegName } from '@axvisor/axvisor_api/arch/arm';
import { axError } from '@axvisor/axvisor_api/errors';
import { host } from '@axvisor/axvisor_api/host';
import { memory, type WasmMemory } from '@axvisor/axvisor_api/memory';
import { processor } from '@axvisor/axvisor_api/processor';
import { time, type CancelToken } from '@axvisor/axvisor_api/time';
import { newArchPerCpu, newArchVCpu, type ArchVCpuConfig, type AxArchVCpu, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { vmm, type VCpuPowerState } from '@axvisor/axvisor_api/vmm';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as armVcpu } from '../../src/index.ts';

const NAMES = new Map<SysReg, string>(Object.entries(SYSREG).map(([name, register]) => [register, name]));
for (let i = 1; i < 16; i++) NAMES.set(SYSREG.ICH_LR_EL2 + i, `ICH_LR${i}_EL2`);
for (let i = 1; i < 4; i++) {
  NAMES.set(SYSREG.ICH_AP0R_EL2 + i, `ICH_AP0R${i}_EL2`);
  NAMES.set(SYSREG.ICH_AP1R_EL2 + i, `ICH_AP1R${i}_EL2`);
}

export interface FakeOptions {
  /** Values that registers have from the start, beside {@link DEFAULTS}. */
  readonly registers?: Readonly<Partial<Record<SysRegName, bigint>>>;
  /** Registers that do not exist. */
  readonly missing?: readonly SysRegName[];
  readonly frames?: number;
}

/** EL0 to EL2 AArch64, GIC; 40-bit PA; PMU with 4 counters; 4 list registers, 5 bits of preemption; VMID16, HAFDBS, PAN. */
const DEFAULTS: Readonly<Partial<Record<SysRegName, bigint>>> = {
  MIDR_EL1: 0x410f_d070n, ID_AA64PFR0_EL1: 0x0100_0111n, ID_AA64DFR0_EL1: 0x1030_5106n, ID_AA64MMFR0_EL1: 0x0000_1122n, ID_AA64MMFR1_EL1: 0x0010_0022n,
  PMCR_EL0: 4n << 11n, ICH_VTR_EL2: (4n << 29n) | (4n << 26n) | 3n,
};

/** One processing element. */
export class FakePe {
  readonly registers = new Map<SysReg, bigint>();
  /** Writes and TLB maintenance in order, e.g. `VTTBR_EL2=0x0`. */
  readonly log: string[] = [];
  readonly #missing: ReadonlySet<SysReg>;

  constructor({ registers = {}, missing = [] }: FakeOptions) {
    this.#missing = new Set(missing.map((name) => SYSREG[name]));
    for (const [name, value] of Object.entries({ ...DEFAULTS, ...registers })) this.registers.set(SYSREG[name as SysRegName], value);
  }

  read(register: SysReg): bigint {
    if (!NAMES.has(register) || this.#missing.has(register)) throw axError('InvalidInput', `no register 0x${register.toString(16)}`);
    return this.registers.get(register) ?? 0n;
  }

  write(register: SysReg, value: bigint): void {
    this.read(register);
    this.log.push(`${NAMES.get(register)}=0x${value.toString(16)}`);
    this.registers.set(register, BigInt.asUintN(64, value));
  }

  get(name: SysRegName): bigint {
    return this.read(SYSREG[name]);
  }

  set(name: SysRegName, value: bigint): void {
    this.registers.set(SYSREG[name], value);
  }
}

/** An exception that a scripted guest ends with. */
export interface Exit {
  readonly kind?: ExceptionKind;
  readonly esr?: bigint;
  readonly far?: bigint;
  readonly hpfar?: bigint;
  /** Host interrupt to acknowledge. */
  readonly irq?: number;
}

export class FakeMachine {
  readonly options: FakeOptions;
  readonly pes: FakePe[];
  cpu = 0;
  now = 1000n;
  readonly memory: WasmMemory = { buffer: new SharedArrayBuffer(1 << 20), grow: () => 0 };
  #nextFrame = 4096n;
  readonly freed: bigint[] = [];
  /** What the next entries into the guest do and end with; then a guest that does nothing until the host's timer. */
  readonly script: ((guest: Guest) => Exit)[] = [];
  entries = 0;
  irq = 1023;
  readonly acknowledged: number[] = [];
  /** What AT answers. Default: addresses are host physical, everything is mapped. */
  translate: (operation: AddressTranslation, address: bigint) => bigint = (_operation, address) => address & 0xf_ffff_ffff_f000n;
  readonly power: VCpuPowerState[] = ['on'];
  /** Guest RAM at 0x4000_0000. */
  readonly ram = new Uint8Array(0x4000);

  constructor(options: FakeOptions = {}) {
    this.options = options;
    this.pes = [new FakePe(options), new FakePe(options)];
  }

  get pe(): FakePe {
    return this.pes[this.cpu] as FakePe;
  }

  /** The log since the last call. */
  takeLog(): string[] {
    return this.pe.log.splice(0);
  }

  /** Writes an instruction to host memory, where the default translation finds it. */
  place(address: bigint, instruction: number): void {
    new Uint32Array(this.memory.buffer)[Number(address) / 4] = instruction;
  }

  run(body: (machine: FakeMachine) => void): void {
    const machine = this;
    const unused = (): never => { throw new Error('not used'); };
    const ram: GuestMemoryAccessor = {
      readBuffer: unused, writeBuffer: unused, writeValue: unused,
      readValue: (at, size) => machine.#slice(at, size).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
    };
    const { buffer } = this.memory;
    const fakes = component({
      name: 'fakes',
      provides: () => [
        apiImpl(memory, {
          allocFrame: () => {
            if (machine.#nextFrame > 4096n * BigInt(machine.options.frames ?? 100)) return undefined;
            machine.#nextFrame += 4096n;
            return machine.#nextFrame as HostPhysAddr;
          },
          allocContiguousFrames: unused,
          deallocFrame: (frame) => void machine.freed.push(frame),
          deallocContiguousFrames: unused, physToVirt: unused, virtToPhys: unused, frameCounts: unused,
          physMemory: () => ({ memory: machine.memory, bytes: new Uint8Array(buffer), words: new Int32Array(buffer), longs: new BigUint64Array(buffer) }),
        }),
        apiImpl(time, {
          isVirtualClock: () => false, tickFrequency: () => 62_500_000n, currentTicks: () => machine.now,
          ticksToNanos: (t) => t * 16n, nanosToTicks: (n) => n / 16n, wallClock: () => 0n,
          registerTimer: () => 0 as CancelToken, cancelTimer: () => {}, nextDeadline: () => undefined, expireTimers: () => 0,
          accountInstructions: () => {}, instructionsUntil: () => Infinity, skipTo: () => {},
        }),
        apiImpl(host, { getHostCpuNum: () => 2, thisCpuId: () => machine.cpu, consoleWrite: unused, consoleRead: unused, idle: unused, wake: unused, log: unused }),
        apiImpl(processor, {
          architecture: () => 'aarch64', initProcessor: () => {}, setHostTimer: unused, kickProcessor: unused, hostWrote: unused, invalidateNested: unused,
          processorStats: unused,
        }),
        apiImpl(arm, {
          fetchIrq: () => {
            machine.acknowledged.push(machine.irq);
            return machine.irq;
          },
          handleIrq: () => void (machine.irq = 1023),
          sysRegRead: (register) => machine.pe.read(register),
          sysRegWrite: (register, value) => machine.pe.write(register, value),
          enterGuest: (context) => machine.#enter(Number(context)),
          tlbiStage2: (vmid, ipa) => void machine.pe.log.push(`tlbi stage 2 ${vmid} ${ipa ?? 'all'}`),
          tlbiStage1: () => void machine.pe.log.push('tlbi stage 1'),
          tlbiAll: () => void machine.pe.log.push('tlbi all'),
          addressTranslate: (operation, address) => machine.translate(operation, address),
          retiredInstructions: () => 0n,
        }),
        apiImpl(vmm, {
          currentVmId: () => 1, currentVcpuId: () => 0, vcpuNum: () => machine.power.length,
          activeVcpus: () => machine.power.reduce((set, p, i) => (p === 'on' ? set | (1n << BigInt(i)) : set), 0n),
          vcpuPowerState: (_vm, i) => machine.power[i] as VCpuPowerState,
          injectInterrupt: unused, injectInterruptToCpus: unused, kickVcpu: unused, notifyVcpuTimerExpired: unused, guestMemory: () => ram, guestConsole: unused,
        }),
      ],
    });
    resolve([memoryAddr, fakes, armVcpu]).run(() => body(this));
  }

  #slice(at: GuestPhysAddr, length: number): Uint8Array {
    const first = at - 0x4000_0000n;
    if (first < 0n || first + BigInt(length) > BigInt(this.ram.length)) throw axError('BadAddress', `0x${at.toString(16)}`);
    return this.ram.subarray(Number(first), Number(first) + length);
  }

  #enter(context: number): ExceptionKind {
    this.entries++;
    const { pe } = this;
    const { kind, esr, far, hpfar, irq } = this.script.shift()?.(new Guest(this.memory.buffer, context, pe)) ?? { kind: ExceptionKind.irq, irq: 26 };
    if (irq !== undefined) this.irq = irq;
    pe.set('ESR_EL2', esr ?? 0n);
    if (far !== undefined) pe.set('FAR_EL2', far);
    if (hpfar !== undefined) pe.set('HPFAR_EL2', hpfar);
    return kind ?? (irq === undefined ? ExceptionKind.sync : ExceptionKind.irq);
  }

  /** Lets the guest take the exception at its next entry. */
  next(exit: Exit, before?: (guest: Guest) => void): this {
    this.script.push((guest) => {
      before?.(guest);
      return exit;
    });
    return this;
  }
}

/** A guest's registers while a script plays it. */
export class Guest {
  readonly #longs: BigUint64Array;
  readonly pe: FakePe;

  constructor(buffer: ArrayBufferLike, context: number, pe: FakePe) {
    this.#longs = new BigUint64Array(buffer, context, 96);
    this.pe = pe;
  }

  x(index: number): bigint {
    return this.#longs[index] as bigint;
  }

  setX(index: number, value: bigint): void {
    this.#longs[index] = value;
  }

  setV(index: number, low: bigint, high: bigint): void {
    this.#longs[32 + 2 * index] = low;
    this.#longs[33 + 2 * index] = high;
  }

  v(index: number): readonly [bigint, bigint] {
    return [this.#longs[32 + 2 * index] as bigint, this.#longs[33 + 2 * index] as bigint];
  }
}

export const ROOT: NestedRoot = { format: 'arm-s2', address: 0x8_4000n as HostPhysAddr, levels: 3 };
export const ENTRY = 0x4000_0000n as GuestPhysAddr;
export const DTB = 0x4400_0000n as GuestPhysAddr;

/** A fake machine with virtualization switched on and `cpus` vCPUs of VM 1 set up, the first one bound. */
export function withVCpus(cpus: number, body: (machine: FakeMachine, first: AxArchVCpu, all: AxArchVCpu[]) => void, options?: FakeOptions): void {
  new FakeMachine(options).run((machine) => {
    for (machine.cpu = 1; machine.cpu >= 0; machine.cpu--) newArchPerCpu(machine.cpu).hardwareEnable();
    machine.cpu = 0;
    const all = Array.from({ length: cpus }, (_, i) => makeVCpu(i));
    for (let i = 1; i < cpus; i++) machine.power[i] = 'on';
    const first = all[0] as AxArchVCpu;
    first.bind();
    for (const pe of machine.pes) pe.log.length = 0;
    body(machine, first, all);
  });
}

export function makeVCpu(id: number, config: Partial<ArchVCpuConfig> = {}, vmid = 5, vmId = 1): AxArchVCpu {
  const vcpu = newArchVCpu(vmId, id, { cpuId: BigInt(id), dtb: DTB, ...config });
  vcpu.setEntry(ENTRY);
  vcpu.setEptRoot(ROOT, vmid);
  vcpu.setup();
  return vcpu;
}

/** The syndrome of exception class `ec`. */
export const esr = (ec: number, iss = 0): bigint => (BigInt(ec) << 26n) | (1n << 25n) | BigInt(iss);

/** Makes an HVC (or SMC) call from the vCPU's guest and returns the exit with x0. */
export function smccc(machine: FakeMachine, vcpu: AxArchVCpu, id: bigint, args: readonly bigint[] = [], ec = 0x16): { readonly exit: AxVCpuExitReason; readonly x0: bigint; readonly pc: bigint } {
  let pc = 0n;
  machine.next({ esr: esr(ec) }, (guest) => {
    pc = guest.pe.get('ELR_EL2');
    guest.setX(0, id);
    for (let i = 0; i < 6; i++) guest.setX(1 + i, args[i] ?? 0n);
  });
  const exit = vcpu.run();
  return { exit, x0: BigInt.asIntN(64, vcpu.getGpr(0)), pc: machine.pe.get('ELR_EL2') - pc };
}
