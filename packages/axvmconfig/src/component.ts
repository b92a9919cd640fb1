/** The component: provides the `config` API. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { config } from '@axvisor/axvisor_api/config';
import { errors } from '@axvisor/axvisor_api/errors';
import { documentSchema } from './description.ts';
import { generateVmConfig } from './generate.ts';
import { parseVmConfig } from './parse.ts';

/** The component. */
export const component: Component<typeof config.id, never> = axComponent({
  name: '@axvisor/axvmconfig',
  requires: [errors],
  provides: () => [apiImpl(config, { parseVmConfig, generateVmConfig, vmConfigSchema: documentSchema })],
});
