/** A software x86-64 logical processor: 16-, 32- and 64-bit modes, VMX and SVM. */
export { Lp, planLp } from './lp.ts';
export type { LpOptions } from './lp.ts';
export { CoreExit } from '@axvisor/softcpu';
export type { CorePlan, RamWindow } from '@axvisor/softcpu';
export type { LocalApic, PhysBus, PortBus } from './priv/interface.ts';
export { component, createComponent } from './component.ts';
export type { ComponentOptions } from './component.ts';
