import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from '../../src/images/lock.ts';

let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'axvisor-lock-'));
  path = join(folder, 'lock');
});
afterEach(async () => await rm(folder, { recursive: true }));

const holder = (pid: number, host: string): string => JSON.stringify({ token: 'other', pid, host });

/** The id of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid!;
}

describe('the lock', () => {
  it('lets one in at a time, and leaves nothing behind', async () => {
    let inside = 0;
    let most = 0;
    const done: number[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) =>
        withLock(path, async () => {
          most = Math.max(most, ++inside);
          await sleep(5);
          inside--;
          done.push(i);
        }),
      ),
    );
    expect(most).toBe(1);
    expect(done.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is given back when the work throws', async () => {
    await expect(withLock(path, () => Promise.reject(new Error('work')))).rejects.toThrow('work');
    expect(await withLock(path, () => Promise.resolve(1))).toBe(1);
  });

  it('is taken from a dead process', async () => {
    await writeFile(path, holder(await deadPid(), hostname()));
    expect(await withLock(path, () => Promise.resolve('in'))).toBe('in');
  });

  it('is taken from a machine that has fallen silent, or from rubbish that has', async () => {
    const past = new Date(Date.now() - 120_000);
    for (const text of [holder(1, 'elsewhere.example'), 'rubbish']) {
      await writeFile(path, text);
      await utimes(path, past, past);
      expect(await withLock(path, () => Promise.resolve('in'))).toBe('in');
    }
  });

  it('is waited for while its holder lives, and the waiting can be stopped', async () => {
    await writeFile(path, holder(process.pid, hostname()));
    const stop = new AbortController();
    const waiting: (number | undefined)[] = [];
    const result = withLock(path, () => Promise.resolve('in'), { signal: stop.signal, waiting: (pid) => void waiting.push(pid) });
    const outcome = expect(result).rejects.toMatchObject({ code: 'aborted' });
    await sleep(250);
    stop.abort();
    await outcome;
    expect(waiting).toEqual([process.pid]);
    expect(await readdir(folder)).toEqual(['lock']);
  });

  it('is taken once by many who find a dead one', async () => {
    await writeFile(path, holder(await deadPid(), hostname()));
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await sleep(5);
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, async () => withLock(path, work)));
    expect(most).toBe(1);
  });
});
