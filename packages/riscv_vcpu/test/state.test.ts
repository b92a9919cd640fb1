import { describe, expect, test } from 'vitest';
import { CSR } from '@axvisor/axvisor_api/arch/riscv';
import { newArchPerCpu, newArchVCpu } from '@axvisor/axvisor_api/vcpu';
import { at, DTB, ENTRY, FakeMachine, makeVCpu, ROOT, withVCpus } from './support/fake.ts';

const TIMER = { scause: (1n << 63n) | 5n };

describe('power-on', () => {
  test('programs every CSR of the guest', () =>
    new FakeMachine().run((machine) => {
      newArchPerCpu(0).hardwareEnable();
      const vcpu = makeVCpu(3);
      machine.takeLog();
      machine.hart.csrs.set(CSR.sstatus, 0x2_0004_0022n); // UXL, SUM, SPIE, SIE of the host
      vcpu.bind();
      expect(machine.takeLog()).toEqual([
        'sepc=0x80000000',
        'sstatus=0x200046100', // UXL and SUM stay; FS Dirty, SPP; no interrupts in HS-mode
        'hstatus=0x200200180', // VSXL 64, VTW, SPVP, SPV
        'vsstatus=0x200000000', // UXL 64
        'vsie=0x0', 'vstvec=0x0', 'vsscratch=0x0', 'vsepc=0x0', 'vscause=0x0', 'vstval=0x0', 'vsatp=0x0',
        'vstimecmp=0xffffffffffffffff',
        'htimedelta=0xfffffffffffffc18', // its time starts at 0 at host time 1000
        'hvip=0x0', 'hcounteren=0xffffffff', 'scounteren=0x0', 'senvcfg=0x0', 'fcsr=0x0',
        'hgatp=0x8000500000000084', // Sv39x4, VMID 5, root 0x84000
        'hfence.gvma all 5', 'hfence.vvma all all',
      ]);
      machine.next(TIMER, (guest) => {
        expect([guest.get(10), guest.get(11)]).toEqual([3n, DTB]);
        for (let i = 1; i < 64; i++) if (i !== 10 && i !== 11) expect(guest.get(i)).toBe(0n);
      });
      vcpu.run();
    }));

  test('Sv48x4 is mode 9', () =>
    withVCpus(1, (machine, vcpu) => {
      vcpu.setEptRoot({ format: 'sv48x4', address: 0x10_0000n as never, levels: 4 }, 0x3fff);
      vcpu.run();
      expect(machine.hart.read(CSR.hgatp)).toBe(0x93ff_f000_0000_0100n);
    }));

  test('reset restores it all', () =>
    withVCpus(1, (machine, vcpu) => {
      machine.next(TIMER, (guest) => {
        for (let i = 1; i < 64; i++) guest.set(i, 1n);
        for (const name of ['sepc', 'vsstatus', 'vsie', 'vstvec', 'vsatp', 'vstimecmp', 'hvip', 'scounteren', 'senvcfg', 'fcsr'] as const) guest.setCsr(name, 0x44n);
      });
      vcpu.run();
      vcpu.injectInterrupt(10);
      vcpu.unbind();
      vcpu.setEntry(at(0x8040_0000n));
      vcpu.setup();
      vcpu.bind();
      machine.next(TIMER, (guest) => {
        expect(guest.csr('sepc')).toBe(0x8040_0000n);
        for (const name of ['vsie', 'vstvec', 'vsatp', 'hvip', 'scounteren', 'senvcfg', 'fcsr'] as const) expect(guest.csr(name)).toBe(0n);
        expect(guest.csr('vstimecmp')).toBe((1n << 64n) - 1n);
        expect(guest.get(11)).toBe(DTB);
        expect(guest.get(33)).toBe(0n);
      });
      vcpu.run();
    }));

  test('start arguments are those of hart_start', () =>
    withVCpus(2, (machine, first, [, second]) => {
      first.unbind();
      second?.setStartArgs(at(0x8030_0000n), 0x1234n);
      second?.bind();
      machine.next(TIMER, (guest) => {
        expect([guest.csr('sepc'), guest.get(10), guest.get(11), guest.csr('vsatp')]).toEqual([0x8030_0000n, 1n, 0x1234n, 0n]);
        expect(guest.csr('sstatus') & 0x100n).toBe(0x100n);
      });
      second?.run();
    }));

  test('without a device tree a1 is 0', () =>
    withVCpus(0 + 1, () => {
      const vcpu = newArchVCpu(1, 7, { cpuId: 7n });
      vcpu.setEntry(ENTRY);
      vcpu.setup();
      expect([vcpu.getGpr(10), vcpu.getGpr(11)]).toEqual([7n, 0n]);
      expect(() => vcpu.bind()).toThrow('vCPU 7 of VM 1 has no nested page table');
    }));
});

describe('switching', () => {
  /** Puts `seed` in every CSR and register that a guest has. */
  const fill = (seed: bigint) => (guest: { set(i: number, v: bigint): void; setCsr(name: keyof typeof CSR, v: bigint): void }) => {
    for (let i = 1; i < 64; i++) guest.set(i, seed + BigInt(i));
    SWITCHED.forEach((name, i) => guest.setCsr(name, seed + 0x100n + BigInt(i)));
  };
  const check = (seed: bigint) => (guest: { get(i: number): bigint; csr(name: keyof typeof CSR): bigint }) => {
    for (let i = 1; i < 64; i++) expect(guest.get(i)).toBe(seed + BigInt(i));
    SWITCHED.forEach((name, i) => expect([name, guest.csr(name)]).toEqual([name, seed + 0x100n + BigInt(i)]));
  };
  const SWITCHED = [
    'sepc', 'vsstatus', 'vsie', 'vstvec', 'vsscratch', 'vsepc', 'vscause', 'vstval', 'vsatp', 'vstimecmp', 'htimedelta', 'hvip',
    'hcounteren', 'scounteren', 'senvcfg', 'fcsr',
  ] as const;

  test('two vCPUs keep everything apart', () =>
    withVCpus(2, (machine, first, [, second]) => {
      machine.next(TIMER, fill(0x1000n));
      first.run();
      first.unbind();
      second?.bind();
      machine.next(TIMER, fill(0x2000n));
      second?.run();
      second?.unbind();
      first.bind();
      machine.next(TIMER, check(0x1000n));
      first.run();
      first.unbind();
      second?.bind();
      machine.next(TIMER, check(0x2000n));
      second?.run();
    }));

  test('two that are bound at once are switched when they run', () =>
    withVCpus(2, (machine, first, [, second]) => {
      second?.bind();
      machine.next(TIMER, fill(0x1000n));
      first.run();
      machine.next(TIMER, fill(0x2000n));
      second?.run();
      machine.next(TIMER, check(0x1000n));
      first.run();
      machine.next(TIMER, check(0x2000n));
      second?.run();
    }));

  test('it moves to another CPU', () =>
    withVCpus(1, (machine, vcpu) => {
      machine.next(TIMER, fill(0x1000n));
      vcpu.run();
      vcpu.unbind();
      machine.cpu = 1;
      vcpu.bind();
      expect(machine.takeLog()).toContain('hfence.gvma all 5');
      machine.next(TIMER, check(0x1000n));
      vcpu.run();
      vcpu.unbind();
      machine.cpu = 0;
      machine.takeLog();
      vcpu.bind();
      // Its own fences on the other CPU did nothing here.
      expect(machine.takeLog()).toContain('hfence.vvma all all');
    }));

  test('the privilege of the guest is kept', () =>
    withVCpus(2, (machine, first, [, second]) => {
      machine.next({ ...TIMER, user: true });
      first.run();
      first.unbind();
      second?.bind();
      machine.next(TIMER, (guest) => expect([guest.csr('sstatus') & 0x100n, guest.csr('hstatus') & 0x100n]).toEqual([0x100n, 0x100n]));
      second?.run();
      second?.unbind();
      first.bind();
      machine.next(TIMER, (guest) => expect([guest.csr('sstatus') & 0x100n, guest.csr('hstatus') & 0x100n]).toEqual([0n, 0n]));
      first.run();
    }));

  test('nothing is loaded for the vCPU that was here last', () =>
    withVCpus(1, (machine, vcpu) => {
      vcpu.run();
      vcpu.unbind();
      machine.takeLog();
      vcpu.bind();
      expect(machine.takeLog()).toEqual([]);
      machine.next(TIMER, (guest) => guest.setCsr('vsscratch', 9n));
      vcpu.run();
      vcpu.unbind();
      vcpu.bind();
      expect(machine.hart.read(CSR.vsscratch)).toBe(9n);
    }));

  test('fences are for a new owner of the VMID and for another vCPU with the same, and no others', () =>
    withVCpus(2, (machine, first, [, second]) => {
      const other = makeVCpu(0, {}, 6, 2);
      const fences = (f: () => void): string[] => {
        machine.takeLog();
        f();
        return machine.takeLog().filter((line) => line.startsWith('hfence'));
      };
      first.unbind();
      expect(fences(() => other.bind())).toEqual(['hfence.gvma all 6', 'hfence.vvma all all']);
      other.unbind();
      expect(fences(() => first.bind())).toEqual([]);
      first.unbind();
      expect(fences(() => other.bind())).toEqual([]);
      other.unbind();
      expect(fences(() => second?.bind())).toEqual(['hfence.gvma all 5', 'hfence.vvma all all']);
      second?.unbind();
      expect(fences(() => first.bind())).toEqual(['hfence.vvma all all']);
      first.unbind();
      first.setEptRoot(ROOT, 5);
      expect(fences(() => first.bind())).toEqual(['hfence.gvma all 5', 'hfence.vvma all all']);
    }));

  test('without Sstc vstimecmp is left alone', () =>
    withVCpus(
      1,
      (machine, vcpu) => {
        vcpu.run();
        vcpu.unbind();
        expect(machine.harts[0]?.log.filter((line) => line.startsWith('vstimecmp'))).toEqual([]);
      },
      { henvcfg: 0n, missing: [CSR.vstimecmp] },
    ));

  test('running needs binding to this CPU', () =>
    withVCpus(1, (machine, vcpu) => {
      machine.cpu = 1;
      expect(() => vcpu.run()).toThrow('vCPU 0 of VM 1 is not bound to this CPU');
      machine.cpu = 0;
      vcpu.unbind();
      expect(() => vcpu.run()).toThrow('is not bound');
    }));
});

describe('resources', () => {
  test('disposal gives the frame back and frees the hart id', () =>
    withVCpus(1, (machine, vcpu) => {
      expect(() => newArchVCpu(1, 1, { cpuId: 0n })).toThrow('VM 1 has a vCPU with hart id 0 already');
      vcpu.unbind();
      vcpu[Symbol.dispose]();
      expect(machine.freed).toHaveLength(1);
      newArchVCpu(1, 0, { cpuId: 0n });
    }));

  test('memory that is exhausted is an error that leaves nothing behind', () =>
    withVCpus(1, () => expect(() => [makeVCpu(1), makeVCpu(1)]).toThrow(expect.objectContaining({ kind: 'NoMemory' })), { frames: 1 }));

  test('registers are numbered x0 … x31, f0 … f31', () =>
    withVCpus(1, (_machine, vcpu) => {
      vcpu.setGpr(5, -1n);
      vcpu.setGpr(0, 7n);
      vcpu.setGpr(63, 8n);
      expect([vcpu.getGpr(5), vcpu.getGpr(0), vcpu.getGpr(63)]).toEqual([(1n << 64n) - 1n, 0n, 8n]);
      for (const index of [-1, 64, 1.5]) {
        expect(() => vcpu.setGpr(index, 0n)).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
        expect(() => vcpu.getGpr(index)).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
      }
    }));

  test('a dump has registers by name', () =>
    withVCpus(1, (_machine, vcpu) => {
      vcpu.setGpr(2, 0x99n);
      expect(vcpu.dump()).toMatchObject({ pc: 0x8000_0000n, privilege: 1n, sp: 0x99n, a1: DTB, vsatp: 0n });
    }));
});
