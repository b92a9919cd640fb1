/** Runs one of the machine's tools and collects what it says. */

import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { ImageError } from './error.ts';

/** How a tool is run. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Takes the lines the tool writes to file descriptor 3. */
  readonly status?: (line: string) => void;
  /** Takes standard output, in place of the result. */
  readonly outputFile?: string;
}

/** What a tool left behind. */
export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function collect(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

function eachLine(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(take);
  });
}

/**
 * Interrupts what a tool has started itself (proc(5), children), as Ctrl-C in a terminal does. apt's downloaders then give what they have
 * the date by which the next try can go on; if only apt is ended, they never do.
 */
function interruptChildren(pid: number | undefined): void {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    for (const child of children.split(' ')) if (child !== '') process.kill(Number(child), 'SIGINT');
  } catch {
    // It has ended by itself, or the machine does not say: then the next try begins anew.
  }
}

/**
 * Runs `command` with `args`, in the C locale, with no standard input.
 *
 * @returns the exit code and the text; a code other than 0 is the caller's to judge
 * @throws {ImageError} aborted when the signal fires, tool when the program is not there or dies of a signal
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  if (options.signal?.aborted === true) throw new ImageError('aborted', 'stopped');
  const child: ChildProcess = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe', options.status === undefined ? 'ignore' : 'pipe'],
  });
  const stop = (): void => {
    interruptChildren(child.pid);
    child.kill('SIGTERM');
  };
  options.signal?.addEventListener('abort', stop, { once: true });
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ImageError('tool', error.code === 'ENOENT' ? `${command} is not on this machine` : `${command} does not start: ${error.message}`, error));
    });
    child.once('close', (code, signal) => {
      if (options.signal?.aborted === true) reject(new ImageError('aborted', 'stopped'));
      else if (code === null) reject(new ImageError('tool', `${command} was ended by ${signal ?? 'a signal'}`));
      else resolve(code);
    });
  });
  try {
    const [, out, err] = child.stdio;
    const stderr = collect(err as Readable);
    if (options.status !== undefined) eachLine(child.stdio[3] as Readable, options.status);
    if (options.outputFile === undefined) {
      const stdout = collect(out as Readable);
      const code = await exited;
      return { code, stdout: stdout(), stderr: stderr() };
    }
    const file = (out as Readable).pipe(createWriteStream(options.outputFile));
    const [code] = await Promise.all([exited, finished(file)]);
    return { code, stdout: '', stderr: stderr() };
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
}
