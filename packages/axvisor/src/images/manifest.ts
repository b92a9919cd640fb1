/** The record that lies beside every stored image: what it was made of, and what its files must be. */

import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File } from './apt.ts';

/** Version of the record; an image with another one is fetched anew. */
export const MANIFEST_FORMAT = 1;

/** Name of the record in the image's folder. */
export const MANIFEST = 'manifest.json';

/** A package an image was made of. The hash is the one of the signed index, and was the .deb's. */
export interface ManifestPackage {
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly size: number;
  readonly sha256: string;
}

/** A file of an image. */
export interface ManifestFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** The record. */
export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT;
  readonly image: string;
  /** The row it was fetched by (fetchedBy). */
  readonly row: string;
  /** When it was fetched, ISO 8601. */
  readonly fetched: string;
  readonly packages: readonly ManifestPackage[];
  readonly files: readonly ManifestFile[];
  /** Version of the kernel its modules are for, with their paths in insertion order. */
  readonly modules?: { readonly release: string; readonly paths: readonly string[] };
  /** How the initramfs was packed (initramfsRecipe). */
  readonly recipe?: string;
}

/** Describes the file `name` in `directory`. */
export async function describeFile(directory: string, name: string): Promise<ManifestFile> {
  const path = join(directory, name);
  return { name, size: (await stat(path)).size, sha256: await sha256File(path) };
}

/** Writes the record into `directory`. */
export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  await writeFile(join(directory, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** Reads the record of `directory`; undefined when there is none that this version understands. */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(directory, MANIFEST), 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const manifest = value as Partial<Manifest>;
    if (manifest.format !== MANIFEST_FORMAT || !Array.isArray(manifest.files) || !Array.isArray(manifest.packages)) return undefined;
    return manifest as Manifest;
  } catch {
    return undefined;
  }
}

/**
 * The first file of an image that is not what the record says; undefined when all are.
 *
 * @param thorough compare the hashes too, not only the sizes
 */
export async function damagedFile(directory: string, manifest: Manifest, thorough: boolean): Promise<string | undefined> {
  const sizes = await Promise.all(manifest.files.map(({ name }) => stat(join(directory, name)).then((info) => info.size, () => undefined)));
  for (const [i, { name, size, sha256 }] of manifest.files.entries()) {
    if (sizes[i] !== size) return name;
    if (thorough && (await sha256File(join(directory, name))) !== sha256) return name;
  }
  return undefined;
}
