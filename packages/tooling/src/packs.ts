/** Checks what will be published: publint and attw on every tarball, then each package installed alone in an empty project, and the command run there. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conclude, published, ROOT, type WorkspacePackage } from './workspace.ts';

const ARCHITECTURES = ['riscv64', 'aarch64', 'x86_64'] as const;
/** How long making a snapshot of each may take. */
const SNAPSHOT_SECONDS = 60;

/** What the published command must do: it is bundled, which tests of sources say nothing of. Between them, they load everything for each architecture. */
const COMMANDS: readonly (readonly string[])[] = [
  ['--version'],
  ['images', 'list'],
  ['devices'],
  ...ARCHITECTURES.flatMap((arch) => [
    ['run', '--arch', arch, '--guest', 'embedded', '--expect', 'embedded kernel', '--timeout', '120'],
    ['run', '--arch', arch, '--guest', 'embedded', '--cpus', '2', '--threads', '2', '--expect', 'embedded kernel', '--timeout', '120'],
    ['lockstep', '--arch', arch, '--guest', 'embedded', '--instructions', '100000'],
  ]),
];

const bin = (name: string): string => join(ROOT, 'node_modules/.bin', name);
const problems: string[] = [];

/** Runs a tool; what it prints becomes the problem if it fails. */
function tool(what: string, command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = process.env): void {
  try {
    execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (e) {
    const { stdout = '', stderr = '' } = e as { readonly stdout?: string; readonly stderr?: string };
    problems.push(`${what}:\n${stdout}${stderr}`);
  }
}

function pack(p: WorkspacePackage, into: string): string {
  const folder = join(into, p.folder);
  mkdirSync(folder);
  execFileSync('pnpm', ['pack', '--pack-destination', folder], { cwd: p.path, stdio: ['ignore', 'ignore', 'inherit'] });
  const [name] = readdirSync(folder);
  if (name === undefined) throw new Error(`${p.folder}: pnpm pack made no tarball`);
  return join(folder, name);
}

/** The packages of the workspace that `p` needs at run time, itself included. */
function closure(p: WorkspacePackage, all: readonly WorkspacePackage[]): WorkspacePackage[] {
  const found = new Set([p]);
  for (const member of found) for (const name of Object.keys(member.manifest.dependencies ?? {})) {
    const dependency = all.find((a) => a.manifest.name === name);
    if (dependency !== undefined) found.add(dependency);
  }
  return [...found];
}

/**
 * Installs `p` from its tarball in an empty project, and uses every export of it under both module resolutions. Libraries must do
 * with the language's own typings; the program may use the runtime's.
 */
function installAlone(p: WorkspacePackage, tarballs: ReadonlyMap<WorkspacePackage, string>, temporary: string): void {
  const project = join(temporary, `alone-${p.folder}`);
  mkdirSync(project);
  const files = Object.fromEntries(closure(p, [...tarballs.keys()]).map((c) => [c.manifest.name, `file:${tarballs.get(c)}`]));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'alone', private: true, type: 'module', dependencies: files, overrides: files }));
  tool(`${p.folder}: npm install`, 'npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], project);
  const subpaths = Object.keys(p.manifest.exports ?? {}).filter((s) => !s.endsWith('.json'));
  const names = subpaths.map((s) => p.manifest.name + s.slice(1));
  const uses = names.map((n, i) => `import * as m${i} from '${n}';\nif (Object.keys(m${i}).length === 0) throw new Error('${n} exports nothing');\n`).join('');
  writeFileSync(join(project, 'main.ts'), uses);
  for (const [module, resolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']] as const)
    tool(`${p.folder}: types under ${resolution}`, bin('tsc'), ['--noEmit', '--strict', '--target', 'es2024', '--lib', p.folder === 'axvisor' ? 'es2024,esnext.disposable,dom' : 'es2024,esnext.disposable', '--types', '', '--module', module, '--moduleResolution', resolution, 'main.ts'], project);
  tool(`${p.folder}: import in Node`, process.execPath, ['main.ts'], project);
  for (const name of Object.keys(p.manifest.bin ?? {}))
    runCommands(`${p.folder}: ${name}`, join(project, 'node_modules/.bin', name), project);
}

/** Tries a command with a cache folder of its own, and once more from the snapshots of the heap that it makes meanwhile. */
function runCommands(what: string, command: string, project: string): void {
  const cache = join(project, 'cache');
  const env = { ...process.env, AXVISOR_CACHE: cache };
  for (const args of COMMANDS) tool(`${what} ${args.join(' ')}`, command, args, project, env);
  const snapshots = join(cache, 'code/snapshots');
  const made = (): string[] => (existsSync(snapshots) ? readdirSync(snapshots).filter((name) => !name.includes('.') && statSync(join(snapshots, name)).size > 0) : []);
  for (let seconds = 0; seconds < SNAPSHOT_SECONDS && made().length < ARCHITECTURES.length; seconds++) execFileSync('sleep', ['1']);
  if (made().length < ARCHITECTURES.length) problems.push(`${what}: snapshots for ${made().join(', ') || 'nothing'} only`);
  for (const args of COMMANDS) tool(`${what} ${args.join(' ')} from a snapshot`, command, args, project, env);
}

const all = published();
const temporary = mkdtempSync(join(tmpdir(), 'axvisor-packs-'));
try {
  const tarballs = new Map(all.map((p) => [p, pack(p, temporary)]));
  for (const [p, tarball] of tarballs) {
    tool(`${p.folder}: publint`, bin('publint'), ['--strict', tarball], p.path);
    tool(`${p.folder}: attw`, bin('attw'), ['--profile', 'esm-only', tarball], p.path);
    installAlone(p, tarballs, temporary);
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
conclude('packs', `${all.length} packages linted and installed alone`, problems);
