/**
 * Runs the self-checking programs of riscv-tests, and the programs of riscv-arch-test with their reference signatures
 * (NAME.elf with NAME.reference beside it: 32-bit words in hexadecimal, from begin_signature to end_signature), in the
 * folder that the environment variable AXVISOR_RISCV_TESTS names. Without it there is nothing to run, and one test says so.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BareMachine } from '../../src/testing/index.ts';

/** Programs for extensions that the hart does not have, and for machines on which misaligned accesses trap. */
const inapplicable = /^rv64u(zbk|zfh)|^K-(aes|sha|sm|pack|xperm)|^privilege-misalign-(?!b|jal)/;

const folder = process.env['AXVISOR_RISCV_TESTS'];

if (folder === undefined) {
  test('AXVISOR_RISCV_TESTS names no folder: no program was run', () => {
    expect(folder).toBeUndefined();
  });
} else {
  const machine = new BareMachine();
  test.each(readdirSync(folder).filter((name) => !name.endsWith('.reference') && !inapplicable.test(name)))('%s', (name) => {
    machine.load(readFileSync(join(folder, name)));
    expect(machine.run(3_000_000)).toMatchObject({ pass: true });
    const reference = join(folder, name.replace(/(\.elf)?$/, '.reference'));
    if (!existsSync(reference)) return;
    const words = readFileSync(reference, 'utf8').trim().split(/\s+/);
    const start = machine.offsetOf('begin_signature');
    const view = new DataView(machine.ram.buffer, machine.ram.byteOffset + start, machine.offsetOf('end_signature') - start);
    const signature = Array.from({ length: view.byteLength / 4 }, (_, i) => view.getUint32(4 * i, true).toString(16).padStart(8, '0'));
    expect(signature).toEqual(words);
  });
}
