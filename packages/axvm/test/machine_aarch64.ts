/** The hypervisor for AArch64, linked for tests, and guests assembled on the spot. */
import { link } from '@axvisor/axvisor_api';
import type { VmConfig } from '@axvisor/axvisor_api/config';
import { component as armVcpu } from '@axvisor/arm_vcpu';
import { component as armVgic } from '@axvisor/arm_vgic';
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axdevice } from '@axvisor/axdevice';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as axhost } from '@axvisor/axhost';
import { component as axvcpu } from '@axvisor/axvcpu';
import { createVmConfig } from '@axvisor/axvmconfig';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as percpu } from '@axvisor/percpu';
import { component as softcpuArm } from '@axvisor/softcpu_arm';
import { assemble } from '@axvisor/softcpu_arm/asm';
import { component as axvm } from '../src/index.ts';
import { MIB } from './machine.ts';

export const KERNEL = 0x4020_0000n;

export function linkAarch64(clock: 'real' | 'virtual' = 'virtual'): void {
  link([
    axhost({ memory: 256 << 20, clock }), axerrno, memoryAddr, percpu, axaddrspace, axvcpu, armVcpu, softcpuArm, armVgic, axdevice, axvm,
  ]);
}

/** Guest code at {@link KERNEL}; `putc` prints w0 through the UART, `off` and `again` power off and reset by PSCI. */
export function guest(source: string): Uint8Array {
  return assemble(
    `${source}
putc: movz x9, 0x900, lsl 16
  str w0, [x9]
  ret
off: movz x0, 0x8400, lsl 16
  movk x0, 8
  hvc 0
again: movz x0, 0x8400, lsl 16
  movk x0, 9
  hvc 0
`,
    { base: KERNEL },
  ).bytes;
}

export const config = (init: Partial<VmConfig> & { readonly memory?: bigint } = {}): VmConfig =>
  createVmConfig({ arch: 'aarch64', memory: 16n * MIB, kernel: { path: 'test', loadAddr: KERNEL }, ...init });

/** Reads and writes everything between flash and the end of the virtio slots, `rounds` times, with garbage of all widths; its own aborts it skips. */
export const garbage = (seed: number, rounds: number): string => `
    adr x0, vectors
    msr VBAR_EL1, x0
    isb
    movz x20, ${seed}
    movk x20, 0x9e37, lsl 16
    mov w21, ${rounds}
    adr x22, bases
  1: eor x20, x20, x20, lsl 13    // xorshift
    eor x20, x20, x20, lsr 7
    eor x20, x20, x20, lsl 17
    and x0, x20, 15
    ldr w0, [x22, x0, lsl 2]
    ubfx x1, x20, 8, 12           // registers are near the start of a frame …
    tbz x20, 22, 2f
    ubfx x1, x20, 8, 16           // … but not always
  2: tbz x20, 23, 3f
    and x1, x1, 0xfffc            // and aligned
  3: add x0, x0, x1
    mul x3, x20, x20
    tbz x20, 24, 4f
    ubfx x3, x20, 25, 5           // small values mean more
  4: ubfx x2, x20, 30, 3
    adr x4, accesses
    add x4, x4, x2, lsl 3
    br x4
  accesses: ldrb w5, [x0]
    b 5f
    ldrh w5, [x0]
    b 5f
    ldr w5, [x0]
    b 5f
    ldr x5, [x0]
    b 5f
    strb w3, [x0]
    b 5f
    strh w3, [x0]
    b 5f
    str w3, [x0]
    b 5f
    str x3, [x0]
  5: msr ICC_PMR_EL1, x3
    mrs x6, ICC_IAR1_EL1
    msr ICC_EOIR1_EL1, x3
    msr ICC_SGI1R_EL1, x3
    sub w21, w21, 1
    cbnz w21, 1b
    b off
  bases: .word 0x4000000, 0x8000000, 0x8006000, 0x8010000, 0x8080000, 0x8090000, 0x80a0000, 0x80b0000
    .word 0x80c0000, 0x80d0000, 0x9000000, 0x9010000, 0x9030000, 0xa000000, 0xa000200, 0xa000e00
    .balign 2048
  vectors: .space 512
    mrs x7, ELR_EL1
    add x7, x7, 4
    msr ELR_EL1, x7
    eret`;
