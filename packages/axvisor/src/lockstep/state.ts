/** What two sides of a lockstep are compared by: a machine at a count of retired instructions. */

/** A machine between two instructions. Plain data: it crosses threads. */
export interface MachineState {
  /** Instructions retired. */
  readonly instructions: bigint;
  /** The guest ended, or waits for what cannot come, before the count that was asked for. */
  readonly ended: boolean;
  /** Registers of the vCPU that runs, by the manual's names. */
  readonly registers: Readonly<Record<string, bigint>>;
  /** The next instruction, as far as it can be fetched. */
  readonly code: Uint8Array;
  /** Hash of the memory of all guests, if it was asked for. */
  readonly memory: string;
  /** Hash of what all guests printed. */
  readonly console: string;
}

/** What a machine is told to do. */
export interface Order {
  /** Run until exactly so many instructions are retired, or the guest ends. Counts never go down. */
  readonly to: bigint;
  /** Hash the memory then. Default: yes. */
  readonly memory?: boolean;
  /** General registers to write first. */
  readonly registers?: Readonly<Record<string, bigint>>;
}

/** One of the machines. */
export interface Side {
  readonly name: string;
  run(order: Order): Promise<MachineState>;
  close(): Promise<void>;
}

/** A register that differs. */
export interface Difference {
  readonly what: string;
  readonly a: string;
  readonly b: string;
}

const hex = (value: bigint | undefined): string => (value === undefined ? '-' : `0x${value.toString(16)}`);

/** What differs between two states: registers first. */
export function differences(a: MachineState, b: MachineState): Difference[] {
  const found: Difference[] = [];
  const add = (what: string, x: string, y: string): void => {
    if (x !== y) found.push({ what, a: x, b: y });
  };
  for (const name of new Set([...Object.keys(a.registers), ...Object.keys(b.registers)])) add(name, hex(a.registers[name]), hex(b.registers[name]));
  add('memory', a.memory, b.memory);
  add('console', a.console, b.console);
  add('instructions', String(a.instructions), String(b.instructions));
  add('ended', String(a.ended), String(b.ended));
  return found;
}
