/**
 * Runs supervisor-mode test programs from the folder that the environment variable AXVISOR_SBI_TESTS names: each is started as
 * a kernel on four harts and passes if it ends by an SBI shutdown. ELF files go where they say, others (NAME.flat) to where
 * SBI firmware starts kernels; NAME.initrd goes with NAME. Programs of kvm-unit-tests print a status of their own: it must be 0.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join, parse } from 'node:path';
import { expect, test } from 'vitest';
import { axvisor } from './session.ts';

const folder = process.env['AXVISOR_SBI_TESTS'];
const SECONDS = 50;

if (folder === undefined) {
  test.skip('AXVISOR_SBI_TESTS names no folder: no program was run');
} else {
  const files = readdirSync(folder).filter((file) => /\.(elf|flat)$/.test(file));
  test('has programs', () => expect(files.length).toBeGreaterThan(0));
  test.each(files)('%s', { timeout: 1000 * (SECONDS + 10) }, async (file) => {
    const { name, ext } = parse(file);
    const initrd = join(folder, `${name}.initrd`);
    const { status, output } = await axvisor(
      'run', '--kernel', join(folder, file), '--cpus', '4', '--timeout', String(SECONDS),
      ...(ext === '.flat' ? ['--load-addr', '0x80200000'] : []),
      ...(existsSync(initrd) ? ['--initrd', initrd] : []),
    );
    expect(status, output).toBe(0);
    // The number is 2 * status + 1, as QEMU's debug exit makes it.
    expect(/^EXIT: STATUS=(\d+)/m.exec(output)?.[1] ?? '1', output).toBe('1');
  });
}
