/** Rehearses a release in a copy of the workspace: `changeset version`, then a publish dry run of every package. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conclude, published, ROOT } from './workspace.ts';

const problems: string[] = [];
const pending = readdirSync(join(ROOT, '.changeset')).filter((f) => f.endsWith('.md') && f !== 'README.md');
const temporary = mkdtempSync(join(tmpdir(), 'axvisor-release-'));
try {
  const copy = join(temporary, 'workspace');
  const skipped = new Set(['node_modules', '.git', '.turbo', 'coverage']);
  cpSync(ROOT, copy, { recursive: true, filter: (path) => !skipped.has(path.slice(path.lastIndexOf('/') + 1)) });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const run = (command: string, args: readonly string[]): string => execFileSync(command, args, { cwd: copy, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  run('git', ['init', '-q', '-b', 'main']);
  run('git', ['-c', 'user.name=release', '-c', 'user.email=release@localhost', 'commit', '-q', '--allow-empty', '-m', 'start']);
  if (pending.length > 0) run(join(ROOT, 'node_modules/.bin/changeset'), ['version']);
  for (const { folder, manifest } of published()) {
    const after = JSON.parse(readFileSync(join(copy, 'packages', folder, 'package.json'), 'utf8')) as { version: string };
    if (after.version === manifest.version) continue;
    const changelog = join(copy, 'packages', folder, 'CHANGELOG.md');
    if (!existsSync(changelog) || !readFileSync(changelog, 'utf8').includes(`## ${after.version}`)) problems.push(`${folder}: no changelog entry for ${after.version}`);
  }
  run('pnpm', ['-r', 'publish', '--dry-run', '--no-git-checks']);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
conclude('release', `${pending.length} changesets, ${published().length} packages`, problems);
