/** x86-64 code. What a processor executes in another mode is listed as 64-bit code too. */
import { BAD, MAX_LENGTH, disassemble } from '@axvisor/softcpu_x86/isa';
import type { GuestCode } from './guest_code.ts';

/** The general registers in the order of GDB's description of the architecture, and the instruction pointer, which is the address where CS begins at 0. */
const REGISTERS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'pc'] as const;

/** Registers that instructions set which ask the machine around, by the bytes behind prefixes (SDM vol. 2). */
const OUTSIDE: readonly (readonly [mask: number, bytes: number, registers: readonly string[]])[] = [
  [0xfe, 0xe4, ['rax']], // IN from a port by number
  [0xfe, 0xec, ['rax']], // IN from port DX
  [0xffff, 0x310f, ['rax', 'rdx']], // RDTSC
  [0xffff, 0x320f, ['rax', 'rdx']], // RDMSR
  [0xffff, 0x330f, ['rax', 'rdx']], // RDPMC
  [0xffff, 0xa20f, ['rax', 'rbx', 'rcx', 'rdx']], // CPUID
  [0xff_ffff, 0xf9_010f, ['rax', 'rcx', 'rdx']], // RDTSCP
];
/** Operand size and REX. */
const isPrefix = (byte: number): boolean => byte === 0x66 || (byte & 0xf0) === 0x40;

export const x86Code: GuestCode = {
  decode: (code, pc) => {
    const [line] = disassemble(code.subarray(0, MAX_LENGTH), pc);
    if (line === undefined || (line.text === BAD && code.length < MAX_LENGTH)) return undefined;
    const bytes = [...code.subarray(0, line.length)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return { length: line.length, bytes, text: line.text };
  },
  addressSpace: 'cr3',
  qemu: {
    program: 'qemu-system-x86_64',
    machine: ['-machine', 'pc', '-cpu', 'max', '-nodefaults'],
    kernel: (path) => ['-kernel', path],
    registers: REGISTERS,
    firmwareEnd: 0n,
    fromOutside: (bits) => {
      const code = isPrefix(bits & 0xff) ? bits >>> 8 : bits;
      return OUTSIDE.find(([mask, bytes]) => (code & mask) === bytes)?.[2] ?? [];
    },
  },
};
