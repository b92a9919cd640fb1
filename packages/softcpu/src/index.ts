/** ISA-neutral engine of the software processors. */
export { Access, Engine, EngineCounters, Execution, Permission } from './engine.ts';
export type { EngineOptions, HostFunction, Machine, Service } from './engine.ts';
export type { HandlerTable } from './interp/generate.ts';
export { copiesSize } from './interp/codepages.ts';
export { Handler, PAGE_SIZE, Status, planLayout, recordShift } from './interp/layout.ts';
export type { Layout } from './interp/layout.ts';
export type { Access as GuestAccess, AccessSize, Block, Emit, Emitter, FunctionDefinition, Variable } from './ir/emitter.ts';
export { f32, f64, i32, i64, select } from './ir/expr.ts';
export type { Expr, F32, F32Ops, F64, F64Ops, I32, I32Ops, I64, I64Ops, V128 } from './ir/expr.ts';
export { f32x4, f64x2, i16x8, i32x4, i64x2, i8x16, v128 } from './ir/vector.ts';
export type { I8x16Ops, V128Ops, VectorOps } from './ir/vector.ts';
export { MMU_MODES, RECORD_SIZE } from './isa.ts';
export type { TranslatorStats } from './translate/translator.ts';
export type { Assumption, Field, Instruction, Isa, StateLayout } from './isa.ts';
export { wasm } from './wasm/api.ts';
export type { WasmApi, WasmImports, WasmInstance, WasmMemory, WasmModule, WasmTable } from './wasm/api.ts';
export type { Limits } from './wasm/module.ts';
