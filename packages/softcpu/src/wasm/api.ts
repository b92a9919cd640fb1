/** The part of the WebAssembly JavaScript API that the engine uses (TypeScript's `lib` for it comes only with the DOM). */

export interface WasmMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  grow(pages: number): number;
}

export interface WasmTable {
  set(index: number, value: unknown): void;
}

/** A compiled module: opaque, may be posted to another thread. */
export interface WasmModule {
  readonly [Symbol.toStringTag]?: string;
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Import object: module name, then field name. */
export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface WasmApi {
  readonly Memory: new (descriptor: { initial: number; maximum?: number; shared?: boolean }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports?: WasmImports) => WasmInstance;
  validate(bytes: Uint8Array): boolean;
}

const host = globalThis as unknown as { readonly WebAssembly: WasmApi };

/** `globalThis.WebAssembly`, looked up when it is used: a module may be evaluated where there is none yet, as for a snapshot of the heap. */
export const wasm: WasmApi = {
  get Memory() {
    return host.WebAssembly.Memory;
  },
  get Module() {
    return host.WebAssembly.Module;
  },
  get Instance() {
    return host.WebAssembly.Instance;
  },
  validate: (bytes) => host.WebAssembly.validate(bytes),
};
