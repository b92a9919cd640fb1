/** A stand-in for WebAssembly, which a process that makes a snapshot does not have: memory that is there, and code that does nothing. */

/** Whatever a module exports, or a table or a global of it. */
const nothing = Object.assign(() => 0, { set: () => {}, get: () => null, grow: () => 0, value: 0 });

const PAGE = 0x1_0000;

class Memory {
  readonly buffer: ArrayBuffer;

  constructor({ initial }: { readonly initial: number }) {
    this.buffer = new ArrayBuffer(initial * PAGE);
  }
}

/** An instance, and whatever else is constructed. */
class Instance {
  readonly exports: object = new Proxy({}, { get: () => nothing });
}

const STAND_IN = { Memory, Instance, Module: Instance, Table: Instance, validate: () => true };

const host = globalThis as { WebAssembly?: unknown };

/** Calls `f` with the stand-in in place of WebAssembly. */
export function withoutWebAssembly(f: () => void): void {
  const own = Object.getOwnPropertyDescriptor(host, 'WebAssembly');
  Object.defineProperty(host, 'WebAssembly', { value: STAND_IN, configurable: true, writable: true });
  try {
    f();
  } finally {
    if (own === undefined) delete host.WebAssembly;
    else Object.defineProperty(host, 'WebAssembly', own);
  }
}
