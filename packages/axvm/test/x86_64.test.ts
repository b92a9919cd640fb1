/** A whole PC on the software processor, under VMX: what prints, prints; what ends the machine, ends it. */
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axdevice } from '@axvisor/axdevice';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as axhost } from '@axvisor/axhost';
import { component as axvcpu } from '@axvisor/axvcpu';
import { link } from '@axvisor/axvisor_api';
import { createVm, runVms, type Vm } from '@axvisor/axvisor_api/vm';
import { createVmConfig } from '@axvisor/axvmconfig';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as percpu } from '@axvisor/percpu';
import { component as softcpu } from '@axvisor/softcpu_x86';
import { assemble } from '@axvisor/softcpu_x86/asm';
import { component as x86Vcpu } from '@axvisor/x86_vcpu';
import { component as vlapic } from '@axvisor/x86_vlapic';
import { beforeAll, expect, test } from 'vitest';
import { component as axvm } from '../src/index.ts';

beforeAll(() => {
  link([axhost({ memory: 256 << 20, clock: 'virtual' }), axerrno, memoryAddr, percpu, axaddrspace, axvcpu, x86Vcpu, softcpu, vlapic, axdevice, axvm]);
});

const le = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, n >>> 24];

/** A multiboot kernel at 1 MiB with `code` of 32 bits at offset 32. */
const kernel = (...code: readonly number[]): Uint8Array => {
  const file = new Uint8Array(0x200);
  file.set([...[0x1bad_b002, 0x1_0000, -0x1bae_b002, 0x10_0000, 0x10_0000, 0, 0, 0x10_0020].flatMap(le), ...code]);
  return file;
};

/** Runs until the machine ends. */
async function run(image: Uint8Array, cmdline = '', cpuNum = 1): Promise<{ readonly ended: Vm['ended']; readonly printed: string; readonly resets: number }> {
  let printed = '';
  await using vm = createVm(createVmConfig({ arch: 'x86_64', memory: 16n << 20n, cmdline, cpuNum }), { kernel: image }, {
    write: (bytes) => void (printed += String.fromCharCode(...bytes)), read: () => new Uint8Array(0), onInput: () => {},
  });
  vm.boot();
  await runVms();
  return { ended: vm.ended, printed, resets: vm.stats().resets };
}

test('the command line by the UART, the result by the test device', async () => {
  // mov esi, [ebx + 16]; mov dx, 0x3f8; 1: lodsb; test al, al; jz 2f; out dx, al; jmp 1b; 2: mov al, 21; out 0xf4, al; hlt
  const image = kernel(0x8b, 0x73, 0x10, 0x66, 0xba, 0xf8, 0x03, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xb0, 0x15, 0xe6, 0xf4, 0xf4);
  expect(await run(image, 'hello, world')).toEqual({ ended: { end: 'poweroff', code: 43 }, printed: 'hello, world', resets: 0 });
});

test('power-off by ACPI, after a reset by port CF9h', async () => {
  // The clock's memory outlives the reset: mov al, 0x40; out 0x70, al; in al, 0x71; test al, al; jnz 1f; inc al; out 0x71, al; mov dx, 0xcf9; mov al, 6; out dx, al; hlt
  // 1: mov dx, 0x604; mov ax, 0x2000; out dx, ax; hlt
  const image = kernel(
    0xb0, 0x40, 0xe6, 0x70, 0xe4, 0x71, 0x84, 0xc0, 0x75, 0x0c, 0xfe, 0xc0, 0xe6, 0x71, 0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xf4,
    0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef, 0xf4,
  );
  expect(await run(image)).toEqual({ ended: { end: 'poweroff', code: 0 }, printed: '', resets: 1 });
});

test('a CPU that is started gets its turn while the one that started it spins', async () => {
  // A tenth of a slice of a millisecond, of a counter with 10 MHz.
  const ticks = 1 << 10;
  const { bytes } = assemble(`
    mov edi, 0x8000
    lea esi, [other]
    mov ecx, 16
    cld
    rep movsb
    rdtsc
    mov ebp, eax
    mov dword ptr [0xfee00310], 0x01000000
    mov dword ptr [0xfee00300], 0x4500
    mov dword ptr [0xfee00300], 0x4608
1:  cmp dword ptr [0x9000], 0
    je 1b
    rdtsc
    sub eax, ebp
    shr eax, ${Math.log2(ticks)}
    out 0xf4, al
    hlt
other: .byte 0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0xf0, 0x66, 0xff, 0x06, 0x00, 0x90, 0xf4, 0xeb, 0xfd, 0, 0
`, { base: 0x10_0020n, bits: 32 });
  expect((await run(kernel(...bytes), '', 2)).ended).toEqual({ end: 'poweroff', code: 1 });
});
