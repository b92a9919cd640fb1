import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { haveNative } from '../native/oracle.ts';
import { LinuxUser } from './linux_user.ts';

const source = new URL('program.c', import.meta.url).pathname;

describe.skipIf(!haveNative)('a program of the C library', () => {
  const directory = mkdtempSync(join(tmpdir(), 'program-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each(['-O2', '-O0', '-O3 -msse4.2 -mpopcnt -maes', '-O3 -march=x86-64-v3 -ffast-math'])('prints the same as natively, compiled with %s', (options) => {
    const file = join(directory, options.replaceAll(' ', ''));
    execFileSync('gcc', [...options.split(' '), '-static', '-o', file, source, '-lm'], { stdio: 'pipe' });
    // The mathematical functions have variants for processors with fused multiplication, which round otherwise.
    const native = spawnSync(file, { env: { GLIBC_TUNABLES: 'glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4' } });
    for (const execution of ['interpreter', 'auto'] as const) {
      const { output, status, instructions } = new LinuxUser(execution).run(new Uint8Array(readFileSync(file)));
      expect(output).toBe(native.stdout.toString('latin1'));
      expect(status).toBe(native.status);
      expect(instructions).toBeGreaterThan(200_000);
    }
  }, 30_000);
});
