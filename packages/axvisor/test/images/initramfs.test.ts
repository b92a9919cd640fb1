import { execFileSync, spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readCpio, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, writeCpio, type CpioEntry } from '../../src/images/cpio.ts';
import { INIT_SCRIPT } from '../../src/images/init.ts';
import { buildInitramfs, initramfsRecipe, packInitramfs } from '../../src/images/initramfs.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (entry: CpioEntry | undefined): string => new TextDecoder().decode(entry?.data);
const byName = (archive: Uint8Array): Map<string, CpioEntry> => new Map(readCpio(archive).map((entry) => [entry.name, entry]));
const base = buildInitramfs({
  busybox: bytes('busybox'),
  release: '6.12',
  modules: [{ path: 'kernel/m.ko', data: bytes('module'), info: { depends: [], softdeps: [], aliases: ['x:*'] } }],
});

/** Folders stand before what is in them, or the kernel leaves the files out. */
function expectParentsFirst(archive: Uint8Array): void {
  const seen = new Set<string>();
  for (const entry of readCpio(archive)) {
    const cut = entry.name.lastIndexOf('/');
    if (cut > 0) expect(seen, entry.name).toContain(entry.name.slice(0, cut));
    if ((entry.mode & S_IFMT) === S_IFDIR) seen.add(entry.name);
  }
}

describe('the initramfs', () => {
  it('has what a guest needs', () => {
    const entries = byName(base);
    expect(text(entries.get('init'))).toBe(INIT_SCRIPT);
    expect(entries.get('init')?.mode).toBe(S_IFREG | 0o755);
    expect(entries.get('dev/console')?.rdev).toEqual([5, 1]);
    expect(text(entries.get('bin/sh'))).toBe('busybox');
    expect(text(entries.get('lib/modules/6.12/kernel/m.ko'))).toBe('module');
    expect(text(entries.get('lib/modules/6.12/modules.alias'))).toBe('alias x:* m\n');
    expectParentsFirst(base);
  });

  it('is the same bytes from the same parts', () => {
    expect(initramfsRecipe()).toBe(initramfsRecipe());
    expect(initramfsRecipe()).toMatch(/^[0-9a-f]{16}$/);
  });

  it.runIf(spawnSync('sh', ['-c', ':']).status === 0)('has an /init that a shell can read', () => {
    execFileSync('sh', ['-n'], { input: INIT_SCRIPT });
  });

  it.runIf(spawnSync('sh', ['-c', ':']).status === 0).each([
    ['console=ttyS0 axvisor.run="ls -l; echo \'a  b\'" quiet', "ls -l; echo 'a  b'"],
    ['axvisor.run=poweroff console=ttyS0', 'poweroff'],
    ['console=ttyS0 xaxvisor.run=no', ''],
    ['console=ttyS0', ''],
  ])('finds the command in %j', (line, command) => {
    const part = INIT_SCRIPT.slice(INIT_SCRIPT.indexOf('command=\n'), INIT_SCRIPT.indexOf('cd /root'));
    expect(execFileSync('sh', ['-c', `line=$1\n${part}\nprintf %s "$command"`, 'sh', line]).toString()).toBe(command);
  });
});

describe('packInitramfs', () => {
  it('adds files, links and folders to a copy', async () => {
    const packed = await packInitramfs({
      base,
      files: [
        { path: '/opt/tool/bin/job', data: bytes('job'), mode: 0o755 },
        { path: 'etc/motd', data: 'hello' },
        { path: '/bin/job', link: '/opt/tool/bin/job' },
        { path: '/package.json', from: new URL('../../package.json', import.meta.url).pathname },
        { path: '/etc/hostname', data: 'other\n' },
      ],
    });
    expectParentsFirst(packed);
    const entries = byName(packed);
    expect(entries.get('opt/tool/bin/job')).toMatchObject({ mode: S_IFREG | 0o755, data: bytes('job') });
    expect(text(entries.get('etc/motd'))).toBe('hello');
    expect(entries.get('bin/job')?.mode).toBe(S_IFLNK | 0o777);
    expect(text(entries.get('package.json'))).toContain('@axvisor/axvisor');
    expect(text(entries.get('etc/hostname'))).toBe('other\n');
    expect(readCpio(packed).filter((entry) => entry.name === 'etc/hostname')).toHaveLength(1);
    const inodes = readCpio(packed).map((entry) => entry.ino);
    expect(new Set(inodes).size).toBe(inodes.length);
  });

  it('takes a gzip base', async () => {
    expect(await packInitramfs({ base: gzipSync(base), files: [] })).toEqual(await packInitramfs({ base, files: [] }));
  });

  it('keeps hard links, and their contents when one of the names is replaced', async () => {
    const linked = writeCpio([
      { name: 'a', mode: S_IFREG | 0o755, data: bytes(''), ino: 1, nlink: 3 },
      { name: 'b', mode: S_IFREG | 0o755, data: bytes(''), ino: 1, nlink: 3 },
      { name: 'c', mode: S_IFREG | 0o755, data: bytes('contents'), ino: 1, nlink: 3 },
    ]);
    const entries = byName(await packInitramfs({ base: linked, files: [{ path: 'd', data: 'new' }] }));
    expect([text(entries.get('a')), text(entries.get('b')), text(entries.get('c'))]).toEqual(['contents', '', '']);
    expect(new Set(['a', 'b', 'c'].map((name) => entries.get(name)?.ino)).size).toBe(1);
    expect(entries.get('d')?.ino).not.toBe(entries.get('a')?.ino);
  });

  it('refuses paths that lead out, files as folders, absent files and bases that are no archive', async () => {
    await expect(packInitramfs({ base, files: [{ path: '/a/../b', data: '' }] })).rejects.toMatchObject({ code: 'bad-archive' });
    await expect(packInitramfs({ base, files: [{ path: '/init/x', data: '' }] })).rejects.toMatchObject({ code: 'bad-archive' });
    await expect(packInitramfs({ base, files: [{ path: '/x', from: '/absent/file' }] })).rejects.toMatchObject({ code: 'no-file' });
    await expect(packInitramfs({ base: '/absent/base', files: [] })).rejects.toMatchObject({ code: 'no-file' });
    await expect(packInitramfs({ base: bytes('nothing'), files: [] })).rejects.toMatchObject({ code: 'bad-archive' });
  });
});
