/**
 * The parts of the JavaScript runtime that the language's own typings do not know: what Node and browsers have in common.
 * Typed here so that neither the DOM's nor Node's typings are needed by whoever uses this package.
 */
import type { WasmMemory } from '@axvisor/axvisor_api/memory';

/** A handle of `setTimeout`: a number in browsers, an object in Node. */
export type TimeoutHandle = unknown;

interface MessagePort {
  onmessage: (() => void) | null;
  postMessage(message: null): void;
}

/** The globals that this package uses. */
interface Runtime {
  readonly WebAssembly: {
    readonly Memory: new (descriptor: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  };
  readonly SharedArrayBuffer?: new (bytes: number) => ArrayBufferLike;
  readonly performance: { now(): number; readonly timeOrigin: number };
  /** Of pages and their workers. */
  readonly crossOriginIsolated?: boolean;
  readonly document?: unknown;
  readonly navigator?: { readonly hardwareConcurrency?: number };
  /** Node's. */
  readonly process?: { readonly hrtime?: { bigint(): bigint } };
  readonly console: Record<'error' | 'warn' | 'info' | 'debug', (message: string) => void>;
  setTimeout(callback: () => void, ms: number): TimeoutHandle;
  clearTimeout(handle: TimeoutHandle): void;
  readonly setImmediate?: (callback: () => void) => unknown;
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
  readonly TextDecoder: new () => { decode(bytes: Uint8Array): string };
  readonly MessageChannel: new () => { readonly port1: MessagePort; readonly port2: MessagePort };
}

export const runtime: Runtime = globalThis as unknown as Runtime;
