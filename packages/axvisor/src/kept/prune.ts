/** Folders of files that are made again when they are missed. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Takes out the files of a folder that were changed last the longest ago, beyond so many. */
export function keepNewest(folder: string, most: number): void {
  const files = readdirSync(folder).map((name) => join(folder, name));
  if (files.length <= most) return;
  const age = new Map(files.map((file) => [file, statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0]));
  for (const file of files.toSorted((a, b) => (age.get(b) ?? 0) - (age.get(a) ?? 0)).slice(most)) rmSync(file, { force: true });
}
