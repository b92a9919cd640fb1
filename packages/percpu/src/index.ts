export { PerCpuAreas, type InitError, type InitErrorReason, type PerCpuAreasOptions, type PerCpuShare } from './areas.ts';
export { PerCpuObject } from './object.ts';
export { Preemption, type PreemptionGuard, type PreemptionHook } from './preempt.ts';
export { AREA_ALIGN, type SlotInfo } from './template.ts';
export {
  array, bool, i16, i32, i64, i8, isize, struct, u16, u32, u64, u8, usize,
  type PerCpuType, type PrimitiveType, type StructType, type StructValue, type ValueOf, type Views,
} from './types.ts';
export { PerCpuPrimitive, PerCpuStruct, PerCpuVariable, type VariableOf } from './variable.ts';
export { component, createComponent, type PerCpuOptions } from './component.ts';
