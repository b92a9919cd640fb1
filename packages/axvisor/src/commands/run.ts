/** `axvisor run`: creates VMs, connects the terminal, runs them, and says how it ended. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { hasHardwareSupport } from '@axvisor/axvisor_api/vcpu';
import { runVms, type Vm } from '@axvisor/axvisor_api/vm';
import { wake } from '@axvisor/axvisor_api/host';
import { usableThreads } from '@axvisor/axhost';
import { nodeConsole } from '@axvisor/axhost/node';
import { saveCompiled } from '../compile_cache.ts';
import { compose, processorBytes } from '../compose/index.ts';
import { expectText } from '../console/expect.ts';
import { ConsoleMultiplexer } from '../console/multiplexer.ts';
import { CliError, ExitStatus, usageError } from '../errors.ts';
import { interpreterStore } from '../kept/interpreters.ts';
import { keepSnapshot } from '../snapshot/keep.ts';
import { createVms, hostMemory } from './machine.ts';
import { intendVms, processorOptions, readImages, runSettings, type RawRunOptions, type RunSettings, type VmPlan } from './run_options.ts';

const note = (line: string): void => void process.stderr.write(`axvisor: ${line}\n`);

/** How a run ended. */
type Outcome = { readonly status: ExitStatus; readonly message?: string };

/** @param before - called when the VMs are there and have not run. @returns the exit status. @throws {CliError} */
export async function run(files: readonly string[], raw: RawRunOptions, before?: () => void): Promise<ExitStatus> {
  const settings = runSettings(raw);
  using console = nodeConsole();
  const { arch, clock, logLevel } = settings;
  await using threads = new AsyncDisposableStack();
  const intents = await intendVms(files, raw, arch, note);
  const replay = settings.taped ? { ...(await import('../replay/run.ts')), ...(await import('../replay/host.ts')) } : undefined;
  const tape = await replay?.openTape(raw, await readImages(intents), console.isTerminal);
  const processor = processorOptions(settings, intents);
  const guestCpus = usableThreads(threadsFor(intents, settings));
  // It loads what it needs while this thread does.
  const compiler = compilesElsewhere(settings) ? threads.use(new (await import('../threads/compiler.ts')).CompilerThread(arch, guestCpus)) : undefined;
  if (guestCpus === 1) {
    const own = { ...processor, ...interpreterStore(), ...(compiler === undefined ? {} : { compiler: compiler.connect(0) }) };
    await compose(arch, { memory: hostMemory(intents), clock, console, logLevel }, own, replay === undefined || tape === undefined ? {} : { wrapHost: replay.tapedHost(tape) });
  } else threads.use(await (await import('../threads/compose.ts')).composeThreads(arch, { memory: hostMemory(intents, guestCpus, processorBytes(arch)), guestCpus, console, logLevel, processor, compiler }));
  // It is made while files are read.
  hasHardwareSupport();
  const plans = await readImages(intents);
  // Before anything could end the process.
  saveCompiled();
  keepSnapshot(arch);
  const start = performance.now();
  let outcome: Outcome | undefined;
  const matcher = settings.expect === undefined ? undefined : expectText(settings.expect);
  const stats = settings.stats === undefined && tape === undefined ? undefined : await import('./stats.ts');
  const printed = stats === undefined ? undefined : new stats.ConsoleDigests();
  const multiplexer = new ConsoleMultiplexer({
    escapes: tape?.header.escapes ?? console.isTerminal,
    prefix: plans.length > 1,
    onOutput: (vm, bytes) => {
      printed?.add(vm, bytes);
      if (matcher?.(bytes) === true) outcome ??= { status: ExitStatus.ok };
    },
    onQuit: () => void (outcome ??= { status: ExitStatus.ok }),
    onPowerButton: (id) => vms.find((vm) => vm.id === id)?.pressPowerButton?.() === true,
  });
  const vms = createVms(plans, multiplexer);
  if (settings.dumpDtb !== undefined) return dumpDtb(vms, settings.dumpDtb);

  const late = { status: ExitStatus.timeout, message: `timeout after ${settings.timeout} s` };
  let isLate = false;
  const timer =
    settings.timeout === undefined || tape?.replays === true
      ? undefined
      : setTimeout(() => {
          isLate = true;
          wake();
        }, 1000 * settings.timeout);
  const told = (): number | undefined => (isLate ? ExitStatus.timeout : undefined);
  let started = 0;
  try {
    before?.();
    for (const vm of vms) vm.boot();
    started = performance.now() / 1000;
    await runVms(() => {
      multiplexer.pump();
      if (outcome === undefined && (tape === undefined ? told() : tape.quit(told)) !== undefined) outcome = late;
      return outcome !== undefined;
    });
    multiplexer.flush();
  } finally {
    clearTimeout(timer);
  }
  outcome ??= outcomeOf(vms, settings);
  if (replay !== undefined && tape !== undefined && printed !== undefined) replay.finishTape(tape, vms, printed);
  if (settings.stats !== undefined && stats !== undefined && printed !== undefined) {
    const seconds = (performance.now() - start) / 1000;
    await stats.writeStats(settings.stats, { vms, started, seconds, status: outcome.status, printed, hashMemory: settings.hashMemory });
  }
  for (const vm of vms) {
    try {
      await vm[Symbol.asyncDispose]();
    } catch (e) {
      outcome = { status: ExitStatus.vmFailed, message: `VM ${vm.id}: ${e instanceof Error ? e.message : String(e)}` };
    }
  }
  if (outcome.message !== undefined) throw new CliError(outcome.status, outcome.message);
  return outcome.status;
}

/** How many threads run guests. */
function threadsFor(plans: readonly Pick<VmPlan, 'config'>[], { threads, clock, taped }: RunSettings): number {
  if (threads !== 'auto') return threads;
  const vcpus = plans.reduce((sum, { config }) => sum + config.cpuNum, 0);
  return clock === 'virtual' || taped ? 1 : Math.min(vcpus, availableParallelism());
}

/** Whether translations are compiled on a thread of their own, one for all guest CPUs: where it does not keep the only one waiting, and nothing has to be the same from run to run. */
function compilesElsewhere({ clock, dumpDtb, engine, taped }: RunSettings): boolean {
  return engine === 'auto' && clock === 'real' && !taped && dumpDtb === undefined && availableParallelism() > 1;
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
  // The guest did nothing wrong, and still a script must not take this for what it waits for.
  if (expect !== undefined) return { status: ExitStatus.unexpected, message: `the guest powered off and '${expect}' had not appeared` };
  return { status: ExitStatus.ok };
}
