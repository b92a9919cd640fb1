/**
 * Shares one terminal among the consoles of several VMs: input goes to the one in front, output is prefixed with `[VM n]` when
 * there is more than one. On a terminal Ctrl-A is the escape: x leaves, c goes to the next VM, a digit to that VM, h helps.
 */
import { consoleRead, consoleWrite } from '@axvisor/axvisor_api/host';
import { VmConsole } from './vm_console.ts';

const CTRL_A = 1;
const NEWLINE = 10;

const HELP = 'Ctrl-A x: leave   Ctrl-A c: next VM   Ctrl-A 1…9: VM by id   Ctrl-A a: send Ctrl-A   Ctrl-A h: this help';

export interface MultiplexerOptions {
  /** Whether Ctrl-A is an escape. */
  readonly escapes: boolean;
  /** Whether output lines say which VM they are from. */
  readonly prefix: boolean;
  /** Called with everything a VM prints, before prefixes. */
  readonly onOutput?: (vm: number, bytes: Uint8Array) => void;
  readonly onQuit: () => void;
}

export class ConsoleMultiplexer {
  readonly #options: MultiplexerOptions;
  readonly #consoles = new Map<number, VmConsole>();
  readonly #atLineStart = new Map<number, boolean>();
  #front: number | undefined;
  #lastWriter: number | undefined;
  #escaped = false;
  #pending: number[] = [];

  constructor(options: MultiplexerOptions) {
    this.#options = options;
  }

  /** The console for VM `id`; the first one is in front. */
  attach(id: number): VmConsole {
    const console = new VmConsole((bytes) => this.#output(id, bytes));
    this.#consoles.set(id, console);
    this.#atLineStart.set(id, true);
    this.#front ??= id;
    return console;
  }

  /** Moves what was typed to the VM in front, and what was printed to the terminal. */
  pump(): void {
    this.flush();
    const input = consoleRead();
    if (input.length === 0) return;
    if (!this.#options.escapes) return this.#type(input);
    const forward: number[] = [];
    for (const byte of input) {
      if (this.#escaped) {
        this.#escaped = false;
        if (byte === CTRL_A || byte === 0x61) forward.push(CTRL_A);
        else {
          this.#type(Uint8Array.from(forward.splice(0)));
          this.#command(String.fromCharCode(byte));
        }
      } else if (byte === CTRL_A) this.#escaped = true;
      else forward.push(byte);
    }
    this.#type(Uint8Array.from(forward));
  }

  /** Writes what the guests printed since the last call: guests print byte by byte, terminals are better given more. */
  flush(): void {
    if (this.#pending.length === 0) return;
    consoleWrite(Uint8Array.from(this.#pending));
    this.#pending = [];
  }

  #type(bytes: Uint8Array): void {
    if (this.#front !== undefined) this.#consoles.get(this.#front)?.type(bytes);
  }

  #command(key: string): void {
    const ids = [...this.#consoles.keys()];
    if (key === 'x') this.#options.onQuit();
    else if (key === 'c') this.#toFront(ids[(ids.indexOf(this.#front ?? 0) + 1) % ids.length]);
    else if (/[1-9]/.test(key)) this.#toFront(Number(key));
    else if (key === 'h' || key === '?') this.#say(HELP);
  }

  #toFront(id: number | undefined): void {
    if (id === undefined || !this.#consoles.has(id)) return;
    this.#front = id;
    this.#say(`VM ${id} has the keyboard`);
  }

  #say(text: string): void {
    for (const c of `\r\n[axvisor] ${text}\r\n`) this.#pending.push(c.charCodeAt(0));
  }

  #output(id: number, bytes: Uint8Array): void {
    this.#options.onOutput?.(id, bytes);
    if (!this.#options.prefix) {
      for (const byte of bytes) this.#pending.push(byte);
      return;
    }
    for (const byte of bytes) {
      if (this.#lastWriter !== id && this.#lastWriter !== undefined && this.#atLineStart.get(this.#lastWriter) === false) {
        this.#pending.push(13, NEWLINE);
        this.#atLineStart.set(this.#lastWriter, true);
      }
      this.#lastWriter = id;
      if (this.#atLineStart.get(id) === true) for (const c of `[VM ${id}] `) this.#pending.push(c.charCodeAt(0));
      this.#atLineStart.set(id, byte === NEWLINE);
      this.#pending.push(byte);
    }
  }
}
