import { expect, test } from 'vitest';
import { cpuFdtProperties, hasHardwareSupport, nestedFormat, newArchPerCpu } from '@axvisor/axvisor_api/vcpu';
import { CpuPin } from '@axvisor/axvisor_api/arch/arm';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { HCR_GUEST } from '../src/index.ts';
import { DTB, ENTRY, FakeMachine, makeVCpu, ROOT, withVCpus } from './support/fake.ts';

const value = (log: readonly string[], name: string): string | undefined => log.findLast((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);

test('HCR_EL2 of a guest is what the original programs, with the traps it lacked', () => {
  expect(HCR_GUEST & 0x8008_0019n).toBe(0x8008_0019n);
  // AMO, TWI, TWE, TID3, TIDCP, TACR, TSW.
  expect(HCR_GUEST).toBe(0x8008_0019n | 0x20n | 0x2000n | 0x4000n | 0x4_0000n | 0x10_0000n | 0x20_0000n | 0x40_0000n);
});

test('enabling a processing element programs EL2, disabling takes it back', () => {
  new FakeMachine().run((machine) => {
    const cpu = newArchPerCpu(0);
    expect(hasHardwareSupport()).toBe(true);
    expect(cpu.isEnabled()).toBe(false);
    cpu.hardwareEnable();
    expect(machine.takeLog()).toEqual([
      `HCR_EL2=0x${HCR_GUEST.toString(16)}`, 'CPTR_EL2=0x1033ff', 'HSTR_EL2=0x0', 'MDCR_EL2=0xe04', 'CNTHCTL_EL2=0x3', 'ICC_SRE_EL2=0xf', 'ICH_HCR_EL2=0x0', 'tlbi all',
    ]);
    expect(cpu.isEnabled()).toBe(true);
    expect(() => cpu.hardwareEnable()).toThrow('already');
    expect(cpu.maxGuestPageTableLevels()).toBe(3);
    expect(() => newArchPerCpu(1).hardwareEnable()).toThrow('not CPU 0');
    cpu.hardwareDisable();
    expect(machine.takeLog()).toEqual(['ICH_HCR_EL2=0x0', 'VTTBR_EL2=0x0', 'HCR_EL2=0x80000000']);
    expect(() => cpu.hardwareDisable()).toThrow('not enabled');
  });
});

test('without EL2 there is no support, without counters their registers trap', () => {
  new FakeMachine({ registers: { ID_AA64PFR0_EL1: 0x0100_0011n } }).run(() => {
    expect(hasHardwareSupport()).toBe(false);
    expect(() => newArchPerCpu(0).hardwareEnable()).toThrow('no EL2');
  });
  new FakeMachine({ registers: { ID_AA64DFR0_EL1: 0x6n } }).run((machine) => {
    newArchPerCpu(0).hardwareEnable();
    expect(value(machine.takeLog(), 'MDCR_EL2')).toBe('0xe60');
  });
});

test.each([
  // PARange, VMIDBits, HAFDBS, levels: VTCR_EL2. The original has 0x2_3559 and 0x4_3590, without RES1 and with 39 bits where the tables translate 40.
  [2n, 0n, 0n, 3, 0x8002_3558n],
  [4n, 0n, 0n, 4, 0x8004_3594n],
  [5n, 0n, 0n, 4, 0x8005_3590n],
  [5n, 2n, 2n, 3, 0x806d_3558n],
  [1n, 0n, 0n, 3, 0x8001_355cn],
])('VTCR_EL2 for PARange %d, VMIDBits %d, HAFDBS %d and %d levels', (pa, vmidBits, hafdbs, levels, vtcr) => {
  new FakeMachine({ registers: { ID_AA64MMFR0_EL1: pa, ID_AA64MMFR1_EL1: (vmidBits << 4n) | hafdbs } }).run((machine) => {
    newArchPerCpu(0).hardwareEnable();
    const vcpu = makeVCpu(0);
    vcpu.setEptRoot({ ...ROOT, levels }, 0x42);
    vcpu.bind();
    const log = machine.takeLog();
    expect(value(log, 'VTCR_EL2')).toBe(`0x${vtcr.toString(16)}`);
    expect(value(log, 'VTTBR_EL2')).toBe('0x42000000084000');
  });
});

test('formats by guest physical address bits, and what a root must be', () => {
  new FakeMachine({ registers: { ID_AA64MMFR0_EL1: 5n, ID_AA64MMFR1_EL1: 0n } }).run(() => {
    expect(nestedFormat(32)).toEqual({ format: 'arm-s2', levels: 3 });
    expect(nestedFormat(41)).toEqual({ format: 'arm-s2', levels: 4 });
    expect(() => nestedFormat(49)).toThrow('49 bits');
    const vcpu = makeVCpu(0);
    expect(() => vcpu.setEptRoot({ ...ROOT, address: 0x8_5000n as HostPhysAddr }, 1)).toThrow('aligned to 0x2000');
    expect(() => vcpu.setEptRoot({ ...ROOT, format: 'sv39x4' }, 1)).toThrow('sv39x4');
    expect(() => vcpu.setEptRoot(ROOT, 256)).toThrow('0 … 255');
    expect(() => vcpu.setEptRoot({ ...ROOT, levels: 5 }, 1)).toThrow('5 levels');
  });
  new FakeMachine().run(() => {
    expect(() => nestedFormat(41)).toThrow('41 bits');
    expect(() => makeVCpu(0).setEptRoot({ ...ROOT, levels: 4 }, 1)).toThrow('4 levels');
  });
});

test('a CPU starts at EL1h with everything masked, MMU off, x0 = device tree, its own MPIDR', () => {
  withVCpus(2, (machine, _first, all) => {
    machine.now = 5000n;
    const vcpu = all[1];
    vcpu?.bind();
    const log = machine.takeLog();
    for (const [name, expected] of Object.entries({
      ELR_EL2: ENTRY, SPSR_EL2: 0x3c5n, SCTLR_EL1: 0x30c5_0830n, VMPIDR_EL2: 0x8000_0001n, VPIDR_EL2: 0x410f_d070n, CNTVOFF_EL2: 1000n, CNTKCTL_EL1: 0n, PMCR_EL0: 0n,
      CNTV_CTL_EL0: 0n, CNTP_CTL_EL0: 0n, TTBR0_EL1: 0n, ICH_VMCR_EL2: 0n, HCR_EL2: HCR_GUEST,
    }))
      expect([name, value(log, name)]).toEqual([name, `0x${expected.toString(16)}`]);
    expect(vcpu?.getGpr(0)).toBe(DTB);
    vcpu?.setStartArgs(0x4000_1000n as typeof ENTRY, 77n);
    expect(vcpu?.getGpr(0)).toBe(77n);
    expect(vcpu?.dump()['pc']).toBe(0x4000_1000n);
  });
});

test('a vCPU that comes back to its processing element loads nothing; another one loads all and drops stage 1 translations', () => {
  withVCpus(2, (machine, first, all) => {
    const second = all[1];
    machine.next({ irq: 26 }, (guest) => guest.pe.set('TTBR0_EL1', 0x1234n));
    first.run();
    first.unbind();
    machine.takeLog();
    first.bind();
    expect(machine.takeLog()).toEqual([]);
    first.unbind();
    second?.bind();
    const log = machine.takeLog();
    expect(value(log, 'TTBR0_EL1')).toBe('0x0');
    expect(log.at(-1)).toBe('tlbi stage 2 5 all');
    second?.unbind();
    first.bind();
    const back = machine.takeLog();
    expect(value(back, 'TTBR0_EL1')).toBe('0x1234');
    expect(back.at(-1)).toBe('tlbi stage 1');
    // Another processing element has never seen the VMID.
    first.unbind();
    machine.cpu = 1;
    first.bind();
    expect(machine.takeLog().at(-1)).toBe('tlbi stage 2 5 all');
  });
});

test('running needs a binding to this CPU, binding needs virtualization and a nested page table', () => {
  withVCpus(1, (machine, vcpu) => {
    machine.cpu = 1;
    expect(() => vcpu.run()).toThrow('not bound to this CPU');
    machine.cpu = 0;
    vcpu.unbind();
    expect(() => vcpu.run()).toThrow('not bound');
    newArchPerCpu(0).hardwareDisable();
    expect(() => vcpu.bind()).toThrow('not enabled');
    expect(() => makeVCpu(0)).toThrow('already');
    expect(() => makeVCpu(1, { cpuId: 1n << 31n })).toThrow('no affinity');
    vcpu[Symbol.dispose]();
    expect(machine.freed).toHaveLength(1);
    expect(() => makeVCpu(0)).not.toThrow();
  });
  new FakeMachine({ frames: 0 }).run(() => expect(() => makeVCpu(0)).toThrow('no frame'));
});

test('the performance monitors of a guest are switched, set bits by clearing first', () => {
  withVCpus(1, (machine, vcpu) => {
    machine.next({ irq: 26 }, (guest) => guest.pe.set('PMCNTENSET_EL0', 1n << 31n));
    vcpu.run();
    vcpu.unbind();
    makeVCpu(1).bind();
    machine.takeLog();
    vcpu.bind();
    const log = machine.takeLog();
    expect(log.indexOf('PMCNTENCLR_EL0=0xffffffffffffffff')).toBe(log.indexOf('PMCNTENSET_EL0=0x80000000') - 1);
  });
});

test('what the device tree says', () => {
  new FakeMachine().run(() => expect(cpuFdtProperties()).toEqual({ compatible: 'arm,armv8', 'enable-method': 'psci' }));
});

test('a vCPU that another thread takes up has the same state, counts time from the same start, and is powered on by its maker alone', () => {
  withVCpus(1, (_machine, maker) => {
    maker.setGpr(5, 0x55n);
    const share = maker.share?.() ?? {};
    expect(Object.keys(share).sort()).toEqual(['context', 'counterOffset']);
    // Another thread has its own linking; here another VM number stands for that.
    const taken = makeVCpu(0, { share }, 5, 2);
    expect(taken.getGpr(5)).toBe(0x55n);
    expect(taken.share?.()).toEqual(share);
    const before = maker.dump();
    taken.setup();
    expect(maker.dump()).toEqual(before);
    taken.setGpr(6, 0x66n);
    expect(maker.getGpr(6)).toBe(0x66n);
    // Pins are words that all threads see, and outlast a power-on.
    maker.injectInterrupt(CpuPin.virq);
    maker.setup();
    expect([maker.getGpr(5), taken.getGpr(5)]).toEqual([0n, 0n]);
    const noLists = { useListRegisters: () => false, systemRegisters: true, changed: false, setPrivateLine: () => {}, setPending: () => {}, sendSgi: () => {}, flush: () => ({ interrupts: [], more: false }), sync: () => {}, highestPending: () => undefined };
    taken.attachInterrupts?.(noLists);
    expect(taken.hasPendingInterrupt()).toBe(true);
    taken.clearInterrupt(CpuPin.virq);
    expect(taken.hasPendingInterrupt()).toBe(false);
    taken[Symbol.dispose]();
    expect(maker.getGpr(6)).toBe(0n);
  });
});
