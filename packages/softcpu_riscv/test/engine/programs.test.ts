/**
 * Runs the self-checking programs of riscv-tests (and any other that end by `tohost`) in the folder that the environment
 * variable AXVISOR_RISCV_TESTS names. Without it there is nothing to run, and one test says so.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BareMachine } from '../../src/testing/index.ts';

const folder = process.env['AXVISOR_RISCV_TESTS'];

if (folder === undefined) {
  test('AXVISOR_RISCV_TESTS names no folder: no program was run', () => {
    expect(folder).toBeUndefined();
  });
} else {
  const machine = new BareMachine();
  test.each(readdirSync(folder).filter((name) => !name.includes('.')))('%s', (name) => {
    machine.load(readFileSync(join(folder, name)));
    expect(machine.run()).toMatchObject({ pass: true });
  });
}
