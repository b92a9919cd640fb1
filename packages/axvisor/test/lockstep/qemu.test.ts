import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '@axvisor/tooling/testing';
import { assemble as assembleArm } from '@axvisor/softcpu_arm/asm';
import { assemble as assembleRiscv } from '@axvisor/softcpu_riscv/asm';
import { assemble as assembleX86 } from '@axvisor/softcpu_x86/asm';
import { describe, expect, test } from 'vitest';
import { planVms, type RawRunOptions } from '../../src/commands/run_options.ts';
import { guestCode } from '../../src/guest_code/index.ts';
import { compareWithQemu } from '../../src/lockstep/qemu.ts';
import { report } from '../../src/lockstep/report.ts';
import type { Side } from '../../src/lockstep/state.ts';
import { threadSide } from '../../src/lockstep/thread_side.ts';
import { axvisor } from '../guests/session.ts';

/** Arithmetic, memory, a counter, an exception with its handler, calls of firmware, and off. */
const RISCV = `
  la t0, handler
  csrw stvec, t0
  la sp, handler
  addi sp, sp, 1024
  li s0, 0
  li s1, 1
  li s2, 30
loop:
  add s3, s0, s1
  mv s0, s1
  mv s1, s3
  mul s4, s3, s1
  mulhu s5, s4, s3
  divu s6, s5, s3
  sd s6, 0(sp)
  lw s7, 4(sp)
  amoadd.d s9, s3, (sp)
  rdtime s8
  addi s2, s2, -1
  bnez s2, loop
  ebreak
  li a7, 0x10
  li a6, 0
  ecall
  mv s10, a1
  li a7, 0x53525354
  li a6, 0
  li a0, 0
  li a1, 0
  ecall
  .balign 4
handler:
  csrr t1, sepc
  addi t1, t1, 2
  csrw sepc, t1
  csrr t2, scause
  sret
`;

/** The same for Arm: with the flags, pairs, exclusives, floating point and vectors. */
const ARM = `
  adr x0, vectors
  msr VBAR_EL1, x0
  mov x1, 0x300000
  msr CPACR_EL1, x1
  isb
  adr x29, data
  mov sp, x29
  mov x19, 0
  mov x20, 1
  mov x21, 30
loop:
  add x22, x19, x20
  mov x19, x20
  mov x20, x22
  mul x23, x22, x20
  umulh x24, x23, x22
  udiv x25, x24, x22
  stp x25, x24, [sp, 16]!
  ldrsw x26, [sp, 4]
  ldp x27, x28, [sp], -16
  adds x2, x24, x25
  csinc x3, x2, x25, ne
  adc x4, x2, x3
  ldxr x5, [x29]
  add x5, x5, 1
  stxr w6, x5, [x29]
  ldadd x5, x7, [x29]
  scvtf d0, x5
  fdiv d1, d0, d0
  fcvtzs x8, d1
  dup v2.4s, w5
  addv s3, v2.4s
  umov w9, v3.s[0]
  mrs x10, CNTVCT_EL0
  subs x21, x21, 1
  b.ne loop
  brk 7
  movz x0, 0x8400, lsl 16
  hvc 0
  mov x11, x0
  movz x0, 0x8400, lsl 16
  movk x0, 8
  hvc 0
  .balign 16
data: .quad 5, 6, 7, 8
  .balign 2048
vectors: .space 512
  mrs x12, ELR_EL1
  add x12, x12, 4
  msr ELR_EL1, x12
  mrs x13, ESR_EL1
  eret
`;

/** The same for x86-64, by multiboot: from 32-bit code into long mode, with string instructions and SSE. */
const X86 = `
  .code32
image:
  .long 0x1badb002, 0x10000, 0 - 0x1badb002 - 0x10000
  .long image, image, 0, 0, start
start:
  mov esp, offset stack
  mov eax, offset directory + 3
  mov [pointers], eax
  mov eax, offset pointers + 3
  mov [top], eax
  mov dword ptr [directory], 0x83
  mov eax, 0x620
  mov cr4, eax
  mov eax, offset top
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100
  wrmsr
  mov eax, 0x80000033
  mov cr0, eax
  lgdt [gdtr]
  push 8
  push offset long_mode
  retf
  .code64
long_mode:
  mov ecx, 16
  mov ss, ecx
  lidt [rip + idtr]
  lea rax, [rip + handler]
  mov [rip + gate], ax
  shr rax, 16
  mov [rip + gate + 6], ax
  xor r8d, r8d
  mov r9d, 1
again:
  lea r10, [r8 + r9]
  mov r8, r9
  mov r9, r10
  mov rax, r10
  mul r9
  mov r11, rdx
  imul r12, rax, -77
  mov rax, r12
  xor edx, edx
  div r10
  push rax
  movsx r13, word ptr [rsp + 2]
  adc r13, rax
  setc cl
  rcl r13, 3
  cmovs r14, r13
  lock xadd [rsp], r14
  bswap r14
  bsf r15, r14
  cvtsi2sd xmm0, r10
  divsd xmm0, xmm0
  addsd xmm0, xmm0
  cvttsd2si rbp, xmm0
  movq xmm1, r14
  pshufd xmm1, xmm1, 0x1b
  pmuludq xmm1, xmm1
  movq rsi, xmm1
  pop rdi
  rdtsc
  cpuid
  mov ecx, 9
  lea rsi, [rip + image]
  lea rdi, [rip + stack]
  rep movsb
  std
  mov ecx, 5
  repe cmpsw
  cld
  dec dword ptr [rip + counter]
  jnz again
  ud2
after:
  mov edx, 0x3fd
  in al, dx
  mov edx, 0x604
  mov eax, 0x2000
  out dx, ax
  hlt
handler:
  add qword ptr [rsp], 2
  mov rcx, cr2
  iretq
  .align 8
counter: .long 20, 0
gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr: .word 23
  .long gdt
idt: .fill 6 * 16
gate: .word 0, 8, 0x8e00, 0
  .quad 0
idtr: .word 7 * 16 - 1
  .quad idt
  .align 4096
top: .fill 4096
pointers: .fill 4096
directory: .fill 4096
  .fill 1024
stack: .fill 1024
`;

const folder = mkdtempSync(join(tmpdir(), 'axvisor-lockstep-'));
const program = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};
const COMMON = { memory: '64M', disk: [], clock: 'virtual', engine: 'interpreter', translationMemory: '64M', log: 'warn' };

/** A program, and where an error is put into which register. */
const SIDES = [
  { tool: 'qemu-system-riscv64', options: { ...COMMON, arch: 'riscv64', kernel: program('riscv', assembleRiscv(RISCV, { base: 0x8020_0000n }).bytes), loadAddr: '0x80200000' }, register: 's4', count: /no difference in 3\d\d instructions/, at: /0x802000[0-9a-f]+: / },
  { tool: 'qemu-system-aarch64', options: { ...COMMON, arch: 'aarch64', kernel: program('arm', assembleArm(ARM, { base: 0x4020_0000n }).bytes), loadAddr: '0x40200000' }, register: 'x23', count: /no difference in 7\d\d instructions/, at: /0x402000[0-9a-f]+: / },
  { tool: 'qemu-system-x86_64', options: { ...COMMON, arch: 'x86_64', kernel: program('x86', assembleX86(X86, { base: 0x10_0000n }).bytes) }, register: 'r11', count: /no difference in 8\d\d instructions/, at: /0x100[0-9a-f]+: / },
] as const satisfies readonly { readonly tool: string; readonly options: RawRunOptions; readonly register: string; readonly count: RegExp; readonly at: RegExp }[];

describe.each(SIDES.filter(({ tool }) => present(tool)))('beside $tool', ({ options, register, count, at }) => {
  const { arch, kernel } = options;
  const address = 'loadAddr' in options ? ['--load-addr', options.loadAddr] : [];

  test('a program agrees to its end', async () => {
    const { status, output } = await axvisor('lockstep', '--arch', arch, '--kernel', kernel, ...address, '--memory', '64M', '--against', 'qemu');
    expect(output).toMatch(count);
    expect(status).toBe(0);
  });

  test('a wrong register is found at its instruction', async () => {
    const code = await guestCode(arch);
    const [plan] = await planVms([], options, arch, () => {});
    const sound = threadSide('axvisor', [], options);
    const faulty: Side = {
      ...sound,
      run: async (order) => {
        const state = await sound.run(order);
        return state.instructions < 100n ? state : { ...state, registers: { ...state.registers, [register]: (state.registers[register] ?? 0n) ^ 1n } };
      },
    };
    try {
      const result = await compareWithQemu(faulty, plan!, code.qemu, 200n);
      expect(result.agreed).toBe(99n);
      expect(result.divergence?.differences.map(({ what }) => what)).toEqual([register]);
      const [first, second] = report(result, code).split('\n');
      expect([first, second]).toEqual(['the sides differ after instruction 100', expect.stringMatching(at)]);
    } finally {
      await sound.close();
    }
  });
});
