/** A lock file that processes hold one after the other and that a dead holder does not keep. */

import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImageError } from './error.ts';

/** The holder shows that it lives by touching the file this often, in ms. */
const HEARTBEAT = 2_000;
/** A lock not touched for so long is a dead holder's, in ms: for holders on other machines, whose process cannot be asked for. */
const STALE = 60_000;
/** How long between two tries, in ms. */
const POLL = 100;

/** Whoever holds a lock. */
interface Holder {
  readonly token: string;
  readonly pid: number;
  readonly host: string;
}

/** How to wait for a lock. */
export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, when another process has to be waited for. */
  readonly waiting?: (pid: number | undefined) => void;
}

function parse(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { token, pid, host } = value as Partial<Holder>;
    return typeof token === 'string' && typeof pid === 'number' && typeof host === 'string' ? { token, pid, host } : undefined;
  } catch {
    return undefined;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Whether the lock at `path` is a dead process's; undefined when it is gone meanwhile. */
async function stale(path: string): Promise<{ stale: boolean; text: string; pid: number | undefined } | undefined> {
  try {
    const [text, info] = [await readFile(path, 'utf8'), await stat(path)];
    const holder = parse(text);
    const silent = Date.now() - info.mtimeMs > STALE;
    const dead = holder !== undefined && holder.host === hostname() && !alive(holder.pid);
    return { stale: silent || dead, text, pid: holder?.pid };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Takes the dead holder's lock away. Two waiters may come here at once, and the slower one may find the quicker one's fresh lock in
 * place of the dead one: it moves the file aside, looks at what it has got, and puts a fresh one back.
 */
async function breakLock(path: string, dead: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== dead) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/**
 * Runs `work` while this process holds the lock file at `path`.
 *
 * @throws {ImageError} aborted when the signal fires while waiting
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const holder: Holder = { token: randomUUID(), pid: process.pid, host: hostname() };
  const text = JSON.stringify(holder);
  // The file gets its name only when its content is complete, so nobody ever reads half a holder.
  const draft = `${path}.${holder.token}`;
  let told = false;
  for (;;) {
    if (options.signal?.aborted === true) throw new ImageError('aborted', 'stopped');
    const file = await open(draft, 'wx');
    await file.writeFile(text).finally(() => file.close());
    try {
      await link(draft, path);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await rm(draft, { force: true });
    }
    const found = await stale(path);
    if (found === undefined) continue;
    if (found.stale) {
      await breakLock(path, found.text);
      continue;
    }
    if (!told) options.waiting?.(found.pid);
    told = true;
    await sleep(POLL);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    const current = await readFile(path, 'utf8').catch(() => undefined);
    if (current === text) await rm(path, { force: true });
  }
}
