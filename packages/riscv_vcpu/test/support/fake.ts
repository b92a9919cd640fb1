/**
 * A hart that records: a file of CSRs with WARL masks, and a script in place of guests. Around it fakes of everything else
 * that riscv_vcpu calls, so that a test can assert every value it programs.
 */
import { apiImpl, component, resolve } from '@axvisor/axvisor_api';
import { gpa, type GuestPhysAddr, type HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor, NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { CAUSE_INTERRUPT, CSR, riscv, type GuestAccess } from '@axvisor/axvisor_api/arch/riscv';
import { axError } from '@axvisor/axvisor_api/errors';
import { host } from '@axvisor/axvisor_api/host';
import { memory, type WasmMemory } from '@axvisor/axvisor_api/memory';
import { processor } from '@axvisor/axvisor_api/processor';
import { time, type CancelToken } from '@axvisor/axvisor_api/time';
import { newArchPerCpu, newArchVCpu, type ArchVCpuConfig, type AxArchVCpu, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { vmm, type VCpuPowerState } from '@axvisor/axvisor_api/vmm';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as riscvVcpu } from '../../src/index.ts';

/** Names of CSRs, for the log. */
const NAMES = new Map<number, string>(Object.entries(CSR).map(([name, number]) => [number, name]));
const ALL = (1n << 64n) - 1n;

export interface FakeOptions {
  /** hgatp modes the hart has. Default: Sv39x4 (8) and Sv48x4 (9). */
  readonly hgatpModes?: readonly bigint[];
  readonly vmidBits?: bigint;
  readonly henvcfg?: bigint;
  readonly hedeleg?: bigint;
  readonly hideleg?: bigint;
  /** CSRs that do not exist. */
  readonly missing?: readonly number[];
  readonly vsatpModes?: readonly bigint[];
  readonly extensions?: readonly string[];
  readonly frames?: number;
}

/** One physical hart. */
export class FakeHart {
  readonly csrs = new Map<number, bigint>();
  /** CSR writes and fences in order, e.g. `vsatp=0x0`. */
  readonly log: string[] = [];
  readonly #options: FakeOptions;
  readonly #now: () => bigint;

  constructor(options: FakeOptions, now: () => bigint) {
    this.#options = options;
    this.#now = now;
  }

  read(csr: number): bigint {
    if (!NAMES.has(csr) || this.#options.missing?.includes(csr) === true) throw axError('InvalidInput', `no CSR ${csr}`);
    return csr === CSR.hip ? this.#pending() : (this.csrs.get(csr) ?? 0n);
  }

  /** hip: hvip, and VSTIP of Sstc. */
  #pending(): bigint {
    const [hvip = 0n, henvcfg = 0n, delta = 0n, compare = 0n] = [CSR.hvip, CSR.henvcfg, CSR.htimedelta, CSR.vstimecmp].map((csr) => this.csrs.get(csr));
    const due = henvcfg >> 63n === 1n && BigInt.asUintN(64, this.#now() + delta) >= compare;
    return due ? hvip | 0x40n : hvip;
  }

  write(csr: number, value: bigint): void {
    const old = this.read(csr);
    this.log.push(`${NAMES.get(csr)}=0x${value.toString(16)}`);
    this.csrs.set(csr, this.#legal(csr, value, old));
  }

  #legal(csr: number, value: bigint, old: bigint): bigint {
    const { hgatpModes = [8n, 9n], vmidBits = 14n, henvcfg = ALL, hedeleg = ALL, hideleg = 0x1444n, vsatpModes = [8n, 9n, 10n] } = this.#options;
    const mode = value >> 60n;
    switch (csr) {
      case CSR.hgatp:
        if (mode !== 0n && !hgatpModes.includes(mode)) return old;
        return value & ((0xfn << 60n) | (((1n << vmidBits) - 1n) << 44n) | ((1n << 44n) - 1n));
      case CSR.vsatp:
        return mode !== 0n && !vsatpModes.includes(mode) ? old : value;
      case CSR.henvcfg:
        return value & henvcfg;
      case CSR.hedeleg:
        return value & hedeleg;
      case CSR.hideleg:
        return value & hideleg;
      default:
        return value;
    }
  }
}

/** A trap that a scripted guest ends with. */
export interface Trap {
  readonly scause: bigint;
  readonly stval?: bigint;
  readonly htval?: bigint;
  readonly htinst?: bigint;
  /** The guest was in VU-mode. */
  readonly user?: boolean;
}

export class FakeMachine {
  readonly options: FakeOptions;
  readonly harts: FakeHart[];
  cpu = 0;
  now = 1000n;
  readonly #timers = new Map<number, { readonly deadline: bigint; readonly callback: (now: bigint) => void }>();
  readonly memory: WasmMemory = { buffer: new SharedArrayBuffer(1 << 20), grow: () => 0 };
  #nextFrame = 4096n;
  readonly freed: bigint[] = [];
  /** What the next entries into the guest do and end with; then a guest that does nothing until a host timer. */
  readonly script: ((context: GuestContext) => Trap)[] = [];
  entries = 0;
  /** Guest virtual memory for HLV and HLVX: bytes, or what an access raises. */
  readonly virtual = new Map<bigint, number>();
  fault: Exclude<GuestAccess, { readonly value: bigint }> = { cause: 13, tval: 0n, htval: 0n };
  readonly power: VCpuPowerState[] = ['on'];
  readonly injected: string[] = [];
  readonly kicks: number[] = [];
  /** What another CPU does when it is kicked. */
  onKick = (): void => {};
  readonly notified: number[] = [];
  console = '';
  input = '';
  /** Guest RAM at 0x8000_0000. */
  readonly ram = new Uint8Array(0x4000);
  /** The byte range that cannot be written. */
  readOnly: readonly [bigint, bigint] = [0n, 0n];

  constructor(options: FakeOptions = {}) {
    this.options = options;
    const now = (): bigint => this.now;
    this.harts = [new FakeHart(options, now), new FakeHart(options, now)];
  }

  get hart(): FakeHart {
    return this.harts[this.cpu] as FakeHart;
  }

  /** Advances the clock and runs the timers that are due. */
  advance(to: bigint): void {
    this.now = to;
    for (const [token, timer] of [...this.#timers])
      if (timer.deadline <= to) {
        this.#timers.delete(token);
        timer.callback(to);
      }
  }

  get timers(): bigint[] {
    return [...this.#timers.values()].map((t) => t.deadline);
  }

  /** The log since the last call. */
  takeLog(): string[] {
    return this.hart.log.splice(0);
  }

  run(body: (machine: FakeMachine) => void): void {
    const machine = this;
    const unused = (): never => { throw new Error('not used'); };
    const ram: GuestMemoryAccessor = {
      readBuffer: (at, into) => into.set(machine.#slice(at, into.length)),
      writeBuffer: (at, from) => {
        const [first, end] = machine.readOnly;
        if (at < end && at + BigInt(from.length) > first) throw axError('BadAddress', 'read-only');
        machine.#slice(at, from.length).set(from);
      },
      readValue: (at, size) => machine.#slice(at, size).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
      writeValue: unused,
    };
    let tokens = 0;
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
          isVirtualClock: () => false, tickFrequency: () => 10_000_000n, currentTicks: () => machine.now,
          ticksToNanos: (t) => t * 100n, nanosToTicks: (n) => n / 100n, wallClock: () => 0n,
          registerTimer: (deadline, callback) => {
            machine.#timers.set(++tokens, { deadline, callback });
            return tokens as CancelToken;
          },
          cancelTimer: (token) => void machine.#timers.delete(token),
          nextDeadline: () => undefined, expireTimers: () => 0, accountInstructions: () => {}, instructionsUntil: () => Infinity, skipTo: () => {},
        }),
        apiImpl(host, {
          getHostCpuNum: () => 2, thisCpuId: () => machine.cpu, consoleWrite: unused, consoleRead: unused, idle: unused, wake: unused, log: unused,
        }),
        apiImpl(processor, {
          architecture: () => 'riscv64', initProcessor: () => {}, setHostTimer: unused, hostWrote: unused,
          kickProcessor: (cpu) => {
            machine.kicks.push(cpu);
            machine.onKick();
          },
          invalidateNested: unused, processorStats: unused,
        }),
        apiImpl(riscv, {
          csrRead: (csr) => machine.hart.read(csr),
          csrWrite: (csr, value) => machine.hart.write(csr, value),
          csrSet: (csr, bits) => {
            const old = machine.hart.read(csr);
            machine.hart.write(csr, old | bits);
            return old;
          },
          csrClear: (csr, bits) => {
            const old = machine.hart.read(csr);
            machine.hart.write(csr, old & ~bits);
            return old;
          },
          enterGuest: (context) => machine.#enter(Number(context)),
          hfenceGvma: (at, vmid) => void machine.hart.log.push(`hfence.gvma ${at ?? 'all'} ${vmid ?? 'all'}`),
          hfenceVvma: (at, asid) => void machine.hart.log.push(`hfence.vvma ${at === undefined ? 'all' : `0x${at.toString(16)}`} ${asid ?? 'all'}`),
          hlv: (at, width) => machine.#access(at, width),
          hlvx: (at, width) => machine.#access(at, width),
          hsv: unused,
          fenceI: () => void machine.hart.log.push('fence.i'),
          retiredInstructions: () => 0n,
          isaExtensions: () => machine.options.extensions ?? ['i', 'm', 'a', 'f', 'd', 'c', 'h'],
          cacheBlockSize: () => 64,
        }),
        apiImpl(vmm, {
          currentVmId: () => 1, currentVcpuId: () => 0, vcpuNum: () => machine.power.length,
          activeVcpus: () => machine.power.reduce((set, p, i) => (p === 'on' ? set | (1n << BigInt(i)) : set), 0n),
          vcpuPowerState: (_vm, i) => machine.power[i] as VCpuPowerState,
          injectInterrupt: unused,
          injectInterruptToCpus: (vm, set, vector) => void machine.injected.push(`${vm}:${set.toString(2)}:${vector}`),
          kickVcpu: unused,
          notifyVcpuTimerExpired: (_vm, i) => void machine.notified.push(i),
          guestMemory: () => ram,
          guestConsole: () => ({
            write: (bytes) => void (machine.console += String.fromCharCode(...bytes)),
            read: (max) => {
              const taken = machine.input.slice(0, max);
              machine.input = machine.input.slice(max);
              return Uint8Array.from(taken, (c) => c.charCodeAt(0));
            },
            onInput: () => {},
          }),
        }),
      ],
    });
    resolve([memoryAddr, fakes, riscvVcpu]).run(() => body(this));
  }

  #slice(at: GuestPhysAddr, length: number): Uint8Array {
    const first = at - 0x8000_0000n;
    if (first < 0n || first + BigInt(length) > BigInt(this.ram.length)) throw axError('BadAddress', `0x${at.toString(16)}`);
    return this.ram.subarray(Number(first), Number(first) + length);
  }

  #access(at: bigint, width: number): GuestAccess {
    let value = 0n;
    for (let i = width - 1; i >= 0; i--) {
      const byte = this.virtual.get(at + BigInt(i));
      if (byte === undefined) return { ...this.fault, tval: at };
      value = (value << 8n) | BigInt(byte);
    }
    return { value };
  }

  #enter(context: number): void {
    this.entries++;
    const { hart } = this;
    const guest = new GuestContext(this.memory.buffer, context, hart);
    const step = this.script.shift();
    const trap = step?.(guest) ?? { scause: CAUSE_INTERRUPT | 5n };
    hart.csrs.set(CSR.scause, trap.scause);
    hart.csrs.set(CSR.stval, trap.stval ?? 0n);
    hart.csrs.set(CSR.htval, trap.htval ?? 0n);
    hart.csrs.set(CSR.htinst, trap.htinst ?? 0n);
    if (trap.user !== undefined) {
      hart.csrs.set(CSR.sstatus, trap.user ? hart.read(CSR.sstatus) & ~0x100n : hart.read(CSR.sstatus) | 0x100n);
      hart.csrs.set(CSR.hstatus, trap.user ? hart.read(CSR.hstatus) & ~0x100n : hart.read(CSR.hstatus) | 0x100n);
    }
  }

  /** Lets the guest take the trap at its next entry. */
  next(trap: Trap, before?: (guest: GuestContext) => void): this {
    this.script.push((guest) => {
      before?.(guest);
      return trap;
    });
    return this;
  }
}

/** A guest's registers while a script plays it. */
export class GuestContext {
  readonly #longs: BigUint64Array;
  readonly #hart: FakeHart;

  constructor(buffer: ArrayBufferLike, context: number, hart: FakeHart) {
    this.#longs = new BigUint64Array(buffer, context, 64);
    this.#hart = hart;
  }

  /** Register 0-31 x, 32-63 f. */
  get(index: number): bigint {
    return this.#longs[index] as bigint;
  }

  set(index: number, value: bigint): void {
    this.#longs[index] = value;
  }

  csr(name: keyof typeof CSR): bigint {
    return this.#hart.read(CSR[name]);
  }

  setCsr(name: keyof typeof CSR, value: bigint): void {
    this.#hart.csrs.set(CSR[name], value);
  }
}

export const ROOT: NestedRoot = { format: 'sv39x4', address: 0x8_4000n as HostPhysAddr, levels: 3 };
export const ENTRY = 0x8000_0000n as GuestPhysAddr;
export const DTB = 0x8020_0000n as GuestPhysAddr;

/** A fake machine with virtualization switched on and `cpus` vCPUs of VM 1 set up, the first one bound. */
export function withVCpus(cpus: number, body: (machine: FakeMachine, first: AxArchVCpu, all: AxArchVCpu[]) => void, options?: FakeOptions): void {
  new FakeMachine(options).run((machine) => {
    for (machine.cpu = 1; machine.cpu >= 0; machine.cpu--) newArchPerCpu(machine.cpu).hardwareEnable();
    machine.cpu = 0;
    const all = Array.from({ length: cpus }, (_, i) => makeVCpu(i));
    for (let i = 1; i < cpus; i++) machine.power[i] = 'on';
    const first = all[0] as AxArchVCpu;
    first.bind();
    for (const hart of machine.harts) hart.log.length = 0;
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

/** Calls SBI `eid`/`fid` from the vCPU's guest and returns the exit with a0 and a1 (undefined if untouched). */
export function callSbi(
  machine: FakeMachine, vcpu: AxArchVCpu, eid: bigint, fid: bigint, ...args: readonly bigint[]
): { readonly exit: AxVCpuExitReason; readonly error: bigint; readonly value: bigint } {
  machine.next({ scause: 10n }, (guest) => {
    for (let i = 0; i < 6; i++) guest.set(10 + i, args[i] ?? 0n);
    guest.set(16, fid);
    guest.set(17, eid);
  });
  const exit = vcpu.run();
  return { exit, error: BigInt.asIntN(64, vcpu.getGpr(10)), value: vcpu.getGpr(11) };
}

export const at = (address: bigint): GuestPhysAddr => gpa(address);
