import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ARCHITECTURES, qemuCommand, toolchains } from '../src/contenders.ts';
import { compileGuest, compileNative, kernels } from '../src/kernels.ts';
import { isInstalled, measure } from '../src/process.ts';

const span = { from: /^begin\r?$/m, to: /^checksum ([0-9a-f]{16})\r?$/m };

const withTools = await Promise.all(ARCHITECTURES.map(async (arch) => ({
  arch,
  tools: await Promise.all(['gcc', toolchains[arch].compiler, toolchains[arch].qemu].map(isInstalled)),
})));
const possible = withTools.filter(({ tools }) => tools.every((installed) => installed)).map(({ arch }) => arch);

describe.each(possible)('a kernel for %s', (arch) => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'axvisor-bench-test-'));
  });
  afterAll(async () => await rm(folder, { recursive: true }));

  it.each(kernels)('%s gives the same checksum in a guest and on this machine', { timeout: 60_000 }, async (kernel) => {
    const program = await compileNative(kernel, 1, folder);
    const [native] = await measure(kernel, { program, args: [] }, [span], 20);
    const [guest] = await measure(kernel, qemuCommand(arch, { kernel: await compileGuest(kernel, arch, 1, folder), memory: 128 }), [span], 50);
    expect(guest?.match).toMatch(/^[0-9a-f]{16}$/);
    expect(guest?.match).toBe(native?.match);
  });
});
