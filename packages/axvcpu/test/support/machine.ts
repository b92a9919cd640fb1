/** A machine with several CPUs and an architecture that records what it is asked, for tests of the life cycle. */
import { apiImpl, component, resolve, type Image } from '@axvisor/axvisor_api';
import { axError } from '@axvisor/axvisor_api/errors';
import { host, type Host } from '@axvisor/axvisor_api/host';
import { percpu, type PerCpu } from '@axvisor/axvisor_api/percpu';
import { archVcpu, type AxArchPerCpu, type AxArchVCpu, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { component as axvcpu } from '../../src/index.ts';

/** An architecture's vCPU that logs every call and fails where it is told to. */
export class MockArchVCpu implements AxArchVCpu {
  readonly log: string[] = ['new'];
  readonly gprs = new Map<number, bigint>();
  /** Calls that throw. */
  readonly failing = new Set<string>();
  exits: AxVCpuExitReason[] = [];
  /** Called inside run(). */
  onRun: () => void = () => {};
  bound = false;

  #call(name: string, ...args: readonly (number | bigint)[]): void {
    this.log.push(args.length === 0 ? name : `${name}(${args.map((a) => (typeof a === 'bigint' ? `0x${a.toString(16)}` : String(a))).join(', ')})`);
    if (this.failing.has(name)) throw axError('Io', `mock: ${name} failed`);
  }

  setEntry(entry: bigint): void { this.#call('setEntry', entry); }
  setEptRoot(root: { readonly address: bigint }, vmid: number): void { this.#call('setEptRoot', root.address, vmid); }
  setup(): void { this.#call('setup'); }
  run(): AxVCpuExitReason {
    this.#call('run');
    if (!this.bound) throw axError('BadState', 'mock: not bound');
    this.onRun();
    return this.exits.shift() ?? { reason: 'Halt' };
  }
  bind(): void { this.#call('bind'); this.bound = true; }
  unbind(): void { this.#call('unbind'); this.bound = false; }
  decodeMmio(): undefined { return undefined; }
  injectAccessFault(): void { this.#call('injectAccessFault'); }
  setGpr(index: number, value: bigint): void { this.#call('setGpr', index, value); this.gprs.set(index, value); }
  getGpr(index: number): bigint { return this.gprs.get(index) ?? 0n; }
  setReturnValue(value: bigint): void { this.#call('setReturnValue', value); this.gprs.set(10, value); }
  completeCpuUp(): void {}
  setStartArgs(): void {}
  injectInterrupt(vector: number): void { this.#call('injectInterrupt', vector); }
  clearInterrupt(vector: number): void { this.#call('clearInterrupt', vector); }
  hasPendingInterrupt(): boolean { return false; }
  nextTimer(): undefined { return undefined; }
  dump(): Record<string, bigint> { return {}; }
  [Symbol.dispose](): void { this.#call('dispose'); }
}

/** An architecture's per-CPU part that fails where it is told to. */
export class MockArchPerCpu implements AxArchPerCpu {
  enabled = false;
  readonly failing: Set<string>;
  constructor(failing: Set<string>) {
    this.failing = failing;
    if (failing.has('newArchPerCpu')) throw axError('NoMemory', 'mock: newArchPerCpu failed');
  }
  isEnabled(): boolean { return this.enabled; }
  hardwareEnable(): void {
    if (this.failing.has('hardwareEnable')) throw axError('Unsupported', 'mock: no extension');
    this.enabled = true;
  }
  hardwareDisable(): void { this.enabled = false; }
  maxGuestPageTableLevels(): number { return 4; }
}

/** The composition, and the knobs of its fakes. */
export interface Machine {
  readonly image: Image;
  /** The CPU the "thread" is on. */
  cpu: number;
  /** Calls of the per-CPU part, and `newArchVCpu`, that fail. */
  readonly failing: Set<string>;
  readonly perCpus: MockArchPerCpu[];
}

const unused = (): never => { throw new Error('not used'); };

export function createMachine(cpus = 2): Machine {
  const machine = { cpu: 0, failing: new Set<string>(), perCpus: [] as MockArchPerCpu[] };
  const hostImpl: Host = {
    getHostCpuNum: () => cpus, thisCpuId: () => machine.cpu, consoleWrite: unused, consoleRead: unused,
    idle: unused, wake: unused, log: unused,
  };
  const perCpuObject = <T>(name: string, init: (cpu: number) => T): PerCpu<T> => {
    const values = Array.from({ length: cpus }, (_, i) => init(i));
    const readRemote = (cpu: number): T => values[cpu] as T;
    const writeRemote = (cpu: number, value: T): void => { values[cpu] = value; };
    return {
      name, readRemote, writeRemote,
      readCurrent: () => readRemote(machine.cpu),
      writeCurrent: (value) => writeRemote(machine.cpu, value),
      updateCurrent: unused, resetToInit: unused,
    };
  };
  const fakes = component({
    name: 'fakes',
    provides: () => [apiImpl(host, hostImpl), apiImpl(percpu, { perCpuObject, perCpuU64: unused })],
  });
  const arch = component({
    name: 'mock-arch',
    provides: () => [
      apiImpl(archVcpu, {
        hasHardwareSupport: () => true,
        nestedFormat: () => ({ format: 'sv39x4', levels: 3 }),
        cpuFdtProperties: () => ({}),
        newArchPerCpu: () => {
          const made = new MockArchPerCpu(machine.failing);
          machine.perCpus.push(made);
          return made;
        },
        newArchVCpu: () => {
          if (machine.failing.has('newArchVCpu')) throw axError('NoMemory', 'mock: newArchVCpu failed');
          return new MockArchVCpu();
        },
      }),
    ],
  });
  return Object.assign(machine, { image: resolve([fakes, arch, axvcpu]) });
}
