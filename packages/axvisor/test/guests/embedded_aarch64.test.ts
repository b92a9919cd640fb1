/** The embedded kernel for Arm on QEMU: what it says here is what it has to say on axvisor. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EMBEDDED_AARCH64_BASE, embeddedAarch64, embeddedAarch64Source } from '../../src/guests/embedded_aarch64.ts';
import { present, QemuSession } from './qemu_session.ts';

const QEMU = 'qemu-system-aarch64';
const haveQemu = present(QEMU);
const directory = mkdtempSync(join(tmpdir(), 'embedded-'));
const kernel = join(directory, 'Image');
writeFileSync(kernel, embeddedAarch64());
afterAll(() => rmSync(directory, { recursive: true }));

const session = (gic: number, ...args: string[]): QemuSession => new QemuSession(QEMU, '-M', `virt,gic-version=${gic}`, '-cpu', 'cortex-a57', '-kernel', kernel, ...args);

describe('the embedded kernel', () => {
  it('is a boot image of the arm64 Linux form', () => {
    const image = embeddedAarch64();
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    expect(view.getBigUint64(8, true)).toBe(0n);
    expect(view.getBigUint64(16, true)).toBeGreaterThan(BigInt(image.length));
    expect(view.getBigUint64(16, true)).toBeLessThan(0x20_0000n);
    expect(view.getBigUint64(24, true)).toBe(10n);
    expect(new TextDecoder().decode(image.subarray(56, 60))).toBe('ARM\x64');
    expect(image.length).toBeLessThan(32 * 1024);
    expect(embeddedAarch64()).toBe(image);
    expect(EMBEDDED_AARCH64_BASE % 0x20_0000n).toBe(0n);
  });

  it.runIf(present('aarch64-linux-gnu-as'))('is what GNU as makes of it', () => {
    const [source, object, raw] = ['kernel.s', 'kernel.o', 'kernel.bin'].map((name) => join(directory, name)) as [string, string, string];
    writeFileSync(source, embeddedAarch64Source);
    execFileSync('aarch64-linux-gnu-as', ['-march=armv8-a', source, '-o', object]);
    execFileSync('aarch64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', object, raw]);
    const theirs = readFileSync(raw);
    expect(Buffer.compare(theirs, Buffer.from(embeddedAarch64()))).toBe(0);
  });

  it.runIf(haveQemu).each([3, 2])('answers every command with a GICv%d', { timeout: 60_000 }, async (gic) => {
    using guest = session(gic, '-smp', '4', '-m', '128M');
    const boot = await guest.until('axvisor> ');
    expect(boot).toContain('axvisor embedded kernel, aarch64\n');
    expect(boot).toContain(`memory 128 MiB at 0x40000000, CPUs 4, boot CPU 0x0, GICv${gic}, counter 62500000 Hz\nconsole PL011 at 0x9000000, interrupt 33\ninitrd none\n`);
    expect(guest.carriageReturns).toBe(true);
    const help = await guest.command('help');
    expect(help.match(/^ {2}\w+/gm)?.map((name) => name.trim())).toEqual(['help', 'uptime', 'mem', 'trap', 'smp', 'echo', 'reboot', 'poweroff']);
    expect(await guest.command('uptime')).toMatch(/^up \d+\.\d s, \d+ ticks\n$/);
    const mem = await guest.command('mem');
    expect(mem).toMatch(/^32768 pages of 4 KiB, 3[12]\d{3} free\nself-test: 64 pages written, read in both mappings and freed\n$/);
    expect(await guest.command('mem')).toBe(mem);
    const traps = (await guest.command('trap')).trimEnd().split('\n');
    expect(traps.map((line) => /^(.*): ESR (0x[0-9a-f]+) .*, recovered$/.exec(line)?.slice(1))).toEqual([
      ['undefined instruction', '0x2000000'],
      ['breakpoint', '0xf2000007'],
      ['load from nowhere', '0x96000005'],
      ['store to a constant', '0x9600004f'],
      ['jump to data', '0x8600000f'],
    ]);
    expect(traps[2]).toContain('FAR 0x1000000008');
    for (let round = 0; round < 2; round++) {
      const smp = await guest.command('smp');
      expect(smp.match(/CPU 0x\d online/g)).toHaveLength(3);
      expect(smp).toContain('100 rounds with 3 CPUs');
      expect(smp.match(/CPU 0x\d took 100 interrupts/g)).toHaveLength(3);
      expect(smp.match(/CPU 0x\d stopped/g)).toHaveLength(3);
    }
    expect(await guest.command('echo  two  words')).toBe(' two  words\n');
    expect(await guest.command('nonsense')).toBe('nonsense: unknown command, try help\n');
    expect(await guest.command('   ')).toBe('');
    guest.type('reboot\r');
    await guest.until('rebooting');
    await guest.until('axvisor> ');
    guest.type('poweroff\r');
    expect(await guest.exit).toBe(0);
  });

  it.runIf(haveQemu)('edits lines, spares the initrd and idles in wfi', { timeout: 60_000 }, async () => {
    using guest = session(3, '-smp', '1', '-m', '64M', '-initrd', kernel);
    expect(await guest.until('axvisor> ')).toMatch(/initrd 0x[0-9a-f]+\.\.0x[0-9a-f]+, left alone/);
    const before = guest.cpuSeconds;
    guest.type('\x7fecho wrx\x7f\x08orld\r');
    await guest.until('\nworld\naxvisor> ');
    guest.type('rubbish\x15echo kept\n');
    await guest.until('\nkept\naxvisor> ');
    guest.type('poweroff\x03');
    await guest.until('^C\naxvisor> ');
    guest.type('echo one\r\necho two\r\n');
    await guest.until('\none\naxvisor> echo two\ntwo\naxvisor> ');
    guest.type(`echo ${'x'.repeat(200)}\r`);
    await guest.until(`\n${'x'.repeat(122)}\naxvisor> `);
    expect(await guest.command('smp')).toBe('no other CPU\n');
    expect(await guest.command('mem')).toContain('self-test: 64 pages');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(guest.cpuSeconds - before).toBeLessThan(0.7);
  });
});
