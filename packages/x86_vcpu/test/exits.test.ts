/** Exits that the vCPU handles itself, and those it reports. */
import { describe, expect, test } from 'vitest';
import { ExitReason, Msr, VmcsField } from '@axvisor/axvisor_api/arch/x86';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { EMULATED } from '../src/emulate/emulation.ts';
import { guestCpuid, isValidXcr0 } from '../src/index.ts';
import type { X86VCpu } from '../src/vcpu.ts';
import { withMachine, type Machine } from './fixture.ts';

const F = VmcsField;
const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;

/** The event of the next entry: vector, type, error code. */
const injected = ({ cpu }: Machine, use: (info: number, error: number) => void) => (): void => {
  use(Number(cpu.field(F.entryInterruptionInformation)), Number(cpu.field(F.entryExceptionErrorCode)));
  cpu.exit(ExitReason.externalInterrupt);
};

describe('CPUID', () => {
  const view = { apicId: 3, cpus: 4, cr4: 0n, apic: true, apicEnabled: true };

  test('hides VMX and shows the hypervisor', () => {
    withMachine((m) => {
      m.code(0x0f, 0xa2);
      m.vcpu.setGpr(RAX, 1n);
      m.run((cpu) => cpu.exit(ExitReason.cpuid));
      expect(m.vcpu.getGpr(RCX) & 0x8000_0020n).toBe(0x8000_0000n);
      expect(m.cpu.field(F.guestRip)).toBe(0x8002n);
      m.vcpu.setGpr(RAX, 0x4000_0000n);
      m.run((cpu) => cpu.exit(ExitReason.cpuid));
      const name = [RBX, RCX, RDX].map((register) => m.vcpu.getGpr(register));
      expect(Buffer.from(name.flatMap((word) => [0n, 8n, 16n, 24n].map((shift) => Number((word >> shift) & 255n)))).toString()).toBe('RVMRVMRVMRVM');
    });
  });

  test('tells the topology and OSXSAVE of the guest', () => {
    withMachine(() => {
      expect(guestCpuid(1, 0, view).ebx >>> 16).toBe((3 << 8) | 4);
      expect(guestCpuid(1, 0, { ...view, cr4: 1n << 18n }).ecx & (1 << 27)).not.toBe(0);
      expect(guestCpuid(0xb, 1, view)).toEqual({ eax: 2, ebx: 4, ecx: 0x201, edx: 3 });
      expect(guestCpuid(0xb, 2, view)).toEqual({ eax: 0, ebx: 0, ecx: 2, edx: 3 });
      expect(guestCpuid(0x8000_000a, 0, view)).toEqual({ eax: 0, ebx: 0, ecx: 0, edx: 0 });
      expect(guestCpuid(0x15, 0, view).ecx).toBeGreaterThan(0);
    });
  });
});

test('XCR0 as the manual has it', () => {
  for (const [value, valid] of [[1n, true], [3n, true], [7n, true], [0n, false], [2n, false], [5n, false], [9n, false], [0xe7n, true], [0xe3n, false], [0x27n, false]] as const) {
    expect(isValidXcr0(value, 0xffn), value.toString(16)).toBe(valid);
  }
});

describe('XSETBV', () => {
  test('sets XCR0, or raises #GP', () => {
    withMachine((m) => {
      m.code(0x0f, 0x01, 0xd1);
      m.cpu.setField(F.guestCr4, 0x4_2000);
      for (const register of [RCX, RDX]) m.vcpu.setGpr(register, 0n);
      m.vcpu.setGpr(RAX, 7n);
      m.run((cpu) => cpu.exit(ExitReason.xsetbv, 0, 3));
      expect(m.cpu.xcr0).toBe(7n);
      m.vcpu.setGpr(RAX, 4n);
      let event = 0;
      m.run((cpu) => cpu.exit(ExitReason.xsetbv, 0, 3), injected(m, (info) => (event = info)));
      expect(event >>> 0).toBe(0x8000_0b0d);
      expect(m.cpu.xcr0).toBe(7n);
    });
  });
});

describe('what is no memory', () => {
  /** A nested fault at a place where there is nothing, which nobody handles; and what the next entry injects. */
  const refused = (m: Machine, qualification: number, vectoring = 0): number | AxVCpuExitReason => {
    const exit = m.run((cpu) => {
      cpu.exit(ExitReason.eptViolation, qualification);
      cpu.setField(F.guestPhysicalAddress, 0x8000_0000);
      cpu.setField(F.idtVectoringInformation, vectoring);
    });
    expect(exit.reason).toBe('NestedPageFault');
    m.vcpu.injectAccessFault();
    let event = 0;
    const next = m.run(injected(m, (info) => (event = info >>> 0)));
    return next.reason === 'SystemReset' ? next : event;
  };
  const WALK = 0x81;
  const FETCH = 0x184;

  test('is no instruction', () => withMachine((m) => expect(refused(m, FETCH)).toBe(0x8000_0306)));

  test('raises a machine check under a page walk, where those are enabled, and once', () => {
    withMachine((m) => {
      m.code(0x90);
      expect(refused(m, WALK)).toEqual({ reason: 'SystemReset', warm: false });
    });
    withMachine((m) => {
      m.code(0x90);
      m.cpu.setField(F.guestCr4, 0x40);
      expect(refused(m, WALK)).toBe(0x8000_0312);
      expect(refused(m, WALK, 0x8000_0b0d)).toBe(0x8000_0312);
      expect(refused(m, WALK, 0x8000_0312)).toEqual({ reason: 'SystemReset', warm: false });
    });
  });
});

describe('MSRs', () => {
  test('what nobody knows is asked of the hypervisor; unanswered it is #GP', () => {
    withMachine((m) => {
      m.code(0x0f, 0x32);
      m.vcpu.setGpr(RCX, 0x1234n);
      expect(m.run((cpu) => cpu.exit(ExitReason.rdmsr))).toEqual({ reason: 'SysRegRead', addr: 0x1234, reg: EMULATED });
      m.vcpu.setGpr(EMULATED, 0x1_0000_0002n);
      m.run();
      expect([m.vcpu.getGpr(RAX), m.vcpu.getGpr(RDX), m.cpu.field(F.guestRip)]).toEqual([2n, 1n, 0x8002n]);
      m.run((cpu) => cpu.exit(ExitReason.rdmsr));
      m.vcpu.injectAccessFault();
      let event = 0;
      m.run(injected(m, (info) => (event = info)));
      expect(event >>> 0).toBe(0x8000_0b0d);
      expect(m.cpu.field(F.guestRip)).toBe(0x8002n);
    });
  });

  test('#GP has no error code in real-address mode', () => {
    for (const [cr0, expected] of [[0x31, 0x8000_0b0d], [0x30, 0x8000_030d]] as const) {
      withMachine((m) => {
        m.code(0x0f, 0x30);
        m.cpu.setField(F.guestCr0, cr0);
        m.vcpu.setGpr(RCX, 0x1234n);
        m.run((cpu) => cpu.exit(ExitReason.wrmsr));
        m.vcpu.injectAccessFault();
        let event = 0;
        m.run(injected(m, (info) => (event = info >>> 0)));
        expect(event).toBe(expected);
      }, 16);
    }
  });

  test('MTRRs are kept and checked', () => {
    withMachine((m) => {
      m.code(0x0f, 0x30);
      m.vcpu.setGpr(RCX, BigInt(Msr.IA32_MTRR_DEF_TYPE));
      m.vcpu.setGpr(RDX, 0n);
      m.vcpu.setGpr(RAX, 0xc06n);
      m.run((cpu) => cpu.exit(ExitReason.wrmsr));
      m.vcpu.setGpr(RAX, 0n);
      m.run((cpu) => cpu.exit(ExitReason.rdmsr));
      expect(m.vcpu.getGpr(RAX)).toBe(0xc06n);
      m.vcpu.setGpr(RAX, 2n); // a type that is none
      let event = 0;
      m.run((cpu) => cpu.exit(ExitReason.wrmsr), injected(m, (info) => (event = info)));
      expect(event & 0xff).toBe(13);
    });
  });
});

describe('control registers', () => {
  const moveTo = (cr: number, gpr: number): number => cr | (gpr << 8);

  test('CR0 that the manual forbids raises #GP, others are seen', () => {
    withMachine((m) => {
      m.code(0x0f, 0x22, 0xc0);
      for (const [value, valid] of [[0x11n, true], [0x8000_0000n, false], [0x2000_0011n, false], [0x6000_0011n, true], [0x1_0000_0011n, true]] as const) {
        m.vcpu.setGpr(RAX, value);
        let event = 0;
        m.run((cpu) => cpu.exit(ExitReason.crAccess, moveTo(0, RAX), 3), injected(m, (info) => (event = info >>> 31 === 1 ? info & 0xff : 0)));
        expect(event, value.toString(16)).toBe(valid ? 0 : 13);
        if (valid) expect(m.vcpu.dump()['cr0']).toBe(BigInt.asUintN(32, value));
      }
      expect(m.cpu.field(F.guestCr0) & 0x6000_0020n).toBe(0x20n);
    });
  });

  test('paging with LME enters IA-32e mode, without it does not', () => {
    withMachine((m) => {
      m.code(0x0f, 0x22, 0xc0);
      m.vcpu.setGpr(RAX, 0x8000_0011n);
      m.run((cpu) => cpu.exit(ExitReason.crAccess, moveTo(0, RAX), 3));
      expect(m.cpu.field(F.entryControls) & 0x200n).toBe(0n);
      (m.vcpu as X86VCpu).setRegisters({ cr0: 0x11n, cr4: 0x20n, efer: 0x100n });
      m.run((cpu) => cpu.exit(ExitReason.crAccess, moveTo(0, RAX), 3));
      expect(m.cpu.field(F.entryControls) & 0x200n).toBe(0x200n);
      expect(m.vcpu.dump()['efer']).toBe(0x500n);
    });
  });

  test('VMXE in CR4 raises #GP', () => {
    withMachine((m) => {
      m.code(0x0f, 0x22, 0xe0);
      m.vcpu.setGpr(RAX, 0x2000n);
      let event = 0;
      m.run((cpu) => cpu.exit(ExitReason.crAccess, moveTo(4, RAX), 3), injected(m, (info) => (event = info & 0xff)));
      expect(event).toBe(13);
    });
  });
});

describe('what is reported', () => {
  test('HLT waits behind the instruction, a triple fault resets, VMCALL has its arguments', () => {
    withMachine((m) => {
      m.code(0xf4);
      expect(m.run((cpu) => cpu.exit(ExitReason.hlt, 0, 1))).toEqual({ reason: 'Halt' });
      expect(m.cpu.field(F.guestRip)).toBe(0x8001n);
      expect(m.run((cpu) => cpu.exit(ExitReason.tripleFault))).toEqual({ reason: 'SystemReset', warm: false });
      [0n, 4n, 3n, 0n, 0n, 0n, 2n, 1n, 5n, 6n].forEach((value, register) => m.vcpu.setGpr(register, value));
      m.vcpu.setGpr(RAX, 7n);
      expect(m.run((cpu) => cpu.exit(ExitReason.vmcall, 0, 3))).toEqual({ reason: 'Hypercall', nr: 7n, args: [1n, 2n, 3n, 4n, 5n, 6n] });
      m.vcpu.setReturnValue(9n);
      expect(m.vcpu.getGpr(RAX)).toBe(9n);
      expect(m.run((cpu) => cpu.exit(0x8000_0021))).toEqual({ reason: 'FailEntry', hardwareEntryFailureReason: 33n });
      expect(m.run((cpu) => cpu.exit(ExitReason.eptMisconfiguration))).toMatchObject({ reason: 'GuestError' });
    });
  });

  test('VMX instructions and MONITOR do not exist for a guest', () => {
    withMachine((m) => {
      for (const reason of [ExitReason.vmxon, ExitReason.vmlaunch, ExitReason.invept, ExitReason.monitor, ExitReason.getsec]) {
        let event = 0;
        m.run((cpu) => cpu.exit(reason, 0, 3), injected(m, (info) => (event = info)));
        expect(event >>> 0).toBe(0x8000_0306);
      }
    });
  });
});

describe('interrupts', () => {
  test('wait for RFLAGS.IF, and for the shadow of STI', () => {
    withMachine((m) => {
      m.vcpu.injectInterrupt(0x40);
      expect(m.vcpu.hasPendingInterrupt()).toBe(false);
      m.run((cpu) => {
        expect(cpu.field(F.entryInterruptionInformation) & 0x8000_0000n).toBe(0n);
        expect(cpu.field(F.primaryProcessorBasedControls) & 4n).toBe(4n);
        cpu.setField(F.guestRflags, 0x202);
        cpu.setField(F.guestInterruptibilityState, 1);
        cpu.exit(ExitReason.interruptWindow, 0, 0);
      }, (cpu) => {
        expect(cpu.field(F.entryInterruptionInformation) & 0x8000_0000n).toBe(0n);
        cpu.setField(F.guestInterruptibilityState, 0);
        cpu.exit(ExitReason.interruptWindow, 0, 0);
      }, injected(m, (info) => expect(info >>> 0).toBe(0x8000_0040)));
      expect(m.vcpu.hasPendingInterrupt()).toBe(false);
    });
  });

  test('an event whose delivery an exit interrupted is delivered again', () => {
    withMachine((m) => {
      m.code(0x0f, 0xa2);
      m.run((cpu) => {
        cpu.exit(ExitReason.cpuid);
        cpu.setField(F.idtVectoringInformation, 0x8000_0b0e);
        cpu.setField(F.idtVectoringErrorCode, 6);
      }, injected(m, (info, error) => expect([info >>> 0, error]).toEqual([0x8000_0b0e, 6])));
    });
  });

  test('a vector that the architecture does not have is refused', () => {
    withMachine(({ vcpu }) => {
      for (const vector of [-1, 0, 15, 1.5, 0x104, 300]) expect(() => vcpu.injectInterrupt(vector)).toThrow('neither an interrupt vector');
    });
  });
});

describe('a guest that steps', () => {
  const TF = 0x102;
  /** The event of the next entry, and DR6. */
  const next = (m: Machine): string => {
    let text = '';
    m.run(injected(m, (info) => (text = `${(info >>> 0).toString(16)} ${m.cpu.drs.get(6)?.toString(16)}`)));
    return text;
  };

  test('traps behind an instruction that was carried out for it', () => {
    withMachine((m) => {
      m.code(0x0f, 0xa2);
      m.cpu.setField(F.guestRflags, TF);
      let info = 0;
      m.run((cpu) => cpu.exit(ExitReason.cpuid), injected(m, (event) => (info = event)));
      expect([info >>> 0, m.cpu.drs.get(6)! & 0x4000n, m.cpu.field(F.guestRip)]).toEqual([0x8000_0301, 0x4000n, 0x8002n]);
      // HLT ends with it, too.
      m.code(0xf4);
      expect(m.run((cpu) => cpu.exit(ExitReason.hlt, 0, 1)).reason).toBe('Halt');
      expect(m.vcpu.hasPendingInterrupt()).toBe(true);
      expect(next(m)).toMatch(/^80000301 /);
    });
  });

  test('traps behind each element of REP OUTSB', () => {
    withMachine((m) => {
      m.code(0xf3, 0x6e);
      m.cpu.setField(F.guestRflags, TF);
      m.vcpu.setGpr(RCX, 2n);
      m.vcpu.setGpr(6, 0x9000n);
      for (const [left, rip] of [[1n, 0x8000n], [0n, 0x8002n]] as const) {
        const exit = m.run((cpu) => cpu.exit(ExitReason.ioInstruction, 0x30 | (0xe9 << 16)));
        expect(exit).toMatchObject({ reason: 'IoWrite', port: 0xe9 });
        expect(next(m)).toMatch(/^80000301 /);
        expect([m.vcpu.getGpr(RCX), m.cpu.field(F.guestRip)]).toEqual([left, rip]);
      }
    });
  });
});

test('MSRs that are written only, or that have bits of their own', () => {
  withMachine((m) => {
    const read = (msr: number): bigint | string => {
      m.code(0x0f, 0x32);
      m.vcpu.setGpr(RCX, BigInt(msr));
      const exit = m.run((cpu) => cpu.exit(ExitReason.rdmsr), (cpu) => cpu.exit(ExitReason.externalInterrupt));
      return exit.reason === 'SysRegRead' ? 'asked' : m.vcpu.getGpr(RAX) | (m.vcpu.getGpr(RDX) << 32n);
    };
    expect(read(Msr.IA32_MISC_ENABLE)).toBe(0x1801n);
    m.code(0x0f, 0x30);
    for (const [register, value] of [[RCX, BigInt(Msr.IA32_MISC_ENABLE)], [RAX, 0xc50889n], [RDX, 4n]] as const) m.vcpu.setGpr(register, value);
    m.run((cpu) => cpu.exit(ExitReason.wrmsr), (cpu) => cpu.exit(ExitReason.externalInterrupt));
    expect(read(Msr.IA32_MISC_ENABLE)).toBe(0x4_00c5_1809n);
    expect(read(Msr.IA32_PRED_CMD)).toBe('asked');
  });
});
