/** The embedded kernels on QEMU: what they say here is what they have to say on axvisor. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { embeddedAarch64 } from '../../src/guests/embedded_aarch64.ts';
import { embeddedRiscv64 } from '../../src/guests/embedded_riscv64.ts';
import { embeddedX86_64 } from '../../src/guests/embedded_x86_64.ts';
import { present } from '@axvisor/tooling/testing';
import { QemuSession } from './qemu_session.ts';

interface Machine {
  readonly name: string;
  readonly arch: string;
  readonly qemu: string;
  readonly args: readonly string[];
  readonly kernel: () => Uint8Array;
  /** What it says of a machine with 128 MiB and 4 CPUs. */
  readonly boot: readonly RegExp[];
  /** Pages of 128 MiB, and how many of them are free. */
  readonly pages: RegExp;
  /** Name and code in a line of the command `trap`. */
  readonly trap: RegExp;
  readonly traps: readonly (readonly [name: string, code: string])[];
  /** A processor, in messages. */
  readonly cpu: string;
  readonly others: string;
}

const arm = (gic: number): Machine => ({
  name: `aarch64 with a GICv${gic}`,
  arch: 'aarch64',
  qemu: 'qemu-system-aarch64',
  args: ['-M', `virt,gic-version=${gic}`, '-cpu', 'cortex-a57'],
  kernel: embeddedAarch64,
  boot: [new RegExp(`memory 128 MiB at 0x40000000, CPUs 4, boot CPU 0x0, GICv${gic}, counter 62500000 Hz\nconsole PL011 at 0x9000000, interrupt 33\n`)],
  pages: /^32768 pages of 4 KiB, 3[12]\d{3} free\n/,
  trap: /^(.*): ESR (0x[0-9a-f]+) .*, recovered$/,
  traps: [['undefined instruction', '0x2000000'], ['breakpoint', '0xf2000007'], ['load from nowhere', '0x96000005'], ['store to a constant', '0x9600004f'], ['jump to data', '0x8600000f']],
  cpu: 'CPU 0x\\d',
  others: 'CPU',
});

const machines: readonly Machine[] = [
  {
    name: 'riscv64',
    arch: 'riscv64',
    qemu: 'qemu-system-riscv64',
    args: ['-M', 'virt'],
    kernel: embeddedRiscv64,
    boot: [/memory 128 MiB at 0x80000000, harts 4, boot hart \d, timebase 10000000 Hz/, /console ns16550a at 0x10000000, interrupt 10, PLIC context \d/],
    pages: /^32768 pages of 4 KiB, 32\d{3} free\n/,
    trap: /^(.*): scause (\d+) .*, recovered$/,
    traps: [['illegal instruction', '2'], ['breakpoint', '3'], ['load page fault', '13'], ['store/AMO page fault', '15'], ['instruction page fault', '12']],
    cpu: 'hart \\d',
    others: 'hart',
  },
  arm(3),
  arm(2),
  {
    name: 'x86_64',
    arch: 'x86_64',
    qemu: 'qemu-system-x86_64',
    args: ['-M', 'pc', '-nodefaults'],
    kernel: embeddedX86_64,
    boot: [/memory 128 MiB, CPUs 4, boot CPU 0x0, counter \d+ Hz\nconsole 16550 at 0x3f8, interrupt 4\n/],
    pages: /^327\d\d pages of 4 KiB, 32\d{3} free\n/,
    trap: /^(.*): vector (\d+ error 0x[0-9a-f]+) .*, recovered$/,
    traps: [['invalid opcode', '6 error 0x0'], ['breakpoint', '3 error 0x0'], ['load from nowhere', '14 error 0x0'], ['store to a constant', '14 error 0x3'], ['jump to data', '14 error 0x11']],
    cpu: 'CPU 0x\\d',
    others: 'CPU',
  },
];

const directory = mkdtempSync(join(tmpdir(), 'embedded-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe.each(machines.filter(({ qemu }) => present(qemu)))('the embedded kernel on $name', ({ name, arch, qemu, args, kernel, boot, pages, trap, traps, cpu, others }) => {
  const file = join(directory, name);
  writeFileSync(file, kernel());
  const session = (...more: string[]): QemuSession => new QemuSession(qemu, ...args, '-kernel', file, ...more);

  it('answers every command', async () => {
    using guest = session('-smp', '4', '-m', '128M');
    const said = await guest.until('axvisor> ');
    expect(said).toContain(`axvisor embedded kernel, ${arch}\n`);
    for (const expected of boot) expect(said).toMatch(expected);
    expect(said).toContain('initrd none\n');
    expect(guest.carriageReturns).toBe(true);

    const help = await guest.command('help');
    expect(help.match(/^ {2}\w+/gm)?.map((command) => command.trim())).toEqual(['help', 'uptime', 'mem', 'trap', 'smp', 'echo', 'reboot', 'poweroff']);
    expect(await guest.command('uptime')).toMatch(/^up \d+\.\d s, \d+ ticks\n$/);
    const mem = await guest.command('mem');
    expect(mem).toMatch(pages);
    expect(mem).toMatch(/\nself-test: 64 pages written, read in both mappings and freed\n$/);
    expect(await guest.command('mem')).toBe(mem);

    const taken = (await guest.command('trap')).trimEnd().split('\n');
    expect(taken.map((line) => trap.exec(line)?.slice(1))).toEqual(traps);
    expect(taken[2]).toMatch(/0x10+8\b/);

    for (let round = 0; round < 2; round++) {
      const smp = await guest.command('smp');
      expect(smp.match(new RegExp(`${cpu} online`, 'g'))).toHaveLength(3);
      expect(smp).toContain(`100 rounds with 3 ${others}s`);
      expect(smp.match(new RegExp(`${cpu} took 100 interrupts`, 'g'))).toHaveLength(3);
      expect(smp.match(new RegExp(`${cpu} stopped`, 'g'))).toHaveLength(3);
      if (arch === 'riscv64') expect(smp).toContain('remote fence, error 0\n');
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

  it('edits lines, spares the initrd, ticks at 10 Hz and idles', async () => {
    using guest = session('-smp', '1', '-m', '64M', '-initrd', file);
    expect(await guest.until('axvisor> ')).toMatch(/initrd 0x[0-9a-f]+\.\.0x[0-9a-f]+, left alone/);
    const before = guest.cpuSeconds;
    const state = async (): Promise<number[]> => /up (\d+\.\d) s, (\d+) ticks/.exec(await guest.command('uptime'))!.slice(1).map(Number);
    const [seconds0 = 0, ticks0 = 0] = await state();
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
    expect(await guest.command('smp')).toBe(`no other ${others}\n`);
    expect(await guest.command('mem')).toContain('self-test: 64 pages');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const [seconds1 = 0, ticks1 = 0] = await state();
    expect(Math.abs(ticks1 - ticks0 - (seconds1 - seconds0) * 10)).toBeLessThan(3);
    expect(guest.cpuSeconds - before).toBeLessThan(0.7);
  });
});
