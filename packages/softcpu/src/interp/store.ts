/** Interpreters that are kept from one start to the next: generating one takes longer than anything else that making a processor does. */
import { generateInterpreter } from './generate.ts';
import type { InterpreterOptions } from './generate.ts';
import { Handlers } from './handlers.ts';
import type { HandlerTable } from './handlers.ts';

/**
 * Where generated interpreters are kept. They depend on their key and on the code that generates them: a store must give back nothing
 * that was kept by other code, or was damaged.
 */
export interface InterpreterStore {
  /** What was kept for a key. */
  find(key: string): Uint8Array | undefined;
  keep(key: string, bytes: Uint8Array): void;
}

/** Instructions that were made after the interpreter: numbers of their handlers, and a module with all of them. */
export interface KeptInstructions {
  readonly numbers: readonly number[];
  readonly module: Uint8Array;
}

/** What keeps the instructions that a guest wanted for the next start. */
export interface InstructionStore {
  find(): KeptInstructions | undefined;
  keep(kept: KeptInstructions): void;
}

export interface Interpreter {
  /** As {@link generateInterpreter} makes it. */
  readonly bytes: Uint8Array;
  readonly handlers: HandlerTable;
  /** For its instructions, where the store keeps anything. */
  readonly instructions: InstructionStore | undefined;
}

/** Bytes of a number in what is kept: first how many handlers there are, then theirs, then the module. */
const NUMBER = 4;

function instructionStore(key: string, store: InterpreterStore): InstructionStore {
  return {
    find: () => {
      const bytes = store.find(key);
      if (bytes === undefined) return undefined;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const numbers = Array.from({ length: view.getUint32(0, true) }, (_, i) => view.getUint32((i + 1) * NUMBER, true));
      return { numbers, module: bytes.subarray((numbers.length + 1) * NUMBER) };
    },
    keep: ({ numbers, module }) => {
      const start = (numbers.length + 1) * NUMBER;
      const bytes = new Uint8Array(start + module.length);
      const view = new DataView(bytes.buffer);
      [numbers.length, ...numbers].forEach((number, i) => view.setUint32(i * NUMBER, number, true));
      bytes.set(module, start);
      store.keep(key, bytes);
    },
  };
}

/** The interpreter, from the store if it has it. */
export function interpreter(options: InterpreterOptions, store: InterpreterStore | undefined): Interpreter {
  const handlers = new Handlers(options.isa);
  const key = JSON.stringify({ ...options, isa: options.isa.name });
  let bytes = store?.find(key);
  if (bytes === undefined) {
    bytes = generateInterpreter(handlers, options);
    store?.keep(key, bytes);
  }
  return { bytes, handlers, instructions: store === undefined ? undefined : instructionStore(`instructions ${key}`, store) };
}
