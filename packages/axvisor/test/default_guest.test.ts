import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');

/** Runs the default guest with an empty cache and a mirror where nothing answers. */
function run(...args: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const env = { ...process.env, AXVISOR_CACHE: mkdtempSync(join(tmpdir(), 'axvisor-cache-')), AXVISOR_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian' };
  return spawnSync(process.execPath, ['--conditions=@axvisor/source', 'packages/axvisor/src/cli.ts', 'run', '--expect', 'axvisor> ', '--timeout', '40', ...args], { cwd: ROOT, env, encoding: 'utf8', timeout: 60_000 });
}

test.each([['riscv64', 'debian-riscv64'], ['aarch64', 'debian-arm64'], ['x86_64', 'debian-amd64']])('without an image the embedded guest of %s is booted, and one line says why', (arch, image) => {
  const { status, stdout, stderr } = run('--arch', arch);
  expect(stderr).toBe(`axvisor: the image ${image} is not in the cache: run axvisor images fetch ${image}; booting the embedded guest\n`);
  expect(stdout).toContain(`axvisor embedded kernel, ${arch}`);
  expect(status).toBe(0);
});

test('an image that cannot be fetched is asked for, and its failure is one line', () => {
  const { status, stdout, stderr } = run('--fetch');
  const lines = stderr.trim().split('\n').filter((line) => line.startsWith('axvisor: '));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/; booting the embedded guest$/);
  expect(stderr).toContain('debian-riscv64: reading the package index');
  expect(stdout).toContain('axvisor embedded kernel');
  expect(status).toBe(0);
});
