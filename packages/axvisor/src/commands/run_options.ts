/** The options of `axvisor run`, checked, and the VMs they describe. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { withLinked } from '@axvisor/axvisor_api';
import { parseVmConfig, type VmConfig } from '@axvisor/axvisor_api/config';
import type { BlockBackend } from '@axvisor/axvisor_api/device';
import { isAxError } from '@axvisor/axvisor_api/errors';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { VmImages } from '@axvisor/axvisor_api/vm';
import { component as axerrno } from '@axvisor/axerrno';
import { checkFiles, component as axvmconfig, createVmConfig, MAX_CPUS } from '@axvisor/axvmconfig';
import { ARCHITECTURES, gicVersions, virtualizations, type GicVersion } from '../compose/index.ts';
import type { ProcessorOptions, Virtualization } from '../compose/options.ts';
import { openDisk } from '../disk/file_disk.ts';
import { usageError } from '../errors.ts';
import { readWhole } from '../files.ts';
import { defaultGuest, findGuest, guestNames, type Guest } from '../guests.ts';
import { parseAddress, parseCount, parseSeconds, parseSize } from '../numbers.ts';
import { fetchProgress } from './progress.ts';

/** As commander gives them. */
export interface RawRunOptions {
  readonly arch: string;
  readonly guest?: string;
  readonly fetch?: boolean;
  readonly kernel?: string;
  readonly unpack?: boolean;
  readonly initrd?: string;
  readonly append?: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly gic?: string;
  readonly virt?: string;
  readonly loadAddr?: string;
  readonly entry?: string;
  readonly dtb?: string;
  readonly dumpDtb?: string;
  readonly disk: readonly string[];
  readonly clock: string;
  readonly threads?: string;
  readonly engine: string;
  readonly translationMemory: string;
  readonly expect?: string;
  readonly timeout?: string;
  readonly stats?: string;
  readonly hashMemory?: boolean;
  readonly record?: string;
  readonly replay?: string;
  readonly log: string;
}

/** Options that hold for the whole run. */
export interface RunSettings {
  readonly arch: Architecture;
  readonly engine: 'auto' | 'interpreter' | 'translator';
  readonly translationBytes: number;
  /** x86-64: which virtualization the processor has. */
  readonly virt: Virtualization | undefined;
  readonly clock: 'real' | 'virtual';
  /** Threads that run guests; 1: this one does; `auto`: as many as are useful where results may differ from run to run, else 1. */
  readonly threads: number | 'auto';
  /** Recorded or replayed. */
  readonly taped: boolean;
  readonly expect: string | undefined;
  readonly timeout: number | undefined;
  readonly stats: string | undefined;
  readonly hashMemory: boolean;
  readonly dumpDtb: string | undefined;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug' | 'trace';
}

/** A VM to be created. */
export interface VmPlan {
  readonly config: VmConfig;
  readonly images: VmImages;
}

/** A VM whose files are still being read. */
export interface VmIntent {
  readonly config: VmConfig;
  readonly images: Promise<VmImages>;
}

const DEFAULT_MEMORY = '256M';
const MAX_THREADS = 64;
const LOG_LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const;
const MIN_MEMORY = 1n << 20n;

/** @throws {CliError} for a value that is not allowed */
export function oneOf<T extends string>(value: string, allowed: readonly T[], what: string): T {
  const found = allowed.find((a) => a === value);
  if (found === undefined) throw usageError(`${what}: '${value}' is none of ${allowed.join(', ')}`);
  return found;
}

/** Recording and replaying exclude each other, and need a clock that differs from run to run. @throws {CliError} */
function checkTape(raw: RawRunOptions): void {
  const option = raw.record !== undefined ? '--record' : '--replay';
  if (raw.record === undefined && raw.replay === undefined) return;
  if (raw.record !== undefined && raw.replay !== undefined) throw usageError('--record and --replay exclude each other');
  if (raw.clock !== 'real') throw usageError(`${option}: under a virtual clock all runs without input are the same; there is nothing to record`);
}

/** @throws {CliError} for a kind that processors of `arch` cannot have */
export function virtualization(kind: string, arch: Architecture): Virtualization {
  const allowed = virtualizations(arch);
  if (allowed.length === 0) throw usageError(`--virt: processors of ${arch} have no choice`);
  return oneOf(kind, allowed, '--virt');
}

/** @throws {CliError} */
export function runSettings(raw: RawRunOptions): RunSettings {
  checkTape(raw);
  const threads = raw.threads === undefined || raw.threads === 'auto' ? 'auto' : parseCount(raw.threads, '--threads', 1, MAX_THREADS);
  const taped = raw.record !== undefined || raw.replay !== undefined;
  if (threads !== 'auto' && threads > 1) {
    if (raw.clock === 'virtual') throw usageError('--threads: a virtual clock counts the instructions of one thread; leave one of --clock and --threads out');
    if (taped) throw usageError('--threads: only runs on one thread can be recorded and replayed');
  }
  if (raw.hashMemory === true && raw.stats === undefined) throw usageError('--hash-memory: the hash is written to the file of --stats; name one');
  const arch = oneOf(raw.arch, ARCHITECTURES, '--arch');
  return {
    arch,
    virt: raw.virt === undefined ? undefined : virtualization(raw.virt, arch),
    engine: oneOf(raw.engine, ['auto', 'interpreter', 'translator'], '--engine'),
    translationBytes: Number(parseSize(raw.translationMemory, '--translation-memory')),
    clock: oneOf(raw.clock, ['real', 'virtual'], '--clock'),
    threads,
    taped,
    expect: raw.expect,
    timeout: raw.timeout === undefined ? undefined : parseSeconds(raw.timeout, '--timeout'),
    stats: raw.stats,
    hashMemory: raw.hashMemory ?? false,
    dumpDtb: raw.dumpDtb,
    logLevel: oneOf(raw.log, LOG_LEVELS, '--log'),
  };
}

/** What of the settings is the processor's; guests have a say in its virtualization where the command line has not. @throws {CliError} if they want what there is not */
export function processorOptions({ arch, engine, translationBytes, virt: chosen }: RunSettings, plans: readonly Pick<VmPlan, 'config'>[]): ProcessorOptions {
  const wanted = new Set(plans.flatMap(({ config }) => config.virtualization ?? []));
  const virt = chosen ?? [...wanted][0];
  if (chosen === undefined && wanted.size > 1) throw usageError(`configurations want different virtualization: ${[...wanted].join(', ')}; all guests of a run have the same, choose by --virt`);
  if (virt !== undefined && !virtualizations(arch).includes(virt)) throw usageError(`a configuration wants ${virt}; processors of ${arch} have no choice`);
  return { engine, translationBytes, ...(virt === undefined ? {} : { virt }) };
}

/** @throws {CliError} naming the file */
async function readInput(path: string, what: string): Promise<Uint8Array> {
  try {
    return await readWhole(path);
  } catch (e) {
    throw usageError(`${what} ${path}: ${e instanceof Error ? e.message : String(e)}`, e);
  }
}

/** A kernel file; gzip is undone, as boot loaders do. */
async function readKernel(path: string): Promise<Uint8Array> {
  const bytes = await readInput(path, 'kernel');
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return (await import('node:zlib')).gunzipSync(bytes);
  } catch (e) {
    throw usageError(`kernel ${path}: damaged gzip data`, e);
  }
}

/** What `--unpack` makes of a kernel. */
async function unpacked(kernel: Uint8Array | undefined, raw: RawRunOptions, name: string): Promise<Uint8Array | undefined> {
  return raw.unpack === true && kernel !== undefined ? (await import('../unpack/vmlinux.ts')).vmlinuxOf(kernel, `--unpack: kernel ${name}`) : kernel;
}

/** @throws {CliError} for an architecture without a GIC */
export function gicVersion(raw: { readonly gic?: string }, arch: Architecture): Pick<VmConfig, 'gicVersion'> {
  if (raw.gic === undefined) return {};
  const allowed = gicVersions(arch);
  if (allowed.length === 0) throw usageError(`--gic: guests of ${arch} have no GIC`);
  return { gicVersion: Number(oneOf(raw.gic, allowed.map(String), '--gic')) as GicVersion };
}

/** `FILE` or `FILE,ro`. */
function openDisks(specs: readonly string[], base: string, note: (line: string) => void): BlockBackend[] {
  const opened: BlockBackend[] = [];
  try {
    for (const spec of specs) {
      const readOnly = spec.endsWith(',ro');
      opened.push(openDisk(resolve(base, readOnly ? spec.slice(0, -3) : spec), readOnly, note));
    }
  } catch (e) {
    for (const disk of opened) disk.close();
    throw e;
  }
  return opened;
}

/** Told a line for the user. */
export type Note = (line: string) => void;

/** Begins to read the files of a VM. Whoever waits for them is told what is wrong with them. */
function intent(config: VmConfig, read: () => Promise<VmImages>): VmIntent {
  const images = read();
  images.catch(() => {});
  return { config, images };
}

/** The one VM that the options describe. */
async function intendFromOptions(raw: RawRunOptions, arch: Architecture, note: Note): Promise<VmIntent> {
  let guest: Guest | undefined;
  if (raw.guest !== undefined) guest = await findGuest(raw.guest, arch);
  else if (raw.kernel === undefined) guest = await defaultGuest(arch, note, raw.fetch === true ? { progress: fetchProgress() } : undefined);
  const size = parseSize(raw.memory ?? DEFAULT_MEMORY, '--memory');
  if (size < MIN_MEMORY || size % 4096n !== 0n) throw usageError(`--memory: ${size} bytes; it is a multiple of 4096 of at least 1M`);
  if (guest?.minMemory !== undefined && size < guest.minMemory) throw usageError(`--memory: ${guest.name} needs at least ${guest.minMemory >> 20n}M`);
  const loadAddr = raw.loadAddr === undefined ? guest?.loadAddr : parseAddress(raw.loadAddr, '--load-addr');
  const append = raw.append ?? guest?.append;
  const config = createVmConfig({
    name: guest?.name ?? raw.kernel ?? 'guest',
    arch,
    cpuNum: parseCount(raw.cpus ?? '1', '--cpus', 1, MAX_CPUS),
    kernel: { path: raw.kernel ?? guest?.name ?? '', ...(loadAddr === undefined ? {} : { loadAddr }) },
    ...(raw.entry === undefined ? {} : { entryPoint: parseAddress(raw.entry, '--entry') }),
    ...(raw.dtb === undefined ? {} : { dtb: { path: raw.dtb } }),
    ...(guest?.dtbAddr === undefined || raw.dtb !== undefined ? {} : { dtbLoadAddr: guest.dtbAddr }),
    ...gicVersion(raw, arch),
    ...(raw.initrd === undefined && guest?.initrd === undefined ? {} : { ramdisk: { path: raw.initrd ?? '' } }),
    ...(append === undefined ? {} : { cmdline: append }),
    memory: size,
  });
  return intent(config, async () => {
    const [packed, ramdisk, dtb] = await Promise.all([
      raw.kernel === undefined ? guest?.kernel() : readKernel(raw.kernel),
      raw.initrd === undefined ? guest?.initrd?.() : readInput(raw.initrd, 'initrd'),
      raw.dtb === undefined ? undefined : readInput(raw.dtb, 'device tree'),
    ]);
    const kernel = await unpacked(packed, raw, raw.kernel ?? guest?.name ?? '');
    return {
      ...(kernel === undefined ? {} : { kernel }),
      ...(ramdisk === undefined ? {} : { ramdisk }),
      ...(dtb === undefined ? {} : { dtb }),
      disks: openDisks(raw.disk, '.', note),
    };
  });
}

/** The VM that a file describes; options on the command line win. */
async function intendFromFile(file: string, raw: RawRunOptions, arch: Architecture, note: Note): Promise<VmIntent> {
  if (guestNames().includes(file) && !existsSync(file)) throw usageError(`there is no configuration ${file}; the guest of this name is --guest ${file}`);
  const text = new TextDecoder().decode(await readInput(file, 'configuration'));
  const config = readConfig(text, file, arch);
  const base = dirname(file);
  if (config.arch !== undefined && config.arch !== arch) throw usageError(`${file}: a guest for ${config.arch}; --arch is ${arch}`);
  const missing = checkFiles(config, (path) => existsSync(resolve(base, path)), { toml: text, file });
  if (missing.length > 0) throw usageError(missing.join('\n'));
  const optional = async (path: string | undefined, what: string): Promise<Uint8Array | undefined> => (path === undefined ? undefined : readInput(resolve(base, path), `${file}: ${what}`));
  const kernelPath = raw.kernel ?? (config.kernel === undefined ? undefined : resolve(base, config.kernel.path));
  const described: VmConfig = {
    ...config,
    ...(raw.append === undefined ? {} : { cmdline: raw.append }),
    ...(raw.cpus === undefined ? {} : { cpuNum: parseCount(raw.cpus, '--cpus', 1, MAX_CPUS) }),
    ...gicVersion(raw, arch),
  };
  return intent(described, async () => {
    const [packed, bios, dtb, ramdisk] = await Promise.all([
      kernelPath === undefined ? undefined : readKernel(kernelPath),
      optional(config.bios?.path, 'bios'),
      raw.dtb === undefined ? optional(config.dtb?.path, 'dtb') : readInput(raw.dtb, 'device tree'),
      raw.initrd === undefined ? optional(config.ramdisk?.path, 'ramdisk') : readInput(raw.initrd, 'initrd'),
    ]);
    const kernel = kernelPath === undefined ? undefined : await unpacked(packed, raw, kernelPath);
    return {
      ...(kernel === undefined ? {} : { kernel }),
      ...(bios === undefined ? {} : { bios }),
      ...(dtb === undefined ? {} : { dtb }),
      ...(ramdisk === undefined ? {} : { ramdisk }),
      disks: [...openDisks(config.disks.map((d) => (d.readOnly ? `${d.path},ro` : d.path)), base, note), ...openDisks(raw.disk, '.', note)],
    };
  });
}

/** Reads a description; needs no linked hypervisor. @param arch - what the hypervisor is started for, if it is. @throws {CliError} with every problem of the file */
export function readConfig(text: string, file: string, arch?: Architecture): VmConfig {
  try {
    return withLinked([axerrno, axvmconfig], () => parseVmConfig(text, file, arch));
  } catch (e) {
    if (isAxError(e)) throw usageError(e.message, e);
    throw e;
  }
}

/** The VMs to run, while their files are read. @throws {CliError} */
export async function intendVms(files: readonly string[], raw: RawRunOptions, arch: Architecture, note: Note): Promise<VmIntent[]> {
  if (files.length === 0) return [await intendFromOptions(raw, arch, note)];
  const intents: VmIntent[] = [];
  for (const file of files) intents.push(await intendFromFile(file, raw, arch, note));
  const ids = intents.map(({ config }) => config.id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) throw usageError(`two configurations have the id ${twice}: ${files.filter((_, i) => ids[i] === twice).join(' and ')}`);
  return intents;
}

/** Waits for the files. @throws {CliError} for one that cannot be read */
export const readImages = (intents: readonly VmIntent[]): Promise<VmPlan[]> => Promise.all(intents.map(async ({ config, images }) => ({ config, images: await images })));

/** The VMs to run. @throws {CliError} */
export async function planVms(files: readonly string[], raw: RawRunOptions, arch: Architecture, note: Note): Promise<VmPlan[]> {
  return readImages(await intendVms(files, raw, arch, note));
}
