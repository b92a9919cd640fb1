/** `axvisor lockstep`: a guest on two tiers of the processor, or here and in QEMU, compared until they differ. */
import { ExitStatus, usageError } from '../errors.ts';
import { guestCode } from '../guest_code/index.ts';
import { compareWithQemu } from '../lockstep/qemu.ts';
import { report } from '../lockstep/report.ts';
import { search } from '../lockstep/search.ts';
import { threadSide } from '../lockstep/thread_side.ts';
import { planVms, runSettings, type RawRunOptions } from './run_options.ts';

/** As commander gives them. */
export interface RawLockstepOptions extends RawRunOptions {
  readonly against: string;
  readonly interval: string;
  readonly instructions?: string;
}

function count(text: string, what: string): bigint {
  if (!/^[1-9][0-9_]*$/.test(text)) throw usageError(`${what}: '${text}' is not a number of instructions`);
  return BigInt(text.replaceAll('_', ''));
}

const ENGINES = ['interpreter', 'auto', 'translator'];

/** A step in QEMU takes a fraction of a millisecond. */
const QEMU_INSTRUCTIONS = 1000n;

async function againstQemu(files: readonly string[], raw: RawRunOptions, limit: bigint): Promise<ExitStatus> {
  const { arch } = runSettings(raw);
  const code = await guestCode(arch);
  const [plan] = await planVms(files, raw, arch, () => {});
  if (plan === undefined) throw usageError('--against qemu: there is no guest');
  const ours = threadSide('axvisor', files, { ...raw, engine: 'interpreter' });
  try {
    const result = await compareWithQemu(ours, plan, code.qemu, limit);
    process.stdout.write(report(result, code));
    return result.divergence === undefined ? ExitStatus.ok : ExitStatus.vmFailed;
  } finally {
    await ours.close();
  }
}

/** @returns ok if the sides agree, vmFailed if they differ. @throws {CliError} */
export async function lockstep(files: readonly string[], raw: RawLockstepOptions): Promise<ExitStatus> {
  const interval = count(raw.interval, '--interval');
  const limit = raw.instructions === undefined ? undefined : count(raw.instructions, '--instructions');
  if (raw.against === 'qemu') return await againstQemu(files, raw, limit ?? QEMU_INSTRUCTIONS);
  if (!ENGINES.includes(raw.against)) throw usageError(`--against: '${raw.against}' is none of ${ENGINES.join(', ')}, qemu`);
  const side = (engine: string) => threadSide(engine, files, { ...raw, engine });
  const result = await search({
    start: () => [side('interpreter'), side(raw.against)],
    interval,
    limit,
    note: (line) => void process.stderr.write(`axvisor: ${line}\n`),
  });
  process.stdout.write(report(result, await guestCode(runSettings({ ...raw, engine: 'auto' }).arch)));
  return result.divergence === undefined ? ExitStatus.ok : ExitStatus.vmFailed;
}
