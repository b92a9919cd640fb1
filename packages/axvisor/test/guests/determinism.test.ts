/** Under a virtual clock runs are identical to the last bit: instructions, console, memory. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { axvisor, cachedImage } from './session.ts';

const folder = mkdtempSync(join(tmpdir(), 'axvisor-determinism-'));
let runs = 0;

interface Fingerprint {
  readonly guest_instructions: number;
  readonly exits: Readonly<Record<string, number>>;
  readonly vms: readonly { readonly console_sha256: string; readonly console_bytes: number; readonly memory_hash: string }[];
}

async function fingerprint(...args: string[]): Promise<Fingerprint> {
  const file = join(folder, `${runs++}.json`);
  const { status, output } = await axvisor('run', '--clock', 'virtual', '--hash-memory', '--stats', file, ...args);
  expect(status, output).toBe(0);
  const { guest_instructions, exits, vms } = JSON.parse(readFileSync(file, 'utf8')) as Fingerprint;
  return { guest_instructions, exits, vms: vms.map(({ console_sha256, console_bytes, memory_hash }) => ({ console_sha256, console_bytes, memory_hash })) };
}

/** Runs with the interpreter, and again with each of `engines`. */
async function expectIdentical(engines: readonly string[], ...args: string[]): Promise<void> {
  const first = await fingerprint('--engine', 'interpreter', ...args);
  expect(first.vms[0]?.memory_hash).toMatch(/^[0-9a-f]{64}$/);
  expect(first.guest_instructions).toBeGreaterThan(1000);
  for (const engine of engines) expect(await fingerprint('--engine', engine, ...args), engine).toEqual(first);
}

test.each(['riscv64', 'aarch64', 'x86_64'])('the embedded guest of %s', async (arch) => {
  await expectIdentical(['interpreter', 'auto', 'translator'], '--arch', arch, '--guest', 'embedded', '--cpus', '2', '--expect', 'axvisor> ');
});

test('another command line gives another memory', async () => {
  const args = ['--guest', 'embedded', '--expect', 'axvisor> ', '--append'];
  expect((await fingerprint(...args, 'a')).vms[0]?.memory_hash).not.toBe((await fingerprint(...args, 'b')).vms[0]?.memory_hash);
});

test('--hash-memory says where the hash goes', async () => {
  const { status, output } = await axvisor('run', '--guest', 'embedded', '--hash-memory');
  expect(status).toBe(2);
  expect(output).toContain('--stats');
});

const DEBIANS = [
  { guest: 'debian-riscv64', arch: 'riscv64', append: 'console=ttyS0' },
  { guest: 'debian-arm64', arch: 'aarch64', append: 'console=ttyAMA0' },
  { guest: 'debian-amd64', arch: 'x86_64', append: 'console=ttyS0' },
] as const;
const there = new Set((await Promise.all(DEBIANS.map(async ({ guest }) => ((await cachedImage(guest)) === undefined ? [] : [guest])))).flat());

describe.each(DEBIANS.filter(({ guest }) => there.has(guest)))('$guest', ({ guest, arch, append }) => {
  // Preemption by timers, two vCPUs, page faults, entropy, and the date all show in what it prints.
  const work = 'for i in 1 2 3; do (i=0; while [ $i -lt 500 ]; do i=$((i+1)); done; echo $i) & done; wait; head -c 65536 /dev/urandom | sha256sum; date; cat /proc/interrupts';

  test('with two vCPUs under load', { timeout: 240_000 }, async () => {
    // Translating everything at its first execution takes minutes for so much code.
    await expectIdentical(['interpreter', 'auto'], '--arch', arch, '--guest', guest, '--cpus', '2', '--append', `${append} quiet axvisor.run="${work}"`);
  });
});
