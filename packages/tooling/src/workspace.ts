/** What the checks know of the workspace: its packages, their manifests and source files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT: string = join(import.meta.dirname, '../../..');

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly type?: string;
  readonly license?: string;
  readonly sideEffects?: unknown;
  readonly bin?: Readonly<Record<string, string>>;
  readonly engines?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export interface WorkspacePackage {
  /** Folder below packages. */
  readonly folder: string;
  readonly path: string;
  readonly manifest: Manifest;
  /** TypeScript files below src, relative to the root. */
  readonly sources: readonly string[];
}

export function packages(): WorkspacePackage[] {
  return readdirSync(join(ROOT, 'packages'))
    .filter((folder) => existsSync(join(ROOT, 'packages', folder, 'package.json')))
    .map((folder) => {
      const path = join(ROOT, 'packages', folder);
      const src = join(path, 'src');
      const sources = existsSync(src)
        ? readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts')).map((f) => `packages/${folder}/src/${f}`)
        : [];
      return { folder, path, manifest: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest, sources };
    });
}

export const published = (): WorkspacePackage[] => packages().filter((p) => p.manifest.private !== true);

/** Reports problems and ends the program with a failure if there are any. */
export function conclude(check: string, looked: string, problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${check}: ${problem}\n`);
  process.stdout.write(`${check}: ${looked}, ${problems.length} problems\n`);
  if (problems.length > 0) process.exit(1);
}
