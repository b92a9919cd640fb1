import { closeSync, mkdtempSync, openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDisk } from '../src/disk/file_disk.ts';

const SECTOR = 512;

function image(sectors: number): string {
  const path = join(mkdtempSync(join(tmpdir(), 'axvisor-disk-')), 'disk.img');
  writeFileSync(path, Buffer.alloc(sectors * SECTOR, 7));
  return path;
}

test('sectors are read and written where they are, and a closed disk is closed', () => {
  const path = image(8);
  const disk = openDisk(path, false);
  expect([disk.sectors, disk.readOnly]).toEqual([8, false]);
  disk.write(2, new Uint8Array(2 * SECTOR).fill(9));
  const into = new Uint8Array(4 * SECTOR);
  disk.read(1, into);
  expect([0, 1, 2, 3].map((s) => into[s * SECTOR])).toEqual([7, 9, 9, 7]);
  disk.flush();
  disk.close();
  expect(() => disk.read(0, into)).toThrow('EBADF');
  expect(readFileSync(path)[2 * SECTOR]).toBe(9);
});

test('what cannot be a disk is refused by name', () => {
  expect(() => openDisk('/nonexistent/disk.img', false)).toThrow('disk /nonexistent/disk.img: ENOENT');
  const path = image(1);
  truncateSync(path, 100);
  expect(() => openDisk(path, false)).toThrow('100 bytes, not a whole number of 512-byte sectors');
  expect(() => openDisk(tmpdir(), false)).toThrow('EISDIR');
  // None of them keeps a file open.
  const next = openSync('/dev/null', 'r');
  expect(next).toBeLessThan(200);
  closeSync(next);
});

test('a disk that vanishes fails by name, is reported once for each kind of failure, and comes back', () => {
  const path = image(8);
  const lines: string[] = [];
  const disk = openDisk(path, true, (line) => void lines.push(line));
  const into = new Uint8Array(SECTOR);
  truncateSync(path, 3 * SECTOR);
  disk.read(2, into);
  for (let i = 0; i < 3; i++) expect(() => disk.read(3, into)).toThrow(`disk ${path}: reading: unexpected end at byte 1536`);
  for (let i = 0; i < 3; i++) expect(() => disk.write(0, into)).toThrow('writing: EBADF');
  expect(lines).toEqual([
    `disk ${path}: reading: unexpected end at byte 1536; the guest sees an I/O error`,
    expect.stringContaining('writing: EBADF: bad file descriptor'),
  ]);
  truncateSync(path, 8 * SECTOR);
  disk.read(3, into);
  disk.close();
});
