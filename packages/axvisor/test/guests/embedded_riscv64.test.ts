import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { afterAll, describe, expect, it } from 'vitest';
import { present, QemuSession } from './qemu_session.ts';
import { EMBEDDED_RISCV64_BASE, embeddedRiscv64, embeddedRiscv64Source } from '../../src/guests/embedded_riscv64.ts';

const QEMU = 'qemu-system-riscv64';

const haveQemu = present(QEMU);
const directory = mkdtempSync(join(tmpdir(), 'embedded-'));
const kernel = join(directory, 'Image');
writeFileSync(kernel, embeddedRiscv64());
afterAll(() => rmSync(directory, { recursive: true }));

const session = (...args: string[]): QemuSession => new QemuSession(QEMU, '-M', 'virt', '-kernel', kernel, ...args);

describe('the embedded kernel', () => {
  it('is a boot image of the RISC-V Linux form', () => {
    const image = embeddedRiscv64();
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    expect(view.getBigUint64(8, true)).toBe(0x20_0000n);
    expect(view.getBigUint64(16, true)).toBeGreaterThan(BigInt(image.length));
    expect(view.getBigUint64(16, true)).toBeLessThan(0x20_0000n);
    expect(view.getUint32(32, true)).toBe(2);
    expect(new TextDecoder().decode(image.subarray(48, 56))).toBe('RISCV\0\0\0');
    expect(new TextDecoder().decode(image.subarray(56, 60))).toBe('RSC\x05');
    expect(image.length).toBeLessThan(32 * 1024);
    expect(embeddedRiscv64()).toBe(image);
    expect(EMBEDDED_RISCV64_BASE % 0x20_0000n).toBe(0n);
    expect(embeddedRiscv64Source).toContain('trap_entry:');
  });

  it.runIf(haveQemu)('answers every command', { timeout: 60_000 }, async () => {
    using guest = session('-smp', '4', '-m', '128M');
    const boot = await guest.until('axvisor> ');
    expect(boot).toContain('axvisor embedded kernel, riscv64\n');
    expect(boot).toMatch(/memory 128 MiB at 0x80000000, harts 4, boot hart \d, timebase 10000000 Hz/);
    expect(boot).toMatch(/console ns16550a at 0x10000000, interrupt 10, PLIC context \d/);
    expect(boot).toContain('initrd none');
    expect(guest.carriageReturns).toBe(true);

    const help = await guest.command('help');
    expect(help.match(/^ {2}\w+/gm)?.map((name) => name.trim())).toEqual(['help', 'uptime', 'mem', 'trap', 'smp', 'echo', 'reboot', 'poweroff']);
    expect(await guest.command('uptime')).toMatch(/^up \d+\.\d s, \d+ ticks\n$/);
    const mem = await guest.command('mem');
    expect(mem).toMatch(/^32768 pages of 4 KiB, 32\d{3} free\nself-test: 64 pages written, read in both mappings and freed\n$/);
    expect(await guest.command('mem')).toBe(mem);

    const traps = (await guest.command('trap')).trimEnd().split('\n');
    expect(traps.map((line) => /^(.*): scause (\d+) .*, recovered$/.exec(line)?.slice(1))).toEqual([
      ['illegal instruction', '2'],
      ['breakpoint', '3'],
      ['load page fault', '13'],
      ['store/AMO page fault', '15'],
      ['instruction page fault', '12'],
    ]);
    expect(traps[2]).toContain('stval 0x1000000008');

    for (let round = 0; round < 2; round++) {
      const smp = await guest.command('smp');
      expect(smp.match(/hart \d online/g)).toHaveLength(3);
      expect(smp).toContain('remote fence, error 0\n');
      expect(smp).toContain('100 rounds with 3 harts');
      expect(smp.match(/hart \d took 100 interrupts/g)).toHaveLength(3);
      expect(smp.match(/hart \d stopped/g)).toHaveLength(3);
    }

    expect(await guest.command('echo  two  words')).toBe(' two  words\n');
    expect(await guest.command('nonsense')).toBe('nonsense: unknown command, try help\n');
    expect(await guest.command('   ')).toBe('');
    guest.type('poweroff\r');
    expect(await guest.exit).toBe(0);
  });

  it.runIf(haveQemu)('edits lines', { timeout: 60_000 }, async () => {
    using guest = session('-smp', '1', '-m', '64M');
    await guest.until('axvisor> ');
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
    expect(await guest.command('smp')).toBe('no other hart\n');
  });

  it.runIf(haveQemu)('ticks at 10 Hz, idles in wfi, and reboots', { timeout: 60_000 }, async () => {
    using guest = session('-smp', '1', '-m', '4G');
    await guest.until('axvisor> ');
    const before = guest.cpuSeconds;
    const state = async (): Promise<number[]> => /up (\d+\.\d) s, (\d+) ticks/.exec(await guest.command('uptime'))!.slice(1).map(Number);
    const [seconds0 = 0, ticks0 = 0] = await state();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const [seconds1 = 0, ticks1 = 0] = await state();
    expect(seconds1 - seconds0).toBeGreaterThan(1.3);
    expect(Math.abs(ticks1 - ticks0 - (seconds1 - seconds0) * 10)).toBeLessThan(3);
    expect(guest.cpuSeconds - before).toBeLessThan(0.5);
    guest.type('reboot\r');
    await guest.until('rebooting');
    await guest.until('axvisor embedded kernel');
    await guest.until('axvisor> ');
    expect(await guest.command('echo again')).toBe('again\n');
  });

  // The device tree of the board, with a property changed in place.
  it.runIf(haveQemu).each([
    ['without a UART it knows, by SBI', 'ns16550a', 'ns16550', 'console SBI, polled'],
    ['without a PLIC, by polling', 'sifive,plic-1.0.0\0riscv,plic0', 'sifive,none-1.0.0\0riscv,none0', 'console ns16550a at 0x10000000, polled'],
  ])('has a console %s', { timeout: 60_000 }, async (_, from, to, expected) => {
    const dtb = join(directory, 'board.dtb');
    execFileSync(QEMU, ['-M', `virt,dumpdtb=${dtb}`, '-smp', '1', '-m', '64M', '-display', 'none'], { stdio: 'pipe' });
    const tree = readFileSync(dtb, 'latin1');
    expect(tree).toContain(from);
    writeFileSync(dtb, tree.replaceAll(from, to.padEnd(from.length, '\0').slice(0, from.length)), 'latin1');
    using guest = session('-smp', '1', '-m', '64M', '-dtb', dtb);
    expect(await guest.until('axvisor> ')).toContain(expected);
    expect(await guest.command('echo works')).toBe('works\n');
  });

  it.runIf(haveQemu)('runs where it is put, first on a hart that is not the first in the tree', { timeout: 60_000 }, async () => {
    // Starts hart 2 at the kernel, with the device tree where SBI passes a1, and stops the boot hart.
    const stub = assemble(
      `start: mv a2, a1; li a0, 2; li a1, 0x80600000; li a7, 0x48534d; li a6, 0; ecall
       li a7, 0x48534d; li a6, 1; ecall`,
      { base: EMBEDDED_RISCV64_BASE },
    );
    const file = join(directory, 'stub');
    writeFileSync(file, stub.bytes);
    using guest = session('-kernel', file, '-device', `loader,file=${kernel},addr=0x80600000,force-raw=on`, '-smp', '4', '-m', '64M');
    expect(await guest.until('axvisor> ')).toMatch(/boot hart 2, [^]*PLIC context 5/);
    expect(await guest.command('mem')).toContain('self-test: 64 pages');
    expect((await guest.command('smp')).match(/hart [013] took 100 interrupts/g)).toHaveLength(3);
  });

  it.runIf(haveQemu)('spares the initrd', { timeout: 60_000 }, async () => {
    using guest = session('-smp', '1', '-m', '64M', '-initrd', kernel);
    expect(await guest.until('axvisor> ')).toMatch(/initrd 0x[0-9a-f]+\.\.0x[0-9a-f]+, left alone/);
    expect(await guest.command('mem')).toContain('self-test: 64 pages');
  });
});
