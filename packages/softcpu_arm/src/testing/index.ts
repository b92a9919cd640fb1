/** A bare machine that runs test programs on a processing element. */
export { BareMachine, FINISHER, RAM_BASE, UART } from './machine.ts';
export type { BareMachineOptions, Outcome } from './machine.ts';
