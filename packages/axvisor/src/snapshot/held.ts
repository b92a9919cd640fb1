/** What a snapshot of the heap holds for the process that is started from it. */
import type { ExitStatus } from '../errors.ts';

/** The command, loaded. */
export interface HeldCommand {
  readonly main: (args: readonly string[], version: string) => Promise<ExitStatus>;
}

/** Of all that a program puts in a snapshot, only the global object is found again. */
const KEY = Symbol.for('@axvisor/axvisor/command');

const holder = globalThis as unknown as { [KEY]?: HeldCommand };

export function hold(command: HeldCommand): void {
  holder[KEY] = command;
}

/** The command, if this process was started from a snapshot of it. */
export const heldCommand = (): HeldCommand | undefined => holder[KEY];
