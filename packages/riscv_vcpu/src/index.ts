/** The RISC-V virtual CPU. */
export { component } from './component.ts';
export { HEDELEG } from './percpu.ts';
export { IMPLEMENTATION_ID, IMPLEMENTATION_VERSION, SPEC_VERSION } from './sbi/base.ts';
export { SbiError } from './sbi/call.ts';
export { EID_HVC, SBI_EXTENSIONS } from './sbi/table.ts';
