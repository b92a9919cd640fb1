/** A hypervisor in forty lines: links the components, creates a virtual machine, and runs it until it powers off. */
import { link } from '@axvisor/axvisor_api';
import { createVm, runVms } from '@axvisor/axvisor_api/vm';
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axdevice } from '@axvisor/axdevice';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as axhost } from '@axvisor/axhost';
import { component as axvcpu } from '@axvisor/axvcpu';
import { component as axvm } from '@axvisor/axvm';
import { createVmConfig } from '@axvisor/axvmconfig';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as percpu } from '@axvisor/percpu';
import { component as riscvVcpu } from '@axvisor/riscv_vcpu';
import { component as riscvVplic } from '@axvisor/riscv_vplic';
import { component as softcpuRiscv } from '@axvisor/softcpu_riscv';
import { embeddedRiscv64, VmConsole } from '@axvisor/axvisor';

// Leave one out, and this line does not compile: "no component provides API …".
link([
  axhost({ memory: 256 << 20 }), // the machine: memory, time, console
  axerrno, memoryAddr, percpu, axaddrspace, // the foundation
  softcpuRiscv, riscvVcpu, axvcpu, // a software hart with the H extension, and the vCPU that programs it
  axdevice, riscvVplic, axvm, // the virtual machine
]);

let screen = '';
const console = new VmConsole((bytes) => {
  screen += String.fromCharCode(...bytes);
  process.stdout.write(bytes);
});
const config = createVmConfig({ name: 'first', cpuNum: 2, memory: 64n << 20n, kernel: { path: 'embedded' } });

await using vm = createVm(config, { kernel: embeddedRiscv64() }, console);
vm.boot();
console.type(new TextEncoder().encode('uptime\rpoweroff\r'));
await runVms();
process.stdout.write(`\n${vm.name}: ${JSON.stringify(vm.ended)}, ${vm.stats().exits['MmioWrite']} device writes, ${screen.length} characters\n`);
