/** Packs the initramfs of our Debian guests, and adds files to copies of one. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { readCpio, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, writeCpio, type CpioEntry } from './cpio.ts';
import { ImageError } from './error.ts';
import { INIT_SCRIPT } from './init.ts';
import { moduleTables, type Module } from './modules.ts';

/** One thing to put into an initramfs. Parent folders come by themselves. */
export type InitramfsFile =
  | {
      /** Path in the guest. */
      readonly path: string;
      readonly data: Uint8Array | string;
      /** Permission bits; 0o644 when absent. */
      readonly mode?: number;
    }
  | {
      readonly path: string;
      /** File of this machine to copy. */
      readonly from: string;
      readonly mode?: number;
    }
  | {
      readonly path: string;
      /** Target of a symbolic link. */
      readonly link: string;
    };

/** What a packed initramfs is made of. */
export interface InitramfsParts {
  readonly busybox: Uint8Array;
  /** Version of the kernel the modules are for, as uname -r gives it. */
  readonly release: string | undefined;
  /** In an order in which they can be inserted. */
  readonly modules: readonly Module[];
}

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

const FOLDERS: readonly string[] = ['bin', 'dev', 'etc', 'lib', 'mnt', 'proc', 'root', 'run', 'sbin', 'sys', 'tmp', 'usr', 'usr/bin', 'usr/lib', 'usr/sbin', 'var', 'var/log'];

/** Small files of every guest. */
const TEXTS: readonly (readonly [path: string, text: string])[] = [
  ['etc/passwd', 'root::0:0:root:/root:/bin/sh\n'],
  ['etc/group', 'root:x:0:\n'],
  ['etc/hostname', 'axvisor\n'],
  ['etc/hosts', '127.0.0.1 localhost axvisor\n'],
];

const normalize = (path: string): string => path.replace(/^\/+|\/+$/g, '').replace(/\/{2,}/g, '/');

/** The members of an archive by name, with parents before children. */
class Tree {
  readonly #entries = new Map<string, CpioEntry>();

  add(entry: CpioEntry): void {
    const name = normalize(entry.name);
    if (name === '' || name === '.') return;
    if (name.split('/').some((part) => part === '.' || part === '..')) throw new ImageError('bad-archive', `initramfs: the path ${entry.name} is not absolute`);
    const cut = name.lastIndexOf('/');
    if (cut > 0) {
      const parent = this.#entries.get(name.slice(0, cut));
      if (parent === undefined) this.add({ name: name.slice(0, cut), mode: S_IFDIR | 0o755, data: EMPTY });
      else if ((parent.mode & S_IFMT) === S_IFREG) throw new ImageError('bad-archive', `initramfs: ${parent.name} is a file, ${name} cannot be in it`);
    }
    this.#entries.set(name, { ...entry, name });
  }

  /** Order of insertion: a replaced member keeps its place, so parents stay before children. */
  list(): CpioEntry[] {
    return [...this.#entries.values()];
  }
}

/** Packs the initramfs. Equal parts give equal bytes. */
export function buildInitramfs(parts: InitramfsParts): Uint8Array {
  const tree = new Tree();
  const file = (name: string, data: Uint8Array | string, mode: number): void =>
    tree.add({ name, mode: S_IFREG | mode, data: typeof data === 'string' ? encoder.encode(data) : data });
  for (const name of FOLDERS) tree.add({ name, mode: S_IFDIR | (name === 'tmp' ? 0o1777 : 0o755), data: EMPTY });
  // The kernel opens it for the first process before anything is mounted.
  tree.add({ name: 'dev/console', mode: S_IFCHR | 0o600, data: EMPTY, rdev: [5, 1] });
  for (const [path, text] of TEXTS) file(path, text, 0o644);
  file('init', INIT_SCRIPT, 0o755);
  file('bin/busybox', parts.busybox, 0o755);
  tree.add({ name: 'bin/sh', mode: S_IFLNK | 0o777, data: encoder.encode('busybox') });
  if (parts.release !== undefined) {
    const root = `lib/modules/${parts.release}`;
    const { dep, alias } = moduleTables(parts.modules);
    for (const module of parts.modules) file(`${root}/${module.path}`, module.data, 0o644);
    file(`${root}/modules.dep`, dep, 0o644);
    file(`${root}/modules.alias`, alias, 0o644);
  }
  // Not compressed: a translated guest spends far longer on unpacking than the host on reading a few megabytes.
  return writeCpio(tree.list());
}

/** Changes when the same parts would be packed in another way; an image packed by an older one is packed anew. */
export function initramfsRecipe(): string {
  const sample = buildInitramfs({ busybox: EMPTY, release: 'release', modules: [] });
  return createHash('sha256').update(sample).digest('hex').slice(0, 16);
}

/**
 * Gives inode numbers anew: those of the base and of what was added could be equal and would be taken for hard links. The names of one
 * file stay together; its contents go to the first of them, for the one that had them may have been replaced.
 */
function renumber(entries: readonly CpioEntry[]): CpioEntry[] {
  const groups = new Map<number, { readonly ino: number; data: Uint8Array | undefined }>();
  const linked = (entry: CpioEntry): boolean => (entry.mode & S_IFMT) === S_IFREG && (entry.nlink ?? 1) > 1 && entry.ino !== undefined;
  entries.forEach((entry, i) => {
    if (!linked(entry)) return;
    const group = groups.get(entry.ino!) ?? { ino: i + 1, data: EMPTY };
    if (entry.data.length > 0) group.data = entry.data;
    groups.set(entry.ino!, group);
  });
  return entries.map((entry, i) => {
    if (!linked(entry)) return { ...entry, ino: i + 1 };
    const group = groups.get(entry.ino!)!;
    const data = group.data ?? EMPTY;
    group.data = undefined;
    return { ...entry, ino: group.ino, data };
  });
}

/**
 * Adds files to a copy of an initramfs.
 *
 * @param options.base the archive, or the path of one on this machine; gzip or plain
 * @param options.files later ones and those of the same path as in the base win
 * @returns the new archive, not compressed
 * @throws {ImageError} bad-archive when the base is not a cpio archive, no-file when a file of this machine cannot be read
 */
export async function packInitramfs(options: { readonly base: Uint8Array | string; readonly files: readonly InitramfsFile[] }): Promise<Uint8Array> {
  const read = async (path: string): Promise<Uint8Array> => {
    try {
      return await readFile(path);
    } catch (error) {
      throw new ImageError('no-file', `${path} cannot be read: ${(error as Error).message}`, error);
    }
  };
  const packed = typeof options.base === 'string' ? await read(options.base) : options.base;
  const tree = new Tree();
  for (const entry of readCpio(packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed) : packed)) tree.add(entry);
  for (const file of options.files) {
    if ('link' in file) {
      tree.add({ name: file.path, mode: S_IFLNK | 0o777, data: encoder.encode(file.link) });
      continue;
    }
    const data = 'from' in file ? await read(file.from) : typeof file.data === 'string' ? encoder.encode(file.data) : file.data;
    tree.add({ name: file.path, mode: S_IFREG | ((file.mode ?? 0o644) & 0o7777), data });
  }
  return writeCpio(renumber(tree.list()));
}
