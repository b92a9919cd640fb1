import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const EXAMPLE = 'packages/axvisor/examples/compose.ts';

test('the example composes a hypervisor, whose guest powers off', () => {
  const output = execFileSync(process.execPath, ['--conditions=@axvisor/source', EXAMPLE], { cwd: ROOT, encoding: 'utf8', timeout: 60_000 });
  expect(output).toContain('axvisor embedded kernel');
  expect(output).toMatch(/first: \{"end":"poweroff","code":0\}, \d+ device writes/);
});

test('the README shows the example as it is', () => {
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(readFileSync(join(ROOT, EXAMPLE), 'utf8').split('\n').slice(1).join('\n'));
});
