export * from './interface.ts';
export { Privileged } from './privileged.ts';
export { SYSTEM_OPS, type SystemOp } from './system.ts';
