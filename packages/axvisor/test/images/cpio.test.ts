import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCpio, S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG, writeCpio, type CpioEntry } from '../../src/images/cpio.ts';
import { ImageError } from '../../src/images/error.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

const entry: fc.Arbitrary<CpioEntry> = fc.record({
  name: fc.stringMatching(/^[a-z][a-z0-9/._-]{0,40}$/).filter((name) => name !== 'TRAILER!!!'),
  mode: fc.constantFrom(S_IFREG | 0o644, S_IFDIR | 0o755, S_IFLNK | 0o777, S_IFCHR | 0o600),
  data: fc.uint8Array({ maxLength: 300 }),
  uid: fc.nat(0xffff_ffff),
  gid: fc.nat(0xffff_ffff),
  nlink: fc.nat(100),
  mtime: fc.nat(0xffff_ffff),
  ino: fc.nat(0xffff_ffff),
  rdev: fc.tuple(fc.nat(0xfff), fc.nat(0xfff)),
});

describe('cpio', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
        expect(readCpio(writeCpio(entries))).toEqual(entries);
      }),
    );
  });

  it('reads archives behind each other', () => {
    const a = writeCpio([{ name: 'a', mode: S_IFREG, data: text('1') }]);
    const b = writeCpio([{ name: 'b', mode: S_IFREG, data: text('22') }]);
    const both = new Uint8Array(a.length + 512 + b.length);
    both.set(a);
    both.set(b, a.length + 512);
    expect(readCpio(both).map((e) => e.name)).toEqual(['a', 'b']);
  });

  it('rejects every archive that is cut off, and arbitrary bytes, as an ImageError', () => {
    const whole = writeCpio([{ name: 'file', mode: S_IFREG, data: text('hello, world') }]);
    for (let n = 0; n < whole.length - 3; n++) expect(() => readCpio(whole.subarray(0, n)), `${n} bytes`).toThrow(ImageError);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (bytes) => {
        expect(() => readCpio(bytes)).toThrow(ImageError);
      }),
    );
  });

  it('takes no bad name', () => {
    expect(() => writeCpio([{ name: '', mode: S_IFREG, data: text('') }])).toThrow(ImageError);
    expect(() => writeCpio([{ name: 'x'.repeat(5000), mode: S_IFREG, data: text('') }])).toThrow(ImageError);
  });

  it.runIf(spawnSync('cpio', ['--version']).status === 0)('writes what the cpio program reads', () => {
    const archive = writeCpio([
      { name: 'bin', mode: S_IFDIR | 0o755, data: text('') },
      { name: 'bin/tool', mode: S_IFREG | 0o755, data: text('#!/bin/sh\n'), mtime: 86_400 },
      { name: 'bin/link', mode: S_IFLNK | 0o777, data: text('tool') },
      { name: 'dev/console', mode: S_IFCHR | 0o600, data: text(''), rdev: [5, 1] },
    ]);
    const lines = execFileSync('cpio', ['-tvn', '--quiet'], { input: archive, env: { TZ: 'UTC', LC_ALL: 'C', PATH: process.env['PATH'] } })
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.replaceAll(/\s+/g, ' '));
    expect(lines).toEqual([
      'drwxr-xr-x 2 0 0 0 Jan 1 1970 bin',
      '-rwxr-xr-x 1 0 0 10 Jan 2 1970 bin/tool',
      'lrwxrwxrwx 1 0 0 4 Jan 1 1970 bin/link -> tool',
      'crw------- 1 0 0 5, 1 Jan 1 1970 dev/console',
    ]);
  });

  it.runIf(spawnSync('cpio', ['--version']).status === 0)('reads what the cpio program writes', () => {
    const archive = execFileSync('cpio', ['-o', '-H', 'newc', '--quiet'], { input: 'package.json\nsrc\n', cwd: new URL('../..', import.meta.url) });
    const entries = readCpio(archive);
    expect(entries.map((e) => e.name)).toEqual(['package.json', 'src']);
    expect(JSON.parse(new TextDecoder().decode(entries[0]?.data))).toMatchObject({ name: '@axvisor/axvisor' });
    expect(entries[1]!.mode & 0o170000).toBe(S_IFDIR);
  });
});
