/** The architecture of a run where `--arch` does not say it: the one that the guest is for. */
import { readFile } from 'node:fs/promises';
import { DEFAULT_ARCHITECTURE } from '../default_architecture.ts';
import { guestArchitecture } from '../guests.ts';
import { readConfig } from './run_options.ts';

/** What of a command line decides it. */
interface Named {
  readonly arch?: string;
  readonly guest?: string;
}

/** The options with an architecture: as chosen, of the named guest, of the first description that names one, or the default one. */
export async function withArchitecture<O extends Named>(files: readonly string[], options: O): Promise<O & { readonly arch: string }> {
  const { arch, guest } = options;
  return { ...options, arch: arch ?? (guest === undefined ? await ofDescriptions(files) : guestArchitecture(guest)) ?? DEFAULT_ARCHITECTURE };
}

async function ofDescriptions(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    try {
      const { arch } = readConfig(await readFile(file, 'utf8'), file);
      if (arch !== undefined) return arch;
    } catch {
      // What is wrong with it is said when it is used.
    }
  }
  return undefined;
}
