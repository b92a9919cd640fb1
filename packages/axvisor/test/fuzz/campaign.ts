/** One hypervisor, in which fuzzed guests run one after the other beside a VM that must not notice. */
import { gpa } from '@axvisor/axvisor_api/addr';
import { wake } from '@axvisor/axvisor_api/host';
import { frameCounts } from '@axvisor/axvisor_api/memory';
import { processorStats, type Architecture } from '@axvisor/axvisor_api/processor';
import type { VmConfig } from '@axvisor/axvisor_api/config';
import { createVm, runVms, vms, type Vm, type VmEnd, type VmStats } from '@axvisor/axvisor_api/vm';
import { createVmConfig } from '@axvisor/axvmconfig';
import { composeAarch64 } from '../../src/compose/aarch64.ts';
import { composeRiscv64 } from '../../src/compose/riscv64.ts';
import { composeX86_64 } from '../../src/compose/x86_64.ts';
import { Counter, FuzzDisk } from './host.ts';
import { fuzzGuest as armGuest, KERNEL as ARM_KERNEL, RAM_SIZE as ARM_RAM } from './program_arm.ts';
import { fuzzGuest as riscvGuest, KERNEL as RISCV_KERNEL, RAM_SIZE as RISCV_RAM } from './program_riscv.ts';
import { fuzzGuest as x86Guest, KERNEL as X86_KERNEL, RAM_SIZE as X86_RAM } from './program_x86.ts';

/** A guest that does everything wrong. */
export interface FuzzGuest {
  readonly cpus: number;
  /** Raw, for the address its program says. */
  readonly image: Uint8Array;
}

/** What differs between the hypervisors. */
interface Target {
  readonly arch: Architecture;
  readonly compose: typeof composeRiscv64;
  readonly guest: (seed: number, steps: number) => FuzzGuest;
  readonly kernel: bigint;
  readonly ram: bigint;
  /** Beside the disk. */
  readonly devices: VmConfig['devices'];
  readonly gicVersion?: 2 | 3;
}

const X86 = { arch: 'x86_64', guest: x86Guest, kernel: X86_KERNEL, ram: X86_RAM, devices: [] } as const;
const ARM = { arch: 'aarch64', compose: composeAarch64, guest: armGuest, kernel: ARM_KERNEL, ram: ARM_RAM, devices: [{ model: 'virtio-console', base: 0xb00_0000n, irq: 100 }] } as const;
const TARGETS = {
  'aarch64 with a GICv2': { ...ARM, gicVersion: 2 },
  'aarch64 with a GICv3': { ...ARM, gicVersion: 3 },
  riscv64: { arch: 'riscv64', compose: composeRiscv64, guest: riscvGuest, kernel: RISCV_KERNEL, ram: RISCV_RAM, devices: [{ model: 'virtio-console', base: 0x1000_3000n, irq: 3 }] },
  'x86_64 with VMX': { ...X86, compose: composeX86_64 },
  'x86_64 with SVM': { ...X86, compose: (host, processor) => composeX86_64(host, { ...processor, virt: 'svm' }) },
} satisfies Record<string, Target>;
export type TargetName = keyof typeof TARGETS;

/** Steps of a guest, and when it has had its time. */
const STEPS = 120;
const INSTRUCTIONS = 2_000_000n;
const EXITS = 20_000;
const POLLS = 5000;
const IDLE_POLLS = 20;
const RESETS = 10;
/** Lines a guest may cause on the log. */
const LOG_LINES = 50;

const PATTERN = new Uint8Array(1 << 20).map((_, i) => i ^ (i >> 8));

/** What came of a guest. */
export interface Outcome {
  readonly ended: VmEnd | undefined;
  readonly stats: VmStats;
  readonly instructions: number;
  /** Bytes printed. */
  readonly output: number;
  readonly diskWrites: number;
  /** What must not be; empty if all is well. */
  readonly problems: readonly string[];
}

export class Campaign implements Disposable {
  readonly #canary: Vm;
  readonly #target: Target;
  readonly #watchdog: ReturnType<typeof setInterval>;
  #logged: string[] = [];

  /** Links the hypervisor for this thread. */
  constructor(target: TargetName, engine: 'interpreter' | 'auto' | 'translator') {
    this.#target = TARGETS[target];
    const { arch, kernel, ram } = this.#target;
    const logSink = (...message: readonly string[]): void => void this.#logged.push(message.join(' '));
    this.#target.compose({ memory: 160 << 20, clock: 'virtual', instructionsPerSecond: 20_000_000n, logLevel: 'warn', logSink }, { engine });
    this.#canary = createVm(createVmConfig({ id: 2, arch, memory: ram, kernel: { path: 'canary', loadAddr: kernel } }), { kernel: PATTERN }, new Counter());
    // A guest that waits for ever must not keep us waiting.
    this.#watchdog = setInterval(wake, 1);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watchdog);
  }

  /** The first guest of all makes what belongs to the processor. */
  async warmUp(): Promise<void> {
    await this.run(0);
  }

  /** Runs the guest of `seed` for its time. */
  async run(seed: number): Promise<Outcome> {
    this.#logged = [];
    const free = frameCounts().free;
    const { arch, kernel, ram, devices, guest, gicVersion } = this.#target;
    const { cpus, image } = guest(seed, STEPS);
    const disk = new FuzzDisk();
    const screen = new Counter();
    const config = createVmConfig({
      arch,
      memory: ram, cpuNum: cpus, kernel: { path: `seed ${seed}`, loadAddr: kernel },
      devices,
      ...(gicVersion === undefined ? {} : { gicVersion }),
    });
    const start = processorStats().instructions;
    const vm = createVm(config, { kernel: image, disks: [disk] }, screen);
    let polls = 0;
    let idle = 0;
    let last = start;
    vm.boot();
    await runVms(() => {
      const { instructions } = processorStats();
      idle = instructions === last ? idle + 1 : 0;
      last = instructions;
      return ++polls > POLLS || vm.stats().resets > RESETS || Object.values(vm.stats().exits).reduce((a, b) => a + b, 0) > EXITS || idle > IDLE_POLLS || instructions - start > INSTRUCTIONS;
    });
    const { ended } = vm;
    const stats = vm.stats();
    const instructions = Number(processorStats().instructions - start);

    await vm[Symbol.asyncDispose]();

    const problems = disk.violations.map((violation) => `disk: ${violation}`);
    // What the scheduler catches is an error of the host; what a guest did says which vCPU. What a processor refuses to enter the hypervisor has made.
    if (ended?.end === 'failed' && !/^vCPU \d+: (?!the processor refused)/.test(ended.message)) problems.push(ended.message);
    if (frameCounts().free !== free) problems.push(`${free - frameCounts().free} frames did not come back`);
    if (this.#logged.length > LOG_LINES) problems.push(`${this.#logged.length} lines on the log: ${this.#logged[0]}`);
    if (vms().length !== 1 || vms()[0] !== this.#canary) problems.push(`there are ${vms().length} VMs`);
    const seen = new Uint8Array(PATTERN.length);
    this.#canary.addressSpace.readBuffer(gpa(kernel), seen);
    if (Buffer.compare(seen, PATTERN) !== 0) problems.push('the memory of another VM has changed');
    return { ended, stats, instructions, output: screen.bytes, diskWrites: disk.writes, problems };
  }
}
