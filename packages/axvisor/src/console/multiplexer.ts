/**
 * Shares one terminal among the consoles of several VMs: input goes to the one in front; when there is more than one, output goes
 * by lines with the prefix `[VM n]`. On a terminal Ctrl-A is the escape: x leaves, c goes to the next VM, a digit to that VM,
 * p presses the power button, h helps.
 */
import { consoleRead, consoleWrite } from '@axvisor/axvisor_api/host';
import { VmConsole } from './vm_console.ts';

const CTRL_A = 1;
const NEWLINE = 10;
/** A line that is longer is shown in pieces. */
const LINE_LIMIT = 4096;

const HELP = 'Ctrl-A x: leave   Ctrl-A c: next VM   Ctrl-A 1…9: VM by id   Ctrl-A p: power button   Ctrl-A a: send Ctrl-A   Ctrl-A h: this help';

export interface MultiplexerOptions {
  /** Whether Ctrl-A is an escape. */
  readonly escapes: boolean;
  /** Whether output lines say which VM they are from. */
  readonly prefix: boolean;
  /** Called with everything a VM prints, before prefixes. */
  readonly onOutput?: (vm: number, bytes: Uint8Array) => void;
  readonly onQuit: () => void;
  /** Presses the power button of a VM; returns whether it has one. Absent: none has. */
  readonly onPowerButton?: (vm: number) => boolean;
}

/** What a VM printed of its current line and is not on the terminal yet. */
interface Line {
  readonly bytes: number[];
  /** How much there was at the last pump: a line that stopped growing, such as a prompt, is shown as it is. */
  seen: number;
}

export class ConsoleMultiplexer {
  readonly #options: MultiplexerOptions;
  readonly #consoles = new Map<number, VmConsole>();
  readonly #lines = new Map<number, Line>();
  #front: number | undefined;
  /** The VM whose unfinished line is on the terminal. */
  #unfinished: number | undefined;
  #escaped = false;
  #pending: number[] = [];

  constructor(options: MultiplexerOptions) {
    this.#options = options;
  }

  /** The console for VM `id`; the first one is in front. */
  attach(id: number): VmConsole {
    const console = new VmConsole((bytes) => this.#output(id, bytes));
    this.#consoles.set(id, console);
    this.#lines.set(id, { bytes: [], seen: 0 });
    this.#front ??= id;
    return console;
  }

  /** Moves what was typed to the VM in front, and what was printed to the terminal. */
  pump(): void {
    for (const [id, line] of this.#lines) {
      if (line.bytes.length > 0 && line.bytes.length === line.seen) this.#show(id, line);
      line.seen = line.bytes.length;
    }
    this.#drain();
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

  /** Writes everything the guests printed, unfinished lines too. */
  flush(): void {
    for (const [id, line] of this.#lines) if (line.bytes.length > 0) this.#show(id, line);
    this.#drain();
  }

  /** Guests print byte by byte; terminals are better given more. */
  #drain(): void {
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
    else if (key === 'p') this.#pressPowerButton();
    else if (key === 'h' || key === '?') this.#say(HELP);
  }

  #pressPowerButton(): void {
    const id = this.#front;
    if (id === undefined) return;
    this.#say(this.#options.onPowerButton?.(id) === true ? `pressed the power button of VM ${id}` : `VM ${id} has no power button`);
  }

  #toFront(id: number | undefined): void {
    if (id === undefined || !this.#consoles.has(id)) return;
    this.#front = id;
    this.#say(`VM ${id} has the keyboard`);
  }

  #say(text: string): void {
    this.#pending.push(...new TextEncoder().encode(`\r\n[axvisor] ${text}\r\n`));
  }

  #output(id: number, bytes: Uint8Array): void {
    this.#options.onOutput?.(id, bytes);
    const line = this.#lines.get(id);
    if (!this.#options.prefix || line === undefined) {
      for (const byte of bytes) this.#pending.push(byte);
      return;
    }
    for (const byte of bytes) {
      line.bytes.push(byte);
      if (byte === NEWLINE || line.bytes.length >= LINE_LIMIT) this.#show(id, line);
    }
  }

  /** Puts what there is of a line on the terminal, after ending another VM's. */
  #show(id: number, { bytes }: Line): void {
    if (this.#unfinished !== id) {
      const prefix = `${this.#unfinished === undefined ? '' : '\r\n'}[VM ${id}] `;
      for (const c of prefix) this.#pending.push(c.charCodeAt(0));
    }
    this.#unfinished = bytes.at(-1) === NEWLINE ? undefined : id;
    for (const byte of bytes.splice(0)) this.#pending.push(byte);
  }
}
