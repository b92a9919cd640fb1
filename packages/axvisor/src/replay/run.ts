/** The tape of a run: opened for its guests, and compared or closed at its end. */
import { createHash } from 'node:crypto';
import { processorStats } from '@axvisor/axvisor_api/processor';
import type { Vm } from '@axvisor/axvisor_api/vm';
import type { RawRunOptions, VmPlan } from '../commands/run_options.ts';
import type { ConsoleDigests } from '../commands/stats.ts';
import { CliError, ExitStatus, usageError } from '../errors.ts';
import { memoryHash } from '../inspect/memory_hash.ts';
import { Recorder, Replayer, type Tape, type TapeEnd } from './tape.ts';

/** Sectors read at a time. */
const SECTORS = 2048;
const SECTOR = 512;

/** A hash of what the guests are made of: two runs with the same one start the same. Names of files do not matter. */
function guestsHash(plans: readonly VmPlan[]): string {
  const hash = createHash('sha256');
  for (const { config, images } of plans) {
    hash.update(JSON.stringify(config, (key, value: unknown) => (key === 'path' || key === 'name' ? undefined : typeof value === 'bigint' ? `${value}n` : value)));
    for (const image of [images.kernel, images.bios, images.dtb, images.ramdisk]) hash.update(`\n${image?.length ?? -1}\n`).update(image ?? '');
    for (const disk of images.disks ?? []) {
      hash.update(`\n${disk.sectors} ${disk.readOnly}\n`);
      for (let sector = 0; sector < disk.sectors; sector += SECTORS) {
        const piece = new Uint8Array(Math.min(SECTORS, disk.sectors - sector) * SECTOR);
        disk.read(sector, piece);
        hash.update(piece);
      }
    }
  }
  return hash.digest('hex');
}

const instructions = (): number => Number(processorStats().instructions);

/** @throws {CliError} if the recording cannot be written, read, or is of other guests */
export async function openTape({ record, replay }: RawRunOptions, plans: readonly VmPlan[], isTerminal: boolean): Promise<Recorder | Replayer | undefined> {
  if (record === undefined && replay === undefined) return undefined;
  const guests = guestsHash(plans);
  if (record !== undefined) return new Recorder(record, { guests, escapes: isTerminal }, instructions);
  const replayer = await Replayer.open(replay ?? '', instructions);
  if (replayer.header.guests !== guests) throw usageError(`--replay ${replay}: it was recorded with other guests; kernel, command line, memory, vCPUs and the content of disks must be the same as then`);
  return replayer;
}

/** Writes the end of a recording, or compares the end of a replay with it. @throws {CliError} if they differ */
export function finishTape(tape: Tape, vms: readonly Vm[], printed: ConsoleDigests): void {
  const end: TapeEnd = {
    instructions: instructions(),
    console: vms.map((vm) => printed.of(vm.id).console_sha256).join(' '),
    memory: vms.map((vm) => memoryHash(vm.addressSpace)).join(' '),
  };
  if (tape instanceof Recorder) return tape.end(end);
  if (!(tape instanceof Replayer)) return;
  tape.isOver = true;
  for (const { ended } of vms) if (ended?.end === 'failed') return;
  const what = (['instructions', 'console', 'memory'] as const).filter((name) => end[name] !== tape.end[name]);
  if (what.length > 0) throw new CliError(ExitStatus.vmFailed, `the replay ended otherwise than the recording: ${what.map((name) => `${name} ${end[name]}, recorded ${tape.end[name]}`).join('; ')}`);
}
