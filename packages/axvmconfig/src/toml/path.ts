/** Where a value is in a TOML document. */

/** Keys and array indexes, from the outside. */
export type Path = readonly (string | number)[];

const BARE = /^[A-Za-z0-9_-]+$/;

/** A path as people write it: `kernel.memory_regions[1].size`. */
export function pathText(path: Path): string {
  return path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${BARE.test(step) ? step : JSON.stringify(step)}`))
    .join('');
}
