/** The component: provides `arch_vcpu` for Arm. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import { arm } from '@axvisor/axvisor_api/arch/arm';
import { errors } from '@axvisor/axvisor_api/errors';
import { host, thisCpuId } from '@axvisor/axvisor_api/host';
import { memory } from '@axvisor/axvisor_api/memory';
import { initProcessor, processor } from '@axvisor/axvisor_api/processor';
import { smp } from '@axvisor/axvisor_api/smp';
import { time } from '@axvisor/axvisor_api/time';
import { archVcpu } from '@axvisor/axvisor_api/vcpu';
import { vmm } from '@axvisor/axvisor_api/vmm';
import { cpuProperties } from './fdt.ts';
import { hasEl2 } from './features.ts';
import { Machine } from './machine.ts';
import { ArmPerCpu } from './percpu.ts';
import { nestedFormat } from './stage2.ts';
import { ArmVCpu } from './vcpu.ts';

export const component: Component<
  typeof archVcpu.id,
  typeof addr.id | typeof arm.id | typeof host.id | typeof memory.id | typeof processor.id | typeof time.id | typeof vmm.id
> = axComponent({
  name: '@axvisor/arm_vcpu',
  requires: [addr, arm, errors, host, memory, processor, smp, time, vmm],
  provides: () => {
    const machine = new Machine();
    const { pes } = machine;
    return [
      apiImpl(archVcpu, {
        hasHardwareSupport: () => {
          initProcessor(thisCpuId());
          return hasEl2();
        },
        nestedFormat: (gpaBits) => nestedFormat(pes.current().features, gpaBits),
        cpuFdtProperties: cpuProperties,
        newArchPerCpu: (cpu) => new ArmPerCpu(pes, cpu),
        newArchVCpu: (vmId, vcpuId, config) => new ArmVCpu(machine, vmId, vcpuId, config),
      }),
    ];
  },
});
