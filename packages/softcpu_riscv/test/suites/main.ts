/**
 * `pnpm suites FOLDER… [--engine NAME] [--harts N] [--json]`: runs every program of test suites and prints counts, and failures by
 * name; with several harts on all of them, which run at the same time, each on a thread and another program. Exit status 1 if a program failed, 2 for a wrong command line.
 */
import { basename } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { Execution } from '@axvisor/softcpu';
import { SuiteRunner } from '../../src/testing/index.ts';
import type { Verdict } from '../../src/testing/index.ts';
import { programNames, readProgram } from './folder.ts';
import { runOnHarts, type ProgramPath } from './harts.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, engine: { type: 'string', default: Execution.interpreter }, harts: { type: 'string', default: '1' } },
});
const engine = Object.values(Execution).find((e) => e === values.engine);
const harts = Number(values.harts);
if (positionals.length === 0 || engine === undefined || !Number.isInteger(harts) || harts < 1) {
  process.stderr.write(`usage: pnpm suites FOLDER… [--engine ${Object.values(Execution).join('|')}] [--harts N] [--json]\n`);
  process.exit(2);
}

const programs = positionals.flatMap((folder) => programNames(folder).map((file): ProgramPath => [folder, file]));
const start = performance.now();
const runner = new SuiteRunner(engine);
const verdicts: readonly Verdict[] = harts === 1 ? programs.map((program) => runner.run(readProgram(...program))) : await runOnHarts(harts, engine, programs);
const seconds = (performance.now() - start) / 1000;

/** Suite or extension: what stands before the first dash. */
const groupOf = ({ name }: Verdict): string => name.split('-', 1)[0] as string;
const count = (of: readonly Verdict[], verdict: Verdict['verdict']): number => of.filter((v) => v.verdict === verdict).length;
const summary = (of: readonly Verdict[]): { passed: number; failed: number; notApplicable: number } => ({
  passed: count(of, 'passed'), failed: count(of, 'failed'), notApplicable: count(of, 'not applicable'),
});

const groups = [...new Set(verdicts.map(groupOf))].map((name) => ({ name, ...summary(verdicts.filter((v) => groupOf(v) === name)) }));
const total = summary(verdicts);
const failures = verdicts.filter((v) => v.verdict === 'failed');
const notApplicable = verdicts.filter((v) => v.verdict === 'not applicable');
const instructions = verdicts.reduce((sum, v) => sum + v.instructions, 0);

if (values.json) {
  const list = (of: readonly Verdict[]): { name: string; detail: string }[] => of.map(({ name, detail }) => ({ name, detail }));
  process.stdout.write(`${JSON.stringify({ engine, harts, folders: positionals.map((f) => basename(f)), ...total, seconds, instructions, groups, failures: list(failures), inapplicable: list(notApplicable) }, null, 2)}\n`);
} else {
  const column = (n: number): string => String(n).padStart(8);
  process.stdout.write(`${'suite'.padEnd(20)}  passed  failed  not applicable\n`);
  for (const g of [...groups, { name: 'all', ...total }]) process.stdout.write(`${g.name.padEnd(20)}${column(g.passed)}${column(g.failed)}${column(g.notApplicable)}\n`);
  for (const { name, detail } of notApplicable) process.stdout.write(`not applicable: ${name}: ${detail}\n`);
  for (const { name, detail } of failures) process.stdout.write(`failed: ${name}: ${detail}\n`);
  process.stdout.write(`${verdicts.length} programs, ${instructions} instructions on the ${engine} engine, on ${harts} ${harts === 1 ? 'hart' : 'harts'}, in ${seconds.toFixed(1)} s\n`);
}
if (failures.length > 0 || verdicts.length === 0) process.exitCode = 1;
