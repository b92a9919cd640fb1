/** The suites `boot`, `linux` and `smp`: Debian's kernel with our initramfs, and jobs that busybox and esbuild do in it. */

import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ImageError, openImage, packInitramfs, type InitramfsFile, type StoredImage } from '@axvisor/axvisor/images';
import { axvisorCommand, qemuCommand, toolchains, type GuestFiles } from '../contenders.ts';
import type { Contest, Job, SuiteOptions } from '../contest.ts';
import { BenchError } from '../process.ts';
import { randomLines, typescriptSource } from './data.ts';

/** In MiB. */
const BOOT_MEMORY = 256;
const JOB_MEMORY = 512;
/** vCPUs of the suite `smp`. */
const SMP_CPUS = [1, 2, 4] as const;

/** What the shell of the guest does for each job; its output, hashed, is the result. `$SCALE` says how many times over. */
const JOBS: Readonly<Record<string, string>> = {
  sha256sum: 'for i in $(seq $((8 * SCALE))); do sha256sum data; done',
  gzip: 'for i in $(seq $SCALE); do gzip -c < data | gzip -dc | sha256sum; done',
  sort: 'for i in $(seq $SCALE); do sort data | sha256sum; done',
  esbuild: 'for i in $(seq $SCALE); do ./esbuild --bundle --format=esm --minify source.ts 2>/dev/null | sha256sum; done',
  // With a path in its name the shell starts a process even for what it has built in.
  'fork+exec': 'i=0; while [ $i -lt $((300 * SCALE)) ]; do /bin/busybox true; i=$((i + 1)); done; echo $i',
  'pipe ping-pong':
    'mkfifo a b; (exec 3<a 4>b; while read -r x <&3; do echo $x >&4; done) & exec 3>a 4<b; i=0; while [ $i -lt $((3000 * SCALE)) ]; do echo $i >&3; read -r y <&4; i=$((i + 1)); done; echo $y; exec 3>&- 4<&-; wait',
  syscalls: 'dd if=/dev/zero of=/dev/null bs=1 count=$((300000 * SCALE)) 2>/dev/null; echo $?',
};

/** Four processes of equal work, some seconds of it: what is measured are busy vCPUs, and not how soon their code is translated. */
const PARALLEL = 'for i in 1 2 3 4; do (for j in $(seq $((48 * SCALE))); do sha256sum data; done) & done; wait';

async function debian({ arch }: SuiteOptions): Promise<StoredImage> {
  const { bootImage } = toolchains[arch];
  if (bootImage === undefined) throw new BenchError(`there is no Debian to measure with for ${arch}`);
  try {
    const image = await openImage(bootImage);
    if (image !== undefined) return image;
  } catch (error) {
    if (error instanceof ImageError) throw new BenchError(error.message, { cause: error });
    throw error;
  }
  throw new BenchError(`${bootImage} is not in the cache: axvisor images fetch ${bootImage}`);
}

function contest(jobs: readonly Job[], guest: GuestFiles, options: SuiteOptions): Contest {
  const { arch, withQemu } = options;
  return { jobs, us: axvisorCommand(arch, guest, options), qemu: withQemu ? qemuCommand(arch, guest) : undefined };
}

/** From starting the contender to the shell's prompt. */
export async function bootContests(options: SuiteOptions): Promise<Contest[]> {
  const image = await debian(options);
  const guest: GuestFiles = { kernel: image.kernel, initrd: image.initramfs, append: image.append, memory: BOOT_MEMORY };
  const marker = image.spec.boot?.marker ?? '';
  const to = new RegExp(marker.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return [contest([{ name: image.spec.name, span: { to } }], guest, options)];
}

/** esbuild for the guest, if it is installed. */
async function esbuild({ arch }: SuiteOptions): Promise<Uint8Array | undefined> {
  try {
    const axvisor = createRequire(import.meta.url).resolve('@axvisor/axvisor/package.json');
    return await readFile(createRequire(axvisor).resolve(`${toolchains[arch].esbuild}/bin/esbuild`));
  } catch {
    return undefined;
  }
}

/** The guest with a script that does `jobs`, each between a line `begin` and a line with its checksum. */
async function guestWith(jobs: readonly (readonly [name: string, command: string])[], more: readonly InitramfsFile[], options: SuiteOptions, cpus?: number): Promise<{ readonly jobs: Job[]; readonly guest: GuestFiles }> {
  const image = await debian(options);
  if (image.initramfs === undefined) throw new BenchError(`${image.spec.name} has no initramfs`);
  const script = [
    `cd /root; SCALE=${options.scale}`,
    ...jobs.flatMap(([, command], i) => [`echo begin ${i}`, `sum=$({ ${command}; } | sha256sum)`, `echo checksum ${i} \${sum%% *}`]),
    // The terminal is hung up when its session ends, and what is still on its way is lost; setting it waits for that.
    'stty opost </dev/console',
    '',
  ].join('\n');
  const files: InitramfsFile[] = [{ path: 'root/jobs', data: script }, { path: 'root/data', data: randomLines(1 << 21) }, ...more];
  const initrd = join(options.folder, `jobs-${cpus ?? 1}-${jobs.length}`);
  await writeFile(initrd, await packInitramfs({ base: image.initramfs, files }));
  return {
    jobs: jobs.map(([name], i) => ({ name, span: { from: new RegExp(`^begin ${i}\\r?$`, 'm'), to: new RegExp(`^checksum ${i} ([0-9a-f]{64})\\r?$`, 'm') } })),
    guest: { kernel: image.kernel, initrd, append: `${image.append ?? ''} axvisor.run="sh /root/jobs"`, memory: JOB_MEMORY, cpus },
  };
}

export async function linuxContests(options: SuiteOptions): Promise<Contest[]> {
  const program = await esbuild(options);
  if (program === undefined) options.note?.(`${toolchains[options.arch].esbuild} is not installed: no bundle`);
  const jobs = Object.entries(JOBS).filter(([name]) => name !== 'esbuild' || program !== undefined);
  const more: InitramfsFile[] = program === undefined ? [] : [{ path: 'root/esbuild', data: program, mode: 0o755 }, { path: 'root/source.ts', data: typescriptSource(3000) }];
  const work = await guestWith(jobs, more, options);
  const [boot] = await bootContests(options);
  return [{ ...(boot as Contest), jobs: (boot as Contest).jobs.map((job) => ({ ...job, name: 'boot to shell' })) }, contest(work.jobs, work.guest, options)];
}

export async function smpContests(options: SuiteOptions): Promise<Contest[]> {
  const contests: Contest[] = [];
  for (const cpus of SMP_CPUS) {
    const { jobs, guest } = await guestWith([[`4 processes, ${cpus} vCPU`, PARALLEL], ['the same once more', PARALLEL]], [], options, cpus);
    contests.push(contest(jobs, { ...guest, threads: true }, options));
  }
  return contests;
}
