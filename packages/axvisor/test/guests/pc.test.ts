/** Starts of a PC without Linux: firmware that boots a disk, and the boot stub at 0x8000 that starts a raw kernel; under VMX and under SVM. */
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { assemble } from '@axvisor/softcpu_x86/asm';
import { axvisor, Session } from './session.ts';

const SEABIOS = ['/usr/share/seabios/bios-256k.bin', '/usr/share/qemu/bios-256k.bin'].find((path) => existsSync(path));
const folder = mkdtempSync(join(tmpdir(), 'axvisor-pc-'));
const file = (name: string, content: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

/** Prints what is at `text`, and powers the machine off by ACPI. */
const HELLO = `
        mov dx, 0x3f8
next:   lodsb
        test al, al
        jz end
        out dx, al
        jmp next
end:    mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
        hlt
text:   .asciz "it boots"
`;

/** A disk whose first sector is what firmware starts at 0x7c00. */
function bootDisk(): Uint8Array {
  const disk = new Uint8Array(1 << 20);
  disk.set(assemble(`.code16\n xor ax, ax\n mov ds, ax\n cld\n mov si, text\n${HELLO}`, { base: 0x7c00n, bits: 16 }).bytes);
  disk.set([0x55, 0xaa], 510);
  return disk;
}

test.skipIf(SEABIOS === undefined).each(['vmx', 'svm'])('SeaBIOS under %s says who it is, and boots from a virtio disk', { timeout: 120_000 }, async (virt) => {
  const config = file(`${virt}.toml`, `[base]\nid = 1\nname = "pc"\ncpu_num = 1\narch = "x86_64"\nvirt = "${virt}"\n[kernel]\nbios_path = "${SEABIOS}"\nmemory = "64M"\n`);
  await using guest = new Session(['run', '--arch', 'x86_64', config, '--disk', file(`${virt}.img`, bootDisk())]);
  await guest.expect('SeaBIOS (version', 90);
  await guest.expect('it boots', 90);
  expect(await guest.exited()).toBe(0);
});

test.each(['vmx', 'svm'])('a raw kernel under %s is started by the stub, with the magic number of multiboot', { timeout: 60_000 }, async (virt) => {
  // Not said what it is: "it boots" if EAX is right, nothing else.
  const { bytes } = assemble(`.code32\n mov esi, text\n cmp eax, 0x2badb002\n jne end\n${HELLO}`, { base: 0x20_0000n, bits: 32 });
  const { status, output } = await axvisor('run', '--arch', 'x86_64', '--virt', virt, '--kernel', file('raw', bytes), '--load-addr', '0x200000', '--memory', '16M');
  expect([status, output]).toEqual([0, 'it boots']);
});

test('a PC takes no device tree', async () => {
  const { status, output } = await axvisor('run', '--arch', 'x86_64', '--kernel', file('raw', Uint8Array.of(0xf4)), '--load-addr', '0x200000', '--dtb', file('tree', 'x'));
  expect([status, output]).toEqual([2, expect.stringContaining("a PC describes itself by ACPI's tables")]);
});
