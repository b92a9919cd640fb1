/** The statistics of a run as JSON; what each name means is in the README. */
import { createHash, type Hash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { processorStats } from '@axvisor/axvisor_api/processor';
import { threadCounters, timeByPart, type Vm } from '@axvisor/axvisor_api/vm';
import type { ExitStatus } from '../errors.ts';
import { memoryHash } from '../inspect/memory_hash.ts';

/** What a VM printed: its hash but for the last bytes, which are few where guests print them one by one. */
class Digest {
  readonly #hash: Hash = createHash('sha256');
  readonly #last = new Uint8Array(4096);
  #waiting = 0;
  bytes = 0;

  add(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (this.#waiting + bytes.length > this.#last.length) this.#flush();
    if (bytes.length > this.#last.length) this.#hash.update(bytes);
    else {
      this.#last.set(bytes, this.#waiting);
      this.#waiting += bytes.length;
    }
  }

  get sha256(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#last.subarray(0, this.#waiting));
    this.#waiting = 0;
  }
}

/** How much each VM printed, and a hash of it. */
export class ConsoleDigests {
  readonly #vms = new Map<number, Digest>();

  add(vm: number, bytes: Uint8Array): void {
    this.#of(vm).add(bytes);
  }

  of(vm: number): { readonly console_bytes: number; readonly console_sha256: string } {
    const { bytes, sha256 } = this.#of(vm);
    return { console_bytes: bytes, console_sha256: sha256 };
  }

  #of(vm: number): Digest {
    let digest = this.#vms.get(vm);
    if (digest === undefined) this.#vms.set(vm, (digest = new Digest()));
    return digest;
  }
}

/** What there is to say about a run. */
export interface RunReport {
  readonly vms: readonly Vm[];
  /** When the guests were let run, in seconds since the process began. */
  readonly started: number;
  /** Wall time. */
  readonly seconds: number;
  readonly status: ExitStatus;
  readonly printed: ConsoleDigests;
  readonly hashMemory: boolean;
}

function vmStats(vm: Vm): Readonly<Record<string, unknown>> {
  const { exits, homes, resets, interrupts, deviceAccesses } = vm.stats();
  return { exits, ...(homes === undefined ? {} : { vcpu_cpus: homes }), resets, interrupts_injected: interrupts, device_accesses: deviceAccesses };
}

export async function writeStats(file: string, { vms, started, seconds, status, printed, hashMemory }: RunReport): Promise<void> {
  const { instructions, counters: own } = processorStats();
  const counters: Record<string, number> = {};
  for (const each of [own, ...(await threadCounters())]) for (const [name, count] of Object.entries(each)) counters[name] = (counters[name] ?? 0) + count;
  const exits: Record<string, number> = {};
  for (const vm of vms) for (const [reason, count] of Object.entries(vm.stats().exits)) exits[reason] = (exits[reason] ?? 0) + count;
  // Of vCPUs on threads the processor of this one knows nothing.
  const count = Number(vms.reduce((sum, vm) => sum + (vm.stats().instructions ?? 0n), instructions));
  const stats = {
    start_s: started,
    wall_s: seconds,
    guest_instructions: count,
    mips: count / seconds / 1e6,
    exits,
    counters,
    time_s: timeByPart(),
    status,
    vms: vms.map((vm) => ({
      id: vm.id,
      name: vm.name,
      ended: vm.ended ?? null,
      ...vmStats(vm),
      ...printed.of(vm.id),
      ...(hashMemory ? { memory_hash: memoryHash(vm.addressSpace) } : {}),
    })),
  };
  await writeFile(file, `${JSON.stringify(stats, null, 2)}\n`);
}
