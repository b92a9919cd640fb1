/** Sees to it that the next process can be started from a snapshot. */
import childProcess from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { usesSnapshots } from '../restart.ts';
import { heldCommand } from './held.ts';
import { snapshotFile } from './place.ts';

/** Beside this module, once it is bundled. */
const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Has the snapshot for `arch` made by a process of its own, which outlives this one, if there is none. */
export function keepSnapshot(arch: string): void {
  if (heldCommand() !== undefined || !usesSnapshots()) return;
  const file = snapshotFile(arch);
  const [, cli] = process.argv;
  if (file === undefined || cli === undefined || existsSync(file)) return;
  childProcess.spawn(process.execPath, [beside('snapshot_maker.js'), beside(`snapshot_${arch}.cjs`), file, cli], { detached: true, stdio: 'ignore' }).unref();
}
