/**
 * What every start does, done once before the snapshot is made: the functions that are called are compiled then, and their code is part of it.
 * All that is made is garbage at the end, and there is no WebAssembly, so that no guest runs.
 */
import { createVm } from '@axvisor/axvisor_api/vm';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import { memoryConsole } from '@axvisor/axhost';
import { createVmConfig } from '@axvisor/axvmconfig';
import { loadWithin } from '../compose/index.ts';
import { ConsoleMultiplexer } from '../console/multiplexer.ts';
import { build } from '../program.ts';
import { withoutWebAssembly } from './stand_in.ts';

/** Where a kernel that says nothing itself may be in the memory of each architecture's board. */
const LOAD_ADDRESS: Readonly<Partial<Record<Architecture, bigint>>> = { riscv64: 0x8020_0000n, aarch64: 0x4020_0000n, x86_64: 0x10_0000n };
const GUEST_MEMORY = 64n << 20n;
const HOST_MEMORY = 256 << 20;

export async function rehearse(arch: Architecture): Promise<void> {
  const within = await loadWithin(arch);
  build(() => {}, '');
  const interpreters = { find: () => new Uint8Array(1), keep: () => {} };
  withoutWebAssembly(() =>
    within({ memory: HOST_MEMORY, console: memoryConsole() }, { interpreters }, () => {
      const config = createVmConfig({ name: 'rehearsal', arch, cpuNum: 1, kernel: { path: 'kernel', loadAddr: LOAD_ADDRESS[arch] ?? 0n }, ramdisk: { path: 'initrd' }, cmdline: 'console', memory: GUEST_MEMORY });
      const multiplexer = new ConsoleMultiplexer({ escapes: false, prefix: false, onQuit: () => {} });
      const vm = createVm(config, { kernel: new Uint8Array(4096), ramdisk: new Uint8Array(4096) }, multiplexer.attach(config.id));
      vm.boot();
      multiplexer.pump();
    }),
  );
}
