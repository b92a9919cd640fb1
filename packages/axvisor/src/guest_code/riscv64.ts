/** RISC-V code. */
import { disassemble } from '@axvisor/softcpu_riscv/isa';
import { decodeHalves, type GuestCode } from './guest_code.ts';

/** x1 … x31 as QEMU numbers them. */
const X = [
  'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2', 's0', 's1', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9',
  's10', 's11', 't3', 't4', 't5', 't6',
] as const;
const ECALL = 0x73;

/** The register that a read of cycle, time or instret sets. */
function counterRead(bits: number): readonly string[] {
  const isCounter = (bits & 0x7f) === 0x73 && (bits & 0x2000) !== 0 && bits >>> 20 >= 0xc00 && bits >>> 20 <= 0xc02;
  const name = isCounter ? X[((bits >>> 7) & 31) - 1] : undefined;
  return name === undefined ? [] : [name];
}

export const riscv64Code: GuestCode = {
  decode: (code, pc) => decodeHalves(code, (half) => ((half & 3) === 3 ? 4 : 2), (bits) => disassemble(bits, pc, { aliases: true })),
  addressSpace: 'vsatp',
  qemu: {
    program: 'qemu-system-riscv64',
    machine: ['-M', 'virt'],
    kernel: (path) => ['-kernel', path],
    registers: [undefined, ...X, 'pc'],
    firmwareEnd: 0x8020_0000n,
    fromOutside: (bits) => (bits === ECALL ? 'all' : counterRead(bits)),
  },
};
