/** The component: provides `arch_vcpu` for RISC-V. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import type { NestedPageTableFormat } from '@axvisor/axvisor_api/addrspace';
import { riscv } from '@axvisor/axvisor_api/arch/riscv';
import { axError, errors } from '@axvisor/axvisor_api/errors';
import { host, thisCpuId } from '@axvisor/axvisor_api/host';
import { memory } from '@axvisor/axvisor_api/memory';
import { initProcessor, processor } from '@axvisor/axvisor_api/processor';
import { smp } from '@axvisor/axvisor_api/smp';
import { time } from '@axvisor/axvisor_api/time';
import { archVcpu } from '@axvisor/axvisor_api/vcpu';
import { vmm } from '@axvisor/axvisor_api/vmm';
import { hasHypervisorExtension, type HartFeatures } from './features.ts';
import { cpuProperties } from './isa.ts';
import { Machine } from './machine.ts';
import { RiscvPerCpu } from './percpu.ts';
import { RiscvVCpu } from './vcpu.ts';

/** Guest physical address bits of the nested formats, the smallest first. */
const FORMATS = [
  { format: 'sv39x4', levels: 3, gpaBits: 41 },
  { format: 'sv48x4', levels: 4, gpaBits: 50 },
] as const;

function nestedFormat(features: HartFeatures, gpaBits: number): { format: NestedPageTableFormat; levels: number } {
  const found = FORMATS.find((f) => gpaBits <= f.gpaBits && features[f.format]);
  if (found === undefined) throw axError('Unsupported', `the hart cannot translate guest physical addresses of ${gpaBits} bits`);
  return { format: found.format, levels: found.levels };
}

export const component: Component<
  typeof archVcpu.id,
  typeof addr.id | typeof riscv.id | typeof host.id | typeof memory.id | typeof processor.id | typeof time.id | typeof vmm.id
> = axComponent({
  name: '@axvisor/riscv_vcpu',
  requires: [addr, riscv, errors, host, memory, processor, smp, time, vmm],
  provides: () => {
    const machine = new Machine();
    const { harts } = machine;
    return [
      apiImpl(archVcpu, {
        hasHardwareSupport: () => {
          initProcessor(thisCpuId());
          return hasHypervisorExtension();
        },
        nestedFormat: (gpaBits) => nestedFormat(harts.current().features, gpaBits),
        cpuFdtProperties: () => cpuProperties(harts.current().features),
        newArchPerCpu: (cpu) => new RiscvPerCpu(harts, cpu),
        newArchVCpu: (vmId, vcpuId, config) => new RiscvVCpu(machine, vmId, vcpuId, config),
      }),
    ];
  },
});
