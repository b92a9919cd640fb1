/** A virtual Arm generic interrupt controller: GICv3 and GICv2. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import { errors } from '@axvisor/axvisor_api/errors';
import { attachedIntc } from '@axvisor/axvisor_api/attached_intc';
import { intc } from '@axvisor/axvisor_api/intc';
import { Gic } from './gic.ts';
import { attachGic } from './shared.ts';

export { DISTRIBUTOR_SIZE } from './distributor.ts';
export { Gic } from './gic.ts';
export { GICC_SIZE } from './gicc.ts';
export { ITS_SIZE } from './its.ts';
export { FIRST_LPI, LAST_LPI } from './lpis.ts';
export { REDISTRIBUTOR_STRIDE } from './redistributors.ts';

export const component: Component<typeof attachedIntc.id | typeof intc.id, typeof addr.id> = axComponent({
  name: '@axvisor/arm_vgic',
  requires: [addr, errors],
  provides: () => [
    apiImpl(intc, { createInterruptController: (options, context) => new Gic(options, context) }),
    apiImpl(attachedIntc, { attachInterruptController: attachGic }),
  ],
});
