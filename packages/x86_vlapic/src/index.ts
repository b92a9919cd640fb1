/** The interrupt controllers and the interval timer of a PC. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import { attachedIntc } from '@axvisor/axvisor_api/attached_intc';
import { errors } from '@axvisor/axvisor_api/errors';
import { intc } from '@axvisor/axvisor_api/intc';
import { time } from '@axvisor/axvisor_api/time';
import { attachApics } from './attached.ts';
import { PcInterrupts } from './pc_interrupts.ts';

export { IO_APIC_PINS } from './io_apic.ts';
export { PcInterrupts } from './pc_interrupts.ts';
export { PIT_HZ } from './pit.ts';
export { TIMER_HZ } from './timer.ts';

export const component: Component<typeof intc.id | typeof attachedIntc.id, typeof addr.id | typeof time.id> = axComponent({
  name: '@axvisor/x86_vlapic',
  requires: [addr, errors, time],
  provides: () => [
    apiImpl(intc, { createInterruptController: (options, context) => new PcInterrupts(options, context) }),
    apiImpl(attachedIntc, { attachInterruptController: attachApics }),
  ],
});
