import { expect, test } from 'vitest';
import { CSR } from '@axvisor/axvisor_api/arch/riscv';
import { cpuFdtProperties, hasHardwareSupport, nestedFormat, newArchPerCpu } from '@axvisor/axvisor_api/vcpu';
import { FakeMachine, makeVCpu, withVCpus } from './support/fake.ts';

const on = (body: (machine: FakeMachine) => void, options?: ConstructorParameters<typeof FakeMachine>[0]): void => new FakeMachine(options).run(body);

test('enabling programs delegation, counters, environment and interrupts', () =>
  on((machine) => {
    const cpu = newArchPerCpu(0);
    expect(cpu.isEnabled()).toBe(false);
    cpu.hardwareEnable();
    expect(cpu.isEnabled()).toBe(true);
    const { hart } = machine;
    // The exceptions that the original delegates, and the access and alignment faults that later kernels of hosts add.
    expect(hart.read(CSR.hedeleg)).toBe(0xb10dn | 0xf2n);
    expect(hart.read(CSR.hideleg)).toBe(0x444n);
    expect(hart.read(CSR.hcounteren)).toBe(0xffff_ffffn);
    expect(hart.read(CSR.henvcfg)).toBe(0xe000_0000_0000_00d0n);
    expect(hart.read(CSR.hvip)).toBe(0n);
    expect(hart.read(CSR.hgeie)).toBe(0n);
    expect(hart.read(CSR.sie)).toBe(0x222n);
    expect(hart.read(CSR.hgatp)).toBe(0n);
    expect(() => cpu.hardwareEnable()).toThrow(expect.objectContaining({ kind: 'ResourceBusy' }));
  }));

test('only what sticks is counted on', () =>
  on(
    (machine) => {
      newArchPerCpu(0).hardwareEnable();
      expect(machine.hart.read(CSR.henvcfg)).toBe(0x40n);
    },
    { henvcfg: 0x41n },
  ));

test('disabling undoes it', () =>
  withVCpus(1, (machine, vcpu) => {
    const cpu = newArchPerCpu(0);
    vcpu.unbind();
    cpu.hardwareDisable();
    for (const name of ['hedeleg', 'hideleg', 'hcounteren', 'henvcfg', 'hvip', 'sie', 'hgatp'] as const) expect(machine.hart.read(CSR[name])).toBe(0n);
    expect(cpu.isEnabled()).toBe(false);
    expect(() => cpu.hardwareDisable()).toThrow(expect.objectContaining({ kind: 'BadState' }));
    expect(() => vcpu.bind()).toThrow('virtualization is not enabled on CPU 0');
  }));

test('disabling keeps the state of the vCPU that is on the hart', () =>
  withVCpus(1, (machine, vcpu) => {
    machine.next({ scause: (1n << 63n) | 5n }, (guest) => guest.setCsr('vsscratch', 77n));
    vcpu.run();
    newArchPerCpu(0).hardwareDisable();
    expect(vcpu.dump()['vsscratch']).toBe(77n);
  }));

test.each([
  ['no hgatp', { missing: [CSR.hgatp] }, false],
  ['no mode', { hgatpModes: [] }, false],
  ['Sv39x4', { hgatpModes: [8n] }, true],
  ['Sv48x4', { hgatpModes: [9n] }, true],
])('support with %s', (_, options, expected) =>
  on((machine) => {
    expect(hasHardwareSupport()).toBe(expected);
    if (expected) expect(machine.hart.read(CSR.hgatp)).toBe(0n);
    else expect(() => newArchPerCpu(0).hardwareEnable()).toThrow(expect.objectContaining({ kind: 'Unsupported' }));
  }, options),
);

test('a hart that cannot delegate interrupts is refused', () =>
  on(() => expect(() => newArchPerCpu(0).hardwareEnable()).toThrow('cannot delegate interrupts'), { hideleg: 0x44n }));

test('a CPU is enabled on itself only', () =>
  on((machine) => {
    const cpu = newArchPerCpu(1);
    expect(() => cpu.hardwareEnable()).toThrow(expect.objectContaining({ kind: 'BadState' }));
    machine.cpu = 1;
    cpu.hardwareEnable();
    machine.cpu = 0;
    expect(() => cpu.hardwareDisable()).toThrow(expect.objectContaining({ kind: 'BadState' }));
    expect(cpu.isEnabled()).toBe(true);
  }));

test.each([
  [32, [8n, 9n], { format: 'sv39x4', levels: 3 }],
  [41, [8n, 9n], { format: 'sv39x4', levels: 3 }],
  [42, [8n, 9n], { format: 'sv48x4', levels: 4 }],
  [41, [9n], { format: 'sv48x4', levels: 4 }],
])('nested format for %d bits with modes %s', (bits, hgatpModes, expected) => on(() => expect(nestedFormat(bits)).toEqual(expected), { hgatpModes }));

test.each([
  [51, [8n, 9n]],
  [42, [8n]],
])('no nested format for %d bits with modes %s', (bits, hgatpModes) =>
  on(() => expect(() => nestedFormat(bits)).toThrow(`guest physical addresses of ${bits} bits`), { hgatpModes }),
);

test('VMIDs and roots are checked', () =>
  on(
    () => {
      newArchPerCpu(0).hardwareEnable();
      expect(newArchPerCpu(0).maxGuestPageTableLevels()).toBe(3);
      expect(() => makeVCpu(0, {}, 128)).toThrow('VMID 128 is not in 0 … 127');
      const vcpu = makeVCpu(1, {}, 127);
      expect(() => vcpu.setEptRoot({ format: 'sv48x4', address: 0x4000n as never, levels: 4 }, 1)).toThrow('cannot translate with sv48x4');
      expect(() => vcpu.setEptRoot({ format: 'ept', address: 0x4000n as never, levels: 4 }, 1)).toThrow('cannot translate with ept');
      expect(() => vcpu.setEptRoot({ format: 'sv39x4', address: 0x5000n as never, levels: 3 }, 1)).toThrow('16 KiB aligned');
    },
    { hgatpModes: [8n], vmidBits: 7n },
  ));

test('the cpu node lists what works in a guest', () =>
  on(
    () =>
      expect(cpuFdtProperties()).toEqual({
        compatible: 'riscv',
        'riscv,isa': 'rv64imafdc_zicbom_zicboz_zba_sstc_svinval',
        'riscv,isa-base': 'rv64i',
        'riscv,isa-extensions': ['i', 'm', 'a', 'f', 'd', 'c', 'zicbom', 'zicboz', 'zba', 'sstc', 'svinval'],
        'mmu-type': 'riscv,sv48',
        'riscv,cbom-block-size': [64],
        'riscv,cboz-block-size': [64],
      }),
    {
      extensions: ['i', 'm', 'a', 'f', 'd', 'c', 'h', 'v', 'zicbom', 'zicboz', 'zba', 'zvl128b', 'zkr', 'sstc', 'svadu', 'svinval', 'svpbmt', 'smaia', 'sscofpmf'],
      henvcfg: 0x8000_0000_0000_00c0n,
      vsatpModes: [8n, 9n],
    },
  ));

test.each([
  [[8n], 'riscv,sv39', 0n],
  [[8n, 9n, 10n], 'riscv,sv57', 0n],
])('MMU with modes %s', (vsatpModes, type, henvcfg) =>
  on(() => {
    expect(cpuFdtProperties()).toMatchObject({ 'mmu-type': type, 'riscv,isa-extensions': ['i', 'zba'] });
    expect(cpuFdtProperties()).not.toHaveProperty('riscv,cbom-block-size');
  }, { vsatpModes, henvcfg, extensions: ['i', 'zba', 'zicbom', 'svpbmt'] }),
);
