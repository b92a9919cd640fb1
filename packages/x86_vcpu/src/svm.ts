/** The x86-64 virtual CPU with SVM, and the one that takes what the processor has. */
import { componentOf } from './component.ts';
import { svm } from './svm/vendor.ts';
import { vmx } from './vmx/vendor.ts';

export const component: ReturnType<typeof componentOf> = componentOf(() => svm);

/** VMX where CPUID says that there is VMX, else SVM. */
export const anyComponent: ReturnType<typeof componentOf> = componentOf(() => (vmx.isThere() ? vmx : svm));
