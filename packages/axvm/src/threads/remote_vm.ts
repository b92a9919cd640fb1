/** A virtual machine as a guest CPU knows it: vCPUs taken up from the monitor, and everything else by calls. */
import { gpa, type GuestPhysAddr, type HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import { attachInterruptController, type AttachedIntc } from '@axvisor/axvisor_api/attached_intc';
import type { AccessWidth, ConsolePort } from '@axvisor/axvisor_api/device';
import { axError } from '@axvisor/axvisor_api/errors';
import type { ApicBackplane } from '@axvisor/axvisor_api/intc';
import { physMemory } from '@axvisor/axvisor_api/memory';
import { callMonitor, postMonitor, type CpuMessage } from '@axvisor/axvisor_api/smp';
import { createVCpu, type AxVCpu, type QuickDevices } from '@axvisor/axvisor_api/vcpu';
import type { CpuUpResult, VmServices } from '../vm/services.ts';
import { latched, latchWords } from './latches.ts';
import { LocalDevices } from './local_devices.ts';
import { Activity, Call, CPU_UP_RESULTS, toBytes, VCpuLine, type VmDescription } from './protocol.ts';

/** The monitor has stopped a vCPU while its thread asked for something: what it was doing is void. */
export class Stopped extends Error {}

/** A vCPU in this thread's view. */
export interface RemoteVCpu {
  readonly vm: RemoteVm;
  readonly vcpu: AxVCpu;
  readonly cpuId: bigint;
  readonly home: number;
  readonly line: VCpuLine;
  /** The generation of the start that this thread knows of. */
  generation: number;
  /** It is on, and this thread runs it. */
  active: boolean;
}

/** The thread that takes up a VM. */
export interface Here {
  /** The number of its CPU. */
  readonly cpu: number;
  /** The vCPU that it runs. */
  current(): RemoteVCpu;
  /** Makes a vCPU see its interrupts. */
  rouse(remote: RemoteVCpu): void;
}

const MAX_CHUNK = 0x8000;

export class RemoteVm implements Disposable {
  readonly id: number;
  readonly vcpus: readonly RemoteVCpu[];
  readonly #memory: VmDescription['memory'];
  readonly #entry: GuestPhysAddr = gpa(0n);
  readonly #latches: BigInt64Array;
  /** Which latch has the register at an address. */
  readonly #latched: ReadonlyMap<number, { readonly width: AccessWidth; readonly index: number }>;
  readonly #posted: ReadonlySet<number>;
  /** The parts of its interrupt controller that are on this thread. */
  readonly #intc: AttachedIntc;
  readonly #devices: LocalDevices;

  /** @param here - what this thread has to tell */
  constructor({ id, vmid, root, lines, memory, vcpus, latches, latched: registers, posted, intc }: VmDescription, here: Here) {
    this.id = id;
    this.#memory = memory;
    this.#latches = latchWords(latches, registers.length);
    this.#latched = new Map(registers.map(([address, width], index) => [address, { width, index }]));
    this.#posted = new Set(posted);
    this.vcpus = vcpus.map(({ cpuId, share, home }, i) => {
      const vcpu = createVCpu({ vmId: id, vcpuId: i, arch: { cpuId, share } });
      vcpu.setup(this.#entry, root, vmid);
      return { vm: this, vcpu, cpuId, home, line: new VCpuLine(lines as HostPhysAddr, i), generation: 0, active: false };
    });
    for (const remote of this.vcpus) if (remote.home === here.cpu) remote.vcpu.arch.attachDevices?.(this.#quickDevices(remote));
    this.#intc = intc === undefined ? {} : this.#attachIntc(intc, here);
    this.#devices = new LocalDevices(this.#intc.devices ?? []);
  }

  #attachIntc({ place, words }: NonNullable<VmDescription['intc']>, here: Here): AttachedIntc {
    const first = Number(place) / 4;
    const attached = attachInterruptController(physMemory().words.subarray(first, first + words), {
      vcpuCount: this.vcpus.length,
      cpuIds: this.vcpus.map(({ cpuId }) => cpuId),
      isHere: (vcpu) => this.remote(vcpu).home === here.cpu,
      currentVcpu: () => here.current().vcpu.id,
      setVcpuInterrupt: (vcpu, pin, level) => {
        const remote = this.remote(vcpu);
        if (!level) return remote.vcpu.clearInterrupt(pin);
        remote.vcpu.injectInterrupt(pin);
        here.rouse(remote);
      },
      controller: (vcpu) => this.#controller(this.remote(vcpu)),
    });
    for (const { home, vcpu } of this.vcpus) {
      if (home !== here.cpu) continue;
      if (attached.localApic !== undefined) vcpu.arch.attachLocalApic?.(attached.localApic(vcpu.id));
      if (attached.cpu !== undefined) vcpu.arch.attachInterrupts?.(attached.cpu(vcpu.id));
    }
    return attached;
  }

  /** The controller of the monitor, for the part of `caller`. */
  #controller(caller: RemoteVCpu): ApicBackplane {
    const vector = (operation: number): number => Number(this.#call(caller, operation, []).values[0]);
    return {
      // What comes of it comes as an interrupt.
      endOfInterrupt: (ended) => {
        const args = [BigInt(ended)];
        if (!postMonitor(Call.endOfInterrupt, this.#message(caller, args))) this.#call(caller, Call.endOfInterrupt, args);
      },
      acknowledgeExternal: () => vector(Call.acknowledgeExternal),
      peekExternal: () => vector(Call.peekExternal),
    };
  }

  /** @throws {AxError} NotFound */
  remote(index: number): RemoteVCpu {
    const found = this.vcpus[index];
    if (found === undefined) throw axError('NotFound', `VM ${this.id} has no vCPU ${index}`);
    return found;
  }

  /** Forgets what this thread has of a vCPU's state, which others may have changed. */
  forget({ vcpu }: RemoteVCpu): void {
    this.#intc.forget?.(vcpu.id);
    // Before the checked life cycle would save it.
    vcpu.arch.setup();
    vcpu.reset(this.#entry);
  }

  /** Whether there is memory at `addr`, mapped or not. */
  #isMemory(addr: bigint): boolean {
    return this.#memory.some(([start, end]) => addr >= start && addr < end);
  }

  #message({ vcpu, generation }: RemoteVCpu, args: readonly bigint[]): readonly bigint[] {
    return [BigInt(this.id), BigInt(vcpu.id), BigInt(generation), ...args];
  }

  /** Calls the monitor for `caller`. @throws {Stopped} */
  #call(caller: RemoteVCpu, operation: number, args: readonly bigint[], bytes?: Uint8Array): CpuMessage {
    const { line } = caller;
    const running = line.activity === Activity.running;
    if (running) line.activity = Activity.calling;
    try {
      return callMonitor(operation, this.#message(caller, args), bytes);
    } finally {
      // First this, then the look at the generation: the monitor does it the other way round.
      if (running) line.activity = Activity.running;
      this.#checkCurrent(caller);
    }
  }

  /** @throws {Stopped} */
  #checkCurrent({ line, generation }: RemoteVCpu): void {
    if (line.generation !== generation) throw new Stopped();
  }

  /** What the exits of `caller` need. */
  services(caller: RemoteVCpu): VmServices {
    const call = (operation: number, ...args: bigint[]): readonly bigint[] => this.#call(caller, operation, args).values;
    const size = (width: AccessWidth): bigint => BigInt(width);
    const devices = this.#devices;
    return {
      vmId: this.id,
      count: (reason) => caller.line.count(reason),
      handlePageFault: (addr, flags) => this.#isMemory(addr) && call(Call.pageFault, addr, BigInt(flags))[0] === 1n,
      mmioRead: (addr, width) => this.#read(Number(addr), width) ?? devices.read('mmio', Number(addr), width) ?? call(Call.mmioRead, addr, size(width))[0],
      mmioWrite: (addr, width, data) =>
        devices.write('mmio', Number(addr), width, data) ||
        this.#post(caller, addr, width, data) ||
        call(Call.mmioWrite, addr, size(width), data)[0] === 1n,
      portRead: (port, width) => call(Call.portRead, BigInt(port), size(width))[0],
      portWrite: (port, width, data) => void call(Call.portWrite, BigInt(port), size(width), data),
      sysRegRead: (addr) => devices.read('sysreg', addr, 8) ?? call(Call.sysRegRead, BigInt(addr))[0],
      sysRegWrite: (addr, value) => devices.write('sysreg', addr, 8, value) || call(Call.sysRegWrite, BigInt(addr), value)[0] === 1n,
      cpuUp: (targetCpu, entry, arg) => CPU_UP_RESULTS[Number(call(Call.cpuUp, targetCpu, entry, arg)[0])] as CpuUpResult,
      cpuDown: () => void call(Call.cpuDown),
      sendIpi: (_vcpu, r) => void call(Call.sendIpi, r.targetCpu, r.targetCpuAux, (r.sendToAll ? 1n : 0n) | (r.sendToSelf ? 2n : 0n), r.vector),
      systemDown: (failure) => void call(Call.systemDown, failure ? 1n : 0n),
      systemReset: () => void call(Call.systemReset),
      fail: (message) => void this.#call(caller, Call.fail, [], toBytes(message)),
    };
  }

  /** What is read in memory that all threads share, if the register is. */
  #read(address: number, width: AccessWidth): bigint | undefined {
    const register = this.#latched.get(address);
    return register?.width === width ? latched(this.#latches, register.index) : undefined;
  }

  /** Posts a write; false if it cannot be. */
  #post(caller: RemoteVCpu, address: bigint, width: AccessWidth, data: bigint): boolean {
    return this.#posted.has(Number(address)) && postMonitor(Call.mmioWrite, this.#message(caller, [address, BigInt(width), data]));
  }

  /** What `caller` does not have to wait for is no exit either. */
  #quickDevices(caller: RemoteVCpu): QuickDevices {
    return {
      read: (space, address, width) => {
        const value = space === 'mmio' ? this.#read(address, width) : undefined;
        if (value === undefined) return undefined;
        caller.line.count('MmioRead');
        return Number(value);
      },
      write: (space, address, width, value) => {
        const done = space === 'mmio' && this.#post(caller, BigInt(address), width, BigInt(value));
        if (done) caller.line.count('MmioWrite');
        return done;
      },
    };
  }

  /** Guest memory for `caller`. */
  memory(caller: RemoteVCpu): GuestMemoryAccessor {
    const readBuffer = (at: bigint, into: Uint8Array): void => {
      for (let done = 0; done < into.length; done += MAX_CHUNK) {
        const length = Math.min(MAX_CHUNK, into.length - done);
        into.set(this.#call(caller, Call.readMemory, [at + BigInt(done), BigInt(length)]).bytes, done);
      }
    };
    const writeBuffer = (at: bigint, from: Uint8Array): void => {
      for (let done = 0; done < from.length; done += MAX_CHUNK)
        this.#call(caller, Call.writeMemory, [at + BigInt(done)], from.subarray(done, done + MAX_CHUNK));
    };
    return {
      readBuffer,
      writeBuffer,
      readValue: (at, size) => {
        const bytes = new Uint8Array(size);
        readBuffer(at, bytes);
        return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
      },
      writeValue: (at, size, value) => writeBuffer(at, Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))),
    };
  }

  /** The console for `caller`. Input is the monitor's business. */
  console(caller: RemoteVCpu): ConsolePort {
    return {
      write: (bytes) => {
        for (let done = 0; done < bytes.length; done += MAX_CHUNK) this.#call(caller, Call.consoleWrite, [], bytes.subarray(done, done + MAX_CHUNK));
      },
      read: (max) => this.#call(caller, Call.consoleRead, [BigInt(Math.min(max, MAX_CHUNK))]).bytes,
      onInput: () => {},
    };
  }

  [Symbol.dispose](): void {
    for (const remote of this.vcpus) {
      if (remote.active) this.forget(remote);
      // No timer outlives the memory that its expiry is noted in.
      this.#intc.forget?.(remote.vcpu.id);
      remote.vcpu[Symbol.dispose]();
    }
  }
}
