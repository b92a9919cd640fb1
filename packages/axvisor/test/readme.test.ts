/** The programs that READMEs show are checked as a user's would be; what they leave to the reader is declared here. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
/** In a package that has all others, so that they are found. */
const FOLDER = join(ROOT, `packages/axvisor/node_modules/.readme-${process.pid}`);

const VCPU = `
declare const dtb: import('@axvisor/axvisor_api/addr').GuestPhysAddr;
declare const entry: import('@axvisor/axvisor_api/addr').GuestPhysAddr;
declare const addressSpace: import('@axvisor/axvisor_api/addrspace').AddrSpace;
declare const vmid: number;
`;
/** What a README speaks of without showing it. */
const GIVEN: Readonly<Record<string, string>> = {
  arm_vcpu: `${VCPU}declare const gic: Required<import('@axvisor/axvisor_api/intc').InterruptController>;`,
  axdevice: "declare const context: import('@axvisor/axvisor_api/device').DeviceContext;",
  axvcpu: VCPU,
  axvm: `
declare const config: import('@axvisor/axvisor_api/config').VmConfig;
declare const kernel: Uint8Array;
declare const ramdisk: Uint8Array;
declare const consolePort: import('@axvisor/axvisor_api/device').ConsolePort;
`,
  riscv_vcpu: VCPU,
  softcpu_riscv: 'declare const elf: Uint8Array;',
};

/** A program as the compiler gets it: without lines that end in an ellipsis, and with errors expected where the text says that there is one. */
const completed = (name: string, program: string): string =>
  `${GIVEN[name] ?? ''}\n${program
    .split('\n')
    .filter((line) => !/… \*\//.test(line))
    .map((line) => (/\/\/ type error/.test(line) ? `// @ts-expect-error\n${line}` : line))
    .join('\n')}\nexport {};\n`;

const OPTIONS = {
  extends: join(ROOT, 'tsconfig.base.json'),
  compilerOptions: {
    composite: false, noEmit: true, isolatedDeclarations: false, declaration: false, declarationMap: false, allowImportingTsExtensions: true, types: ['node'], noUnusedLocals: false,
  },
  include: ['*.ts'],
  exclude: [],
};

afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

test('the programs in READMEs compile', () => {
  const packages = readdirSync(join(ROOT, 'packages'));
  const programs = [['workspace', 'README.md'], ...packages.map((name) => [name, `packages/${name}/README.md`])].flatMap(([name = '', path = '']) =>
    Array.from(readFileSync(join(ROOT, path), 'utf8').matchAll(/^```ts\n(.*?)^```/gms), ([, program = ''], i) => [`${name}_${i}.ts`, completed(name, program)] as const),
  );
  expect(programs.length).toBeGreaterThan(15);
  mkdirSync(FOLDER);
  for (const [file, program] of programs) writeFileSync(join(FOLDER, file), program);
  writeFileSync(join(FOLDER, 'tsconfig.json'), JSON.stringify(OPTIONS));
  let errors = '';
  try {
    execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', FOLDER], { cwd: ROOT, encoding: 'utf8' });
  } catch (e) {
    errors = (e as { stdout?: string }).stdout ?? String(e);
  }
  expect(errors).toBe('');
});

test('the README of every package says how to get it, shows a program, and leads to the others', () => {
  for (const name of readdirSync(join(ROOT, 'packages'))) {
    const { private: isPrivate } = JSON.parse(readFileSync(join(ROOT, `packages/${name}/package.json`), 'utf8')) as { readonly private?: boolean };
    if (isPrivate === true) continue;
    const text = readFileSync(join(ROOT, `packages/${name}/README.md`), 'utf8');
    expect(text, name).toMatch(new RegExp(`^npm install .*@axvisor/${name}\\b`, 'm'));
    expect(text, name).toMatch(/^```ts$/m);
    expect(text, name).toContain('(../../README.md)');
  }
});
