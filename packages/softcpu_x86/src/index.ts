/** A software x86-64 logical processor: 16-, 32- and 64-bit modes, VMX and SVM. */
export { Lp, LpExit, planLp } from './lp.ts';
export type { LpOptions, LpPlan } from './lp.ts';
export type { LocalApic, PhysBus, PortBus, RamWindow } from './priv/interface.ts';
export { component, createComponent } from './component.ts';
export type { ComponentOptions } from './component.ts';
