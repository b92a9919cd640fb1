/** The component: the `device` API on the bus and the table of models. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import { device } from '@axvisor/axvisor_api/device';
import { entropy } from '@axvisor/axvisor_api/entropy';
import { axError, errors } from '@axvisor/axvisor_api/errors';
import { time } from '@axvisor/axvisor_api/time';
import { Bus } from './bus/bus.ts';
import { MODELS } from './models/index.ts';

export const component: Component<typeof device.id, typeof addr.id | typeof time.id> = axComponent({
  name: '@axvisor/axdevice',
  requires: [addr, entropy, errors, time],
  provides: () => [
    apiImpl(device, {
      createBus: () => new Bus(),
      createDevice: (spec, context) => {
        const model = MODELS.find((m) => m.model === spec.model);
        if (model === undefined) throw axError('NotFound', `there is no device model '${spec.model}'; there are ${MODELS.map((m) => m.model).join(', ')}`);
        for (const option of Object.keys(spec.options ?? {}))
          if (!model.options.some((o) => o.name === option)) throw axError('InvalidInput', `device model ${spec.model} has no option '${option}'`);
        return model.create(spec, context);
      },
      deviceModels: () => MODELS.map(({ model, summary, size, options }) => ({ model, summary, size, options })),
    }),
  ],
});
