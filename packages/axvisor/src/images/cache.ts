/** Where the guest images are kept on this machine. */

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The part of a process's environment that says where the cache is. */
export type CacheEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * The cache folder: `$AXVISOR_CACHE`, else `$XDG_CACHE_HOME/axvisor`, else `~/.cache/axvisor`.
 *
 * A relative `XDG_CACHE_HOME` is passed over, as the XDG Base Directory Specification wants it.
 */
export function cacheDirectory(env: CacheEnvironment = process.env): string {
  const own = env['AXVISOR_CACHE'];
  if (own !== undefined && own !== '') return resolve(own);
  const xdg = env['XDG_CACHE_HOME'];
  if (xdg !== undefined && xdg.startsWith('/')) return join(xdg, 'axvisor');
  return join(homedir(), '.cache', 'axvisor');
}

/** The parts of the cache folder. */
export interface CacheLayout {
  readonly root: string;
  /** One folder an image, put there whole by a rename. */
  readonly images: string;
  /** Half-done work; whatever lies here while nobody holds the lock is rubbish. */
  readonly work: string;
  /** One isolated apt a suite and architecture. Keeps the index and half-fetched packages between runs. */
  readonly apt: string;
  /** Held while anything above is changed. */
  readonly lock: string;
}

/** Names the parts of the cache folder `root`. */
export function cacheLayout(root: string): CacheLayout {
  return { root, images: join(root, 'images'), work: join(root, 'work'), apt: join(root, 'apt'), lock: join(root, 'lock') };
}
