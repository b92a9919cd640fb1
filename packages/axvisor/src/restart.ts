/**
 * Starting this process over, for what Node can only be told when it starts: how many threads V8 has, how much room young objects, what it does not
 * try, and a snapshot of the heap to begin with. Without effect where a process cannot be replaced.
 */
import { DEFAULT_ARCHITECTURE } from './default_architecture.ts';
import { isSnapshot, snapshotFile } from './snapshot/place.ts';
import { POOL_SIZE, poolOptions } from './threads/pool.ts';

/** MiB that V8's young objects have from the start on. Usually they get room by and by, after some ten collections while the hypervisor is loaded. Tells who has been started over. */
export const STARTED_OVER = '--min-semi-space-size=4';
/** V8 does not look for functions to put into one another: regions are too large for that, and to count their calls takes time until they are optimized. */
const SEPARATE_FUNCTIONS = '--no-wasm-inlining';
/** What every process is started over with. */
export const START_OPTIONS: readonly string[] = [STARTED_OVER, SEPARATE_FUNCTIONS];
/** Node's option for a snapshot; the file is the next one. */
export const SNAPSHOT = '--snapshot-blob';

/** Whether this process, with the options that it has, can be started over at all, and from a snapshot. */
function abilities(): { readonly restart: boolean; readonly snapshot: boolean } {
  const { connected, env, execArgv, execve, platform } = process;
  const restart = !connected && platform !== 'win32' && typeof execve === 'function';
  // Others may load something first, or change how V8 reads a snapshot.
  return { restart, snapshot: restart && (env['NODE_OPTIONS'] ?? '') === '' && execArgv.every((option) => option.startsWith(POOL_SIZE) || START_OPTIONS.includes(option)) };
}

/** Whether processes with the options of this one are started from snapshots, if there are any. */
export const usesSnapshots = (): boolean => abilities().snapshot;

/** Puts this process's command in its place, with other options of Node. Returns where a process cannot be replaced. */
export function startWith(options: readonly string[]): void {
  const [, ...args] = process.argv;
  process.execve?.(process.execPath, [process.execPath, ...options, ...args], process.env);
}

/** The architecture that a command line for `run` most likely wants; undefined for other commands. */
function wanted([command, ...args]: readonly string[]): string | undefined {
  if (command !== 'run') return undefined;
  const at = args.findIndex((arg) => /^--arch(=|$)/.test(arg));
  return at === -1 ? DEFAULT_ARCHITECTURE : (args[at]?.split('=')[1] ?? args[at + 1]);
}

/** Starts this process over if that makes it faster. To be called first of all, behind `useCompileCache`. */
export function restart(): void {
  const { execArgv, argv } = process;
  const able = abilities();
  if (!able.restart || execArgv.includes(STARTED_OVER)) return;
  const arch = able.snapshot ? wanted(argv.slice(2)) : undefined;
  const file = arch === undefined ? undefined : snapshotFile(arch);
  const snapshot = file !== undefined && isSnapshot(file) ? [SNAPSHOT, file] : [];
  const pool = poolOptions();
  if (pool.length + snapshot.length > 0) startWith([...pool, ...START_OPTIONS, ...snapshot, ...execArgv]);
}
