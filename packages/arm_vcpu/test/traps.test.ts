import { expect, test } from 'vitest';
import { ExceptionKind, SYSREG, sysRegFields, type SysReg } from '@axvisor/axvisor_api/arch/arm';
import { decodeSgi, sysRegKey } from '../src/index.ts';
import { esr, withVCpus, type Exit, type FakeMachine, type Guest } from './support/fake.ts';

const PC = 0x4000_2000n;
const at = (spsr = 0x3c5n) => (guest: Guest): void => {
  guest.pe.set('ELR_EL2', PC);
  guest.pe.set('SPSR_EL2', spsr);
  guest.pe.set('VBAR_EL1', 0xffff_0000_0800_0000n);
};

/** ISS of a trapped MRS (read) or MSR of `register` with x`rt`. */
function iss(register: SysReg, rt: number, read: boolean): number {
  const { op0, op1, crn, crm, op2 } = sysRegFields(register);
  return (op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | (rt << 5) | (crm << 1) | (read ? 1 : 0);
}
const sys = (register: SysReg, rt: number, read: boolean): Exit => ({ esr: esr(0x18, iss(register, rt, read)) });

test('keys of registers are the original ones', () => {
  const keys = { ICC_SGI1R_EL1: 0x3a_3016, CNTP_CTL_EL0: 0x32_f804, CNTP_TVAL_EL0: 0x30_f804, CNTPCT_EL0: 0x32_f800, CNTP_CVAL_EL0: 0x34_f804 };
  for (const [name, key] of Object.entries(keys)) expect(sysRegKey(SYSREG[name as keyof typeof keys])).toBe(key);
});

test('WFI halts unless an interrupt is there, WFE lets others run', () => {
  withVCpus(1, (machine, vcpu) => {
    machine.next({ esr: esr(0x01, 0) }, at());
    expect(vcpu.run()).toEqual({ reason: 'Halt' });
    expect(machine.pe.get('ELR_EL2')).toBe(PC + 4n);
    machine.next({ esr: esr(0x01, 1) }, at());
    expect(vcpu.run()).toEqual({ reason: 'Nothing', yields: true });
    vcpu.injectInterrupt(40);
    expect(vcpu.hasPendingInterrupt()).toBe(false);
    machine.next({ esr: esr(0x01, 0) }, (guest) => {
      at()(guest);
      guest.pe.set('ICH_VMCR_EL2', 0xf000_0002n);
    });
    expect(vcpu.run()).toEqual({ reason: 'ExternalInterrupt', vector: 26n });
    expect(vcpu.hasPendingInterrupt()).toBe(true);
  });
});

test.each([
  // PSTATE before, offset of the vector.
  [0x3c5n, 0x200n], [0x4n, 0x000n], [0x0n, 0x400n], [0x10n, 0x600n],
])('an undefined instruction from PSTATE %x goes to the vector at %x', (pstate, offset) => {
  withVCpus(1, (machine, vcpu) => {
    machine.next({ esr: esr(0x00) }, at(pstate | 0x6000_0000n | (1n << 20n)));
    vcpu.run();
    expect(machine.pe.get('ELR_EL2')).toBe(0xffff_0000_0800_0000n + offset);
    expect(machine.pe.get('ESR_EL1')).toBe(0x200_0000n);
    expect(machine.pe.get('ELR_EL1')).toBe(PC);
    expect(machine.pe.get('SPSR_EL1')).toBe(pstate | 0x6000_0000n | (1n << 20n));
    // NZCV stay, PAN is set because SCTLR_EL1.SPAN is 1 at reset and so not; DAIF, EL1h.
    expect(machine.pe.get('SPSR_EL2')).toBe(0x6000_03c5n);
  });
});

test('PAN is set where SCTLR_EL1.SPAN is clear, and stays where it was', () => {
  withVCpus(1, (machine, vcpu) => {
    machine.next({ esr: esr(0x19) }, (guest) => {
      at()(guest);
      guest.pe.set('SCTLR_EL1', 0n);
    });
    vcpu.run();
    expect(machine.pe.get('SPSR_EL2')).toBe(0x40_03c5n);
  });
});

test('exceptions of the guest are reflected with their syndrome; aborts say whether they came from EL1', () => {
  const check = (exit: Exit, pstate: bigint, esr1: bigint, far?: bigint): void =>
    withVCpus(1, (machine, vcpu) => {
      machine.next(exit, at(pstate));
      expect(vcpu.run().reason).toBe('ExternalInterrupt');
      expect(machine.pe.get('ESR_EL1')).toBe(esr1);
      if (far !== undefined) expect(machine.pe.get('FAR_EL1')).toBe(far);
    });
  check({ esr: esr(0x3c, 0x55) }, 0n, esr(0x3c, 0x55));
  check({ esr: esr(0x32, 0x22) }, 0x3c5n, esr(0x33, 0x22));
  check({ esr: esr(0x32, 0x22) }, 0n, esr(0x32, 0x22));
  check({ esr: esr(0x22), far: 0x1003n }, 0n, esr(0x22), 0x1003n);
  check({ esr: esr(0x24, 0x21 | 0x40), far: 0x1234n }, 0x3c5n, esr(0x25, 0x21 | 0x40), 0x1234n);
  check({ esr: esr(0x20, 0x10), far: 0x99n }, 0n, esr(0x20, 0x10), 0x99n);
  // AArch32 and absent extensions.
  check({ esr: esr(0x03, 1) }, 0n, esr(0));
});

test('a class that cannot be, and SError, fail the VM with a message', () => {
  withVCpus(1, (machine, vcpu) => {
    machine.next({ esr: esr(0x3f, 3) }, at());
    expect(vcpu.run()).toEqual({ reason: 'GuestError', message: 'exception with ESR_EL2 0xfe000003 at EL1, pc 0x40002000' });
    machine.next({ kind: ExceptionKind.serror, esr: esr(0x2f) }, at());
    expect(vcpu.run()).toMatchObject({ reason: 'GuestError' });
  });
});

test('host interrupts are acknowledged and reported, those of list registers and timers are the vCPU\'s own', () => {
  withVCpus(1, (machine, vcpu) => {
    machine.next({ irq: 25 }).next({ irq: 27 }).next({ irq: 30 }).next({ irq: 3 });
    expect(vcpu.run()).toEqual({ reason: 'ExternalInterrupt', vector: 3n });
    expect(machine.acknowledged).toEqual([25, 27, 30, 3]);
  });
});

const read = (machine: FakeMachine, vcpu: { run(): unknown; getGpr(i: number): bigint }, register: SysReg): bigint => {
  machine.next(sys(register, 5, true), at());
  vcpu.run();
  expect(machine.pe.get('ELR_EL2')).toBe(PC + 4n);
  return vcpu.getGpr(5);
};

test('ID registers show what a guest may use, and nothing of EL2 or AArch32', () => {
  const ALL = (1n << 64n) - 1n;
  const registers = {
    ID_AA64PFR0_EL1: ALL & ~(0xfn << 24n) | (1n << 24n), ID_AA64PFR1_EL1: ALL, ID_AA64DFR0_EL1: ALL & ~(0xfn << 8n) | (5n << 8n), ID_AA64ISAR0_EL1: ALL, ID_AA64ISAR1_EL1: ALL,
    ID_AA64ISAR2_EL1: ALL, ID_AA64MMFR0_EL1: ALL & ~0xfn | 5n, ID_AA64MMFR1_EL1: ALL, ID_AA64MMFR2_EL1: ALL, ID_AA64ZFR0_EL1: ALL,
  };
  withVCpus(1, (machine, vcpu) => {
    // EL2, EL3, RAS, SVE, MPAM, AMU, RME and SEL2 are hidden; EL0 and EL1 are AArch64 only.
    expect(read(machine, vcpu, SYSREG.ID_AA64PFR0_EL1)).toBe(0xff0f_0000_01ff_0011n);
    expect(read(machine, vcpu, SYSREG.ID_AA64PFR1_EL1)).toBe(0xffn);
    expect(read(machine, vcpu, SYSREG.ID_AA64DFR0_EL1)).toBe(0xf0f0_f50fn);
    // No pointer authentication: API, APA, GPI, GPA, and no LS64, XS.
    expect(read(machine, vcpu, SYSREG.ID_AA64ISAR1_EL1) & 0xff00_0000_ff00_0ff0n).toBe(0n);
    // PARange is that of the 40-bit address space; no FGT, ECV.
    expect(read(machine, vcpu, SYSREG.ID_AA64MMFR0_EL1) & 0xff00_0000_0000_000fn).toBe(2n);
    // No VHE, VMIDBits, LORegions.
    expect(read(machine, vcpu, SYSREG.ID_AA64MMFR1_EL1) & 0xf0ff0n).toBe(0n);
    expect(read(machine, vcpu, SYSREG.ID_AA64ZFR0_EL1)).toBe(0n);
    expect(read(machine, vcpu, (3 << 14) | (1 << 3))).toBe(0n);
  }, { registers });
  withVCpus(1, (machine, vcpu) => {
    expect(read(machine, vcpu, SYSREG.ID_AA64DFR0_EL1) & 0xf00n).toBe(0n);
    expect(read(machine, vcpu, SYSREG.ID_AA64PFR0_EL1) & 0xf00_0000n).toBe(0n);
  }, { registers: { ID_AA64DFR0_EL1: 0xf06n, ID_AA64PFR0_EL1: 0x111n } });
});

test('debug registers keep what was written, the OS lock shows its state, set and way operations and ACTLR do nothing', () => {
  withVCpus(1, (machine, vcpu) => {
    const write = (register: SysReg, value: bigint): void => {
      machine.next(sys(register, 6, false), (guest) => {
        at()(guest);
        guest.setX(6, value);
      });
      expect(vcpu.run()).toEqual({ reason: 'ExternalInterrupt', vector: 26n });
      expect(machine.pe.get('ELR_EL2')).toBe(PC + 4n);
    };
    const dbgbvr0 = (2 << 14) | 4;
    write(dbgbvr0, 0x1234n);
    expect(read(machine, vcpu, dbgbvr0)).toBe(0x1234n);
    expect(read(machine, vcpu, SYSREG.OSLSR_EL1)).toBe(8n);
    write(SYSREG.OSLAR_EL1, 1n);
    expect(read(machine, vcpu, SYSREG.OSLSR_EL1)).toBe(10n);
    write(SYSREG.MDSCR_EL1, 0x8000n);
    expect(machine.pe.get('MDSCR_EL1')).toBe(0x8000n);
    write(SYSREG.ACTLR_EL1, 5n);
    expect(read(machine, vcpu, SYSREG.ACTLR_EL1)).toBe(0n);
    write((1 << 14) | (7 << 7) | (14 << 3) | 2, 0n);
    write(SYSREG.CNTP_CVAL_EL0, 77n);
    expect(read(machine, vcpu, SYSREG.CNTP_CVAL_EL0)).toBe(77n);
  });
});

test('a read of a write-only register, a write of an ID register and performance monitors that are not there are undefined', () => {
  withVCpus(1, (machine, vcpu) => {
    for (const exit of [sys(SYSREG.OSLAR_EL1, 1, true), sys(SYSREG.ID_AA64PFR0_EL1, 1, false), sys(SYSREG.PMCR_EL0, 1, true), sys(SYSREG.ICC_SGI1R_EL1, 1, true)]) {
      machine.next(exit, at());
      expect(vcpu.run().reason).toBe('ExternalInterrupt');
      expect(machine.pe.get('ELR_EL2')).toBe(0xffff_0000_0800_0200n);
      expect(machine.pe.get('ESR_EL1')).toBe(esr(0));
    }
  });
});

test('registers that the processing element lacks read as zero and forget what is written', () => {
  withVCpus(1, (machine, vcpu) => {
    machine.next(sys(SYSREG.MDSCR_EL1, 6, false), at());
    expect(vcpu.run().reason).toBe('ExternalInterrupt');
    expect(read(machine, vcpu, SYSREG.MDSCR_EL1)).toBe(0n);
  }, { missing: ['MDSCR_EL1'] });
});

test('an unknown register is asked of the hypervisor, and undefined if nobody knows it', () => {
  const register = (3 << 14) | (3 << 11) | (15 << 7) | (2 << 3) | 1;
  withVCpus(1, (machine, vcpu) => {
    machine.next(sys(register, 9, true), at());
    expect(vcpu.run()).toEqual({ reason: 'SysRegRead', addr: sysRegKey(register), reg: 9 });
    vcpu.setGpr(9, 0x77n);
    vcpu.run();
    expect([vcpu.getGpr(9), machine.pe.get('ELR_EL2')]).toEqual([0x77n, PC + 4n]);
    machine.next(sys(register, 31, false), at());
    expect(vcpu.run()).toEqual({ reason: 'SysRegWrite', addr: sysRegKey(register), value: 0n });
    vcpu.run();
    expect(machine.pe.get('ELR_EL2')).toBe(PC + 4n);
    machine.next(sys(register, 9, true), at());
    vcpu.run();
    vcpu.injectAccessFault();
    expect(machine.pe.get('ESR_EL1')).toBe(esr(0));
    expect(machine.pe.get('ELR_EL1')).toBe(PC);
  });
});

test('SGIs: target lists, range selector, affinity, broadcast', () => {
  const value = (intid: bigint, list: bigint, aff1 = 0n, aff2 = 0n, aff3 = 0n, rs = 0n, irm = 0n): bigint =>
    list | (aff1 << 16n) | (intid << 24n) | (aff2 << 32n) | (irm << 40n) | (rs << 44n) | (aff3 << 48n);
  expect(decodeSgi(value(5n, 0x8001n, 1n, 2n, 3n, 4n), 1)).toEqual({ intid: 5, group: 1, targets: { affinity: 0x3_0002_0100n, range: 4, list: 0x8001 } });
  expect(decodeSgi(value(15n, 0xffffn, 1n, 2n, 3n, 4n, 1n), 0)).toEqual({ intid: 15, group: 0, targets: 'others' });
  withVCpus(1, (machine, vcpu) => {
    const send = (v: bigint, register: SysReg = SYSREG.ICC_SGI1R_EL1): unknown => {
      machine.next(sys(register, 3, false), (guest) => {
        at()(guest);
        guest.setX(3, v);
      });
      const exit = vcpu.run();
      expect(machine.pe.get('ELR_EL2')).toBe(PC + 4n);
      return exit;
    };
    expect(send(value(7n, 0x5n, 0xaan, 0xbbn, 0xccn))).toEqual({ reason: 'SendIPI', targetCpu: 0xccbb_aa00n, targetCpuAux: 5n, sendToAll: false, sendToSelf: false, vector: 7n });
    expect(send(value(7n, 0x1n, 0n, 0n, 0n, 3n))).toMatchObject({ targetCpu: 0x30n, targetCpuAux: 1n });
    expect(send(value(2n, 0xffffn, 0n, 0n, 0n, 0n, 1n), SYSREG.ICC_SGI0R_EL1)).toMatchObject({ reason: 'SendIPI', sendToAll: true, vector: 2n });
    expect(send(value(2n, 0n))).toEqual({ reason: 'Nothing' });
  });
});

test('registers by number', () => {
  withVCpus(1, (_machine, vcpu) => {
    vcpu.setGpr(31, 5n);
    vcpu.setGpr(32, 6n);
    expect([vcpu.getGpr(31), vcpu.getGpr(32)]).toEqual([0n, 6n]);
    for (const bad of [-1, 64, 0.5]) expect(() => vcpu.setGpr(bad, 0n)).toThrow('no register');
  });
});
