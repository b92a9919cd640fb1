/** The console on Node's standard input and output: a raw terminal, or plain streams. */
import { InputQueue, type HostConsole } from '../host/console.ts';

/** The part of Node's readable standard input that is used. */
export interface NodeInput {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  on(event: 'end' | 'error', listener: () => void): unknown;
  off(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  off(event: 'end' | 'error', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

/** The part of Node's writable standard output that is used. */
export interface NodeOutput {
  write(bytes: Uint8Array): unknown;
  /** Bytes that wait for the reader. */
  readonly writableLength?: number;
  on?(event: 'drain', listener: () => void): unknown;
  off?(event: 'drain', listener: () => void): unknown;
}

interface NodeProcess {
  readonly stdin: NodeInput;
  readonly stdout: NodeOutput;
  on(event: 'exit', listener: () => void): unknown;
  off(event: 'exit', listener: () => void): unknown;
}

/** What {@link nodeConsole} takes. */
export interface NodeConsoleOptions {
  /** Default: `process.stdin`. */
  readonly input?: NodeInput;
  /** Default: `process.stdout`. */
  readonly output?: NodeOutput;
}

/** A console on streams of Node. Disposing it restores the terminal and lets the process end. */
export interface NodeConsole extends HostConsole, Disposable {
  /** Whether the input is a terminal, in raw mode until this is disposed of. */
  readonly isTerminal: boolean;
  /** Whether the input has come to its end. */
  readonly ended: boolean;
}

/** Input that the guest does not read is left in the pipe beyond this many bytes. */
const HIGH_WATER = 0x1_0000;

/** Output that may wait for a slow reader before {@link HostConsole.drained} says so. */
const OUTPUT_HIGH_WATER = 0x1_0000;

/**
 * Connects to standard input and output. A terminal is put in raw mode, in which every key goes to the guest, Ctrl-C too; it is
 * restored when the console is disposed of, or else when the process exits.
 */
export function nodeConsole(options: NodeConsoleOptions = {}): NodeConsole {
  const { process } = globalThis as unknown as { readonly process: NodeProcess };
  const { input = process.stdin, output = process.stdout } = options;
  const isTerminal = input.isTTY === true && input.setRawMode !== undefined;
  const queue = new InputQueue();
  let listener = (): void => {};
  let ended = false;
  let disposed = false;
  let paused = false;
  const waiting: (() => void)[] = [];

  const onData = (chunk: Uint8Array): void => {
    queue.push(chunk);
    if (queue.length >= HIGH_WATER) {
      paused = true;
      input.pause();
    }
    listener();
  };
  const onEnd = (): void => {
    ended = true;
    listener();
  };
  const onDrain = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  const dispose = (): void => {
    if (disposed) return;
    disposed = true;
    if (isTerminal) input.setRawMode?.(false);
    input.off('data', onData);
    input.off('end', onEnd);
    input.off('error', onEnd);
    output.off?.('drain', onDrain);
    input.pause();
    process.off('exit', dispose);
  };

  if (isTerminal) input.setRawMode?.(true);
  process.on('exit', dispose);
  input.on('data', onData);
  input.on('end', onEnd);
  input.on('error', onEnd);
  output.on?.('drain', onDrain);
  input.resume();

  return {
    isTerminal,
    get ended() {
      return ended;
    },
    // Node may still hold the buffer when the caller reuses it.
    write: (bytes) => void output.write(bytes.slice()),
    drained: () => ((output.writableLength ?? 0) <= OUTPUT_HIGH_WATER ? undefined : new Promise((resolve) => waiting.push(resolve))),
    read: () => {
      const bytes = queue.take();
      if (paused && !disposed) {
        paused = false;
        input.resume();
      }
      return bytes;
    },
    onInput: (l) => {
      listener = l;
      if (queue.length > 0) l();
    },
    [Symbol.dispose]: dispose,
  };
}
