import { readFileSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { packInitramfs } from '../../src/images/index.ts';
import { cachedImage, Session } from './session.ts';

/** What differs between the architectures, or between the interrupt controllers of one. */
interface Machine {
  readonly guest: string;
  readonly args: readonly string[];
  readonly cpuinfo: RegExp;
  readonly interrupts: RegExp;
  /** Package with an esbuild for the guest; without, only boot, disk and vCPUs are tested. */
  readonly esbuild?: string;
}

const ARM = { guest: 'debian-arm64', cpuinfo: /processor\s*: 0[\s\S]*Features\s*: fp asimd .*atomics/ };
const PC = { guest: 'debian-amd64', cpuinfo: /processor\s*: 0[\s\S]*flags\s*: .*\blm\b.*\bhypervisor\b/ };
const MACHINES: readonly (readonly [name: string, machine: Machine])[] = [
  ['Debian riscv64', { guest: 'debian-riscv64', args: [], cpuinfo: /processor\s*: 0[\s\S]*isa\s*: rv64imafdc/, interrupts: /riscv-timer/, esbuild: '@esbuild/linux-riscv64' }],
  ['Debian arm64 with a GICv3', { ...ARM, args: ['--arch', 'aarch64'], interrupts: /GICv3 +27 Level +arch_timer/, esbuild: '@esbuild/linux-arm64' }],
  ['Debian amd64 under VMX', { ...PC, args: ['--arch', 'x86_64'], interrupts: /LOC: +[1-9]\d* /, esbuild: '@esbuild/linux-x64' }],
  ['Debian amd64 under SVM', { ...PC, args: ['--arch', 'x86_64', '--virt', 'svm'], interrupts: /LOC: +[1-9]\d* / }],
  ['Debian arm64 with a GICv2', { ...ARM, args: ['--arch', 'aarch64', '--gic', '2'], interrupts: /GIC-0 +27 Level +arch_timer/ }],
];

const images = new Map(await Promise.all([...new Set(MACHINES.map(([, { guest }]) => guest))].map(async (name) => [name, await cachedImage(name)] as const)));
/** Both kernels of amd64, as they are and what is packed in them by PVH, under VMX and SVM, with one vCPU and more. */
const ALL_STARTS = ['debian-amd64', 'debian-amd64-generic'].flatMap((name) =>
  [[], ['--unpack']].flatMap((unpack) => ['vmx', 'svm'].flatMap((virt) => ['1', '4'].map((cpus) => [name, [...unpack, '--virt', virt, '--cpus', cpus].join(' ')] as const))),
);
/**
 * What the machines above do not have; with AXVISOR_EVERY_START=1 all of them, and esbuild under SVM. That is for a machine with nothing else to do, or
 * for a few at a time by their names: `-t 'debian-amd64-generic boots with --unpack'`.
 */
const EVERY_START = process.env['AXVISOR_EVERY_START'] === '1';
const STARTS = EVERY_START
  ? ALL_STARTS
  : ([
      ['debian-amd64', '--unpack --virt svm --cpus 4'],
      ['debian-amd64-generic', '--cpus 2'],
      ['debian-amd64-generic', '--unpack --cpus 1'],
    ] as const);
const startable = new Map(await Promise.all(STARTS.map(async ([name]) => [name, (await cachedImage(name)) !== undefined] as const)));
const UBOOT = [['u-boot-riscv64', []], ['u-boot-arm64', ['--arch', 'aarch64']]] as const;
const ubootThere = (await Promise.all(UBOOT.map(([name]) => cachedImage(name)))).every((found) => found !== undefined);
/** The generic kernel with 4 vCPUs takes the longest, and on a busy machine several minutes. */
const BOOT_SECONDS = EVERY_START ? 600 : 180;
const TIMEOUT = { timeout: EVERY_START ? 900_000 : 300_000 };

describe.each(MACHINES.filter(([, { guest }]) => images.get(guest) !== undefined))('%s', (_name, { guest: name, args, cpuinfo, interrupts, esbuild }) => {
  const image = images.get(name);
  const prompt = image?.spec.boot?.marker ?? '';
  const run = ['run', '--guest', name, ...args];

  /** Types a command and returns what it prints. */
  async function sh(guest: Session, command: string, seconds = 60): Promise<string> {
    guest.type(`${command}\n`);
    await guest.expect('\n');
    return (await guest.expect(prompt, seconds)).replaceAll('\r', '');
  }

  test('boots to a shell with the right processor and date, reads and writes a disk, and powers off', TIMEOUT, async () => {
    const disk = join(mkdtempSync(join(tmpdir(), 'axvisor-disk-')), 'disk.img');
    const content = Buffer.alloc(1 << 20);
    content.write('first sector of the host', 0);
    writeFileSync(disk, content);
    await using guest = new Session([...run, '--disk', disk]);
    await guest.expect(prompt, BOOT_SECONDS);
    expect(await sh(guest, 'cat /proc/cpuinfo')).toMatch(cpuinfo);
    expect(await sh(guest, 'cat /proc/interrupts')).toMatch(interrupts);
    const date = Number(await sh(guest, 'date +%s'));
    expect(Math.abs(date - Date.now() / 1000)).toBeLessThan(120);
    expect(await sh(guest, 'dd if=/dev/vda bs=512 count=1 2>/dev/null | head -c 24')).toContain('first sector of the host');
    await sh(guest, 'echo written by the guest | dd of=/dev/vda bs=512 seek=9 conv=notrunc,fsync 2>/dev/null');
    await sh(guest, 'dd if=/dev/vda of=/dev/null bs=64k');
    guest.type('echo rea""dy; cat\n');
    await guest.expect('ready');
    guest.type('\x03');
    await guest.expect(prompt);
    expect(await sh(guest, 'echo status $?')).toContain('status 130');
    guest.type('poweroff\n');
    expect(await guest.exited()).toBe(0);
    expect(readFileSync(disk).subarray(9 * 512, 9 * 512 + 20).toString()).toBe('written by the guest');
  });

  if (esbuild !== undefined) test('a full host and a disk that vanishes are I/O errors to the guest, and what was written before stays', TIMEOUT, async () => {
    const disk = join(mkdtempSync(join(tmpdir(), 'axvisor-disk-')), 'disk.img');
    writeFileSync(disk, Buffer.alloc(1 << 20, 'x'));
    truncateSync(disk, 8 << 20);
    // Files may grow to 2 MiB: what is written behind that does not fit.
    await using guest = new Session([...run, '--disk', disk], { fileBlocks: 4096 });
    await guest.expect(prompt, BOOT_SECONDS);
    const write = (sector: number): string => `echo written by the guest | dd of=/dev/vda bs=512 seek=${sector} conv=notrunc,fsync 2>&1`;
    expect(await sh(guest, write(9))).not.toMatch(/error/i);
    expect(await sh(guest, `${write(8192)}; echo status $?`)).toMatch(/error[\s\S]*status 1/i);
    expect(guest.output).toMatch(/axvisor: disk .*disk.img: writing: EFBIG.*; the guest sees an I\/O error/);
    truncateSync(disk, 512 << 10);
    expect(await sh(guest, 'echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/vda of=/dev/null bs=64k skip=40 count=4 2>&1; echo status $?')).toMatch(/error[\s\S]*status 1/i);
    expect(await sh(guest, `${write(20)}; dd if=/dev/vda bs=512 skip=20 count=1 2>/dev/null | head -c 20`)).toContain('written by the guest');
    guest.type('poweroff\n');
    expect(await guest.exited()).toBe(0);
    for (const sector of [9, 20]) expect(readFileSync(disk).subarray(512 * sector, 512 * sector + 20).toString()).toBe('written by the guest');
  });

  test('brings 4 vCPUs up, and reboots', TIMEOUT, async () => {
    await using guest = new Session([...run, '--cpus', '4']);
    await guest.expect(prompt, BOOT_SECONDS);
    expect((await sh(guest, 'grep -c ^processor /proc/cpuinfo')).trim()).toBe('4');
    expect((await sh(guest, 'for i in 1 2 3 4; do (i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; echo done) & done; wait')).match(/done/g)?.length).toBeGreaterThanOrEqual(4);
    guest.type('reboot\n');
    await guest.expect('Linux version', BOOT_SECONDS);
    await guest.expect(prompt, BOOT_SECONDS);
    guest.type('poweroff\n');
    expect(await guest.exited()).toBe(0);
  });

  if (esbuild !== undefined || (EVERY_START && args.includes('svm'))) test('runs a static program: esbuild bundles a TypeScript file', TIMEOUT, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'axvisor-esbuild-'));
    const program = createRequire(import.meta.url).resolve(`${esbuild ?? '@esbuild/linux-x64'}/bin/esbuild`);
    const source = 'enum E { A = 40 }\nconst add = (x: number, y: number): number => x + y;\nexport const answer: number = add(E.A, 2);\n';
    const initrd = await packInitramfs({
      base: image?.initramfs ?? '',
      files: [{ path: 'root/esbuild', data: readFileSync(program), mode: 0o755 }, { path: 'root/in.ts', data: Buffer.from(source) }],
    });
    writeFileSync(join(folder, 'initrd'), initrd);
    await using guest = new Session([...run, '--initrd', join(folder, 'initrd')]);
    await guest.expect(prompt, BOOT_SECONDS);
    const bundle = await sh(guest, './esbuild --bundle --format=esm --minify in.ts', 120);
    const module = (await import(`data:text/javascript,${encodeURIComponent(bundle.trim())}`)) as { answer: number };
    expect(module.answer).toBe(42);
    guest.type('poweroff\n');
    expect(await guest.exited()).toBe(0);
  });
});

test.skipIf(!ubootThere).each(UBOOT)('%s reaches its prompt and powers off', TIMEOUT, async (name, args) => {
  await using guest = new Session(['run', '--guest', name, ...args]);
  await guest.expect('Hit any key to stop autoboot', 60);
  guest.type('\r');
  await guest.expect('=> ', 60);
  guest.type('version\r');
  await guest.expect('U-Boot', 30);
  await guest.expect('=> ', 30);
  guest.type('poweroff\r');
  expect(await guest.exited()).toBe(0);
});

test.each(STARTS.filter(([name]) => startable.get(name)))('%s boots with %s', TIMEOUT, async (name, args) => {
  await using guest = new Session(['run', '--arch', 'x86_64', '--guest', name, ...args.split(' ')]);
  await guest.expect('/root # ', BOOT_SECONDS);
  guest.type('grep -c ^processor /proc/cpuinfo\n');
  await guest.expect(`\n${args.at(-1) ?? ''}`);
  await guest.expect('/root # ');
  guest.type('poweroff\n');
  expect(await guest.exited()).toBe(0);
});
