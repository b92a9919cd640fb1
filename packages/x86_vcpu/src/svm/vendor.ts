/** AMD's virtualization. */
import { axError } from '@axvisor/axvisor_api/errors';
import type { Vendor } from '../component.ts';
import { SvmGuest } from './guest.ts';
import { SvmPerCpu, hasSvm } from './percpu.ts';

export const svm: Vendor = {
  isThere: hasSvm,
  nestedFormat: (gpaBits) => {
    if (gpaBits > 48) throw axError('Unsupported', `nested paging translates 48 address bits, not ${gpaBits}`);
    return { format: 'npt', levels: 4 };
  },
  newPerCpu: (cpus, cpu) => new SvmPerCpu(cpus, cpu),
  newGuest: (context, share) => new SvmGuest(context, share),
};
