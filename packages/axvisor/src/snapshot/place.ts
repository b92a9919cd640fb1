/**
 * Snapshots of the heap with the command loaded, one for each architecture: a process that is started from one need not load and evaluate its
 * modules. They are kept in the cache folder beside Node's compile cache, and switched off and moved with it. Only a bundled command has any:
 * of sources, nobody knows whether they are as they were.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { checksum } from '../checksum.ts';
import { codeDirectory } from '../compile_cache.ts';
import { keepNewest } from '../kept/prune.ts';

/** Put there by the bundler: a hash of the programs whose heaps become snapshots. */
declare const AXVISOR_SNAPSHOTS: string | undefined;

/** Snapshots in the folder: some 12 MB each. */
const MAX_FILES = 6;

/** The file with the snapshot for `arch`, whether it is there or not; undefined where none is kept. It is of this Node, and of this command: those that are started over for it have other options. */
export function snapshotFile(arch: string): string | undefined {
  const folder = codeDirectory();
  if (folder === undefined || typeof AXVISOR_SNAPSHOTS === 'undefined') return undefined;
  const { mtimeMs, size } = statSync(process.execPath);
  const of = `${process.version} ${process.execPath} ${mtimeMs} ${size} ${import.meta.url}`;
  return join(folder, 'snapshots', `${arch}-${AXVISOR_SNAPSHOTS}-${(checksum(Buffer.from(of)) >>> 0).toString(16)}`);
}

/** Whether `file` holds a snapshot. One of which is known that Node cannot start from it is empty. */
export const isSnapshot = (file: string): boolean => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;

/** Takes out the oldest files beyond {@link MAX_FILES}. */
export const pruneSnapshots = (folder: string): void => keepNewest(folder, MAX_FILES);
