/** A disk image in a file of the host. */
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { BlockBackend } from '@axvisor/axvisor_api/device';
import { usageError } from '../errors.ts';

const SECTOR = 512;

/**
 * Opens the raw disk image `path`.
 *
 * @param report - told about the first failure of each kind; the guest sees every one as an I/O error
 * @throws {CliError} if it cannot be opened or is not a whole number of sectors
 */
export function openDisk(path: string, readOnly: boolean, report: (line: string) => void = () => {}): BlockBackend {
  let fd: number;
  try {
    fd = openSync(path, readOnly ? 'r' : 'r+');
  } catch (e) {
    throw usageError(`disk ${path}: ${e instanceof Error ? e.message : String(e)}`, e);
  }
  const { size } = fstatSync(fd);
  if (size === 0 || size % SECTOR !== 0) {
    closeSync(fd);
    throw usageError(`disk ${path}: ${size} bytes, not a whole number of ${SECTOR}-byte sectors`);
  }
  const failed = new Set<string>();
  /** Names the disk in what `operation` throws. */
  const named = <T>(what: string, operation: () => T): T => {
    try {
      return operation();
    } catch (e) {
      const error = new Error(`disk ${path}: ${what}: ${e instanceof Error ? e.message : String(e)}`, { cause: e });
      if (!failed.has(what)) report(`${error.message}; the guest sees an I/O error`);
      failed.add(what);
      throw error;
    }
  };
  /** A single system call may transfer less than asked for. */
  const transfer = (call: (buffer: Uint8Array, offset: number, length: number, position: number) => number, buffer: Uint8Array, sector: number): void => {
    for (let done = 0; done < buffer.length; ) {
      const n = call(buffer, done, buffer.length - done, sector * SECTOR + done);
      if (n === 0) throw new Error(`unexpected end at byte ${sector * SECTOR + done}`);
      done += n;
    }
  };
  return {
    sectors: size / SECTOR,
    readOnly,
    read: (sector, into) => named('reading', () => transfer((b, o, l, p) => readSync(fd, b, o, l, p), into, sector)),
    write: (sector, from) => named('writing', () => transfer((b, o, l, p) => writeSync(fd, b, o, l, p), from, sector)),
    flush: () => named('flushing', () => fdatasyncSync(fd)),
    close: () => closeSync(fd),
  };
}
