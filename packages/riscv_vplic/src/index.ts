/** A virtual RISC-V platform-level interrupt controller. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import { errors } from '@axvisor/axvisor_api/errors';
import { intc } from '@axvisor/axvisor_api/intc';
import { Plic } from './plic.ts';

export {
  CONTEXT_BASE, CONTEXT_STRIDE, ENABLE_BASE, ENABLE_STRIDE, MAX_CONTEXTS, MAX_SOURCES, PENDING_BASE, Plic, PRIORITY_BASE,
} from './plic.ts';

export const component: Component<typeof intc.id, typeof addr.id> = axComponent({
  name: '@axvisor/riscv_vplic',
  requires: [addr, errors],
  provides: () => [apiImpl(intc, { createInterruptController: (options, context) => new Plic(options, context) })],
});
