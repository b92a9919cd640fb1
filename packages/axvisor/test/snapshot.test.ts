/** Starts from a snapshot of the heap: they do what starts without one do, and make way for what the snapshot does not hold. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleSnapshotProgram } from '../scripts/snapshot_bundle.ts';
import { STARTED_OVER, START_OPTIONS } from '../src/restart.ts';
import { isSnapshot, pruneSnapshots, snapshotFile } from '../src/snapshot/place.ts';

const CLI = join(import.meta.dirname, '../src/cli.ts');
const folder = mkdtempSync(join(tmpdir(), 'axvisor-snapshot-'));
const blob = join(folder, 'blob');
const node = (...args: readonly string[]) => promisify(execFile)(process.execPath, args);

beforeAll(async () => {
  await bundleSnapshotProgram('riscv64', folder, 'program.cjs', 'test');
  await node('--no-warnings', '--snapshot-blob', blob, '--build-snapshot', join(folder, 'program.cjs'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(options: readonly string[], arch: string): Promise<unknown> {
  const stats = join(folder, 'stats');
  const guest = ['--arch', arch, '--guest', 'embedded', '--expect', 'embedded kernel', '--clock', 'virtual', '--hash-memory', '--stats', stats];
  await node('--conditions=@axvisor/source', STARTED_OVER, ...options, CLI, 'run', ...guest);
  const { guest_instructions, vms } = JSON.parse(readFileSync(stats, 'utf8')) as { readonly guest_instructions: number; readonly vms: readonly unknown[] };
  return { guest_instructions, vms };
}

test('a run from a snapshot is the same as one without', async () => {
  const plain = await run([], 'riscv64');
  expect(await run(['--snapshot-blob', blob], 'riscv64')).toEqual(plain);
});

test('a guest of another architecture starts over', async () => {
  const plain = await run([], 'aarch64');
  expect(await run(['--snapshot-blob', blob], 'aarch64')).toEqual(plain);
});

test('a process that is started over knows the snapshot by the same name', async () => {
  const bundled = 'data:text/javascript,globalThis.AXVISOR_SNAPSHOTS = "test"';
  const print = `import { useCompileCache } from ${JSON.stringify(join(import.meta.dirname, '../src/compile_cache.ts'))};
    import { snapshotFile } from ${JSON.stringify(join(import.meta.dirname, '../src/snapshot/place.ts'))};
    useCompileCache();
    console.log(snapshotFile('riscv64'));`;
  const name = async (...options: readonly string[]): Promise<string> =>
    (await node('--conditions=@axvisor/source', '--import', bundled, ...options, '--input-type=module', '--eval', print)).stdout;
  const before = await name();
  expect(before).toMatch(/riscv64-test-/);
  expect(await name(...START_OPTIONS)).toBe(before);
});

test('sources have no snapshot', () => {
  expect(snapshotFile('riscv64')).toBeUndefined();
});

test('an empty file is no snapshot, and the oldest files go', () => {
  const place = mkdtempSync(join(folder, 'place-'));
  expect(isSnapshot(join(place, 'none'))).toBe(false);
  for (let i = 0; i < 8; i++) {
    const file = join(place, `${i}`);
    writeFileSync(file, i === 0 ? '' : 'x');
    expect(isSnapshot(file)).toBe(i > 0);
    utimesSync(file, 1000 + i, 1000 + i);
  }
  pruneSnapshots(place);
  expect(readdirSync(place).toSorted()).toEqual(['2', '3', '4', '5', '6', '7']);
});
