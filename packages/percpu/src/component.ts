/** The component: provides the `percpu` API. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { errors } from '@axvisor/axvisor_api/errors';
import { host } from '@axvisor/axvisor_api/host';
import { memory } from '@axvisor/axvisor_api/memory';
import { percpu } from '@axvisor/axvisor_api/percpu';
import { PerCpuAreas, type PerCpuAreasOptions } from './areas.ts';
import { u64 } from './types.ts';

/** Options of {@link createComponent}. */
export interface PerCpuOptions extends PerCpuAreasOptions {
  /** Takes the areas of each linking, for an embedder that initialises or shares them itself. */
  readonly onCreate?: (areas: PerCpuAreas) => void;
}

type PerCpuComponent = Component<typeof percpu.id, typeof memory.id | typeof host.id>;

/** The component with options. */
export function createComponent(options: PerCpuOptions): PerCpuComponent {
  return axComponent({
    name: '@axvisor/percpu',
    requires: [memory, host, errors],
    provides: () => {
      const areas = new PerCpuAreas(options);
      options.onCreate?.(areas);
      return [
        apiImpl(percpu, {
          perCpuObject: (name, init) => areas.defineObject(name, init),
          perCpuU64: (name, init) => areas.define(name, u64, init),
        }),
      ];
    },
  });
}

/** The component, with areas that the first access initialises for all CPUs of the host. */
export const component: PerCpuComponent = createComponent({ init: 'first-use' });
