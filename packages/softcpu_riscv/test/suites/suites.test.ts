/**
 * Runs public test suites from the folders that environment variables name: AXVISOR_RISCV_TESTS (riscv-tests) and
 * AXVISOR_RISCV_ARCH_TESTS (riscv-arch-test, NAME.elf with NAME.reference). AXVISOR_ENGINE chooses the engine. The same as a
 * command with counts: `pnpm suites FOLDER`.
 */
import { describe, expect, test } from 'vitest';
import { SuiteRunner, missingExtension } from '../../src/testing/index.ts';
import { engineFromEnvironment, programNames, readProgram } from './folder.ts';

describe.each([
  ['AXVISOR_RISCV_TESTS', false],
  ['AXVISOR_RISCV_ARCH_TESTS', true],
] as const)('%s', (variable, signatures) => {
  const folder = process.env[variable];
  if (folder === undefined) {
    test.skip(`names no folder: its programs were not run`);
    return;
  }
  const engine = engineFromEnvironment();
  const runner = new SuiteRunner(engine);
  const names = programNames(folder);
  test('has programs', () => expect(names.length).toBeGreaterThan(0));
  for (const file of names) {
    const missing = missingExtension(file);
    if (missing !== undefined) test(`${file} is not applicable: the hart has no ${missing}`, () => expect(runner.run(readProgram(folder, file)).verdict).toBe('not applicable'));
    else
      test(`${file} on the ${engine} engine`, () => {
        const program = readProgram(folder, file);
        if (signatures) expect(program.reference, 'reference signature').toBeDefined();
        expect(runner.run(program)).toMatchObject({ verdict: 'passed', detail: '' });
      });
  }
});
