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

export interface Interpreter {
  /** As {@link generateInterpreter} makes it. */
  readonly bytes: Uint8Array;
  readonly handlers: HandlerTable;
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
  return { bytes, handlers };
}
