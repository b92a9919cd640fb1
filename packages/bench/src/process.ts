/** Runs a contender and takes the time between texts on its standard output. */

import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

/** A program with its arguments. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Folder to run it in. */
  readonly cwd?: string;
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** What to take the time of. */
export interface Span {
  /** Where the time starts; when absent, at the start of the program. */
  readonly from?: RegExp;
  /** Where it ends. */
  readonly to: RegExp;
}

/** What came of a run. */
export interface Timing {
  readonly seconds: number;
  /** What the end matched; its first group, when it has one. */
  readonly match: string;
}

/** Thrown for everything that is the user's to know in one line. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}

/** How much of the output is shown when something goes wrong. */
const TAIL = 400;

/**
 * Runs `command` until all `spans` are over, then ends it. They may lie one behind the other or in one another.
 *
 * @param timeout seconds
 * @returns a timing for each span
 * @throws {BenchError} when the program ends or the time is over before the spans are
 */
export async function measure(name: string, command: Command, spans: readonly Span[], timeout: number): Promise<Timing[]> {
  return await new Promise<Timing[]>((resolve, reject) => {
    let text = '';
    let complaints = '';
    const begin = performance.now();
    const starts = spans.map(({ from }) => (from === undefined ? begin : undefined));
    const results = spans.map((): Timing | undefined => undefined);
    const isOver = (): boolean => results.every((result) => result !== undefined);
    const child = spawn(command.program, command.args, { cwd: command.cwd, env: { ...process.env, ...command.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout * 1000);
    child.stdout.setEncoding('latin1');
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (chunk: string) => (complaints = (complaints + chunk).slice(-TAIL)));
    child.stdout.on('data', (chunk: string) => {
      const now = performance.now();
      text += chunk;
      spans.forEach(({ from, to }, i) => {
        if (results[i] !== undefined) return;
        if (starts[i] === undefined && from?.test(text) === true) starts[i] = now;
        const start = starts[i];
        const match = start === undefined ? null : to.exec(text);
        if (start !== undefined && match !== null) results[i] = { seconds: (now - start) / 1000, match: match[1] ?? match[0] };
      });
      if (isOver()) child.kill('SIGKILL');
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new BenchError(`${name}: ${command.program} does not start: ${error.message}`, { cause: error }));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (isOver()) return resolve(results as Timing[]);
      const how = signal === 'SIGKILL' ? `did not get there in ${timeout} s` : `ended with ${code ?? signal}`;
      reject(new BenchError(`${name}: ${command.program} ${how}; the last it said: ${JSON.stringify((text + complaints).slice(-TAIL))}`));
    });
  });
}

/** Whether a program is there, by asking for its version. */
export async function isInstalled(program: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const child = spawn(program, ['--version'], { stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}
