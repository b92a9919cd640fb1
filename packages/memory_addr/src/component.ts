/** The component: provides the `addr` API. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { addr } from '@axvisor/axvisor_api/addr';
import { errors } from '@axvisor/axvisor_api/errors';
import { alignDown, alignUp, isAligned } from './align.ts';
import { addrAdd } from './arith.ts';
import { gpa, gva, hpa, hva } from './kind.ts';
import { rangeContains, rangeContainsRange, rangeFromStartSize, rangesOverlap } from './range.ts';

/** The component. */
export const component: Component<typeof addr.id, never> = axComponent({
  name: '@axvisor/memory_addr',
  requires: [errors],
  provides: () => [
    apiImpl(addr, {
      gva, gpa, hva, hpa, alignDown, alignUp, isAligned, addrAdd,
      rangeFromStartSize, rangeContains, rangeContainsRange, rangesOverlap,
    }),
  ],
});
