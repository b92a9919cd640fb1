/** Bare machines that run test programs on a hart. */
export { Clint } from './clint.ts';
export { parseElf } from './elf.ts';
export type { Elf, ElfSegment } from './elf.ts';
export { BareMachine, RAM_BASE } from './machine.ts';
export type { BareMachineOptions, Outcome } from './machine.ts';
export { createMachineMemory } from './memory.ts';
export type { MachineMemory, MachineMemoryOptions } from './memory.ts';
export { SuiteRunner, missingExtension } from './suite.ts';
export type { SuiteMemories, SuiteProgram, Verdict } from './suite.ts';
