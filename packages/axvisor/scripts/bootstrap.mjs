// The two commands of a clean clone, on any Node >= 20 with npm: installs pnpm's dependencies (the pinned Node among them)
// when they are missing or out of date, then starts a guest or the tests. Plain JavaScript, because old Nodes cannot run TypeScript.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const [task, ...args] = process.argv.slice(2);
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const MIN_NODE = 24;

/** Runs a command with our standard streams; ends the program if it fails. */
function must(command, commandArgs, what) {
  const { status, error } = spawnSync(command, commandArgs, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' } });
  if (status === 0) return;
  process.stderr.write(`axvisor: ${what} failed${error ? `: ${error.message}` : ''}\n`);
  process.exit(status ?? 1);
}

/** The lockfile's copy that pnpm keeps of what it installed. */
function installed() {
  const record = join(root, 'node_modules/.pnpm/lock.yaml');
  return existsSync(record) && readFileSync(record, 'utf8') === readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8');
}

if (!installed()) {
  process.stderr.write('axvisor: installing dependencies (once)\n');
  must('npx', ['--yes', packageManager, 'install', '--frozen-lockfile'], 'the installation');
}

const bundled = join(root, 'node_modules/.bin/node');
const node = existsSync(bundled) ? bundled : process.execPath;
if (node === process.execPath && Number(process.versions.node.split('.')[0]) < MIN_NODE) {
  process.stderr.write(`axvisor: Node ${MIN_NODE} or newer is needed on this platform; this is ${process.version}\n`);
  process.exit(1);
}

const COMMANDS = {
  start: ['--conditions=@axvisor/source', 'packages/axvisor/src/cli.ts', 'run', '--fetch', ...args],
  test: ['node_modules/vitest/vitest.mjs', 'run', ...args],
};
const command = COMMANDS[task];
if (command === undefined) {
  process.stderr.write(`usage: bootstrap.mjs ${Object.keys(COMMANDS).join('|')}\n`);
  process.exit(2);
}
const { status, signal, error } = spawnSync(node, command, { cwd: root, stdio: 'inherit' });
if (error) process.stderr.write(`axvisor: ${error.message}\n`);
process.exitCode = status ?? (signal ? 128 : 1);
