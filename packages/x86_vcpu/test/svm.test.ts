/** SVM: the VMCB as it is programmed, and its exits, on a processor whose VMRUN runs a script. */
import { expect, test } from 'vitest';
import { apiImpl, component, withLinked } from '@axvisor/axvisor_api';
import { createAddrSpace, MappingFlags } from '@axvisor/axvisor_api/addrspace';
import { SVM_EXIT_INVALID, SvmExit, VirtualInterrupt, Vmcb, VmcbSave, x86 } from '@axvisor/axvisor_api/arch/x86';
import { frameCounts, physMemory } from '@axvisor/axvisor_api/memory';
import { ApicPin, type LocalApic } from '@axvisor/axvisor_api/intc';
import { processor } from '@axvisor/axvisor_api/processor';
import { newArchPerCpu, newArchVCpu, nestedFormat, type AxArchVCpu, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { component as axaddrspace } from '@axvisor/axaddrspace';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent } from '@axvisor/axhost';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as svmVcpu } from '../src/svm.ts';
import { FakeCpu } from './fake_cpu.ts';
import { CODE, gpa, RAM } from './fixture.ts';

type Script = (vmcb: DataView) => void;

function withSvm(use: (vcpu: AxArchVCpu, run: (...script: Script[]) => AxVCpuExitReason) => void): void {
  const cpu = new FakeCpu();
  let script: Script[] = [];
  const functions = {
    ...cpu.functions(),
    cpuid: (leaf: number) => {
      if (leaf === 0x8000_0001) return { eax: 0, ebx: 0, ecx: 4, edx: 0 };
      return leaf === 0x8000_000a ? { eax: 1, ebx: 16, ecx: 0, edx: 0x0200_0009 } : { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    },
    vmrun: (vmcb: bigint) => {
      const { bytes } = physMemory();
      const view = new DataView(bytes.buffer, Number(vmcb), 4096);
      view.setBigUint64(Vmcb.exitCode, BigInt(SvmExit.INTR), true);
      script.shift()?.(view);
      view.setBigUint64(Vmcb.eventInjection, 0n, true);
    },
  };
  const fake = component({
    name: 'fake processor',
    requires: [],
    provides: () => [
      apiImpl(x86, functions),
      apiImpl(processor, {
        architecture: () => 'x86_64', initProcessor: () => {}, setHostTimer: () => {}, kickProcessor: () => {}, hostWrote: () => {}, invalidateNested: () => {},
        processorStats: () => ({ instructions: 0n, counters: {} }),
      }),
    ],
  });
  withLinked([axerrno, memoryAddr, createComponent({ memory: 16 << 20 }), fake, axaddrspace, svmVcpu], () => {
    const perCpu = newArchPerCpu(0);
    perCpu.hardwareEnable();
    const space = createAddrSpace({ ...nestedFormat(48), vmid: 1 });
    space.mapAlloc(gpa(0), BigInt(RAM), MappingFlags.READ | MappingFlags.WRITE | MappingFlags.EXECUTE, { populate: true });
    const vcpu = newArchVCpu(1, 0, { cpuId: 0n });
    vcpu.setEntry(gpa(CODE));
    vcpu.setEptRoot(space.root, 1);
    vcpu.setup();
    vcpu.bind();
    use(vcpu, (...steps) => {
      script = steps;
      return vcpu.run();
    });
    vcpu.unbind();
    vcpu[Symbol.dispose]();
    space[Symbol.dispose]();
    perCpu.hardwareDisable();
    expect(frameCounts().free).toBe(frameCounts().total);
  });
}

/** An exit whose instruction has two bytes. */
const exit = (code: number, info1 = 0n, info2 = 0n): Script => (vmcb) => {
  vmcb.setBigUint64(Vmcb.exitCode, BigInt(code), true);
  vmcb.setBigUint64(Vmcb.exitInfo1, info1, true);
  vmcb.setBigUint64(Vmcb.exitInfo2, info2, true);
  vmcb.setBigUint64(Vmcb.nextRip, vmcb.getBigUint64(VmcbSave.rip, true) + 2n, true);
};

test('the VMCB of a fresh guest', () => {
  withSvm((_, run) => {
    run((vmcb) => {
      expect(vmcb.getBigUint64(Vmcb.nestedPaging, true)).toBe(1n);
      // The tag of VM 1, vCPU 0, among the 15 that there are beside the host's.
      expect(vmcb.getUint32(Vmcb.guestAsid, true)).toBe(1 + (64 % 15));
      expect(vmcb.getBigUint64(VmcbSave.efer, true)).toBe(0x1000n);
      expect(vmcb.getBigUint64(VmcbSave.rip, true)).toBe(CODE);
      expect(vmcb.getUint16(VmcbSave.cs + 2, true)).toBe(0x9b);
      // VMRUN has to be intercepted.
      expect(vmcb.getUint32(Vmcb.intercept4, true) & 1).toBe(1);
      expect(vmcb.getUint8(Vmcb.tlbControl)).not.toBe(0);
    });
    run((vmcb) => expect(vmcb.getUint8(Vmcb.tlbControl)).toBe(0));
  });
});

test('exits', () => {
  withSvm((vcpu, run) => {
    expect(run(exit(SvmExit.HLT))).toEqual({ reason: 'Halt' });
    expect(vcpu.dump()['rip']).toBe(CODE + 2n);
    expect(run(exit(SvmExit.SHUTDOWN))).toEqual({ reason: 'SystemReset', warm: false });
    expect(run(exit(SvmExit.IOIO, (0x3f8n << 16n) | 0x11n))).toEqual({ reason: 'IoRead', port: 0x3f8, width: 1 });
    vcpu.setReturnValue(0x41n);
    run();
    expect(vcpu.getGpr(0)).toBe(0x41n);
    expect(run(exit(SvmExit.NPF, 6n, 0x40_0000n))).toEqual({ reason: 'NestedPageFault', addr: 0x40_0000n, accessFlags: 2 });
    expect(run((vmcb) => vmcb.setBigUint64(Vmcb.exitCode, SVM_EXIT_INVALID, true))).toMatchObject({ reason: 'FailEntry' });
    expect(run(exit(SvmExit.TASK_SWITCH))).toMatchObject({ reason: 'GuestError' });
  });
});

test('EFER is checked, and SVME not the guest\'s', () => {
  withSvm((vcpu, run) => {
    vcpu.setGpr(1, 0xc000_0080n);
    vcpu.setGpr(0, 0x901n);
    vcpu.setGpr(2, 0n);
    run(exit(SvmExit.MSR, 1n));
    expect(vcpu.dump()['efer']).toBe(0x901n);
    vcpu.setGpr(0, 0x1001n);
    let event = 0n;
    run(exit(SvmExit.MSR, 1n), (vmcb) => {
      event = vmcb.getBigUint64(Vmcb.eventInjection, true);
      exit(SvmExit.INTR)(vmcb);
    });
    // In real-address mode there is no error code.
    expect(event).toBe(0x8000_030dn);
  });
});

test('RDPMC reads the four counters that there always are', () => {
  withSvm((vcpu, run) => {
    vcpu.setGpr(1, 0xc001_0006n);
    vcpu.setGpr(0, 0x89ab_cdefn);
    vcpu.setGpr(2, 0xfff_4567n);
    run(exit(SvmExit.MSR, 1n));
    vcpu.setGpr(1, 2n);
    vcpu.setGpr(0, 0n);
    run(exit(SvmExit.RDPMC));
    expect([vcpu.getGpr(0), vcpu.getGpr(2)]).toEqual([0x89ab_cdefn, 0x4567n]);
    vcpu.setGpr(1, 4n);
    let event = 0n;
    run(exit(SvmExit.RDPMC), (vmcb) => {
      event = vmcb.getBigUint64(Vmcb.eventInjection, true);
      exit(SvmExit.INTR)(vmcb);
    });
    // In real-address mode there is no error code.
    expect(event).toBe(0x8000_030dn);
  });
});

test('interrupts wait for a window', () => {
  withSvm((vcpu, run) => {
    vcpu.injectInterrupt(0x55);
    run((vmcb) => {
      expect(vmcb.getUint32(Vmcb.intercept3, true) & 0x10).toBe(0x10);
      vmcb.setBigUint64(VmcbSave.rflags, 0x202n, true);
      exit(SvmExit.VINTR)(vmcb);
    }, (vmcb) => {
      expect(vmcb.getBigUint64(Vmcb.eventInjection, true)).toBe(0x8000_0055n);
      exit(SvmExit.INTR)(vmcb);
    });
  });
});

test('NMIs are left to the processor while one is handled', () => {
  const { V_NMI, V_NMI_ENABLE, V_NMI_MASK } = VirtualInterrupt;
  const nmi = V_NMI | V_NMI_MASK | V_NMI_ENABLE;
  let latched = 2;
  const apic = {
    take: (what: string) => what === 'nmi' && latched-- > 0, nextTimer: () => undefined, useTsc: () => {}, requests: false, tpr: 0, id: 0, base: 0n,
  } as unknown as LocalApic;
  withSvm((vcpu, run) => {
    vcpu.attachLocalApic?.(apic);
    vcpu.injectInterrupt(ApicPin.nmi);
    run((vmcb) => {
      vcpu.clearInterrupt(ApicPin.nmi);
      expect([vmcb.getBigUint64(Vmcb.eventInjection, true), vmcb.getBigUint64(Vmcb.virtualInterrupt, true) & nmi]).toEqual([0x8000_0202n, V_NMI | V_NMI_ENABLE]);
      // VMRUN blocks NMIs: the second one waits.
      vmcb.setBigUint64(Vmcb.virtualInterrupt, vmcb.getBigUint64(Vmcb.virtualInterrupt, true) | V_NMI_MASK, true);
    });
    run((vmcb) => {
      expect([vmcb.getBigUint64(Vmcb.eventInjection, true), vmcb.getBigUint64(Vmcb.virtualInterrupt, true) & nmi]).toEqual([0n, nmi]);
      vmcb.setBigUint64(Vmcb.virtualInterrupt, vmcb.getBigUint64(Vmcb.virtualInterrupt, true) & ~V_NMI, true);
    });
    run((vmcb) => expect(vmcb.getBigUint64(Vmcb.virtualInterrupt, true) & nmi).toBe(V_NMI_ENABLE | V_NMI_MASK));
  });
});
