/** Drives `axvisor run` as a person at a pipe does: waits for a text, types, and looks at the exit status. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { ImageError, openImage, type StoredImage } from '../../src/images/index.ts';

/** The root of the repository. */
export const ROOT: string = join(import.meta.dirname, '../../../..');

export class Session implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  #output = '';
  #consumed = 0;
  #ended = false;
  #notify = (): void => {};

  /** @param fileBlocks - the host lets files grow to this many blocks of 512 bytes, as if it were full. */
  constructor(args: readonly string[], { fileBlocks = 'unlimited' }: { readonly fileBlocks?: number | 'unlimited' } = {}) {
    const command = [process.execPath, '--conditions=@axvisor/source', 'packages/axvisor/src/cli.ts', ...args];
    const child = spawn('sh', ['-c', `ulimit -f ${fileBlocks}; exec "$@"`, 'sh', ...command], { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString('latin1');
        this.#notify();
      });
    this.#exit = new Promise((resolve) => {
      child.on('close', (code) => {
        this.#ended = true;
        this.#notify();
        resolve(code);
      });
    });
  }

  /** Everything printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Waits until `text` is printed after what was waited for before, and returns what came in between. */
  async expect(text: string, seconds = 60): Promise<string> {
    const end = Date.now() + 1000 * seconds;
    for (;;) {
      const at = this.#output.indexOf(text, this.#consumed);
      if (at >= 0) {
        const between = this.#output.slice(this.#consumed, at);
        this.#consumed = at + text.length;
        return between;
      }
      if (this.#ended || Date.now() >= end) throw new Error(`'${text}' did not appear${this.#ended ? ' before the end' : ` in ${seconds} s`}; the output was:\n${this.#output.slice(-4000)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, end - Date.now());
        this.#notify = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** The exit status. */
  async exited(seconds = 60): Promise<number | null> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 1000 * seconds);
    const code = await this.#exit;
    clearTimeout(timer);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#child.kill('SIGKILL');
    await this.#exit;
  }
}

/** Runs `axvisor` with `args` to its end. */
export async function axvisor(...args: readonly string[]): Promise<{ readonly status: number | null; readonly output: string }> {
  await using session = new Session(args);
  const status = await session.exited();
  return { status, output: session.output };
}

/** The image `name` if it is in the cache; where images are required its absence is an error. */
export async function cachedImage(name: string): Promise<StoredImage | undefined> {
  try {
    return await openImage(name);
  } catch (e) {
    if (e instanceof ImageError && e.code === 'not-fetched' && process.env['AXVISOR_REQUIRE_IMAGES'] !== '1') return undefined;
    throw e;
  }
}
