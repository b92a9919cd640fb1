/** The component: provides `vcpu` over whichever architecture is linked. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { errors } from '@axvisor/axvisor_api/errors';
import { host } from '@axvisor/axvisor_api/host';
import { percpu } from '@axvisor/axvisor_api/percpu';
import { archVcpu, vcpu } from '@axvisor/axvisor_api/vcpu';
import { CurrentVCpu } from './current.ts';
import { VirtualizedCpus } from './percpu.ts';
import { VirtualCpu } from './vcpu.ts';

export const component: Component<typeof vcpu.id, typeof archVcpu.id | typeof percpu.id | typeof host.id> = axComponent({
  name: '@axvisor/axvcpu',
  requires: [archVcpu, percpu, host, errors],
  provides: () => {
    const current = new CurrentVCpu();
    const cpus = new VirtualizedCpus();
    return [
      apiImpl(vcpu, {
        createVCpu: (options) => new VirtualCpu(options, current),
        currentVCpu: () => current.get(),
        initPerCpu: (cpu) => cpus.init(cpu),
      }),
    ];
  },
});
