/** `axvisor images`: what guests there are, fetching them, where they lie. */
import { usageError } from '../errors.ts';
import { fetchImage, findImage, ImageError, images, listImages, openImage } from '../images/index.ts';
import { fetchProgress } from './progress.ts';

/** Errors of the store are mistakes or circumstances of the user's: one line. */
async function reporting<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (e) {
    if (e instanceof ImageError) throw usageError(e.message, e);
    throw e;
  }
}

export async function imagesList(options: { readonly json?: boolean }): Promise<void> {
  const rows = await reporting(() => listImages());
  if (options.json === true) {
    const json = rows.map(({ spec, state, image }) => ({ name: spec.name, architecture: spec.architecture, title: spec.title, state, path: image?.directory ?? null }));
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    return;
  }
  const width = Math.max(...rows.map((r) => r.spec.name.length));
  for (const { spec, state } of rows) process.stdout.write(`${spec.name.padEnd(width)}  ${spec.architecture.padEnd(8)} ${state.padEnd(8)} ${spec.title}\n`);
}

export async function imagesFetch(name: string | undefined, options: { readonly refresh?: boolean }): Promise<void> {
  const names = name === undefined ? images.filter((i) => i.source.kind !== 'embedded').map((i) => i.name) : [findNamed(name)];
  for (const n of names) {
    const image = await reporting(() => fetchImage(n, { progress: fetchProgress(), refresh: options.refresh }));
    process.stdout.write(`${image.directory}\n`);
  }
}

export async function imagesPath(name: string): Promise<void> {
  const image = await reporting(() => openImage(findNamed(name)));
  process.stdout.write(`${image.directory}\n`);
}

/** @throws {CliError} for a name that is not in the table */
function findNamed(name: string): string {
  try {
    return findImage(name).name;
  } catch (e) {
    throw e instanceof ImageError ? usageError(e.message, e) : e;
  }
}
