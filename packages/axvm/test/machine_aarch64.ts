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
