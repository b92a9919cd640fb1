/** One hypervisor, in which fuzzed guests run one after the other beside a VM that must not notice. */
import { gpa } from '@axvisor/axvisor_api/addr';
import { wake } from '@axvisor/axvisor_api/host';
import { frameCounts } from '@axvisor/axvisor_api/memory';
import { processorStats } from '@axvisor/axvisor_api/processor';
import { createVm, runVms, vms, type Vm, type VmEnd, type VmStats } from '@axvisor/axvisor_api/vm';
import { createVmConfig } from '@axvisor/axvmconfig';
import { composeRiscv64 } from '../../src/compose/riscv64.ts';
import { Counter, FuzzDisk } from './host.ts';
import { fuzzGuest, KERNEL, RAM_SIZE } from './program.ts';

/** Steps of a guest, and when it has had its time. */
const STEPS = 120;
const INSTRUCTIONS = 2_000_000n;
const EXITS = 20_000;
const POLLS = 5000;
const IDLE_POLLS = 20;
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
  readonly #watchdog: ReturnType<typeof setInterval>;
  #logged: string[] = [];

  /** Links the hypervisor for this thread. */
  constructor(engine: 'interpreter' | 'auto' | 'translator') {
    const logSink = (...message: readonly string[]): void => void this.#logged.push(message.join(' '));
    composeRiscv64({ memory: 160 << 20, clock: 'virtual', instructionsPerSecond: 20_000_000n, logLevel: 'warn', logSink }, { engine });
    this.#canary = createVm(createVmConfig({ id: 2, memory: RAM_SIZE, kernel: { path: 'canary', loadAddr: KERNEL } }), { kernel: PATTERN }, new Counter());
    // A guest that waits for ever must not keep us waiting.
    this.#watchdog = setInterval(wake, 1);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watchdog);
  }

  /** Runs the guest of `seed` for its time. */
  async run(seed: number): Promise<Outcome> {
    this.#logged = [];
    const free = frameCounts().free;
    const { cpus, image } = fuzzGuest(seed, STEPS);
    const disk = new FuzzDisk();
    const screen = new Counter();
    const config = createVmConfig({
      memory: RAM_SIZE, cpuNum: cpus, kernel: { path: `seed ${seed}`, loadAddr: KERNEL },
      devices: [{ model: 'virtio-console', base: 0x1000_3000n, irq: 3 }],
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
      return ++polls > POLLS || Object.values(vm.stats().exits).reduce((a, b) => a + b, 0) > EXITS || idle > IDLE_POLLS || instructions - start > INSTRUCTIONS;
    });
    const { ended } = vm;
    const stats = vm.stats();
    const instructions = Number(processorStats().instructions - start);

    await vm[Symbol.asyncDispose]();

    const problems = disk.violations.map((violation) => `disk: ${violation}`);
    // What the scheduler catches is an error of the host; what a guest did says which vCPU.
    if (ended?.end === 'failed' && !/^vCPU \d+: /.test(ended.message)) problems.push(ended.message);
    if (frameCounts().free !== free) problems.push(`${free - frameCounts().free} frames did not come back`);
    if (this.#logged.length > LOG_LINES) problems.push(`${this.#logged.length} lines on the log: ${this.#logged[0]}`);
    if (vms().length !== 1 || vms()[0] !== this.#canary) problems.push(`there are ${vms().length} VMs`);
    const seen = new Uint8Array(PATTERN.length);
    this.#canary.addressSpace.readBuffer(gpa(KERNEL), seen);
    if (Buffer.compare(seen, PATTERN) !== 0) problems.push('the memory of another VM has changed');
    return { ended, stats, instructions, output: screen.bytes, diskWrites: disk.writes, problems };
  }
}
