/** Whose architecture a run has. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withArchitecture } from '../src/commands/architecture.ts';

test('of the option, the guest, the first description that says it, or the default one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'axvisor-arch-'));
  const described = (name: string, arch: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `[base]\nid = 1\nname = "vm"\ncpu_num = 1\n${arch}[kernel]\nkernel_path = "Image"\nmemory = "64M"\n`);
    return path;
  };
  const open = described('open.toml', '');
  const arm = described('arm.toml', 'arch = "aarch64"\n');
  const of = async (files: readonly string[], options: { readonly arch?: string; readonly guest?: string }): Promise<string> => (await withArchitecture(files, options)).arch;
  expect(await of([], {})).toBe('riscv64');
  expect(await of([], { guest: 'embedded' })).toBe('riscv64');
  expect(await of([], { guest: 'debian-amd64' })).toBe('x86_64');
  expect(await of([open, arm], {})).toBe('aarch64');
  expect(await of([open, join(folder, 'none.toml')], {})).toBe('riscv64');
  expect(await of([arm], { arch: 'x86_64', guest: 'debian-riscv64' })).toBe('x86_64');
});
