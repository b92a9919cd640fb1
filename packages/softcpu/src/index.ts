/** ISA-neutral engine of the software processors. */
export { Access, Engine, EngineCounters, Execution, Permission } from './engine.ts';
export type { EngineOptions, HostFunction, Machine, Service } from './engine.ts';
export type { HandlerTable } from './interp/generate.ts';
export { copiesSize } from './interp/codepages.ts';
export { Handler, PAGE_SIZE, Status, planLayout, recordShift } from './interp/layout.ts';
export type { Layout } from './interp/layout.ts';
export type { Access as GuestAccess, AccessSize, Block, Emit, Emitter, FunctionDefinition, Variable } from './ir/emitter.ts';
export { f32, f64, i32, i64, select } from './ir/expr.ts';
export type { Expr, F32, F32Ops, F64, F64Ops, I32, I32Ops, I64, I64Ops } from './ir/expr.ts';
export { MMU_MODES, RECORD_SIZE } from './isa.ts';
export type { TranslatorStats } from './translate/translator.ts';
export type { Assumption, Field, Instruction, Isa, StateLayout } from './isa.ts';
export { wasm } from './wasm/api.ts';
export type { WasmApi, WasmImports, WasmInstance, WasmMemory, WasmModule, WasmTable } from './wasm/api.ts';
export type { Limits } from './wasm/module.ts';
