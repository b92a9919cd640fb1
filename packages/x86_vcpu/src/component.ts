/** The component: provides `arch_vcpu` for x86-64, with VMX, SVM, or whichever the processor has. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import { x86 } from '@axvisor/axvisor_api/arch/x86';
import { errors } from '@axvisor/axvisor_api/errors';
import { host, thisCpuId } from '@axvisor/axvisor_api/host';
import { memory } from '@axvisor/axvisor_api/memory';
import { initProcessor, processor } from '@axvisor/axvisor_api/processor';
import { time } from '@axvisor/axvisor_api/time';
import { archVcpu, type AxArchPerCpu } from '@axvisor/axvisor_api/vcpu';
import type { NestedPageTableFormat } from '@axvisor/axvisor_api/addrspace';
import { Cpus } from './cpus.ts';
import type { NewGuest } from './vcpu.ts';
import { X86VCpu } from './vcpu.ts';

/** One vendor's virtualization. */
export interface Vendor {
  isThere(): boolean;
  nestedFormat(gpaBits: number): { readonly format: NestedPageTableFormat; readonly levels: number };
  newPerCpu(cpus: Cpus, cpu: number): AxArchPerCpu;
  readonly newGuest: NewGuest;
}

type Requires = typeof addr.id | typeof x86.id | typeof host.id | typeof memory.id | typeof processor.id | typeof time.id;

/** @param vendor - chosen when the processor can be asked. */
export function componentOf(vendor: () => Vendor): Component<typeof archVcpu.id, Requires> {
  return axComponent({
    name: '@axvisor/x86_vcpu',
    requires: [addr, errors, host, memory, processor, time, x86],
    provides: () => {
      const cpus = new Cpus();
      const here = (): Vendor => {
        initProcessor(thisCpuId());
        return vendor();
      };
      return [
        apiImpl(archVcpu, {
          hasHardwareSupport: () => here().isThere(),
          nestedFormat: (gpaBits) => here().nestedFormat(gpaBits),
          // ACPI describes the CPUs of a PC.
          cpuFdtProperties: () => ({}),
          newArchPerCpu: (cpu) => here().newPerCpu(cpus, cpu),
          newArchVCpu: (vmId, vcpuId, config) => new X86VCpu(cpus, here().newGuest, vmId, vcpuId, config),
        }),
      ];
    },
  });
}
