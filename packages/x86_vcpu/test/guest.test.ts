/** Guests on the software processor: real mode, ports, hypercalls, interrupts, and long mode, on every engine and under both vendors. */
import { describe, expect, test } from 'vitest';
import { withLinked } from '@axvisor/axvisor_api';
import { createAddrSpace, MappingFlags, type AddrSpace } from '@axvisor/axvisor_api/addrspace';
import { newArchPerCpu, newArchVCpu, nestedFormat, type AxArchVCpu, type AxVCpuExitReason, type QuickDevices } from '@axvisor/axvisor_api/vcpu';
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as createHost } from '@axvisor/axhost';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { createComponent as createProcessor, type ComponentOptions } from '@axvisor/softcpu_x86';
import { component as vmx } from '../src/index.ts';
import { component as svm } from '../src/svm.ts';
import { gpa } from './fixture.ts';

const RAM = 0x20_0000;
const ENTRY = 0x1000n;

interface Guest {
  readonly vcpu: AxArchVCpu;
  readonly space: AddrSpace;
  run(): AxVCpuExitReason;
}

function withGuest(vendor: 'vmx' | 'svm', engine: ComponentOptions['engine'], code: readonly number[], use: (guest: Guest) => void, devices?: QuickDevices): void {
  const processor = createProcessor({ vendor: vendor === 'vmx' ? 'intel' : 'amd', ...(engine === undefined ? {} : { engine }) });
  withLinked([axerrno, memoryAddr, createHost({ memory: 128 << 20 }), processor, axaddrspace, vendor === 'vmx' ? vmx : svm], () => {
    const perCpu = newArchPerCpu(0);
    perCpu.hardwareEnable();
    const space = createAddrSpace({ ...nestedFormat(40), vmid: 1 });
    space.mapAlloc(gpa(0), BigInt(RAM), MappingFlags.READ | MappingFlags.WRITE | MappingFlags.EXECUTE, { populate: true });
    space.writeBuffer(gpa(ENTRY), Uint8Array.from(code));
    const vcpu = newArchVCpu(1, 0, { cpuId: 0n });
    vcpu.setEntry(gpa(ENTRY));
    vcpu.setEptRoot(space.root, 1);
    vcpu.setup();
    if (devices !== undefined) vcpu.attachDevices?.(devices);
    vcpu.bind();
    const run = (): AxVCpuExitReason => {
      for (let i = 0; i < 1000; i++) {
        const exit = vcpu.run();
        if (exit.reason !== 'Nothing' && exit.reason !== 'ExternalInterrupt') return exit;
      }
      throw new Error('the guest does not come to an end');
    };
    use({ vcpu, space, run });
    vcpu.unbind();
    vcpu[Symbol.dispose]();
    space[Symbol.dispose]();
    perCpu.hardwareDisable();
  });
}

/** Long mode from real mode: paging of one 1 GiB page, a flat code segment, then the code at 0x2000. */
const TO_LONG_MODE = [
  0xfa, // cli
  0x66, 0xb8, 0x20, 0, 0, 0, 0x0f, 0x22, 0xe0, // mov eax, 0x20; mov cr4, eax (PAE)
  0x66, 0xb8, 0, 0x30, 0, 0, 0x0f, 0x22, 0xd8, // mov eax, 0x3000; mov cr3, eax
  0x66, 0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32, 0x66, 0x0d, 0, 1, 0, 0, 0x0f, 0x30, // mov ecx, 0xc0000080; rdmsr; or eax, 0x100; wrmsr (LME)
  0x66, 0xb8, 1, 0, 0, 0x80, 0x0f, 0x22, 0xc0, // mov eax, 0x80000001; mov cr0, eax (PG, PE)
  0x0f, 0x01, 0x16, 0, 0x50, // lgdt [0x5000]
  0x66, 0xea, 0, 0x20, 0, 0, 8, 0, // jmp 8:0x2000
];

function prepareLongMode(space: AddrSpace, code: readonly number[]): void {
  space.writeValue(gpa(0x3000), 8, 0x4007n);
  space.writeValue(gpa(0x4000), 8, 0x87n);
  space.writeValue(gpa(0x5000), 2, 0x1fn);
  space.writeValue(gpa(0x5002), 4, 0x5010n);
  space.writeValue(gpa(0x5018), 8, 0x00af_9b00_0000_ffffn);
  space.writeValue(gpa(0x5020), 8, 0x00cf_9300_0000_ffffn);
  space.writeBuffer(gpa(0x2000), Uint8Array.from(code));
}

describe.each(['vmx', 'svm'] as const)('%s', (vendor) => {
  describe.each(['interpreter', 'auto', 'translator'] as const)('%s', (engine) => {
    test('real mode: ports, HLT, registers', () => {
      const code = [0xb0, 0x41, 0xe6, 0xe9, 0xe4, 0x60, 0x40, 0xba, 0xf8, 0x03, 0xef, 0xf4]; // mov al, 'A'; out 0xe9, al; in al, 0x60; inc ax; mov dx, 0x3f8; out dx, ax; hlt
      withGuest(vendor, engine, code, ({ vcpu, run }) => {
        expect(run()).toEqual({ reason: 'IoWrite', port: 0xe9, width: 1, data: 0x41n });
        expect(run()).toEqual({ reason: 'IoRead', port: 0x60, width: 1 });
        vcpu.setReturnValue(0x7fn);
        expect(run()).toEqual({ reason: 'IoWrite', port: 0x3f8, width: 2, data: 0x80n });
        expect(run()).toEqual({ reason: 'Halt' });
        expect(vcpu.dump()['rip']).toBe(ENTRY + BigInt(code.length));
      });
    });

    test('ports without exits', () => {
      // mov dx, 0x3f8; mov eax, 0x12345678; in al, dx; mov ebx, eax; in ax, dx; mov ecx, eax; in eax, dx; mov esi, eax; out dx, al; out dx, ax; out dx, eax; in al, 0x60; hlt
      const code = [
        0xba, 0xf8, 3, 0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0xec, 0x66, 0x89, 0xc3, 0xed, 0x66, 0x89, 0xc1, 0x66, 0xed, 0x66, 0x89, 0xc6, 0xee, 0xef, 0x66, 0xef, 0xe4, 0x60, 0xf4,
      ];
      const writes: unknown[] = [];
      const devices: QuickDevices = {
        read: (space, port, width) => (port === 0x3f8 && space === 'port' ? { 1: 0xf1, 2: 0xf2f1, 4: 0xf4f3_f2f1, 8: 0 }[width] : undefined),
        write: (...access) => writes.push(access) > 0,
      };
      withGuest(vendor, engine, code, ({ vcpu, run }) => {
        expect(run()).toEqual({ reason: 'IoRead', port: 0x60, width: 1 });
        vcpu.setReturnValue(0n);
        expect(run()).toEqual({ reason: 'Halt' });
        expect([vcpu.getGpr(3), vcpu.getGpr(1), vcpu.getGpr(6)]).toEqual([0x1234_56f1n, 0x1234_f2f1n, 0xf4f3_f2f1n]);
        expect(writes).toEqual([['port', 0x3f8, 1, 0xf1], ['port', 0x3f8, 2, 0xf2f1], ['port', 0x3f8, 4, 0xf4f3_f2f1]]);
      }, devices);
    });

    test('an interrupt that comes by OUT without an exit is taken behind it, and what a device throws ends the run', () => {
      // mov sp, 0x8000; sti; nop; out 0xe9, al; mov bl, 1; hlt — the handler: mov cl, bl; mov bl, 2; out 0x80, al; hlt
      const code = [0xbc, 0, 0x80, 0xfb, 0x90, 0xe6, 0xe9, 0xb3, 1, 0xf4];
      let raised = (): void => {};
      const devices: QuickDevices = {
        read: () => undefined,
        write: (_space, port) => {
          if (port === 0x80) throw new Error('the disk is full');
          raised();
          return true;
        },
      };
      withGuest(vendor, engine, code, ({ vcpu, space, run }) => {
        space.writeValue(gpa(0x40 * 4), 4, 0x0600n);
        space.writeBuffer(gpa(0x600), Uint8Array.from([0x88, 0xd9, 0xb3, 2, 0xe6, 0x80, 0xf4]));
        raised = () => vcpu.injectInterrupt(0x40);
        expect(run).toThrow('the disk is full');
        expect(run()).toEqual({ reason: 'Halt' });
        expect([vcpu.getGpr(1), vcpu.getGpr(3)]).toEqual([0n, 2n]);
      }, devices);
    });

    test('CPUID, and an interrupt through the real-mode table', () => {
      // mov eax, 0x40000000; cpuid; sti; hlt; hlt — the handler of vector 0x40: mov al, 7; out 0x80, al; iret
      const code = [0x66, 0xb8, 0, 0, 0, 0x40, 0x0f, 0xa2, 0xbc, 0, 0x80, 0xfb, 0xf4, 0xf4];
      withGuest(vendor, engine, code, ({ vcpu, space, run }) => {
        space.writeValue(gpa(0x40 * 4), 4, 0x0600n);
        space.writeBuffer(gpa(0x600), Uint8Array.from([0xb0, 0x07, 0xe6, 0x80, 0xcf]));
        expect(run()).toEqual({ reason: 'Halt' });
        expect(vcpu.getGpr(3)).toBe(0x524d_5652n);
        vcpu.injectInterrupt(0x40);
        expect(vcpu.hasPendingInterrupt()).toBe(true);
        expect(run()).toEqual({ reason: 'IoWrite', port: 0x80, width: 1, data: 7n });
        expect(run()).toEqual({ reason: 'Halt' });
      });
    });

    test('to long mode, a loop there, a device in memory, and a hypercall', () => {
      // mov ecx, 1000; xor eax, eax; l: add rax, rcx; loop l; mov [0x300000], eax; mov ebx, [0x300004]; mov edi, ebx; vmcall or vmmcall
      const code = [
        0xb9, 0xe8, 3, 0, 0, 0x31, 0xc0, 0x48, 0x01, 0xc8, 0xe2, 0xfb, 0x89, 0x04, 0x25, 0, 0, 0x30, 0, 0x8b, 0x1c, 0x25, 4, 0, 0x30, 0, 0x89, 0xdf,
        0x0f, 0x01, vendor === 'vmx' ? 0xc1 : 0xd9,
      ];
      withGuest(vendor, engine, TO_LONG_MODE, ({ vcpu, space, run }) => {
        prepareLongMode(space, code);
        expect(run()).toEqual({ reason: 'NestedPageFault', addr: 0x30_0000n, accessFlags: MappingFlags.WRITE });
        expect(vcpu.decodeMmio()).toEqual({ reason: 'MmioWrite', addr: 0x30_0000n, width: 4, data: 500_500n });
        expect(run()).toEqual({ reason: 'NestedPageFault', addr: 0x30_0004n, accessFlags: MappingFlags.READ });
        expect(vcpu.decodeMmio()).toMatchObject({ reason: 'MmioRead', width: 4 });
        vcpu.setGpr(16, 0x1234n);
        expect(run()).toMatchObject({ reason: 'Hypercall', nr: 500_500n, args: [0x1234n, 0n, expect.any(BigInt), 0n, 0n, 0n] });
        expect(vcpu.dump()['efer']).toBe(0x500n);
      });
    });

    test('three faults in a row reset the machine', () => {
      withGuest(vendor, engine, [0x0f, 0x01, 0x1e, 0, 0x60, 0x0f, 0x0b], ({ run }) => {
        // lidt [0x6000], which is empty; ud2
        expect(run()).toEqual({ reason: 'SystemReset', warm: false });
      });
    });
  });
});
