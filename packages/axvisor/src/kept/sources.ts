/**
 * Where generated code is kept from one run to the next: in the cache folder beside Node's compile cache, and switched off and moved with it. Only a
 * bundled command keeps any: of sources, nobody knows whether they are as they were.
 */
import { join } from 'node:path';
import { codeDirectory } from '../compile_cache.ts';

/** Put there by the bundler: a hash of the sources of what generates code. */
declare const AXVISOR_SOURCES: string | undefined;

export interface Keeping {
  readonly folder: string;
  /** A hash of the sources of what generates the code that is kept there. */
  readonly sources: string;
}

/** Where one kind of code is kept, if it is. To be called behind `useCompileCache`. */
export function keepingOf(kind: string): Keeping | undefined {
  const folder = codeDirectory();
  return folder === undefined || typeof AXVISOR_SOURCES === 'undefined' ? undefined : { folder: join(folder, kind), sources: AXVISOR_SOURCES };
}
