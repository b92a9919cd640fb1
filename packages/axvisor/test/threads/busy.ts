/** VMs on threads in this process, with a guest that keeps all of its harts busy with each other. */
import { memoryConsole } from '@axvisor/axhost';
import { createVmConfig } from '@axvisor/axvmconfig';
import type { VmConfig } from '@axvisor/axvisor_api/config';
import { wake } from '@axvisor/axvisor_api/host';
import { createVm, runVms, type Vm } from '@axvisor/axvisor_api/vm';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { ProcessorOptions } from '../../src/compose/options.ts';
import { composeThreads } from '../../src/threads/compose.ts';
import type { CompilerThread } from '../../src/threads/compiler.ts';
import type { CpuThreads } from '../../src/threads/start.ts';

const KERNEL = 0x8020_0000n;
const MIB = 1 << 20;

/** All harts are started; hart 0 counts and fences all others without end, the others sleep until something happens. */
const BUSY = `
start: bnez a0, sleep
  li s0, HARTS
  li s1, 1
1: bgeu s1, s0, 2f
  li a7, 0x48534d
  li a6, 0
  mv a0, s1
  la a1, start
  li a2, 0
  ecall
  addi s1, s1, 1
  j 1b
2: addi s2, s2, 1
  li a7, 0x52464e43
  li a6, 1
  li a0, 0
  li a1, -1
  li a2, 0
  li a3, 0
  ecall
  li a7, 0x735049
  li a6, 0
  li a0, 0
  li a1, -1
  ecall
  csrci sip, 2
  j 2b
sleep: li t0, 2
  csrw sie, t0
3: wfi
  csrci sip, 2
  j 3b
`;

export interface StartOptions {
  /** What a thread executes, if not its own program. */
  readonly program?: URL;
  readonly arch?: Architecture;
  readonly processor?: ProcessorOptions;
  readonly compiler?: CompilerThread;
}

/** Links this thread, once. */
export function start(guestCpus: number, { arch = 'riscv64', processor = {}, ...more }: StartOptions = {}): Promise<CpuThreads> {
  return composeThreads(arch, { memory: (256 + 96 * guestCpus) * MIB, guestCpus, console: memoryConsole({ onOutput: () => {} }), logLevel: 'error', processor, ...more });
}

export function boot(harts: number, init: Partial<VmConfig> = {}): Vm {
  const kernel = assemble(BUSY, { base: KERNEL, symbols: { HARTS: BigInt(harts) } }).bytes;
  const config = createVmConfig({ memory: BigInt(16 * MIB), kernel: { path: 'test', loadAddr: KERNEL }, cpuNum: harts, ...init });
  const vm = createVm(config, { kernel }, { write: () => {}, read: () => new Uint8Array(0), onInput: () => {} });
  vm.boot();
  return vm;
}

/** Lets VMs run for a while. */
export async function runFor(ms: number): Promise<void> {
  const end = performance.now() + ms;
  const ticking = setInterval(wake, 5);
  await runVms(() => performance.now() >= end);
  clearInterval(ticking);
}

/** Instructions of all vCPUs. */
export const executed = (vm: Vm): bigint => vm.stats().instructions ?? 0n;
