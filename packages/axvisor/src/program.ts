/** The command line, as a table for commander: every command, option and help text. What carries a command out is loaded when it is given. */
import { Command, CommanderError, type Option } from 'commander';
import { ARCHITECTURES } from './compose/index.ts';
import type { GenerateOptions } from './commands/config.ts';
import type { RawLockstepOptions } from './commands/lockstep.ts';
import type { RawProfileOptions } from './commands/profile.ts';
import type { RawRunOptions } from './commands/run_options.ts';
import { CliError, ExitStatus } from './errors.ts';
import { guestNames } from './guests.ts';

/** As given, before the architecture is known. */
type WithoutArchitecture<O extends { readonly arch: string }> = Omit<O, 'arch'> & { readonly arch?: string };

const chosen = async <O extends { readonly arch?: string; readonly guest?: string }>(files: readonly string[], options: O): Promise<O & { readonly arch: string }> =>
  (await import('./commands/architecture.ts')).withArchitecture(files, options);

interface ListOptions {
  readonly json?: boolean;
}

interface ImageFetchOptions {
  readonly refresh?: boolean;
}

const SIZES = 'bytes, or with K, M, G: powers of 1024';
const GUESTS = `Without CONFIG, --kernel and --guest the cached Debian image of the architecture is booted, else the embedded guest.`;

const PROGRAM_HELP = `
Examples:
  axvisor run --guest embedded                         a guest that needs no files
  axvisor images fetch debian-riscv64 && axvisor run   Debian
  axvisor run --arch x86_64 --virt svm --fetch         Debian for x86-64 under SVM
  axvisor run --kernel Image --initrd initrd --append 'console=ttyS0' --cpus 4 --disk disk.img,ro

Exit status of all commands: 0 done, 2 usage, configuration, or a file that cannot be had. run, profile and lockstep have more.`;

const RUN_STATUS = `
Exit status: 0 the guest powered off, or with --expect the text appeared; 2 usage or configuration; 3 timeout; 4 the VM failed, or
the guest reported a failure; 5 with --expect, the guest powered off and the text had not appeared.`;

const RUN_HELP = `
${GUESTS}
On a terminal, Ctrl-A x leaves and Ctrl-A h shows the other keys. Elsewhere the console is plain standard input and output.
${RUN_STATUS}`;

const LOCKSTEP_HELP = `
${GUESTS}
Time is virtual, and there is no input. Registers, memory and console are compared.
--against qemu compares pc and general registers after each instruction with QEMU's machine of the architecture (qemu-system-riscv64 and its like),
the first 1000 by default, of a program that takes no interrupts. Reads of counters and timers and what firmware returns, with the
instruction behind the call, count as equal.

Exit status: 0 they agree; 2 usage or configuration; 4 they differ.`;

const PROFILE_HELP = `
${GUESTS}
The guest's output goes to standard output. One thread runs it.
${RUN_STATUS}`;

const CHECK_HELP = `
Exit status: 0 all files are well described; 2 at least one is not.`;

/** What says which guests there are and what they have. */
const guestOptions = (command: Command): Command =>
  command
    .argument('[config...]', 'guest descriptions in TOML')
    .option('--arch <name>', `architecture: ${ARCHITECTURES.join(', ')} (default: the guest's, else riscv64)`)
    .option('--guest <name>', `a guest by its name: ${guestNames().join(', ')}; all but embedded have to be fetched once (axvisor images)`)
    .option('--kernel <file>', 'kernel: Linux Image (gzip too) or bzImage, ELF (PVH and multiboot too), or raw binary with --load-addr')
    .option('--unpack', 'start the kernel that is packed in a bzImage itself, by the PVH protocol')
    .option('--initrd <file>', 'initial RAM disk')
    .option('--append <string>', 'kernel command line')
    .option('--memory <size>', `guest memory: ${SIZES} (default: 256M)`)
    .option('--cpus <n>', 'number of vCPUs (default: 1)')
    .option('--gic <version>', 'aarch64: interrupt controller, 2 or 3 (default: 3)')
    .option('--virt <kind>', 'x86_64: virtualization of the processor, vmx or svm (default: vmx)')
    .option('--load-addr <address>', 'where a raw kernel goes: guest physical address, e.g. 0x80200000')
    .option('--entry <address>', 'where the boot vCPU starts (default: as the kernel says)')
    .option('--dtb <file>', 'device tree, instead of the generated one; x86_64 has none')
    .option('--disk <file>', 'raw disk image as virtio disk, FILE or FILE,ro; repeatable', (file: string, all: readonly string[]) => [...all, file], [] as readonly string[])
    .option('--translation-memory <size>', `memory for translations: ${SIZES}`, '256M')
    .option('--log <level>', 'what the hypervisor says on standard error: error, warn, info, debug, trace', 'warn');

/** What an option does, and its default as it would be written. */
function optionDescription({ description, defaultValue }: Option): string {
  const shown: unknown = defaultValue;
  return typeof shown === 'string' ? `${description} (default: ${shown})` : description;
}

/** The whole command line. @param done - told the exit status. */
export function build(done: (status: ExitStatus) => void, version: string): Command {
  const program = new Command('axvisor')
    .description('A hypervisor composed of npm packages: runs unmodified guest kernels on software processors.')
    .version(version)
    .showHelpAfterError('(--help shows the usage)')
    .configureHelp({ optionDescription })
    .addHelpText('after', PROGRAM_HELP)
    .exitOverride();

  guestOptions(program.command('run').description('boot one or more guests'))
    .option('--fetch', 'fetch the default guest first if it is not in the cache')
    .option('--dump-dtb <file>', 'write the device tree that the guest would get, and exit')
    .option('--clock <kind>', 'real, or virtual: time counts retired instructions, runs are reproducible', 'real')
    .option('--threads <n>', 'threads that run vCPUs: a number, or auto for as many as are useful', 'auto')
    .option('--engine <kind>', 'auto (translate what is hot), interpreter, translator (translate everything)', 'auto')
    .option('--expect <text>', 'end with status 0 when the text appears on a console')
    .option('--timeout <seconds>', 'end with status 3 after this time, e.g. 0.5')
    .option('--stats <file>', 'write statistics as JSON when it ends; README.md has their meaning')
    .option('--record <file>', 'record what makes the run different from others, for --replay')
    .option('--replay <file>', 'run again what was recorded, with the same options, to the same instruction')
    .option('--hash-memory', 'with --stats: a hash of the memory of each guest when it ends')
    .addHelpText('after', RUN_HELP)
    .action(async (files: string[], options: WithoutArchitecture<RawRunOptions>) => done(await (await import('./commands/run.ts')).run(files, await chosen(files, options))));

  guestOptions(program.command('lockstep').description('run guests on two processors side by side, and find the first instruction after which they differ'))
    .option('--against <what>', 'what the interpreter is compared with: auto, translator, interpreter, qemu', 'auto')
    .option('--interval <n>', 'instructions between two comparisons', '20000000')
    .option('--instructions <n>', 'compare so many instructions (default: to the end of the guest)')
    .addHelpText('after', LOCKSTEP_HELP)
    .action(async (files: string[], options: WithoutArchitecture<RawLockstepOptions>) => done(await (await import('./commands/lockstep.ts')).lockstep(files, { ...(await chosen(files, options)), clock: 'virtual', engine: 'auto' })));

  guestOptions(program.command('profile').description('boot guests, and say when they end where they executed'))
    .option('--clock <kind>', 'real, or virtual: time counts retired instructions, profiles are reproducible', 'real')
    .option('--engine <kind>', 'auto, interpreter, translator', 'auto')
    .option('--expect <text>', 'end with status 0 when the text appears on a console')
    .option('--timeout <seconds>', 'end with status 3 after this time, e.g. 0.5')
    .option('--period <n>', 'instructions between two samples', '100003')
    .option('--top <n>', 'regions to show', '10')
    .option('--wasm [n]', 'the WebAssembly that the n hottest of them (default: all) were translated to')
    .option('--symbols <file>', 'names of the kernel: ELF file or System.map')
    .option('--output <file>', 'write the profile there (default: to standard error)')
    .option('--json', 'the profile as JSON')
    .addHelpText('after', PROFILE_HELP)
    .action(async (files: string[], options: WithoutArchitecture<RawProfileOptions>) => done(await (await import('./commands/profile.ts')).profile(files, await chosen(files, options))));

  const images = program.command('images').description('guest images in the cache');
  images.command('list').description('list them, and which are in the cache').option('--json', 'name, architecture, title, state and path of each as JSON').action(async (options: ListOptions) => (await import('./commands/images.ts')).imagesList(options));
  images
    .command('fetch')
    .description('fetch one, or all, through the system package manager, and print their folders')
    .argument('[name]', 'as axvisor images list has it')
    .option('--refresh', 'fetch again for a newer version')
    .action(async (name: string | undefined, options: ImageFetchOptions) => (await import('./commands/images.ts')).imagesFetch(name, options));
  images.command('path').description('print the folder of one').argument('<name>', 'as axvisor images list has it').action(async (name: string) => (await import('./commands/images.ts')).imagesPath(name));

  const config = program.command('config').description('guest descriptions in TOML');
  config
    .command('check')
    .description('check files and report every problem with its line').argument('<file...>', 'guest descriptions in TOML')
    .option('--json', 'file, VM and problems of each as JSON')
    .addHelpText('after', CHECK_HELP)
    .action(async (files: string[], options: ListOptions) => (await import('./commands/config.ts')).configCheck(files, options));
  config
    .command('generate')
    .description('write a description to standard output')
    .requiredOption('--kernel <file>', 'kernel image; the description names it, and need not find it')
    .option('--arch <name>', `architecture: ${ARCHITECTURES.join(', ')} (default: the one the hypervisor is started for)`)
    .option('--gic <version>', 'aarch64: interrupt controller, 2 or 3')
    .option('--virt <kind>', 'x86_64: virtualization of the processor, vmx or svm')
    .option('--load-addr <address>', 'where a raw kernel goes: guest physical address')
    .option('--id <n>', 'VM id', '1')
    .option('--name <name>', 'VM name', 'guest')
    .option('--cpus <n>', 'number of vCPUs', '1')
    .option('--memory <size>', `guest memory: ${SIZES}`, '256M')
    .option('--append <string>', 'kernel command line')
    .action(async (options: GenerateOptions) => (await import('./commands/config.ts')).configGenerate(options));
  config.command('schema').description('print the JSON schema of descriptions').action(async () => (await import('./commands/config.ts')).configSchema());

  program.command('devices').description('list the device models and their options').option('--json', 'as JSON').action(async (options: ListOptions) => (await import('./commands/config.ts')).devices(options));
  return program;
}

/** Runs the command line `args` and returns the exit status; errors are reported on standard error. */
export async function main(args: readonly string[], version: string): Promise<ExitStatus> {
  let status: ExitStatus = ExitStatus.ok;
  try {
    await build((s) => (status = s), version).parseAsync(args, { from: 'user' });
    return status;
  } catch (e) {
    if (e instanceof CommanderError) return e.exitCode === 0 ? ExitStatus.ok : ExitStatus.usage;
    if (!(e instanceof CliError)) throw e;
    process.stderr.write(`axvisor: ${e.message}\n`);
    return e.status;
  }
}
