/** `axvisor config` and `axvisor devices`: guest descriptions and device models. */
import { readFile } from 'node:fs/promises';
import { generateVmConfig, vmConfigSchema } from '@axvisor/axvisor_api/config';
import { deviceModels } from '@axvisor/axvisor_api/device';
import { createVmConfig, MAX_CPUS } from '@axvisor/axvmconfig';
import { ARCHITECTURES, compose } from '../compose/index.ts';
import { usageError } from '../errors.ts';
import { parseAddress, parseCount, parseSize } from '../numbers.ts';
import { DEFAULT_ARCHITECTURE } from '../default_architecture.ts';
import { gicVersion, oneOf, readConfig, virtualization } from './run_options.ts';

/** These commands run no guest: the smallest host will do. */
const HOST = { memory: 64 * 1024 * 1024 };

/** @throws {CliError} with every problem of all files */
export async function configCheck(files: readonly string[], { json = false }: { readonly json?: boolean } = {}): Promise<void> {
  const checked = await Promise.all(files.map(checkedFile));
  if (json) process.stdout.write(`${JSON.stringify(checked, null, 2)}\n`);
  else for (const { file, vm } of checked) if (vm !== null) process.stdout.write(`${file}: VM ${vm.id} (${vm.name}) is well described\n`);
  const problems = checked.flatMap((c) => c.problems);
  if (problems.length > 0) throw usageError(problems.join('\n'));
}

/** What `--json` says of a file. */
interface Checked {
  readonly file: string;
  readonly vm: { readonly id: number; readonly name: string } | null;
  /** A line each. */
  readonly problems: readonly string[];
}

async function checkedFile(file: string): Promise<Checked> {
  try {
    const { id, name } = readConfig(await readFile(file, 'utf8'), file);
    return { file, vm: { id, name }, problems: [] };
  } catch (e) {
    return { file, vm: null, problems: (e instanceof Error ? e.message : String(e)).split('\n') };
  }
}

export interface GenerateOptions {
  readonly arch?: string;
  readonly gic?: string;
  readonly virt?: string;
  readonly kernel: string;
  readonly loadAddr?: string;
  readonly id: string;
  readonly name: string;
  readonly cpus: string;
  readonly memory: string;
  readonly append?: string;
}

export async function configGenerate(options: GenerateOptions): Promise<void> {
  const arch = options.arch === undefined ? undefined : oneOf(options.arch, ARCHITECTURES, '--arch');
  await compose(arch ?? DEFAULT_ARCHITECTURE, HOST);
  const config = createVmConfig({
    ...(arch === undefined ? {} : { arch }),
    ...gicVersion(options, arch ?? DEFAULT_ARCHITECTURE),
    ...(options.virt === undefined ? {} : { virtualization: virtualization(options.virt, arch ?? DEFAULT_ARCHITECTURE) }),
    id: parseCount(options.id, '--id', 1, 0x7fff_ffff),
    name: options.name,
    cpuNum: parseCount(options.cpus, '--cpus', 1, MAX_CPUS),
    memory: parseSize(options.memory, '--memory'),
    kernel: { path: options.kernel, ...(options.loadAddr === undefined ? {} : { loadAddr: parseAddress(options.loadAddr, '--load-addr') }) },
    ...(options.append === undefined ? {} : { cmdline: options.append }),
  });
  process.stdout.write(generateVmConfig(config));
}

export async function configSchema(): Promise<void> {
  await compose(DEFAULT_ARCHITECTURE, HOST);
  process.stdout.write(`${JSON.stringify(vmConfigSchema(), null, 2)}\n`);
}

export async function devices(options: { readonly json?: boolean }): Promise<void> {
  await compose(DEFAULT_ARCHITECTURE, HOST);
  const models = deviceModels();
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(models.map((m) => ({ ...m, size: Number(m.size) })), null, 2)}\n`);
    return;
  }
  const width = Math.max(...models.map((m) => m.model.length));
  for (const { model, summary, options: known } of models) {
    process.stdout.write(`${model.padEnd(width)}  ${summary}\n`);
    for (const o of known) process.stdout.write(`${' '.repeat(width)}    ${o.name}: ${o.summary}\n`);
  }
}
