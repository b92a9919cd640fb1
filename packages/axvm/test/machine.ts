/** The whole hypervisor, linked for tests, and a guest assembled on the spot. */
import { link } from '@axvisor/axvisor_api';
import type { VmConfig } from '@axvisor/axvisor_api/config';
import type { ConsolePort } from '@axvisor/axvisor_api/device';
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axdevice } from '@axvisor/axdevice';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as axhost } from '@axvisor/axhost';
import { component as axvcpu } from '@axvisor/axvcpu';
import { createVmConfig } from '@axvisor/axvmconfig';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as percpu } from '@axvisor/percpu';
import { component as riscvVcpu } from '@axvisor/riscv_vcpu';
import { component as riscvVplic } from '@axvisor/riscv_vplic';
import { component as softcpuRiscv } from '@axvisor/softcpu_riscv';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { component as axvm } from '../src/index.ts';

export const MIB = 1n << 20n;
export const KERNEL = 0x8020_0000n;

export function linkAll(): void {
  link([
    axhost({ memory: 256 << 20, clock: 'virtual' }), axerrno, memoryAddr, percpu, axaddrspace, axvcpu, riscvVcpu, softcpuRiscv, riscvVplic, axdevice, axvm,
  ]);
}

/** Guest code at {@link KERNEL}; `putc` prints a0 through the UART, `off` powers off through the test finisher with a0. */
export function guest(source: string): Uint8Array {
  return assemble(
    `${source}
putc: li t0, 0x10000000
  sb a0, 0(t0)
  ret
off: li t0, 0x100000
  sw a0, 0(t0)
1: j 1b
`,
    { base: KERNEL },
  ).bytes;
}

export const config = (init: Partial<VmConfig> & { readonly memory?: bigint } = {}): VmConfig =>
  createVmConfig({ memory: 16n * MIB, kernel: { path: 'test', loadAddr: KERNEL }, ...init });

/** A console that keeps what is printed. */
export class Screen implements ConsolePort {
  text = '';
  #typed: number[] = [];
  readonly #listeners: (() => void)[] = [];

  write(bytes: Uint8Array): void {
    this.text += String.fromCharCode(...bytes);
  }

  read(max: number): Uint8Array {
    return Uint8Array.from(this.#typed.splice(0, max));
  }

  onInput(listener: () => void): void {
    this.#listeners.push(listener);
  }

  type(text: string): void {
    this.#typed.push(...[...text].map((c) => c.charCodeAt(0)));
    for (const l of this.#listeners) l();
  }
}
