/** Files of the regions that are kept, and what processors read of them: the marks of the places where they begin. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import { checksum } from '../checksum.ts';
import { keepingOf } from './sources.ts';
import type { Keeping } from './sources.ts';

/** Regions of one kind of processor. */
export interface RegionFiles {
  /** All that their code depends on beside what they are made of. */
  readonly name: string;
  /** Files of the last regions, and of those before, without endings. Others may have the same: by their names, regions are told apart. */
  readonly young: string;
  readonly old: string;
}

/** @param key - of the processor's layout. */
export function regionFiles({ folder, sources }: Keeping, arch: Architecture, key: string): RegionFiles {
  const name = `${sources} ${arch} ${key}`;
  const young = join(folder, (checksum(Buffer.from(name)) >>> 0).toString(16));
  return { name, young, old: `${young}.old` };
}

export const regionsIn = (file: string): string => `${file}.regions`;
export const marksIn = (file: string): string => `${file}.marks`;

function read(path: string): Int32Array {
  try {
    const file = openSync(path, 'r');
    try {
      const marks = new Int32Array(Math.floor(fstatSync(file).size / 4));
      return marks.subarray(0, Math.floor(readSync(file, marks, 0, marks.byteLength, 0) / 4));
    } finally {
      closeSync(file);
    }
  } catch {
    return new Int32Array();
  }
}

/** Marks of all entries in the files, the last ones last. Nothing is said of files that cannot be read: it only costs time. */
export function readMarks({ old, young }: RegionFiles): Int32Array {
  const before = read(marksIn(old));
  const marks = read(marksIn(young));
  const all = new Int32Array(before.length + marks.length);
  all.set(before);
  all.set(marks, before.length);
  return all;
}

/** What a processor of an architecture is told of what is kept, by the key of its layout; undefined: nothing is. */
export function keptMarks(arch: Architecture): ((key: string) => Int32Array) | undefined {
  const keeping = keepingOf('regions');
  return keeping === undefined ? undefined : (key) => readMarks(regionFiles(keeping, arch, key));
}
