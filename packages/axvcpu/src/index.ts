/** The architecture-independent virtual CPU. */
export { component } from './component.ts';
export { Affinity } from './affinity.ts';
export { describeExit, EXIT_REASONS } from './exits.ts';
export { isAllowed, stateName, TRANSITIONS, type Operation, type Transition } from './state.ts';
export type { VirtualCpu } from './vcpu.ts';
export type { VirtualizedCpu } from './percpu.ts';
