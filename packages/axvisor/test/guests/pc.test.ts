/** Starts of a PC without Linux: firmware that boots a disk, and the boot stub at 0x8000 that starts a raw kernel; under VMX and under SVM. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { assemble } from '@axvisor/softcpu_x86/asm';
import { present } from '@axvisor/tooling/testing';
import { axvisor, Session } from './session.ts';

const QEMU = 'qemu-system-x86_64';

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

test.skipIf(SEABIOS === undefined).each(['vmx', 'svm'])('SeaBIOS under %s says who it is, and boots from a virtio disk', async (virt) => {
  const config = file(`${virt}.toml`, `[base]\nid = 1\nname = "pc"\ncpu_num = 1\narch = "x86_64"\nvirt = "${virt}"\n[kernel]\nbios_path = "${SEABIOS}"\nmemory = "64M"\n`);
  await using guest = new Session(['run', '--arch', 'x86_64', config, '--disk', file(`${virt}.img`, bootDisk())]);
  await guest.expect('SeaBIOS (version', 90);
  await guest.expect('it boots', 90);
  expect(await guest.exited()).toBe(0);
});

test.each(['vmx', 'svm'])('a raw kernel under %s is started by the stub, with the magic number of multiboot', async (virt) => {
  // Not said what it is: "it boots" if EAX is right, nothing else.
  const { bytes } = assemble(`.code32\n mov esi, text\n cmp eax, 0x2badb002\n jne end\n${HELLO}`, { base: 0x20_0000n, bits: 32 });
  const { status, output } = await axvisor('run', '--arch', 'x86_64', '--virt', virt, '--kernel', file('raw', bytes), '--load-addr', '0x200000', '--memory', '16M');
  expect([status, output]).toEqual([0, 'it boots']);
});

test('a PC takes no device tree', async () => {
  const { status, output } = await axvisor('run', '--arch', 'x86_64', '--kernel', file('raw', Uint8Array.of(0xf4)), '--load-addr', '0x200000', '--dtb', file('tree', 'x'));
  expect([status, output]).toEqual([2, expect.stringContaining("a PC describes itself by ACPI's tables")]);
});

test.each(['vmx', 'svm'])('code under %s that a port was read into is executed as it is now', async (virt) => {
  const { bytes } = assemble(`
.code32
        mov esp, 0x80000
        call number
        cmp al, 1
        jne end
        mov al, 0x50                        # a byte of CMOS that nobody uses
        out 0x70, al
        mov al, 2
        out 0x71, al
        mov edi, offset number + 1
        mov edx, 0x71
        insb
        call number
        cmp al, 2
        jne end
        mov esi, offset text
${HELLO}
number: mov al, 1
        ret
`, { base: 0x20_0000n, bits: 32 });
  const { status, output } = await axvisor('run', '--arch', 'x86_64', '--virt', virt, '--kernel', file(`ins-${virt}`, bytes), '--load-addr', '0x200000', '--memory', '16M');
  expect([status, output]).toEqual([0, 'it boots']);
});

test.each(['vmx', 'svm'])('a guest under %s switches tasks by a far call to a TSS, by a task gate with an error code, and comes back by IRET', async (virt) => {
  const { bytes } = assemble(`
.code32
        mov esp, 0x80000
        lgdt [gdtr]
        mov word ptr [gdt + 24 + 2], tss1 & 0xffff
        mov byte ptr [gdt + 24 + 4], 0x20
        mov word ptr [gdt + 32 + 2], tss2 & 0xffff
        mov byte ptr [gdt + 32 + 4], 0x20
        mov ax, 24
        ltr ax
        mov eax, 0x12345678
        .byte 0x9a                          # lcall to the second task
        .long 0
        .word 32
        cmp eax, 0x12345678                 # registers are those of the first again
        jne end
        cmp dword ptr [seen], 1
        jne end
        lidt [idtr]
        mov eax, 64
        mov fs, ax                          # beyond the table: #GP with the selector, by a gate to the second task
        mov ax, fs                          # which went on here
        cmp dword ptr [seen], 2
        jne end
        pushfd
        pop eax
        test eax, 0x4000                    # not nested any more
        jnz end
        mov esi, text
${HELLO}
second: mov dword ptr [seen], 1
        iret
        # Entered again behind its IRET, with an error code on the stack.
        pop eax
        cmp eax, 64
        jne end
        mov dword ptr [seen], 2
        add dword ptr [tss1 + 32], 2        # the old task goes on behind its MOV
        iret
.align 8
seen:   .long 0
idt:    .fill 104, 1, 0
        .quad 0x0000850000200000            # 13: a task gate to selector 32
idtr:   .word 111
        .long idt
.align 8
gdt:    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x0000890000000067, 0x0000890000000067
gdtr:   .word 39
        .long gdt
.align 8
tss1:   .fill 104, 1, 0
tss2:   .fill 32, 1, 0                      # EIP, EFLAGS; eight registers; ES to GS
        .long second, 2, 0, 0, 0, 0, 0x70000, 0, 0, 0, 16, 8, 16, 16, 16, 16, 0, 0
`, { base: 0x20_0000n, bits: 32 });
  const { status, output } = await axvisor('run', '--arch', 'x86_64', '--virt', virt, '--kernel', file(`tasks-${virt}`, bytes), '--load-addr', '0x200000', '--memory', '16M');
  expect([status, output]).toEqual([0, 'it boots']);
});

/** Real mode: closes and opens the gate of A20 by both of its ways, and looks each time whether the megabytes are one. */
const A20 = `
.code16
        cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7000
        dec ax
        mov es, ax
        mov bx, 0x0001                      # what is in the second megabyte
        mov es:[0x0610], bx
        mov word ptr [0x0600], 0x0700
        call differ
        in al, 0x92
        and al, 0xfd
        out 0x92, al
        call same
        mov word ptr es:[0x0610], 0x1234    # goes to the first one
        cmp word ptr [0x0600], 0x1234
        jne fail
        or al, 2
        out 0x92, al
        call differ
        mov al, 0xd1
        out 0x64, al
        mov al, 0xdd
        out 0x60, al
        call same
        mov al, 0xdf
        out 0x64, al
        call differ
        mov al, 0xdd
        out 0x64, al
        call same
        mov al, 0xd1
        out 0x64, al
        mov al, 0xdf
        out 0x60, al
        call differ
        cmp word ptr es:[0x0610], 1         # as it was left
        jne fail
        push cs
        pop ds
        mov si, offset text
${HELLO.replace('hlt', 'xor ax, ax\n out 0xf4, al\n hlt')}
same:   inc word ptr [0x0600]
        mov dx, [0x0600]
        cmp es:[0x0610], dx
        jne fail
        ret
differ: inc word ptr [0x0600]
        mov dx, [0x0600]
        cmp es:[0x0610], dx
        je fail
        ret
fail:   mov al, 1
        out 0xf4, al
        hlt
`;

/** An image that a BIOS would be: it starts at the top of the first megabyte. */
function bios(text: string): Uint8Array {
  const image = new Uint8Array(0x1_0000);
  image.set(assemble(text, { base: 0n, bits: 16 }).bytes);
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0); // jmp f000:0000
  return image;
}

test.each(['--virt=vmx', '--virt=svm', '--threads=1'])('the gate of A20 opens and closes: %s', async (options) => {
  const config = file('a20.toml', `[base]\nid = 1\nname = "pc"\ncpu_num = 1\narch = "x86_64"\n[kernel]\nbios_path = "${file('a20.bin', bios(A20))}"\nmemory = "4M"\n`);
  const { status, output } = await axvisor('run', '--arch', 'x86_64', ...options.split(' '), config);
  expect([status, output]).toEqual([0, 'it boots']);
});

test.skipIf(!present(QEMU))('the gate of A20 opens and closes in QEMU', () => {
  const { stdout, status } = spawnSync(QEMU, ['-bios', file('a20.bin', bios(A20)), '-m', '4', '-nographic', '-monitor', 'none', '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4'], { input: '', timeout: 30_000 });
  expect([stdout.toString('latin1'), status]).toEqual(['it boots', 1]);
});
