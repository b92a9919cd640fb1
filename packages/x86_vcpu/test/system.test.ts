/** Instructions on system registers and segments that meet devices, memory that nobody has touched, and what is not emulated. */
import { describe, expect, test } from 'vitest';
import { ExitReason, VmcsField } from '@axvisor/axvisor_api/arch/x86';
import { MappingFlags } from '@axvisor/axvisor_api/addrspace';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { EMULATED } from '../src/emulate/emulation.ts';
import { CODE, gpa, withMachine, type Machine } from './fixture.ts';

const F = VmcsField;
const DEVICE = 0x20_0000;
const PORT = 0x60;
/** Memory that is mapped when it is first accessed. */
const LAZY = 0x40_0000;
const GDT = 0x9000;
const [RAX, RCX, RBX, RSP, RSI, RDI] = [0, 1, 3, 4, 6, 7] as const;
const V = { NP: 11, SS: 12, GP: 13 } as const;

/** What became of a run: the exits that were no device's, and the event that the guest gets. */
interface Outcome {
  readonly exit: AxVCpuExitReason;
  readonly event: number;
  readonly error: number;
}

/** A page of a device that behaves as memory; it answers all exits that are its. */
class TestDevice {
  readonly bytes = new Uint8Array(4096);
  readonly view = new DataView(this.bytes.buffer);
  readonly log: string[] = [];

  /** Executes an instruction that accesses this device, or, with another exit, a port. */
  execute(m: Machine, bytes: readonly number[], begins?: (cpu: Machine['cpu']) => void): Outcome {
    m.code(...bytes);
    let event = 0;
    let error = 0;
    let exit = m.run(
      begins ?? ((cpu) => {
        cpu.exit(ExitReason.eptViolation, 0x181);
        cpu.setField(F.guestPhysicalAddress, DEVICE);
      }),
      (cpu) => {
        event = Number(cpu.field(F.entryInterruptionInformation));
        error = Number(cpu.field(F.entryExceptionErrorCode));
        cpu.exit(ExitReason.externalInterrupt);
      },
    );
    for (; exit.reason !== 'ExternalInterrupt' && exit.reason !== 'GuestError'; exit = m.run(...m.cpu.script)) this.#handle(m, exit);
    return { exit, event: event & 0xff, error };
  }

  #handle(m: Machine, exit: AxVCpuExitReason): void {
    if (exit.reason === 'NestedPageFault') {
      this.log.push(`fault ${exit.addr.toString(16)} ${exit.accessFlags}`);
      if (m.space.handlePageFault(exit.addr, exit.accessFlags)) return;
      const access = m.vcpu.decodeMmio();
      if (access === undefined) m.vcpu.injectAccessFault();
      else this.#handle(m, access);
    } else if (exit.reason === 'MmioRead') {
      let value = 0n;
      for (let i = exit.width - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[Number(exit.addr) - DEVICE + i] ?? 0xff);
      m.vcpu.setGpr(EMULATED, value);
    } else if (exit.reason === 'MmioWrite') {
      for (let i = 0; i < exit.width; i++) this.bytes[Number(exit.addr) - DEVICE + i] = Number((exit.data >> BigInt(8 * i)) & 0xffn);
    } else if (exit.reason === 'IoRead') m.vcpu.setReturnValue(0x5an);
    else throw new Error(exit.reason);
  }
}

/** An instruction on a device at [rbx] whose memory begins with 8 bytes; descriptors are at `table`. */
function system(bits: 32 | 64, instruction: readonly number[], content: bigint, use: (m: Machine, device: TestDevice, outcome: Outcome) => void, before: (m: Machine, device: TestDevice) => void = () => {}): void {
  withMachine((m) => {
    const device = new TestDevice();
    device.view.setBigUint64(0, content, true);
    m.cpu.setField(F.guestGdtrBase, GDT);
    m.cpu.setField(F.guestGdtrLimit, 0x7f);
    m.vcpu.setGpr(RBX, BigInt(DEVICE));
    m.vcpu.setGpr(RSP, 0x8800n);
    before(m, device);
    use(m, device, device.execute(m, instruction));
  }, bits);
}

const descriptor = (m: Machine, selector: number, value: bigint, upper = 0n): void => {
  m.space.writeValue(gpa(GDT + (selector & ~7)), 8, value);
  m.space.writeValue(gpa(GDT + (selector & ~7) + 8), 8, upper);
};
const segment = (m: Machine, name: 'Ldtr' | 'Tr' | 'Ds' | 'Cs'): readonly bigint[] =>
  [m.cpu.field(F[`guest${name}Selector`]), m.cpu.field(F[`guest${name}Base`]), m.cpu.field(F[`guest${name}Limit`]), m.cpu.field(F[`guest${name}AccessRights`])];
const rip = (m: Machine): bigint => m.cpu.field(F.guestRip) - CODE;

const TSS = 0x0000_8912_3456_0067n;
const LLDT = [0x0f, 0x00, 0x13];
const LTR = [0x0f, 0x00, 0x1b];

describe('descriptor tables', () => {
  test.each([['sgdt', [0x0f, 0x01, 0x03], 'Gdtr'], ['sidt', [0x0f, 0x01, 0x0b], 'Idtr']] as const)('%s stores limit and base', (_, bytes, table) => {
    for (const bits of [32, 64] as const) {
      system(bits, bytes, -1n, (m, { view }) => {
        expect([view.getUint16(0, true), view.getUint32(2, true), view.getUint32(6, true), rip(m)]).toEqual([0x1ab, 0x89ab_cdef, bits === 64 ? 0xffff_8123 : 0xffff_ffff, 3n]);
      }, (m, { bytes: all }) => {
        all.fill(0xff);
        m.cpu.setField(F[`guest${table}Base`], bits === 64 ? 0xffff_8123_89ab_cdefn : 0x89ab_cdefn);
        m.cpu.setField(F[`guest${table}Limit`], 0x1ab);
      });
    }
  });

  test.each([['lgdt', [0x0f, 0x01, 0x13], 'Gdtr'], ['lidt', [0x0f, 0x01, 0x1b], 'Idtr']] as const)('%s loads them', (_, bytes, table) => {
    const content = 0x89ab_cdef_01abn | (0xffffn << 48n);
    const tables = (m: Machine): readonly bigint[] => [m.cpu.field(F[`guest${table}Limit`]), m.cpu.field(F[`guest${table}Base`])];
    system(32, bytes, content, (m) => expect([tables(m), rip(m)]).toEqual([[0x1abn, 0x89ab_cdefn], 3n]));
    system(32, [0x66, ...bytes], content, (m) => expect([tables(m), rip(m)]).toEqual([[0x1abn, 0xab_cdefn], 4n]));
    const upper = (value: number) => (_: Machine, { view }: TestDevice): void => view.setUint32(6, value, true);
    system(64, bytes, content, (m) => expect(tables(m)).toEqual([0x1abn, 0xffff_8123_89ab_cdefn]), upper(0xffff_8123));
    system(64, bytes, content, (m, _d, { event, error }) => expect([event, error, rip(m)]).toEqual([V.GP, 0, 0n]), upper(0x1234_8123));
  });
});

describe('LTR and LLDT', () => {
  test('load what the descriptor says, and a TSS becomes busy', () => {
    system(32, LTR, 0x18n, (m) => {
      expect([segment(m, 'Tr'), rip(m)]).toEqual([[0x18n, 0x12_3456n, 0x67n, 0x8bn], 3n]);
      expect(m.space.readValue(gpa(GDT + 0x18), 8)).toBe(TSS | (2n << 40n));
    }, (m) => descriptor(m, 0x18, TSS));
    system(64, LTR, 0x18n, (m) => {
      expect(segment(m, 'Tr')).toEqual([0x18n, 0xffff_8001_0012_3456n, 0x67n, 0x8bn]);
      expect(m.space.readValue(gpa(GDT + 0x18), 8)).toBe(TSS | (2n << 40n));
    }, (m) => descriptor(m, 0x18, TSS, 0xffff_8001n));
    system(64, LLDT, 0x20n, (m) => expect(segment(m, 'Ldtr')).toEqual([0x20n, 0xffff_8001_0012_3456n, 0x67n, 0x82n]), (m) => descriptor(m, 0x20, TSS ^ (0xbn << 40n), 0xffff_8001n));
    system(64, LLDT, 3n, (m) => expect(segment(m, 'Ldtr')).toEqual([3n, 0n, 0n, 0x1_0000n]));
  });

  test.each<readonly [name: string, instruction: readonly number[], selector: bigint, value: bigint, upper: bigint, event: number, error: number]>([
    ['no TSS', LTR, 0n, TSS, 0n, V.GP, 0], ['one in the LDT', LTR, 0x1cn, TSS, 0n, V.GP, 0x1c], ['one behind the limit', LTR, 0x80n, TSS, 0n, V.GP, 0x80], ['half of one', LTR, 0x78n, TSS, 0n, V.GP, 0x78],
    ['a busy one', LTR, 0x18n, TSS | (2n << 40n), 0n, V.GP, 0x18], ['one of 16 bits', LTR, 0x18n, TSS ^ (8n << 40n), 0n, V.GP, 0x18], ['one that is not there', LTR, 0x18n, TSS ^ (0x80n << 40n), 0n, V.NP, 0x18],
    ['one at no address', LTR, 0x18n, TSS, 0x1234n << 16n, V.GP, 0x18], ['one with a type in its upper half', LTR, 0x18n, TSS, 1n << 40n, V.GP, 0x18], ['no LDT', LLDT, 0x18n, TSS, 0n, V.GP, 0x18],
    ['an LDT that is not there', LLDT, 0x18n, TSS ^ (0x8bn << 40n), 0n, V.NP, 0x18], ['an LDT in itself', LLDT, 0x1cn, TSS ^ (0xbn << 40n), 0n, V.GP, 0x1c],
  ])('%s is refused', (_, instruction, selector, value, upper, event, error) => {
    let before: readonly (readonly bigint[])[] = [];
    const both = (m: Machine): readonly (readonly bigint[])[] => [segment(m, 'Tr'), segment(m, 'Ldtr')];
    system(64, instruction, selector, (m, _d, outcome) => {
      expect([outcome.event, outcome.error, rip(m), both(m)]).toEqual([event, error, 0n, before]);
      expect(m.space.readValue(gpa(GDT + Number(selector & 0x78n)), 8)).toBe(value);
    }, (m) => {
      descriptor(m, Number(selector & 0x78n), value, upper);
      before = both(m);
    });
  });

  test('the descriptor may be a device’s', () => {
    system(64, [0x0f, 0x00, 0xd8], 0n, (m, { view }) => {
      expect(segment(m, 'Tr')).toEqual([8n, 0x7_0012_3456n, 0x67n, 0x8bn]);
      expect(view.getBigUint64(8, true)).toBe(TSS | (2n << 40n));
    }, (m, { view }) => {
      m.vcpu.setGpr(RAX, 8n);
      m.cpu.setField(F.guestGdtrBase, DEVICE);
      view.setBigUint64(8, TSS, true);
      view.setBigUint64(16, 7n, true);
    });
  });

  test('SLDT and STR store selectors', () => {
    for (const [bytes, name] of [[[0x0f, 0x00, 0x03], 'Ldtr'], [[0x0f, 0x00, 0x0b], 'Tr']] as const) {
      system(64, bytes, -1n, (m, { view }) => expect([view.getUint32(0, true), rip(m)]).toEqual([0xffff_0058, 3n]), (m) => m.cpu.setField(F[`guest${name}Selector`], 0x58));
    }
  });
});

const DATA = 0x00cf_9212_3456_ffffn;
const CODE_32 = 0x00cf_9a00_0000_ffffn;
const CODE_64 = 0x00af_9a00_0000_ffffn;

describe('segments', () => {
  test('MOV loads them, and stores selectors', () => {
    system(32, [0x8e, 0x1b], 0x10n, (m) => {
      expect([segment(m, 'Ds'), rip(m)]).toEqual([[0x10n, 0x12_3456n, 0xffff_ffffn, 0xc093n], 2n]);
      expect(m.space.readValue(gpa(GDT + 0x10), 8)).toBe(DATA | (1n << 40n));
    }, (m) => descriptor(m, 0x10, DATA));
    system(32, [0x8e, 0x1b], 0n, (m) => expect(segment(m, 'Ds')).toEqual([0n, 0n, 0n, 0x1_0000n]));
    system(32, [0x8e, 0x1b], 0x10n, (_m, _d, { event, error }) => expect([event, error]).toEqual([V.NP, 0x10]), (m) => descriptor(m, 0x10, DATA ^ (0x80n << 40n)));
    system(32, [0x8e, 0x1b], 0x13n, (_m, _d, { event, error }) => expect([event, error]).toEqual([V.GP, 0x10]), (m) => descriptor(m, 0x10, DATA));
    system(32, [0x8c, 0x1b], -1n, (_m, { view }) => expect(view.getUint32(0, true)).toBe(0xffff_0028), (m) => m.cpu.setField(F.guestDsSelector, 0x28));
  });

  test('MOV SS keeps interrupts and traps from coming before the next instruction', () => {
    const stack = (m: Machine): readonly bigint[] => [m.cpu.field(F.guestSsSelector), m.cpu.field(F.guestSsBase), m.cpu.field(F.guestSsAccessRights), m.cpu.field(F.guestInterruptibilityState), rip(m)];
    const step = (m: Machine): void => m.cpu.setField(F.guestRflags, 0x102);
    system(32, [0x8e, 0x13], 0x10n, (m, _d, { event }) => expect([stack(m), event]).toEqual([[0x10n, 0x12_3456n, 0xc093n, 2n, 2n], 0]), (m) => {
      descriptor(m, 0x10, DATA);
      step(m);
    });
    system(64, [0x8e, 0x13], 0n, (m) => expect(stack(m)).toEqual([0n, 0n, 0x1_0000n, 2n, 2n]));
    system(32, [0x8e, 0x13], 0n, (_m, _d, { event, error }) => expect([event, error]).toEqual([V.GP, 0]));
    system(32, [0x8e, 0x13], 0x13n, (_m, _d, { event, error }) => expect([event, error]).toEqual([V.GP, 0x10]), (m) => descriptor(m, 0x10, DATA));
    system(32, [0x8e, 0x13], 0x10n, (_m, _d, { event, error }) => expect([event, error]).toEqual([V.SS, 0x10]), (m) => descriptor(m, 0x10, DATA ^ (0x80n << 40n)));
  });

  test('far JMP and CALL go to code segments of the same level', () => {
    const pointer = (offset: bigint, selector: bigint): bigint => offset | (selector << 32n);
    system(32, [0xff, 0x2b], pointer(0x8765n, 0x10n), (m) => {
      expect([segment(m, 'Cs'), m.cpu.field(F.guestRip)]).toEqual([[0x10n, 0n, 0xffff_ffffn, 0xc09bn], 0x8765n]);
      expect(m.space.readValue(gpa(GDT + 0x10), 8)).toBe(CODE_32 | (1n << 40n));
    }, (m) => descriptor(m, 0x10, CODE_32));
    system(64, [0xff, 0x1b], pointer(0x8765n, 0x10n), (m) => {
      expect([segment(m, 'Cs'), m.cpu.field(F.guestRip), m.cpu.field(F.guestRsp)]).toEqual([[0x10n, 0n, 0xffff_ffffn, 0xa09bn], 0x8765n, 0x87f8n]);
      expect([m.space.readValue(gpa(0x87f8), 4), m.space.readValue(gpa(0x87fc), 4)]).toEqual([CODE + 2n, 0x28n]);
    }, (m) => {
      m.cpu.setField(F.guestCsSelector, 0x28);
      descriptor(m, 0x10, CODE_64);
    });
    const refused = (bits: 32 | 64, content: bigint, value: bigint, event: number, error: number): void =>
      system(bits, [0xff, 0x2b], content, (m, _d, outcome) => expect([outcome.event, outcome.error, rip(m)]).toEqual([event, error, 0n]), (m) => descriptor(m, 0x10, value));
    refused(32, pointer(0x8765n, 0n), CODE_32, V.GP, 0);
    refused(32, pointer(0x8765n, 0x10n), DATA, V.GP, 0x10);
    refused(32, pointer(0x8765n, 0x13n), CODE_32, V.GP, 0x10);
    refused(32, pointer(0x8765n, 0x10n), CODE_32 ^ (0x80n << 40n), V.NP, 0x10);
    refused(32, pointer(0x1_0000n, 0x10n), 0x0000_9a00_0000_ffffn, V.GP, 0);
    refused(64, pointer(0x8765n, 0x10n), CODE_64 | (0x40n << 48n), V.GP, 0x10);
    // A call gate.
    system(32, [0xff, 0x1b], pointer(0n, 0x10n), (_m, _d, { exit }) => expect(exit).toMatchObject({ reason: 'GuestError', message: expect.stringContaining('0x8000') }), (m) => descriptor(m, 0x10, 0x8c00_0008_0000n));
  });
});

describe('what is not emulated', () => {
  test.each([
    ['fxsave [rbx]', [0x0f, 0xae, 0x03]], ['xsavec [rbx]', [0x0f, 0xc7, 0x23]], ['fld dword [rbx]', [0xd9, 0x03]], ['enter 8, 2', [0xc8, 8, 0, 2]], ['verr [rbx]', [0x0f, 0x00, 0x23]],
    ['vaddps ymm0, ymm0, [rbx]', [0xc5, 0xfc, 0x58, 0x03]],
  ])('%s on a device ends the guest with the bytes', (_, bytes) => {
    system(64, bytes, 0n, (_m, _d, { exit }) => {
      const text = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      expect(exit).toMatchObject({ reason: 'GuestError', message: expect.stringContaining(`the instruction at 0x8000 accesses what is no memory, and is not emulated: ${text}`) });
    });
  });
});

describe('memory that nobody has touched', () => {
  const withLazy = (use: (m: Machine, device: TestDevice) => void): void =>
    withMachine((m) => {
      m.space.mapAlloc(gpa(LAZY), 0x4000n, MappingFlags.READ | MappingFlags.WRITE);
      use(m, new TestDevice());
    }, 64);

  test('gets what a device gave', () => {
    withLazy((m, device) => {
      device.bytes.set([1, 2, 3, 4, 5, 6, 7, 8]);
      m.vcpu.setGpr(RSI, BigInt(DEVICE));
      m.vcpu.setGpr(RDI, BigInt(LAZY) + 0xffdn);
      m.vcpu.setGpr(RCX, 2n);
      device.execute(m, [0xf3, 0xa5]);
      expect(device.log).toEqual([`fault ${DEVICE.toString(16)} 1`, `fault ${(LAZY + 0xffd).toString(16)} 2`, `fault ${(LAZY + 0x1000).toString(16)} 2`]);
      expect(m.space.readValue(gpa(LAZY + 0xffd), 8)).toBe(0x0807_0605_0403_0201n);
    });
  });

  test('gets what a port gave, and gives zeros to a device', () => {
    withLazy((m, device) => {
      m.vcpu.setGpr(RDI, BigInt(LAZY));
      m.vcpu.setGpr(RCX, 4n);
      device.execute(m, [0xf3, 0x6c], (cpu) => cpu.exit(ExitReason.ioInstruction, (PORT << 16) | 0x38, 2));
      expect(m.space.readValue(gpa(LAZY), 4)).toBe(0x5a5a_5a5an);
      device.bytes.fill(0xff);
      m.vcpu.setGpr(RSI, BigInt(LAZY + 0x2000));
      m.vcpu.setGpr(RDI, BigInt(DEVICE));
      device.execute(m, [0x48, 0xa5]);
      expect(device.view.getBigUint64(0, true)).toBe(0n);
    });
  });

  test('devices on two pages are asked for once each', () => {
    withLazy((m, device) => {
      m.vcpu.setGpr(RSI, BigInt(DEVICE));
      m.vcpu.setGpr(RDI, BigInt(DEVICE + 0x1000));
      m.vcpu.setGpr(RCX, 8n);
      device.execute(m, [0xf3, 0xa4]);
      expect(device.log).toEqual([`fault ${DEVICE.toString(16)} 1`, `fault ${(DEVICE + 0x1000).toString(16)} 2`]);
      expect(m.vcpu.getGpr(RCX)).toBe(0n);
    });
  });
});
