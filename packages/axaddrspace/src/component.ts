/** The component: the `addrspace` API. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addrspace } from '@axvisor/axvisor_api/addrspace';
import { errors } from '@axvisor/axvisor_api/errors';
import { memory } from '@axvisor/axvisor_api/memory';
import { processor } from '@axvisor/axvisor_api/processor';
import { AddrSpace } from './space/addr_space.ts';

export const component: Component<typeof addrspace.id, typeof memory.id | typeof processor.id> = axComponent({
  name: '@axvisor/axaddrspace',
  requires: [errors, memory, processor],
  provides: () => [apiImpl(addrspace, { createAddrSpace: (options) => new AddrSpace(options) })],
});
