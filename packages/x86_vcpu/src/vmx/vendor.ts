/** Intel's virtualization. */
import { axError } from '@axvisor/axvisor_api/errors';
import type { Vendor } from '../component.ts';
import { VmxGuest } from './guest.ts';
import { VmxPerCpu, hasVmx, maxEptLevels } from './percpu.ts';

export const vmx: Vendor = {
  isThere: hasVmx,
  nestedFormat: (gpaBits) => {
    const levels = gpaBits <= 48 ? 4 : 5;
    if (levels > maxEptLevels()) throw axError('Unsupported', `the processor's EPT has ${maxEptLevels()} levels, and ${gpaBits} address bits need ${levels}`);
    return { format: 'ept', levels };
  },
  newPerCpu: (cpus, cpu) => new VmxPerCpu(cpus, cpu),
  newGuest: (context, share) => new VmxGuest(context, share),
};
