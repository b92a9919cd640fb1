/** Checks who depends on whom: the resolved import graph, the manifests, and what components and READMEs say they require and provide. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { conclude, packages, published, ROOT, type WorkspacePackage } from './workspace.ts';

interface Dependency {
  readonly resolved: string;
  readonly dependencyTypes: readonly string[];
}
interface Graph {
  readonly modules: readonly { readonly source: string; readonly dependencies: readonly Dependency[] }[];
  readonly summary: { readonly violations: readonly { readonly from: string; readonly to: string; readonly rule: { readonly name: string } }[] };
}

/** npm packages that a package may use, where any. */
const NPM: Readonly<Record<string, readonly string[]>> = { axvmconfig: ['smol-toml'], axvisor: ['commander'] };

const API = 'packages/axvisor_api/src/';
/** Modules of axvisor_api that are not API modules. */
const REGISTRY = /^packages\/axvisor_api\/src\/(index\.ts|registry\/)/;

const problems: string[] = [];

function graph(): Graph {
  const bin = join(ROOT, 'node_modules/.bin/depcruise');
  const config = join(ROOT, 'packages/tooling/depcruise.cjs');
  const args = ['--config', config, '--output-type', 'json', ...packages().filter((p) => p.sources.length > 0).map((p) => `packages/${p.folder}/src`)];
  try {
    return JSON.parse(execFileSync(bin, args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28 })) as Graph;
  } catch (e) {
    // It exits with the number of violations; they are in its output all the same.
    const { stdout } = e as { readonly stdout?: string };
    if (stdout === undefined || stdout === '') throw e;
    return JSON.parse(stdout) as Graph;
  }
}

function checkManifest({ folder, manifest }: WorkspacePackage): void {
  const allowed = (name: string): boolean => {
    if (folder === 'axvisor') return name.startsWith('@axvisor/') || (NPM[folder]?.includes(name) ?? false);
    if (name === '@axvisor/axvisor_api') return folder !== 'axvisor_api';
    if (name === '@axvisor/softcpu') return folder.startsWith('softcpu_');
    return NPM[folder]?.includes(name) ?? false;
  };
  for (const name of Object.keys(manifest.dependencies ?? {})) if (!allowed(name)) problems.push(`${folder}/package.json: dependency ${name} is not allowed`);
  const wanted: readonly (readonly [string, unknown, unknown])[] = [
    ['name', manifest.name, `@axvisor/${folder}`],
    ['type', manifest.type, 'module'],
    ['license', manifest.license, 'Apache-2.0'],
    ['engines.node', manifest.engines?.['node'], '>=24'],
  ];
  for (const [key, is, should] of wanted) if (is !== should) problems.push(`${folder}/package.json: ${key} is ${String(is)}, not ${String(should)}`);
  if (manifest.sideEffects === undefined) problems.push(`${folder}/package.json: sideEffects is not declared`);
}

/** What this script looks at of a component. */
interface LinkedComponent {
  readonly requires: readonly { readonly id: readonly [string, string] }[];
  provides(): readonly { readonly api: { readonly id: readonly [string, string]; readonly providers: readonly string[] } }[];
}

/** A component's `requires` names exactly the API modules whose functions its package calls; each API that it provides names it as a provider; READMEs name them. */
async function checkRequires(p: WorkspacePackage, calls: ReadonlySet<string>): Promise<boolean> {
  if (p.folder === 'axvisor' || p.folder === 'axvisor_api' || p.folder === 'softcpu') return false;
  const { component } = (await import(join(p.path, 'src/index.ts'))) as { readonly component?: LinkedComponent };
  if (component === undefined) {
    problems.push(`${p.folder}: exports no component`);
    return false;
  }
  const modules = new Map<string, string>();
  for (const file of calls) {
    const module = (await import(join(ROOT, file))) as Readonly<Record<string, unknown>>;
    for (const value of Object.values(module))
      if (typeof value === 'object' && value !== null && 'functionNames' in value && 'id' in value) modules.set((value as { id: readonly [string, string] }).id[1], file);
  }
  const required = new Set(component.requires.map((r) => r.id[1]));
  for (const name of required) if (!modules.has(name)) problems.push(`${p.folder}: its component requires '${name}', which it never imports`);
  for (const { api } of component.provides()) {
    if (!api.providers.includes(p.manifest.name)) problems.push(`${p.folder}: provides '${api.id[1]}', whose providers are ${api.providers.join(', ')}`);
    for (const folder of [p.folder, 'axvisor_api']) checkReadme(folder, api.id[1]);
  }
  for (const name of required) checkReadme('axvisor_api', name);
  return true;
}

/** The README of a package speaks of an API. */
function checkReadme(folder: string, name: string): void {
  if (!readFileSync(join(ROOT, `packages/${folder}/README.md`), 'utf8').includes(`\`${name}\``)) problems.push(`packages/${folder}/README.md does not name the API '${name}'`);
}

const { modules, summary } = graph();
for (const { from, to, rule } of summary.violations) problems.push(`${rule.name}: ${from} -> ${to}`);

const expected = packages().flatMap((p) => p.sources);
const seen = new Set(modules.map((m) => m.source));
for (const file of expected) if (!seen.has(file)) problems.push(`${file} was not looked at`);

let components = 0;
for (const p of published()) {
  checkManifest(p);
  const calls = new Set<string>();
  for (const m of modules) {
    if (!m.source.startsWith(`packages/${p.folder}/src/`)) continue;
    for (const d of m.dependencies) if (d.resolved.startsWith(API) && !REGISTRY.test(d.resolved) && !d.dependencyTypes.includes('type-only')) calls.add(d.resolved);
  }
  if (await checkRequires(p, calls)) components++;
}
conclude('boundaries', `${expected.length} modules, ${published().length} manifests, ${components} components`, problems);
