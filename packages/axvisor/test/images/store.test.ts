import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheDirectory } from '../../src/images/cache.ts';
import { readCpio } from '../../src/images/cpio.ts';
import { fetchImage, fetchSpec, findImage, listImages, openImage, verifyImage, type FetchOptions, type FetchProgress } from '../../src/images/store.ts';
import { images, type ImageSpec } from '../../src/images/table.ts';

/**
 * Stands in for apt-config, apt-get, apt-helper, apt-cache and dpkg-deb. A "package" is a shell script that unpacks itself into the folder $1;
 * what goes wrong is said by files in $FAKE.
 */
const TOOLS = `#!/bin/sh
case "\${0##*/}" in
apt-config) echo 'Dir::Etc "etc/apt";'; echo "Dir::Bin::methods \\"\${0%/*}/methods\\";"; echo 'Acquire::http::Proxy "http://proxy.example:3128";'; echo 'APT::Update::Post-Invoke:: "touch /nowhere";' ;;
apt-get)
  echo "$@" >>"$FAKE/calls"
  case "$*" in
  *update*)
    [ -e "$FAKE/hang" ] && exec sleep 60
    [ -e "$FAKE/update" ] && { cat "$FAKE/update" >&2; exit 100; }
    echo dlstatus:1:50.0:Retrieving >&3 ;;
  *download*)
    for last; do :; done
    echo "'fake:\${last%%=*}' \${last%%=*}.deb 1 SHA256:0" ;;
  esac ;;
apt-helper)
  case "$1" in
  cat-file) tail -c +4 "$2" ;;
  *)
    while [ "$1" != download-file ]; do shift; done
    [ -e "$FAKE/slow" ] && sleep 0.3
    cp "$FAKE/\${2#fake:}" "$3" ;;
  esac ;;
apt-cache) for last; do :; done; cat "$FAKE/$last.show" 2>/dev/null || { echo 'E: No packages found' >&2; exit 100; } ;;
dpkg-deb) mkdir "$3" && sh "$2" "$3" ;;
esac
`;

/** An ELF64 module with an empty .modinfo, in base64; in the "package" it is "compressed" by three bytes before it. */
const MODULE = 'f0VMRgIBAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAF0AAAAAAAAAAAAAAAAAAAAAAEAAAwACAGRlcGVuZHM9AAAubW9kaW5mbwAuc2hzdHJ0YWIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAACQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABJAAAAAAAAABQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const KERNEL = `mkdir -p "$1/boot" "$1/usr/lib/modules/6.12-x/kernel"; printf kernel >"$1/boot/vmlinux-6.12-x"; echo CONFIG=y >"$1/boot/config-6.12-x"
{ printf xz:; echo ${MODULE} | base64 -d; } >"$1/usr/lib/modules/6.12-x/kernel/virtio_blk.ko.xz"\n`;
const BUSYBOX = `mkdir -p "$1/usr/bin"; printf busybox >"$1/usr/bin/busybox"\n`;

const sha256 = (text: string): string => spawnSync('sha256sum', { input: text }).stdout.toString().slice(0, 64);

let folder = '';
let fake = '';
let cache = '';
let options: FetchOptions;
const environment = { ...process.env };

async function offer(name: string, script: string, fields = ''): Promise<void> {
  await writeFile(join(fake, name), script);
  const hash = sha256(script);
  await writeFile(join(fake, `${name}.show`), `Package: ${name}\nVersion: 1\nArchitecture: riscv64\nSize: ${script.length}\nSHA256: ${hash}\n${fields}\n`);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'axvisor-store-'));
  fake = join(folder, 'fake');
  cache = join(folder, 'cache');
  const bin = join(folder, 'bin');
  await mkdir(fake);
  await mkdir(bin);
  await writeFile(join(bin, 'tools'), TOOLS);
  await chmod(join(bin, 'tools'), 0o755);
  for (const tool of ['apt-config', 'apt-helper', 'apt-get', 'apt-cache', 'dpkg-deb']) await symlink('tools', join(bin, tool));
  process.env['PATH'] = `${bin}${delimiter}${environment['PATH'] ?? ''}`;
  process.env['FAKE'] = fake;
  await offer('linux-image-riscv64', 'false\n', 'Depends: initramfs-tools, linux-image-6.12-x (= 1)');
  await offer('linux-image-6.12-x', KERNEL);
  await offer('busybox-static', BUSYBOX);
  options = { cache, mirror: 'http://mirror.example/debian', keyring: join(fake, 'keyring.gpg') };
});
afterEach(async () => {
  process.env = { ...environment };
  await rm(folder, { recursive: true, force: true });
});

const calls = async (): Promise<string[]> => (await readFile(join(fake, 'calls'), 'utf8')).trim().split('\n');

describe('fetching', () => {
  it('puts a whole image into the cache, follows the meta-package and says what it does', async () => {
    const events: FetchProgress[] = [];
    const image = await fetchImage('debian-riscv64', { ...options, progress: (event) => events.push(event) });
    expect(await readFile(image.kernel, 'utf8')).toBe('kernel');
    const names = readCpio(await readFile(image.initramfs!)).map((entry) => entry.name);
    expect(names).toContain('init');
    expect(names).toContain('lib/modules/6.12-x/kernel/virtio_blk.ko');
    expect(image.manifest.modules).toEqual({ release: '6.12-x', paths: ['kernel/virtio_blk.ko'] });
    expect(image.manifest.packages).toEqual([
      { package: 'linux-image-6.12-x', version: '1', architecture: 'riscv64', size: KERNEL.length, sha256: sha256(KERNEL) },
      { package: 'busybox-static', version: '1', architecture: 'riscv64', size: BUSYBOX.length, sha256: sha256(BUSYBOX) },
    ]);
    expect(new Set(events.map((event) => event.phase))).toEqual(new Set(['index', 'download', 'unpack', 'pack', 'done']));
    expect(events.find((event) => event.phase === 'index' && event.fraction === 0.5)).toBeDefined();
    expect((await readdir(cache)).toSorted()).toEqual(['apt', 'images']);
    expect((await listImages(options)).map(({ spec, state }) => `${spec.name} ${state}`)).toEqual(
      images.map(({ name, source }) => `${name} ${name === 'debian-riscv64' ? 'ready' : source.kind === 'embedded' ? 'built-in' : 'missing'}`),
    );
  });

  it('gives apt a configuration of its own: our folders, our keyring, the way out to the network, and none of the hooks', async () => {
    await fetchImage('debian-riscv64', options);
    const apt = join(cache, 'apt', 'trixie-riscv64');
    const configuration = await readFile(join(apt, 'apt.conf'), 'utf8');
    expect(configuration).toContain('Acquire::http::Proxy "http://proxy.example:3128";');
    expect(configuration).toContain(`Dir::State "${apt}/state";`);
    expect(configuration).not.toContain('Post-Invoke');
    expect(await readFile(join(apt, 'sources.list'), 'utf8')).toBe(`deb [arch=riscv64 signed-by=${fake}/keyring.gpg] http://mirror.example/debian trixie main\n`);
  });

  it('does nothing for an image that is there, until a refresh', async () => {
    await fetchImage('debian-riscv64', options);
    const before = (await calls()).length;
    await fetchImage('debian-riscv64', options);
    expect((await calls()).length).toBe(before);
    await offer('busybox-static', BUSYBOX.replace('printf busybox', 'printf newer'));
    const image = await fetchImage('debian-riscv64', { ...options, refresh: true });
    expect(await readFile(join(image.directory, 'busybox'), 'utf8')).toBe('newer');
    expect((await readdir(cache)).toSorted()).toEqual(['apt', 'images']);
  });

  it('is done once by several at once', async () => {
    await writeFile(join(fake, 'slow'), '');
    const phases = new Set<string>();
    await Promise.all(Array.from({ length: 3 }, () => fetchImage('debian-riscv64', { ...options, progress: (event) => phases.add(event.phase) })));
    expect(phases).toContain('wait');
    expect((await calls()).filter((call) => call.includes('update'))).toHaveLength(1);
  });

  it('fetches anew what is damaged, and clears what a dead fetch left', async () => {
    const image = await fetchImage('debian-riscv64', options);
    await writeFile(image.kernel, 'short');
    await mkdir(join(cache, 'work', 'left'), { recursive: true });
    await expect(openImage('debian-riscv64', options)).rejects.toMatchObject({ code: 'not-fetched' });
    await fetchImage('debian-riscv64', options);
    expect(await readFile(image.kernel, 'utf8')).toBe('kernel');
    expect(await readdir(cache)).not.toContain('work');
    expect(await verifyImage('debian-riscv64', options)).toBeUndefined();
    await writeFile(image.kernel, 'kernex');
    expect(await verifyImage('debian-riscv64', options)).toBe('kernel');
  });

  it('packs the initramfs anew, without the network, when an older axvisor packed it', async () => {
    const image = await fetchImage('debian-riscv64', options);
    const whole = await readFile(image.initramfs!);
    await writeFile(image.initramfs!, 'old');
    const record = join(image.directory, 'manifest.json');
    const manifest = JSON.parse(await readFile(record, 'utf8')) as { files: { name: string; size: number }[]; recipe: string };
    manifest.recipe = 'older';
    manifest.files.find((file) => file.name === 'initramfs.cpio')!.size = 3;
    await writeFile(record, JSON.stringify(manifest));
    const before = (await calls()).length;
    await openImage('debian-riscv64', options);
    expect(await readFile(image.initramfs!)).toEqual(whole);
    expect(await verifyImage('debian-riscv64', options)).toBeUndefined();
    expect((await calls()).length).toBe(before);
  });

  it('fetches anew what another row of this name has fetched', async () => {
    const spec = findImage('debian-riscv64');
    await fetchImage('debian-riscv64', options);
    const before = (await calls()).length;
    await fetchSpec({ ...spec, title: 'another title' }, options);
    expect((await calls()).length).toBe(before);
    await fetchSpec({ ...spec, initramfs: { busybox: 'busybox', modules: [] } }, options);
    expect((await calls()).length).toBeGreaterThan(before);
    await expect(openImage('debian-riscv64', options)).rejects.toMatchObject({ code: 'not-fetched' });
  });

  it('takes further rows of the table', async () => {
    await offer('firmware', 'mkdir -p "$1/lib/fw-1"; echo fw >"$1/lib/fw-1/image.bin"\n');
    const spec: ImageSpec = {
      name: 'other',
      architecture: 'aarch64',
      title: 'another',
      source: { kind: 'debian', suite: 'sid', architecture: 'arm64', packages: [{ package: 'firmware', files: [{ from: 'lib/fw-*/image.bin', as: 'fw' }] }] },
      boot: { kernel: 'fw', memory: 64, marker: '=>' },
    };
    const image = await fetchSpec(spec, options);
    expect(await readFile(image.kernel, 'utf8')).toBe('fw\n');
    expect(image.initramfs).toBeUndefined();
  });
});

describe('errors are one line', () => {
  const expectCode = async (code: string, pattern: RegExp, change: FetchOptions = {}, name = 'debian-riscv64'): Promise<void> => {
    const error: unknown = await fetchImage(name, { ...options, ...change }).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ name: 'ImageError', code });
    expect((error as Error).message).toMatch(pattern);
    expect((error as Error).message).not.toContain('\n');
    expect(await readdir(join(cache, 'images')).catch(() => [])).toEqual([]);
    expect(await readdir(cache).catch(() => [])).not.toContain('lock');
  };

  it.each([
    ["W: Failed to fetch http://m.example/x  Temporary failure resolving 'm.example'\nE: Some index files failed to download.", 'network', /cannot be reached/],
    ['W: GPG error: http://m.example sid InRelease: NO_PUBKEY 123\nE: The repository is not signed.', 'signature', /does not verify/],
    ['E: Write error - write (28: No space left on device)', 'disk', /no space/],
    ['E: Something else', 'tool', /Something else/],
  ])('of the index: %j', async (said, code, pattern) => {
    await writeFile(join(fake, 'update'), said);
    await expectCode(code, pattern);
  });

  it('of a package that is not what the index says', async () => {
    await writeFile(join(fake, 'busybox-static'), `${BUSYBOX}# changed\n`);
    await expectCode('checksum', /busybox-static: SHA-256 is [0-9a-f]{64}, the signed index says [0-9a-f]{64}/);
  });

  it('of a package that is not there, or lacks a file', async () => {
    await rm(join(fake, 'busybox-static.show'));
    await expectCode('no-package', /has no package busybox-static/);
    await offer('busybox-static', 'true\n');
    await expectCode('no-file', /busybox-static has no file usr\/bin\/busybox/);
  });

  it('of a machine without apt', async () => {
    process.env['PATH'] = '/nowhere';
    await expectCode('no-apt', /no apt/);
  });

  it('of a cache that cannot be', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(fetchImage('debian-riscv64', { ...options, cache: join(folder, 'file') })).rejects.toThrow(/ENOTDIR|EEXIST/);
  });

  it('of names', async () => {
    expect(() => findImage('nothing')).toThrow(`there is no image nothing; there are ${images.map(({ name }) => name).join(', ')}`);
    await expectCode('built-in', /part of axvisor/, {}, 'embedded');
    await expect(openImage('debian-riscv64', options)).rejects.toThrow('axvisor images fetch debian-riscv64');
  });

  it('of an abort, at once', async () => {
    await writeFile(join(fake, 'hang'), '');
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 200);
    const start = performance.now();
    await expectCode('aborted', /stopped/, { signal: stop.signal });
    expect(performance.now() - start).toBeLessThan(5000);
    await expectCode('aborted', /stopped/, { signal: AbortSignal.abort() });
  });
});

describe.runIf(spawnSync('apt-get', ['--version']).status === 0)("the machine's own apt", () => {
  beforeEach(() => {
    process.env['PATH'] = environment['PATH'];
  });

  it('takes no index that nobody signed', async () => {
    const mirror = join(folder, 'mirror');
    await mkdir(join(mirror, 'dists', 'trixie'), { recursive: true });
    await writeFile(join(mirror, 'dists', 'trixie', 'Release'), 'Origin: Debian\nSuite: stable\nCodename: trixie\nArchitectures: riscv64\nComponents: main\n');
    await writeFile(join(fake, 'keyring.gpg'), '');
    await expect(fetchImage('debian-riscv64', { ...options, mirror: `file:${mirror}` })).rejects.toMatchObject({ code: 'signature' });
  });

  it('says that a mirror has no such suite', async () => {
    await expect(fetchImage('debian-riscv64', { ...options, mirror: `file:${folder}/absent` })).rejects.toMatchObject({ code: 'no-mirror' });
  });
});

describe('the cache folder', () => {
  it('is where the environment says', () => {
    expect(cacheDirectory({ AXVISOR_CACHE: '/a', XDG_CACHE_HOME: '/x' })).toBe('/a');
    expect(cacheDirectory({ AXVISOR_CACHE: '', XDG_CACHE_HOME: '/x' })).toBe('/x/axvisor');
    expect(cacheDirectory({ XDG_CACHE_HOME: 'relative' })).toMatch(/\/\.cache\/axvisor$/);
  });
});

describe('the table', () => {
  it('has one row a name, and everything a boot needs', () => {
    expect(new Set(images.map((image) => image.name)).size).toBe(images.length);
    for (const { source, boot, initramfs } of images) {
      if (source.kind !== 'debian') continue;
      const files = source.packages.flatMap((p) => p.files.map((file) => file.as));
      expect(files).toContain(boot?.kernel);
      if (initramfs !== undefined) expect(files).toContain(initramfs.busybox);
    }
  });
});
