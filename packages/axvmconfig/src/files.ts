/** The files that a description names, and whether they are there. */
import type { VmConfig } from '@axvisor/axvisor_api/config';
import { locate } from './toml/locate.ts';
import type { Path } from './toml/path.ts';
import { Problems } from './toml/problems.ts';

/** A file that a description names. */
export interface ConfigFile {
  /** Where it is named. */
  readonly key: Path;
  readonly path: string;
}

/** The files of a description that was read from `toml` (for the places of disks) or made in code. */
export function configFiles(config: VmConfig, toml?: string): ConfigFile[] {
  const { kernel, bios, dtb, ramdisk, disks } = config;
  // `disk_path` of the original notation is the first disk.
  const named = toml === undefined ? disks.length : [...locate(toml).keys()].filter((key) => /^disks\[\d+\]$/.test(key)).length;
  const shift = disks.length - named;
  return [
    ...Object.entries({ kernel, bios, dtb, ramdisk }).flatMap(([key, image]) => (image === undefined ? [] : [{ key: ['kernel', `${key}_path`], path: image.path }])),
    ...disks.map(({ path }, i) => ({ key: i < shift ? ['kernel', 'disk_path'] : ['disks', i - shift, 'path'], path })),
  ];
}

/**
 * Checks that the files of a description exist.
 *
 * @param exists - whether there is a file; paths are as written, and relative ones are the caller's to resolve
 * @param source - the text the description was read from and its name, for file and line in the messages
 * @returns a message `file:line: key: what` for each missing file
 */
export function checkFiles(config: VmConfig, exists: (path: string) => boolean, source?: { readonly toml: string; readonly file: string }): string[] {
  const problems = new Problems(source?.file ?? config.name, source === undefined ? new Map() : locate(source.toml));
  for (const { key, path } of configFiles(config, source?.toml)) if (!exists(path)) problems.add(key, `there is no file ${JSON.stringify(path)}`);
  return problems.messages();
}
