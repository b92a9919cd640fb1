/** Guests in QEMU, to compare with: at whose console one waits for text and types. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A guest in QEMU, at whose console one waits for text and types. */
export class QemuSession implements Disposable {
  readonly #qemu: ChildProcessWithoutNullStreams;
  readonly #exit: Promise<number | null>;
  #output = '';
  #seen = 0;
  #wake = (): void => {};
  carriageReturns = false;

  constructor(program: string, ...args: string[]) {
    this.#qemu = spawn(program, ['-display', 'none', '-serial', 'stdio', '-monitor', 'none', ...args]);
    let last = '';
    this.#qemu.stdout.setEncoding('latin1').on('data', (text: string) => {
      // The two may come in different pieces.
      this.carriageReturns ||= (last + text).includes('\r\n');
      last = text.slice(-1);
      this.#output += text.replaceAll('\r', ''); // firmware adds its own
      this.#wake();
    });
    this.#exit = new Promise((resolve) => this.#qemu.on('exit', resolve));
  }

  /** Waits for the text, after all that was waited for before; returns what came up to its end. */
  async until(text: string): Promise<string> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const at = this.#output.indexOf(text, this.#seen);
      if (at >= 0) {
        const piece = this.#output.slice(this.#seen, at + text.length);
        this.#seen = at + text.length;
        return piece;
      }
      if (Date.now() > deadline) throw new Error(`no "${text}" in: ${this.#output.slice(this.#seen)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  type(text: string): void {
    this.#qemu.stdin.write(text);
  }

  /** Types a command and returns what it printed. */
  async command(line: string): Promise<string> {
    this.type(`${line}\r`);
    await this.until(`${line}\n`);
    return (await this.until('axvisor> ')).slice(0, -'axvisor> '.length);
  }

  get exit(): Promise<number | null> {
    return this.#exit;
  }

  /** CPU time QEMU has used, in seconds. */
  get cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#qemu.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  [Symbol.dispose](): void {
    this.#qemu.kill('SIGKILL');
  }
}
