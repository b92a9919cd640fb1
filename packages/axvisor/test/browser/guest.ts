/** A session of the embedded guest in a browser, in whatever way the hypervisor was linked. */
import { createVm, runVms } from '@axvisor/axvisor_api/vm';
import { createVmConfig } from '@axvisor/axvmconfig';
import { VmConsole } from '../../src/console/vm_console.ts';
import { embeddedRiscv64 } from '../../src/guests/embedded_riscv64.ts';

/** Boots it with two vCPUs, has both exchange interrupts, keeps one busy for a while, and has it power off. @returns what it ended with, and its screen */
export async function session(): Promise<{ readonly ended: unknown; readonly screen: string }> {
  let screen = '';
  const console = new VmConsole((bytes) => void (screen += String.fromCharCode(...bytes)));
  await using vm = createVm(createVmConfig({ name: 'browser', cpuNum: 2, memory: 64n << 20n, kernel: { path: 'embedded' } }), { kernel: embeddedRiscv64() }, console);
  vm.boot();
  console.type(new TextEncoder().encode(`smp\r${'mem\r'.repeat(8)}poweroff\r`));
  await runVms();
  return { ended: vm.ended, screen };
}
