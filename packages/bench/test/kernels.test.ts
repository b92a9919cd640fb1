import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ARCHITECTURES, qemuCommand, toolchains, v86Command, type GuestFiles } from '../src/contenders.ts';
import { compileGuest, compileNative, kernels } from '../src/kernels.ts';
import { isInstalled, measure } from '../src/process.ts';
import { hasV86 } from '../src/v86/package.ts';

const span = { from: /^begin\r?$/m, to: /^checksum ([0-9a-f]{16})\r?$/m };

const present = async (...tools: readonly string[]): Promise<boolean> => (await Promise.all(tools.map(isInstalled))).every((installed) => installed);

const withTools = await Promise.all(ARCHITECTURES.map(async (arch) => ({ arch, possible: await present('gcc', toolchains[arch].compiler, toolchains[arch].qemu) })));
const architectures = withTools.filter(({ possible }) => possible).map(({ arch }) => arch);

describe.runIf(architectures.length > 0)(`a kernel in guests (${architectures.join(', ')})`, () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'axvisor-bench-test-'));
  });
  afterAll(async () => await rm(folder, { recursive: true }));

  it.each(kernels)('%s gives the same checksum as on this machine', async (kernel) => {
    const program = await compileNative(kernel, 1, folder);
    const [native] = await measure(kernel, { program, args: [] }, [span], 20);
    expect(native?.match).toMatch(/^[0-9a-f]{16}$/);
    for (const arch of architectures) {
      const guest: GuestFiles = { kernel: await compileGuest(kernel, arch, 1, folder), memory: 128 };
      const [result] = await measure(`${kernel}, ${arch}`, qemuCommand(arch, guest), [span], 50);
      expect(result?.match).toBe(native?.match);
    }
  });

  it.runIf(hasV86() && architectures.includes('i386'))('runs in v86', async () => {
    const kernel = await compileGuest('crc', 'i386', 1, folder);
    const command = { program: await compileNative('crc', 1, folder), args: [] };
    const [native] = await measure('native', command, [span], 20);
    const [result] = await measure('v86', v86Command({ kernel, memory: 128 }), [span], 50);
    expect(result?.match).toBe(native?.match);
  });
});
