/** The statistics of a run as JSON; what each name means is in the README. */
import { createHash, type Hash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { processorStats } from '@axvisor/axvisor_api/processor';
import { timeByPart, type Vm } from '@axvisor/axvisor_api/vm';
import type { ExitStatus } from '../errors.ts';
import { memoryHash } from '../inspect/memory_hash.ts';

/** How much each VM printed, and a hash of it. */
export class ConsoleDigests {
  readonly #vms = new Map<number, { readonly hash: Hash; bytes: number }>();

  add(vm: number, bytes: Uint8Array): void {
    let digest = this.#vms.get(vm);
    if (digest === undefined) this.#vms.set(vm, (digest = { hash: createHash('sha256'), bytes: 0 }));
    digest.hash.update(bytes);
    digest.bytes += bytes.length;
  }

  of(vm: number): { readonly console_bytes: number; readonly console_sha256: string } {
    const digest = this.#vms.get(vm);
    return { console_bytes: digest?.bytes ?? 0, console_sha256: (digest?.hash.copy() ?? createHash('sha256')).digest('hex') };
  }
}

/** What there is to say about a run. */
export interface RunReport {
  readonly vms: readonly Vm[];
  /** Wall time. */
  readonly seconds: number;
  readonly status: ExitStatus;
  readonly printed: ConsoleDigests;
  readonly hashMemory: boolean;
}

function vmStats(vm: Vm): Readonly<Record<string, unknown>> {
  const { exits, resets, interrupts, deviceAccesses } = vm.stats();
  return { exits, resets, interrupts_injected: interrupts, device_accesses: deviceAccesses };
}

export async function writeStats(file: string, { vms, seconds, status, printed, hashMemory }: RunReport): Promise<void> {
  const { instructions, counters } = processorStats();
  const exits: Record<string, number> = {};
  for (const vm of vms) for (const [reason, count] of Object.entries(vm.stats().exits)) exits[reason] = (exits[reason] ?? 0) + count;
  // Of vCPUs on threads the processor of this one knows nothing.
  const count = Number(vms.reduce((sum, vm) => sum + (vm.stats().instructions ?? 0n), instructions));
  const stats = {
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
