/** The x86-64 virtual CPU with VMX. `@axvisor/x86_vcpu/svm` has SVM, and chooses by CPUID. */
import { componentOf } from './component.ts';
import { vmx } from './vmx/vendor.ts';

export const component: ReturnType<typeof componentOf> = componentOf(() => vmx);

export { HYPERVISOR_LEAF, guestCpuid } from './cpuid.ts';
export type { CpuidView } from './cpuid.ts';
export { controls } from './vmx/controls.ts';
export type { Allowed } from './vmx/controls.ts';
export { isValidXcr0 } from './control_registers.ts';
