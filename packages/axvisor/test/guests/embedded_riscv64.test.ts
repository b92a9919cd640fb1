/** What the embedded kernel for RISC-V has of its own: its boot image, and machines it finds its way in. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { afterAll, describe, expect, it } from 'vitest';
import { present } from '@axvisor/tooling/testing';
import { QemuSession } from './qemu_session.ts';
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

  // The device tree of the board, with a property changed in place.
  it.runIf(haveQemu).each([
    ['without a UART it knows, by SBI', 'ns16550a', 'ns16550', 'console SBI, polled'],
    ['without a PLIC, by polling', 'sifive,plic-1.0.0\0riscv,plic0', 'sifive,none-1.0.0\0riscv,none0', 'console ns16550a at 0x10000000, polled'],
  ])('has a console %s', async (_, from, to, expected) => {
    const dtb = join(directory, 'board.dtb');
    execFileSync(QEMU, ['-M', `virt,dumpdtb=${dtb}`, '-smp', '1', '-m', '64M', '-display', 'none'], { stdio: 'pipe' });
    const tree = readFileSync(dtb, 'latin1');
    expect(tree).toContain(from);
    writeFileSync(dtb, tree.replaceAll(from, to.padEnd(from.length, '\0').slice(0, from.length)), 'latin1');
    using guest = session('-smp', '1', '-m', '64M', '-dtb', dtb);
    expect(await guest.until('axvisor> ')).toContain(expected);
    expect(await guest.command('echo works')).toBe('works\n');
  });

  it.runIf(haveQemu)('runs where it is put, first on a hart that is not the first in the tree', async () => {
    // Starts hart 2 at the kernel, with the device tree where SBI passes a1, and stops the boot hart: unless that is the one, for the firmware draws lots.
    const stub = assemble(
      `start: li t0, 2; beq a0, t0, kernel
       mv a2, a1; li a0, 2; li a1, 0x80600000; li a7, 0x48534d; li a6, 0; ecall
       li a7, 0x48534d; li a6, 1; ecall
kernel: li t0, 0x80600000; jr t0`,
      { base: EMBEDDED_RISCV64_BASE },
    );
    const file = join(directory, 'stub');
    writeFileSync(file, stub.bytes);
    using guest = session('-kernel', file, '-device', `loader,file=${kernel},addr=0x80600000,force-raw=on`, '-smp', '4', '-m', '64M');
    expect(await guest.until('axvisor> ')).toMatch(/boot hart 2, [^]*PLIC context 5/);
    expect(await guest.command('mem')).toContain('self-test: 64 pages');
    expect((await guest.command('smp')).match(/hart [013] took 100 interrupts/g)).toHaveLength(3);
  });
});
