/**
 * The program that makes a snapshot: `PROGRAM FILE CLI`, the program whose heap it is, where it goes, and the command that is started from it.
 * It lets everybody else go first. A snapshot that Node does not start from is replaced with an empty file, so that nobody tries again.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { dirname } from 'node:path';
import { SNAPSHOT, START_OPTIONS } from '../restart.ts';
import { pruneSnapshots } from './place.ts';

const [program = '', file = '', cli = ''] = process.argv.slice(2);
const draft = `${file}.${process.pid}`;
const exitStatus = (...args: readonly string[]): number | null => spawnSync(process.execPath, args, { stdio: 'ignore' }).status;

setPriority(constants.priority.PRIORITY_LOW);
mkdirSync(dirname(file), { recursive: true });
// A warning would be printed by what must not be part of it: Node's streams have handles that threads cannot have again.
const made = exitStatus('--no-warnings', SNAPSHOT, draft, '--build-snapshot', program);
const status = made === 0 ? exitStatus(...START_OPTIONS, SNAPSHOT, draft, cli, '--version') : made;
// Killed, or the command was just being replaced: somebody else may try again.
const isChance = status === null || !existsSync(program) || !existsSync(cli);
if (isChance) rmSync(draft, { force: true });
else {
  if (status !== 0) writeFileSync(draft, '');
  renameSync(draft, file);
  pruneSnapshots(dirname(file));
}
