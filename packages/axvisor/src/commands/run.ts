/** `axvisor run`: creates VMs, connects the terminal, runs them, and says how it ended. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { isAxError } from '@axvisor/axvisor_api/errors';
import { createVm, runVms, type Vm } from '@axvisor/axvisor_api/vm';
import { wake } from '@axvisor/axvisor_api/host';
import { nodeConsole } from '@axvisor/axhost/node';
import { compose } from '../compose/index.ts';
import { composeThreads } from '../threads/compose.ts';
import { expectText } from '../console/expect.ts';
import { ConsoleMultiplexer } from '../console/multiplexer.ts';
import { CliError, ExitStatus, usageError } from '../errors.ts';
import { ConsoleDigests, writeStats } from './stats.ts';
import { planVms, runSettings, type RawRunOptions, type RunSettings, type VmPlan } from './run_options.ts';

/** Host memory beyond guest RAM: page tables, TLBs, decode caches, contexts. */
const OVERHEAD = 192 * 1024 * 1024;
/** A further software processor: decode cache, copies of code. */
const HART = 48 * 1024 * 1024;
/** What the software processors address. */
const MAX_HOST_MEMORY = 0x7fff_0000;
const WASM_PAGE = 65536;

const note = (line: string): void => void process.stderr.write(`axvisor: ${line}\n`);

/** How a run ended. */
type Outcome = { readonly status: ExitStatus; readonly message?: string };

/** @returns the exit status. @throws {CliError} */
export async function run(files: readonly string[], raw: RawRunOptions): Promise<ExitStatus> {
  const settings = runSettings(raw);
  using console = nodeConsole();
  const plans = await planVms(files, raw, settings.arch, note);
  const { arch, clock, logLevel, engine, translationBytes } = settings;
  const processor = { engine, translationBytes };
  const guestCpus = threadsFor(plans, settings);
  await using threads = new AsyncDisposableStack();
  if (guestCpus === 1) await compose(arch, { memory: hostMemory(plans), clock, console, logLevel }, { processor });
  else threads.use(await composeThreads(arch, { memory: hostMemory(plans, guestCpus), guestCpus, console, logLevel, processor }));
  const start = performance.now();
  let outcome: Outcome | undefined;
  const matcher = settings.expect === undefined ? undefined : expectText(settings.expect);
  const printed = new ConsoleDigests();
  const multiplexer = new ConsoleMultiplexer({
    escapes: console.isTerminal,
    prefix: plans.length > 1,
    onOutput: (vm, bytes) => {
      printed.add(vm, bytes);
      if (matcher?.(bytes) === true) outcome ??= { status: ExitStatus.ok };
    },
    onQuit: () => void (outcome ??= { status: ExitStatus.ok }),
  });
  const vms = createVms(plans, multiplexer);
  if (settings.dumpDtb !== undefined) return dumpDtb(vms, settings.dumpDtb);

  const timer =
    settings.timeout === undefined
      ? undefined
      : setTimeout(() => {
          outcome ??= { status: ExitStatus.timeout, message: `timeout after ${settings.timeout} s` };
          wake();
        }, 1000 * settings.timeout);
  try {
    for (const vm of vms) vm.boot();
    await runVms(() => {
      multiplexer.pump();
      return outcome !== undefined;
    });
    multiplexer.flush();
  } finally {
    clearTimeout(timer);
  }
  outcome ??= outcomeOf(vms, settings);
  if (settings.stats !== undefined) {
    const seconds = (performance.now() - start) / 1000;
    await writeStats(settings.stats, { vms, seconds, status: outcome.status, printed, hashMemory: settings.hashMemory });
  }
  for (const vm of vms) await vm[Symbol.asyncDispose]();
  if (outcome.message !== undefined) throw new CliError(outcome.status, outcome.message);
  return outcome.status;
}

/** How many threads run guests. */
function threadsFor(plans: readonly VmPlan[], { threads, clock }: RunSettings): number {
  if (threads !== 'auto') return threads;
  const vcpus = plans.reduce((sum, { config }) => sum + config.cpuNum, 0);
  return clock === 'virtual' ? 1 : Math.min(vcpus, availableParallelism());
}

/** Physical memory for `plans`, with `harts` more software processors. Only touched pages cost anything. @throws {CliError} */
function hostMemory(plans: readonly VmPlan[], harts = 0): number {
  const guests = plans.flatMap((p) => p.config.memoryRegions).reduce((sum, r) => sum + Number(r.size), 0);
  // A processor's translation tables grow with the memory it addresses.
  const hart = HART + 2 ** Math.ceil(Math.log2(guests + OVERHEAD + harts * 2 * HART)) / 32;
  const rounded = Math.ceil((guests + OVERHEAD + harts * hart) / WASM_PAGE) * WASM_PAGE;
  if (rounded > MAX_HOST_MEMORY) throw usageError(`guest memory: ${Math.ceil(guests / (1 << 20))}M wanted, at most ${Math.floor((MAX_HOST_MEMORY - OVERHEAD) / (1 << 20))}M in all`);
  return rounded;
}

function createVms(plans: readonly VmPlan[], multiplexer: ConsoleMultiplexer): Vm[] {
  return plans.map(({ config, images }) => {
    try {
      return createVm(config, images, multiplexer.attach(config.id));
    } catch (e) {
      if (isAxError(e)) throw usageError(`VM ${config.id} (${config.name}): ${e.message}`, e);
      throw e;
    }
  });
}

async function dumpDtb(vms: readonly Vm[], file: string): Promise<ExitStatus> {
  const dtb = vms[0]?.dtb;
  if (dtb === undefined) throw usageError('this VM has no device tree');
  await writeFile(file, dtb);
  return ExitStatus.ok;
}

function outcomeOf(vms: readonly Vm[], { expect }: RunSettings): Outcome {
  for (const { id, ended } of vms) {
    if (ended?.end === 'failed') return { status: ExitStatus.vmFailed, message: `VM ${id} failed: ${ended.message}` };
    if (ended?.end === 'poweroff' && ended.code !== 0) return { status: ExitStatus.vmFailed, message: `VM ${id}: the guest reported failure ${ended.code}` };
  }
  if (expect !== undefined) return { status: ExitStatus.vmFailed, message: `the guest powered off and '${expect}' had not appeared` };
  return { status: ExitStatus.ok };
}
