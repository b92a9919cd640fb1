import { describe, expect, test } from 'vitest';
import { CSR } from '@axvisor/axvisor_api/arch/riscv';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { HEDELEG } from '../src/index.ts';
import { FakeMachine, withVCpus } from './support/fake.ts';

const PC = 0x8000_0100n;
const INTERRUPT = 1n << 63n;
const TIMER = { scause: INTERRUPT | 5n };
const encoding = (text: string): bigint => BigInt(new DataView(assemble(text).bytes.buffer).getUint32(0, true));
const csr = (machine: FakeMachine, name: keyof typeof CSR): bigint => machine.hart.read(CSR[name]);

describe('host interrupts', () => {
  test.each([5n, 9n, 1n])('interrupt %o leaves the guest', (irq) =>
    withVCpus(1, (machine, vcpu) => {
      machine.next({ scause: INTERRUPT | irq }, (guest) => guest.setCsr('sip', 0x222n));
      expect(vcpu.run()).toEqual({ reason: 'ExternalInterrupt', vector: INTERRUPT | irq });
      // A kick is acknowledged here; timer and devices are their handlers' business.
      expect(csr(machine, 'sip')).toBe(irq === 1n ? 0x220n : 0x222n);
    }),
  );
});

describe('injection', () => {
  test('levels of the external and timer interrupts', () =>
    withVCpus(1, (machine, vcpu) => {
      const hvip = (): bigint => {
        let seen = 0n;
        machine.next(TIMER, (guest) => (seen = guest.csr('hvip')));
        vcpu.run();
        return seen;
      };
      vcpu.injectInterrupt(10);
      vcpu.injectInterrupt(6);
      expect([hvip(), hvip()]).toEqual([0x440n, 0x440n]);
      vcpu.clearInterrupt(10);
      expect(hvip()).toBe(0x40n);
      vcpu.injectInterrupt(10);
      vcpu.clearInterrupt(10);
      vcpu.clearInterrupt(6);
      expect(hvip()).toBe(0n);
    }));

  test('the guest clears the software interrupt itself', () =>
    withVCpus(1, (machine, vcpu) => {
      vcpu.injectInterrupt(2);
      machine.next(TIMER, (guest) => {
        expect(guest.csr('hvip')).toBe(4n);
        guest.setCsr('hvip', 0n); // csrc sip, which is an alias of it
      });
      vcpu.run();
      vcpu.injectInterrupt(10);
      machine.next(TIMER, (guest) => expect(guest.csr('hvip')).toBe(0x400n));
      vcpu.run();
    }));

  test('reaches a vCPU that is not bound, or was never run', () =>
    withVCpus(2, (machine, first, [, second]) => {
      second?.injectInterrupt(10);
      first.unbind();
      first.injectInterrupt(2);
      second?.bind();
      machine.next(TIMER, (guest) => expect(guest.csr('hvip')).toBe(0x400n));
      second?.run();
      second?.unbind();
      first.bind();
      machine.next(TIMER, (guest) => expect(guest.csr('hvip')).toBe(4n));
      first.run();
    }));

  test.each([0, 1, 3, 5, 9, 11, 12, 32, 2.5, -2])('vector %d does not exist', (vector) =>
    withVCpus(1, (_machine, vcpu) => {
      expect(() => vcpu.injectInterrupt(vector)).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
      expect(() => vcpu.clearInterrupt(vector)).toThrow(expect.objectContaining({ kind: 'InvalidInput' }));
    }),
  );

  test('a wait ends by what is pending and enabled, whatever the global enable says', () =>
    withVCpus(1, (machine, vcpu) => {
      const pending = (enabled: bigint): boolean => {
        machine.hart.csrs.set(CSR.vsie, enabled);
        return vcpu.hasPendingInterrupt();
      };
      expect(pending(0x222n)).toBe(false);
      for (const [vector, enable] of [[2, 0x2n], [6, 0x20n], [10, 0x200n]] as const) {
        vcpu.injectInterrupt(vector);
        expect([pending(enable), pending(0x222n & ~enable), pending(0n)]).toEqual([true, false, false]);
        vcpu.clearInterrupt(vector);
      }
      // The same when it is not on the hart.
      machine.hart.csrs.set(CSR.vsie, 0x200n);
      vcpu.injectInterrupt(10);
      vcpu.unbind();
      expect(vcpu.hasPendingInterrupt()).toBe(true);
    }));

  test('the guest\'s own timer', () =>
    withVCpus(1, (machine, vcpu) => {
      machine.hart.csrs.set(CSR.vsie, 0x20n);
      expect(vcpu.nextTimer()).toBeUndefined();
      machine.hart.csrs.set(CSR.vstimecmp, 250n);
      expect([vcpu.nextTimer(), vcpu.hasPendingInterrupt()]).toEqual([1250n, false]);
      machine.now = 1250n;
      expect(vcpu.hasPendingInterrupt()).toBe(true);
      machine.hart.csrs.set(CSR.vsie, 0x202n);
      expect([vcpu.nextTimer(), vcpu.hasPendingInterrupt()]).toEqual([undefined, false]);
      machine.hart.csrs.set(CSR.vsie, 0x20n);
      machine.hart.csrs.set(CSR.vstimecmp, (1n << 64n) - 500n); // beyond the counter of the host
      expect(vcpu.nextTimer()).toBeUndefined();
    }));
});

describe('virtual instructions', () => {
  const trap = (machine: FakeMachine, text: string, user = false, reported = true): void => {
    const bits = encoding(text);
    if (!reported) for (let i = 0n; i < 4n; i++) machine.virtual.set(PC + i, Number((bits >> (8n * i)) & 0xffn));
    machine.next({ scause: 22n, stval: reported ? bits : 0n, user }, (guest) => guest.setCsr('sepc', PC));
  };

  test.each([true, false])('WFI waits (instruction in stval: %s)', (reported) =>
    withVCpus(1, (machine, vcpu) => {
      trap(machine, 'wfi', false, reported);
      expect(vcpu.run()).toEqual({ reason: 'Halt' });
      expect(csr(machine, 'sepc')).toBe(PC + 4n);
    }),
  );

  test('WFI with something pending goes on', () =>
    withVCpus(1, (machine, vcpu) => {
      machine.hart.csrs.set(CSR.vsie, 0x200n);
      trap(machine, 'wfi');
      vcpu.injectInterrupt(10);
      machine.next(TIMER, (guest) => expect(guest.csr('sepc')).toBe(PC + 4n));
      expect(vcpu.run().reason).toBe('ExternalInterrupt');
    }));

  const illegal = (text: string, user: boolean): void =>
    withVCpus(1, (machine, vcpu) => {
      machine.hart.csrs.set(CSR.vstvec, 0x8000_0800n);
      trap(machine, text, user);
      machine.next(TIMER, (guest) => expect([guest.csr('sepc'), guest.csr('vsepc')]).toEqual([0x8000_0800n, PC]));
      vcpu.run();
      expect([csr(machine, 'vscause'), csr(machine, 'vstval')]).toEqual([2n, encoding(text)]);
    });

  test.each(['csrr a0, hstatus', 'csrr a0, vsatp', 'csrw hgatp, a0', 'csrw stimecmp, a0', 'hfence.gvma', 'hlv.w a0, (a1)', 'csrrw a0, cycle, a1', 'csrrsi a0, instret, 1'])(
    '%s is illegal in a guest', (text) => illegal(text, false),
  );
  test.each(['wfi', 'sret', 'sfence.vma', 'csrr a0, satp', 'rdcycle a0'])('%s is illegal in user mode of a guest', (text) => illegal(text, true));

  test('counters that the hart does not pass on are read for the guest', () =>
    withVCpus(1, (machine, vcpu) => {
      machine.hart.csrs.set(CSR.time, 1500n).set(CSR.cycle, 77n).set(CSR.instret, 66n);
      const read = (text: string, user = false): bigint | undefined => {
        trap(machine, text, user);
        machine.next(TIMER, (guest) => expect(guest.csr('sepc')).toBe(PC + 4n));
        vcpu.run();
        return vcpu.getGpr(10);
      };
      expect([read('rdtime a0'), read('rdcycle a0'), read('rdinstret a0'), read('csrr a0, 0xc1f')]).toEqual([500n, 77n, 66n, 0n]);
      machine.hart.csrs.set(CSR.scounteren, 1n);
      expect(read('csrrci a0, cycle, 0', true)).toBe(77n);
    }));

  test('an instruction that cannot be fetched any more is executed again', () =>
    withVCpus(1, (machine, vcpu) => {
      machine.next({ scause: 22n }, (guest) => guest.setCsr('sepc', PC));
      machine.next(TIMER, (guest) => expect(guest.csr('sepc')).toBe(PC));
      vcpu.run();
    }));
});

describe('other exceptions', () => {
  test.each([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 12n, 13n, 15n])('%o is the guest\'s, also where it cannot be delegated', (scause) =>
    withVCpus(1, (machine, vcpu) => {
      expect((HEDELEG >> scause) & 1n).toBe(1n);
      machine.hart.csrs.set(CSR.vstvec, 0x8000_0800n);
      machine.next({ scause, stval: 0x42n }, (guest) => guest.setCsr('sepc', PC));
      machine.next(TIMER, (guest) => expect(guest.csr('sepc')).toBe(0x8000_0800n));
      vcpu.run();
      expect([csr(machine, 'vscause'), csr(machine, 'vstval'), csr(machine, 'vsepc')]).toEqual([scause, 0x42n, PC]);
    }),
  );

  test.each([9n, 10n, 11n, 20n, 21n, 22n, 23n])('%o is not delegated', (cause) => expect((HEDELEG >> cause) & 1n).toBe(0n));

  test.each([9n, 11n, 14n, 16n, 18n, 19n, 24n, 63n, (1n << 63n) - 1n])('%o ends the guest with a message', (scause) =>
    withVCpus(1, (machine, vcpu) => {
      machine.next({ scause, stval: 0x42n }, (guest) => guest.setCsr('sepc', PC));
      expect(vcpu.run()).toEqual({ reason: 'GuestError', message: `trap with scause 0x${scause.toString(16)} and stval 0x42 at pc 0x80000100` });
    }),
  );

  test('a guest that traps for ever gives the hypervisor its turn', () =>
    withVCpus(1, (machine, vcpu) => {
      for (let i = 0; i < 1000; i++) machine.next({ scause: 2n });
      expect(vcpu.run()).toEqual({ reason: 'Nothing' });
      expect(machine.entries).toBeLessThan(100);
    }));
});
