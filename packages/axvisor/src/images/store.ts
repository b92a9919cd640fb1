/** The store of guest images: lists, fetches and opens them. What is in the cache is whole, for an image's folder appears by a rename. */

import { randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { IsolatedApt, type PackageRecord } from './apt.ts';
import { cacheDirectory, cacheLayout, type CacheLayout } from './cache.ts';
import { ImageError } from './error.ts';
import { buildInitramfs, initramfsRecipe } from './initramfs.ts';
import { withLock } from './lock.ts';
import { damagedFile, describeFile, MANIFEST_FORMAT, readManifest, writeManifest, type Manifest, type ManifestFile } from './manifest.ts';
import { collectModules, readModuleInfo, type Module } from './modules.ts';
import { run } from './process.ts';
import { fetchedBy, images, INITRAMFS, type ImageSource, type ImageSpec, type PackageFile } from './table.ts';

/** What a fetch is doing. */
export interface FetchProgress {
  readonly image: string;
  /** `wait`: another process is fetching. `index`: of the packages. `unpack` and `pack`: local work. */
  readonly phase: 'wait' | 'index' | 'download' | 'unpack' | 'pack' | 'done';
  /** What is worked on: a package, a file, or the folder when done. */
  readonly detail: string;
  /** From 0 to 1, where that is known. */
  readonly fraction?: number;
}

/** Where the store is. */
export interface StoreOptions {
  /** The cache folder, in place of {@link cacheDirectory}. */
  readonly cache?: string | undefined;
}

/** How an image is fetched. */
export interface FetchOptions extends StoreOptions {
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((event: FetchProgress) => void) | undefined;
  /** Fetch it again though it is there, for a newer version. The old one stays until the new one is whole. */
  readonly refresh?: boolean | undefined;
  /** Debian mirror, in place of `$AXVISOR_DEBIAN_MIRROR` and of those of the machine's apt. */
  readonly mirror?: string | undefined;
  /** Keyring that must have signed the index, in place of Debian's own. */
  readonly keyring?: string | undefined;
}

/** An image in the cache. */
export interface StoredImage {
  readonly spec: ImageSpec;
  readonly directory: string;
  /** Path of the kernel or firmware. */
  readonly kernel: string;
  /** Path of the initramfs, when the image has one. */
  readonly initramfs: string | undefined;
  /** The kernel's command line, when it takes one. */
  readonly append: string | undefined;
  readonly manifest: Manifest;
}

/** One line of the list of images. */
export interface ImageStatus {
  readonly spec: ImageSpec;
  readonly state: 'ready' | 'missing' | 'built-in';
  readonly image: StoredImage | undefined;
}

type DebianSource = Extract<ImageSource, { kind: 'debian' }>;

/**
 * The row of the image `name`.
 *
 * @throws {ImageError} unknown-image
 */
export function findImage(name: string): ImageSpec {
  const spec = images.find((image) => image.name === name);
  if (spec === undefined) throw new ImageError('unknown-image', `there is no image ${name}; there are ${images.map((image) => image.name).join(', ')}`);
  return spec;
}

function layoutOf(options: StoreOptions): CacheLayout {
  return cacheLayout(options.cache ?? cacheDirectory());
}

async function readModules(directory: string, manifest: Manifest): Promise<readonly Module[]> {
  const modules: Module[] = [];
  for (const path of manifest.modules?.paths ?? []) {
    const data = await readFile(join(directory, 'modules', path));
    modules.push({ path, data, info: readModuleInfo(data, path) });
  }
  return modules;
}

/** Packs the initramfs out of the parts in `directory`. The archive is put in place before the record that describes it. */
async function packInto(directory: string, spec: ImageSpec, manifest: Manifest): Promise<Manifest> {
  if (spec.initramfs === undefined) return manifest;
  const busybox = await readFile(join(directory, spec.initramfs.busybox));
  const archive = buildInitramfs({ busybox, release: manifest.modules?.release, modules: await readModules(directory, manifest) });
  const draft = join(directory, `${INITRAMFS}.${randomUUID()}`);
  await writeFile(draft, archive);
  await rename(draft, join(directory, INITRAMFS));
  const files = [...manifest.files.filter((file) => file.name !== INITRAMFS), await describeFile(directory, INITRAMFS)];
  return { ...manifest, files, recipe: initramfsRecipe() };
}

/** Opens an image that is whole, or says that there is none. One whose initramfs an older axvisor packed gets it packed anew, without the network. */
async function open(spec: ImageSpec, layout: CacheLayout): Promise<StoredImage | undefined> {
  const directory = join(layout.images, spec.name);
  let manifest = await readManifest(directory);
  if (manifest === undefined || spec.boot === undefined || manifest.row !== fetchedBy(spec) || (await damagedFile(directory, manifest, false)) !== undefined) return undefined;
  if (spec.initramfs !== undefined && manifest.recipe !== initramfsRecipe()) {
    manifest = await packInto(directory, spec, manifest);
    await writeManifest(directory, manifest);
  }
  return {
    spec,
    directory,
    kernel: join(directory, spec.boot.kernel),
    initramfs: spec.initramfs === undefined ? undefined : join(directory, INITRAMFS),
    append: spec.boot.append,
    manifest,
  };
}

/** All images with their state. */
export async function listImages(options: StoreOptions = {}): Promise<ImageStatus[]> {
  const layout = layoutOf(options);
  return await Promise.all(
    images.map(async (spec): Promise<ImageStatus> => {
      if (spec.source.kind === 'embedded') return { spec, state: 'built-in', image: undefined };
      const image = await open(spec, layout);
      return { spec, state: image === undefined ? 'missing' : 'ready', image };
    }),
  );
}

/**
 * The image `name` out of the cache, without the network.
 *
 * @throws {ImageError} unknown-image, built-in, or not-fetched
 */
export async function openImage(name: string, options: StoreOptions = {}): Promise<StoredImage> {
  const spec = findImage(name);
  if (spec.source.kind === 'embedded') throw new ImageError('built-in', `the image ${name} is part of axvisor and has no folder`);
  const image = await open(spec, layoutOf(options));
  if (image === undefined) throw new ImageError('not-fetched', `the image ${name} is not in the cache: run axvisor images fetch ${name}`);
  return image;
}

/**
 * Compares every file of a stored image with the hashes of its record.
 *
 * @returns the name of the first that differs, undefined when all are as they were fetched
 */
export async function verifyImage(name: string, options: StoreOptions = {}): Promise<string | undefined> {
  const { directory, manifest } = await openImage(name, options);
  return await damagedFile(directory, manifest, true);
}

/** Finds the one path that fits a pattern of {@link PackageFile}. */
async function resolvePattern(root: string, pattern: string): Promise<string | undefined> {
  let path = root;
  for (const segment of pattern.split('/')) {
    const expression = new RegExp(`^${segment.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('[^/]*')}$`);
    const name = (await readdir(path).catch(() => [])).toSorted().find((entry) => expression.test(entry));
    if (name === undefined) return undefined;
    path = join(path, name);
  }
  return path;
}

/** Takes files out of an unpacked package, into the image's folder. */
async function takeFiles(unpacked: string, files: readonly PackageFile[], into: string, owner: string): Promise<void> {
  for (const file of files) {
    const found = await resolvePattern(unpacked, file.from);
    if (found === undefined) throw new ImageError('no-file', `the package ${owner} has no file ${file.from}`);
    await cp(found, join(into, file.as));
  }
}

/** Takes kernel modules out of an unpacked package, decompressed, into `modules` of the image's folder. */
async function takeModules(apt: IsolatedApt, unpacked: string, wanted: readonly string[], into: string, scratch: string): Promise<NonNullable<Manifest['modules']>> {
  const root = (await resolvePattern(unpacked, 'usr/lib/modules/*')) ?? (await resolvePattern(unpacked, 'lib/modules/*'));
  if (root === undefined) throw new ImageError('no-file', 'the kernel package has no modules');
  const release = root.slice(root.lastIndexOf('/') + 1);
  const paths = (await readdir(root, { recursive: true })).filter((path) => /\.ko(\.\w+)?$/.test(path)).toSorted();
  let number = 0;
  const modules = await collectModules(paths, wanted, async (path) => {
    if (path.endsWith('.ko')) return await readFile(join(root, path));
    const outputFile = join(scratch, `module-${number++}.ko`);
    await apt.decompress(join(root, path), outputFile);
    return await readFile(outputFile);
  });
  for (const module of modules) {
    const path = join(into, 'modules', module.path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, module.data);
  }
  return { release, paths: modules.map((module) => module.path) };
}

/** Makes an image's folder below `work`. */
async function build(spec: ImageSpec, source: DebianSource, layout: CacheLayout, work: string, options: FetchOptions): Promise<string> {
  const { signal } = options;
  const report = (phase: FetchProgress['phase'], detail: string, fraction?: number): void =>
    options.progress?.({ image: spec.name, phase, detail, ...(fraction === undefined ? {} : { fraction }) });
  const into = join(work, 'image');
  await mkdir(into);
  const apt = await IsolatedApt.open({
    directory: join(layout.apt, `${source.suite}-${source.architecture}`),
    suite: source.suite,
    architecture: source.architecture,
    mirror: options.mirror ?? (process.env['AXVISOR_DEBIAN_MIRROR'] || undefined),
    keyring: options.keyring,
    signal,
  });
  const indexName = `Debian ${source.suite} ${source.architecture}`;
  report('index', indexName, 0);
  await apt.update((fraction) => report('index', indexName, fraction));

  const records: PackageRecord[] = [];
  let modules: Manifest['modules'];
  for (const [i, wanted] of source.packages.entries()) {
    const record = await apt.find(wanted.package, wanted.follow);
    records.push(record);
    const folder = join(work, `package-${i}`);
    await mkdir(folder);
    report('download', record.package, 0);
    const deb = join(folder, 'package.deb');
    await apt.download(record, deb, (fraction) => report('download', record.package, fraction));
    report('unpack', record.package);
    const unpacked = join(folder, 'root');
    const result = await run('dpkg-deb', ['-x', deb, unpacked], { signal });
    if (result.code !== 0) throw new ImageError('tool', `${record.package} cannot be unpacked: ${result.stderr.trim()}`);
    await takeFiles(unpacked, wanted.files, into, record.package);
    if (wanted.modules === true) modules = await takeModules(apt, unpacked, spec.initramfs?.modules ?? [], into, folder);
    await rm(folder, { recursive: true, force: true });
  }

  report('pack', spec.initramfs === undefined ? spec.name : INITRAMFS);
  const names = [...source.packages.flatMap((p) => p.files.map((file) => file.as)), ...(modules?.paths.map((path) => `modules/${path}`) ?? [])];
  const files: ManifestFile[] = [];
  for (const name of names) files.push(await describeFile(into, name));
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    image: spec.name,
    row: fetchedBy(spec),
    fetched: new Date().toISOString(),
    packages: records.map(({ package: name, version, architecture, size, sha256 }) => ({ package: name, version, architecture, size, sha256 })),
    files,
    ...(modules === undefined ? {} : { modules }),
  };
  await writeManifest(into, await packInto(into, spec, manifest));
  return into;
}

/** Turns an error of the file system into one clear line. */
function explain(error: unknown): unknown {
  if (error instanceof ImageError || !(error instanceof Error)) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC') return new ImageError('disk', 'no space left on the disk of the cache', error);
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return new ImageError('disk', `the cache cannot be written: ${error.message}`, error);
  return error;
}

/**
 * Fetches the image of a row, unless it is there. Processes that fetch at once wait for each other, and a fetch that was cut off goes on where it was.
 *
 * @throws {ImageError} built-in, aborted, or what the network, apt, the archive or the disk had against it
 */
export async function fetchSpec(spec: ImageSpec, options: FetchOptions = {}): Promise<StoredImage> {
  const { source } = spec;
  if (source.kind === 'embedded') throw new ImageError('built-in', `the image ${spec.name} is part of axvisor: there is nothing to fetch`);
  const layout = layoutOf(options);
  try {
    const present = options.refresh === true ? undefined : await open(spec, layout);
    if (present !== undefined) return present;
    await mkdir(layout.images, { recursive: true });
    return await withLock(
      layout.lock,
      async () => {
        const meanwhile = options.refresh === true ? undefined : await open(spec, layout);
        if (meanwhile !== undefined) return meanwhile;
        // Whoever was cut off left it; we hold the lock.
        await rm(layout.work, { recursive: true, force: true });
        const work = join(layout.work, spec.name);
        await mkdir(work, { recursive: true });
        try {
          const built = await build(spec, source, layout, work, options);
          const place = join(layout.images, spec.name);
          await rename(place, join(work, 'old')).catch((error: NodeJS.ErrnoException) => {
            if (error.code !== 'ENOENT') throw error;
          });
          await rename(built, place);
        } finally {
          await rm(layout.work, { recursive: true, force: true });
        }
        const image = await open(spec, layout);
        if (image === undefined) throw new ImageError('disk', `the image ${spec.name} was written to ${layout.images} but cannot be read back`);
        options.progress?.({ image: spec.name, phase: 'done', detail: image.directory, fraction: 1 });
        return image;
      },
      {
        signal: options.signal,
        waiting: (pid) => options.progress?.({ image: spec.name, phase: 'wait', detail: pid === undefined ? 'another process' : `process ${pid}` }),
      },
    );
  } catch (error) {
    throw explain(error);
  }
}

/**
 * Fetches the image `name`, unless it is there ({@link fetchSpec}).
 *
 * @throws {ImageError} unknown-image, built-in, aborted, or what the network, apt, the archive or the disk had against it
 */
export async function fetchImage(name: string, options: FetchOptions = {}): Promise<StoredImage> {
  return await fetchSpec(findImage(name), options);
}
