/** A vCPU on the scripted processor, with guest memory behind a real nested page table. */
import { withLinked } from '@axvisor/axvisor_api';
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import { createAddrSpace, MappingFlags, type AddrSpace } from '@axvisor/axvisor_api/addrspace';
import { VmcsField } from '@axvisor/axvisor_api/arch/x86';
import { frameCounts } from '@axvisor/axvisor_api/memory';
import { newArchPerCpu, newArchVCpu, type AxArchVCpu, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent } from '@axvisor/axhost';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as x86Vcpu } from '../src/index.ts';
import { FakeCpu } from './fake_cpu.ts';

export const gpa = (address: bigint | number): GuestPhysAddr => BigInt(address) as GuestPhysAddr;
export const RAM = 0x10_0000;
export const CODE = 0x8000n;

export interface Machine {
  readonly cpu: FakeCpu;
  readonly vcpu: AxArchVCpu;
  readonly space: AddrSpace;
  /** Runs with the script, up to the next exit. */
  run(...script: FakeCpu['script']): AxVCpuExitReason;
  /** Puts the guest into flat 64-bit code at {@link CODE} with these bytes there, paging off: linear addresses are physical. */
  code(...bytes: number[]): void;
}

/** @param bits - of the code segment. */
export function withMachine(use: (machine: Machine) => void, bits: 16 | 32 | 64 = 32): void {
  const cpu = new FakeCpu();
  withLinked([axerrno, memoryAddr, createComponent({ memory: 16 << 20 }), cpu.component(), axaddrspace, x86Vcpu], () => {
    const perCpu = newArchPerCpu(0);
    perCpu.hardwareEnable();
    const space = createAddrSpace({ format: 'ept', levels: 4, vmid: 1 });
    space.mapAlloc(gpa(0), BigInt(RAM), MappingFlags.READ | MappingFlags.WRITE | MappingFlags.EXECUTE, { populate: true });
    const vcpu = newArchVCpu(1, 0, { cpuId: 0n });
    vcpu.setEntry(gpa(CODE));
    vcpu.setEptRoot(space.root, 1);
    vcpu.setup();
    vcpu.bind();
    const run = (...script: FakeCpu['script']): AxVCpuExitReason => {
      cpu.script = script;
      return vcpu.run();
    };
    const code = (...bytes: number[]): void => {
      space.writeBuffer(gpa(CODE), Uint8Array.from(bytes));
      cpu.setField(VmcsField.guestRip, CODE);
      cpu.setField(VmcsField.guestCr0, 0x31);
      cpu.setField(VmcsField.guestCsAccessRights, bits === 64 ? 0xa09b : bits === 32 ? 0xc09b : 0x9b);
      if (bits === 64) cpu.setField(VmcsField.guestIa32Efer, 0x500);
    };
    use({ cpu, vcpu, space, run, code });
    vcpu.unbind();
    vcpu[Symbol.dispose]();
    space[Symbol.dispose]();
    perCpu.hardwareDisable();
    const { total, free } = frameCounts();
    if (total !== free) throw new Error(`${total - free} frames were not given back`);
  });
}
