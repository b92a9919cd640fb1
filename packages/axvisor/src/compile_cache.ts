/**
 * Node's compile cache, in the cache folder: whoever starts the hypervisor again finds its modules compiled, and sources without
 * their types. `NODE_DISABLE_COMPILE_CACHE=1` switches it off, `NODE_COMPILE_CACHE` puts it elsewhere.
 */
import { enableCompileCache, flushCompileCache, getCompileCacheDir } from 'node:module';
import { dirname, join } from 'node:path';
import { cacheDirectory } from './images/cache.ts';

/** From here on this thread's modules come from the cache, as far as they are there. To be called before they are imported. */
export function useCompileCache(): void {
  enableCompileCache(join(cacheDirectory(), 'code'));
}

/** The folder that holds it, whatever versions and options of Node have there; undefined where it is switched off. */
export function codeDirectory(): string | undefined {
  const own = getCompileCacheDir();
  return own === undefined ? undefined : dirname(own);
}

/** Saves what was compiled so far; without this it is saved when the process ends by itself. */
export function saveCompiled(): void {
  flushCompileCache();
}
