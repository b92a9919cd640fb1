/** The hypervisor in a real browser, where the machine has one: with vCPUs on threads, and in slices where a page may not share memory. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '@axvisor/tooling/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serve, type TestServer } from './server.ts';

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome'];
const browser = BROWSERS.find(present);

let server: TestServer;
let profile: string;
beforeAll(async () => {
  server = await serve();
  profile = mkdtempSync(join(tmpdir(), 'axvisor-browser-'));
});
afterAll(() => {
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});

/** What a page posts. */
async function visit(page: string): Promise<unknown> {
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`];
  const process: ChildProcess = spawn(browser as string, [...flags, `${server.url}/${page}`], { stdio: 'ignore', detached: true });
  try {
    return await server.result();
  } finally {
    const ended = once(process, 'exit');
    // The whole group: its renderers are processes of their own.
    globalThis.process.kill(-(process.pid as number), 'SIGKILL');
    await ended;
  }
}

const SCREEN = expect.stringMatching(/hart 1 online[\s\S]*hart 1 stopped[\s\S]*self-test: /);

test.skipIf(browser === undefined)('vCPUs are threads where a page is cross-origin isolated, and one more compiles for them', async () => {
  expect(await visit('isolated/threads')).toEqual({ threads: 2, said: [], translated: true, ended: { end: 'poweroff', code: 0 }, screen: SCREEN });
});

test.skipIf(browser === undefined)('they run in slices in a page that is not, and it is said', async () => {
  const said = ['vCPUs run in slices on one thread instead of on 2: this page is not cross-origin isolated, so that its threads share no memory'];
  expect(await visit('plain/slices')).toEqual({ threads: 1, said, ended: { end: 'poweroff', code: 0 }, screen: SCREEN });
});

test.skipIf(browser === undefined)("they run in slices in a page's own thread", async () => {
  const said = ["vCPUs run in slices on one thread instead of on 2: a page's own thread may not block; link the hypervisor in a worker"];
  expect(await visit('isolated/slices')).toEqual({ threads: 1, said, ended: { end: 'poweroff', code: 0 }, screen: SCREEN });
});
