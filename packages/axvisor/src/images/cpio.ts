/** The "new ASCII" cpio archive (magic 070701), the format of an initramfs (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). */

import { ImageError } from './error.ts';

/** File type bits of a mode (POSIX sys/stat.h). */
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFCHR = 0o020000;

/** One member of an archive. */
export interface CpioEntry {
  /** Path without a leading slash; the root folder is `.`. */
  readonly name: string;
  /** Type and permission bits. */
  readonly mode: number;
  /** Contents of a file, target of a symbolic link; empty otherwise. */
  readonly data: Uint8Array;
  readonly uid?: number;
  readonly gid?: number;
  readonly nlink?: number;
  /** Seconds since 1970. */
  readonly mtime?: number;
  /** Number of the device a device node stands for. */
  readonly rdev?: readonly [major: number, minor: number];
  /** Members with one inode number are one file (a hard link). Given by the writer when absent. */
  readonly ino?: number;
}

const MAGIC = '070701';
const MAGIC_CRC = '070702';
const HEADER = 110;
const TRAILER = 'TRAILER!!!';
/** The kernel refuses longer names (init/initramfs.c, N_ALIGN of PATH_MAX). */
const NAME_MAX = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const align4 = (n: number): number => (n + 3) & ~3;

function header(fields: readonly number[]): string {
  return MAGIC + fields.map((value) => value.toString(16).padStart(8, '0')).join('');
}

/** Writes an archive. Equal entries give equal bytes: nothing of this machine goes in. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const all: readonly CpioEntry[] = [...entries, { name: TRAILER, mode: 0, data: new Uint8Array(0), ino: 0 }];
  const names = all.map((entry) => encoder.encode(`${entry.name}\0`));
  let size = 0;
  all.forEach((entry, i) => {
    const length = names[i]!.length;
    if (length > NAME_MAX || length === 1) throw new ImageError('bad-archive', `cpio: a name of ${length - 1} bytes`);
    if (entry.data.length > 0xffff_ffff) throw new ImageError('bad-archive', `cpio: ${entry.name} has more than 4 GiB`);
    size += align4(HEADER + length) + align4(entry.data.length);
  });
  const out = new Uint8Array(size);
  let at = 0;
  all.forEach((entry, i) => {
    const name = names[i]!;
    const directory = (entry.mode & S_IFMT) === S_IFDIR;
    const [major, minor] = entry.rdev ?? [0, 0];
    const fields = [
      entry.ino ?? i + 1,
      entry.mode,
      entry.uid ?? 0,
      entry.gid ?? 0,
      entry.nlink ?? (directory ? 2 : 1),
      entry.mtime ?? 0,
      entry.data.length,
      0,
      0,
      major,
      minor,
      name.length,
      0,
    ];
    encoder.encodeInto(header(fields), out.subarray(at));
    out.set(name, at + HEADER);
    at += align4(HEADER + name.length);
    out.set(entry.data, at);
    at += align4(entry.data.length);
  });
  return out;
}

/**
 * Reads an archive, or several behind each other with zero bytes between, as the kernel does.
 *
 * @throws {ImageError} bad-archive when the bytes are not a whole newc archive
 */
export function readCpio(bytes: Uint8Array): CpioEntry[] {
  const entries: CpioEntry[] = [];
  let at = 0;
  let ended = false;
  while (at < bytes.length) {
    if (ended && bytes[at] === 0) {
      at++;
      continue;
    }
    if (at + HEADER > bytes.length) throw new ImageError('bad-archive', `cpio: cut off in a header at byte ${at}`);
    const text = decoder.decode(bytes.subarray(at, at + HEADER));
    const magic = text.slice(0, 6);
    if ((magic !== MAGIC && magic !== MAGIC_CRC) || !/^[0-9A-Fa-f]{104}$/.test(text.slice(6)))
      throw new ImageError('bad-archive', `cpio: no newc header at byte ${at}`);
    const field = (i: number): number => Number.parseInt(text.slice(6 + 8 * i, 14 + 8 * i), 16);
    const dataSize = field(6);
    const nameSize = field(11);
    const dataAt = at + align4(HEADER + nameSize);
    const end = dataAt + dataSize;
    if (nameSize < 1 || nameSize > NAME_MAX || end > bytes.length) throw new ImageError('bad-archive', `cpio: cut off in a member at byte ${at}`);
    const name = decoder.decode(bytes.subarray(at + HEADER, at + HEADER + nameSize - 1));
    at = dataAt + align4(dataSize);
    ended = name === TRAILER;
    if (ended) continue;
    entries.push({
      name,
      mode: field(1),
      data: bytes.slice(dataAt, end),
      ino: field(0),
      uid: field(2),
      gid: field(3),
      nlink: field(4),
      mtime: field(5),
      rdev: [field(9), field(10)],
    });
  }
  if (!ended) throw new ImageError('bad-archive', 'cpio: the archive has no end marker');
  return entries;
}
