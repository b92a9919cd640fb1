/** Device accesses: ports, and every form of instruction on a page without memory. */
import { describe, expect, test } from 'vitest';
import { ExitReason, VmcsField } from '@axvisor/axvisor_api/arch/x86';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { EMULATED } from '../src/emulate/emulation.ts';
import { CODE, gpa, withMachine, type Machine } from './fixture.ts';

const F = VmcsField;
const DEVICE = 0x20_0000n;
const [RAX, RCX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 3, 4, 5, 6, 7] as const;

/** One instruction that accesses the device at [RBX]; what it reads is `value`. @returns the transfers, as text. */
function access(m: Machine, bytes: readonly number[], value = 0n, write = false, before: (cpu: Machine['cpu']) => void = () => {}): string[] {
  m.code(...bytes);
  m.vcpu.setGpr(RBX, DEVICE);
  let exit: AxVCpuExitReason | undefined = m.run((cpu) => {
    before(cpu);
    cpu.exit(ExitReason.eptViolation, (write ? 2 : 1) | 0x180);
    cpu.setField(F.guestPhysicalAddress, DEVICE);
  });
  const log: string[] = [];
  if (exit.reason === 'NestedPageFault') exit = m.vcpu.decodeMmio();
  for (; exit?.reason === 'MmioRead' || exit?.reason === 'MmioWrite'; exit = m.run()) {
    const at = (exit.addr - DEVICE).toString(16);
    if (exit.reason === 'MmioRead') {
      log.push(`read${exit.width * 8} ${at}`);
      m.vcpu.setGpr(EMULATED, value);
    } else log.push(`write${exit.width * 8} ${at} ${exit.data.toString(16)}`);
  }
  return log;
}

const flags = (m: Machine): bigint => m.cpu.field(F.guestRflags) & 0x8d5n;

describe('instructions', () => {
  const cases: readonly (readonly [name: string, bytes: readonly number[], value: bigint, log: readonly string[], rax?: bigint])[] = [
    ['mov eax, [rbx]', [0x8b, 0x03], 0x8765_4321n, ['read32 0'], 0x8765_4321n],
    ['mov rax, [rbx+8]', [0x48, 0x8b, 0x43, 0x08], 0x8765_4321_1234_5678n, ['read64 8'], 0x8765_4321_1234_5678n],
    ['mov ax, [rbx]', [0x66, 0x8b, 0x03], 0x4321n, ['read16 0'], 0x1111_1111_1111_4321n],
    ['mov ah, [rbx]', [0x8a, 0x23], 0x99n, ['read8 0'], 0x1111_1111_1111_9911n],
    ['mov [rbx], eax', [0x89, 0x03], 0n, ['write32 0 11111111']],
    ['mov [rbx], ah', [0x88, 0x23], 0n, ['write8 0 11']],
    ['mov qword [rbx], -2', [0x48, 0xc7, 0x03, 0xfe, 0xff, 0xff, 0xff], 0n, ['write64 0 fffffffffffffffe']],
    ['mov byte [rbx+0x100], 5', [0xc6, 0x83, 0, 1, 0, 0, 5], 0n, ['write8 100 5']],
    ['movzx eax, word [rbx]', [0x0f, 0xb7, 0x03], 0xffffn, ['read16 0'], 0xffffn],
    ['movsx rax, byte [rbx]', [0x48, 0x0f, 0xbe, 0x03], 0x80n, ['read8 0'], 0xffff_ffff_ffff_ff80n],
    ['movsxd rax, [rbx]', [0x48, 0x63, 0x03], 0x8000_0000n, ['read32 0'], 0xffff_ffff_8000_0000n],
    ['add eax, [rbx]', [0x03, 0x03], 1n, ['read32 0'], 0x1111_1112n],
    ['or [rbx], eax', [0x09, 0x03], 0x8000_0000n, ['read32 0', 'write32 0 91111111']],
    ['and dword [rbx], 0xf0', [0x81, 0x23, 0xf0, 0, 0, 0], 0xffn, ['read32 0', 'write32 0 f0']],
    ['sub qword [rbx], 1', [0x48, 0x83, 0x2b, 1], 0n, ['read64 0', 'write64 0 ffffffffffffffff']],
    ['cmp [rbx], al', [0x38, 0x03], 0x11n, ['read8 0']],
    ['test dword [rbx], 1', [0xf7, 0x03, 1, 0, 0, 0], 1n, ['read32 0']],
    ['not word [rbx]', [0x66, 0xf7, 0x13], 0xff00n, ['read16 0', 'write16 0 ff']],
    ['neg byte [rbx]', [0xf6, 0x1b], 1n, ['read8 0', 'write8 0 ff']],
    ['inc dword [rbx]', [0xff, 0x03], 0xffff_ffffn, ['read32 0', 'write32 0 0']],
    ['xchg [rbx], eax', [0x87, 0x03], 0x77n, ['read32 0', 'write32 0 11111111'], 0x77n],
    ['lock xadd [rbx], eax', [0xf0, 0x0f, 0xc1, 0x03], 2n, ['read32 0', 'write32 0 11111113'], 2n],
    ['lock cmpxchg [rbx], ecx', [0xf0, 0x0f, 0xb1, 0x0b], 0x1111_1111n, ['read32 0', 'write32 0 22222222'], 0x1111_1111_1111_1111n],
    ['bts dword [rbx], 4', [0x0f, 0xba, 0x2b, 4], 1n, ['read32 0', 'write32 0 11']],
    ['movnti [rbx], eax', [0x0f, 0xc3, 0x03], 0n, ['write32 0 11111111']],
    ['shl dword [rbx], 4', [0xc1, 0x23, 4], 0x9000_0001n, ['read32 0', 'write32 0 10']],
    ['sar byte [rbx], cl', [0xd2, 0x3b], 0x84n, ['read8 0', 'write8 0 e1']],
    ['shr word [rbx], 1', [0x66, 0xd1, 0x2b], 0x8001n, ['read16 0', 'write16 0 4000']],
    ['rol dword [rbx], 8', [0xc1, 0x03, 8], 0x1234_5678n, ['read32 0', 'write32 0 34567812']],
    ['ror qword [rbx], 1', [0x48, 0xd1, 0x0b], 3n, ['read64 0', 'write64 0 8000000000000001']],
    ['shl dword [rbx], 32', [0xc1, 0x23, 32], 5n, ['read32 0', 'write32 0 5']],
    ['shld [rbx], eax, 8', [0x0f, 0xa4, 0x03, 8], 0x1234_5678n, ['read32 0', 'write32 0 34567811']],
    ['shrd [rbx], ax, 4', [0x66, 0x0f, 0xac, 0x03, 4], 0x1234n, ['read16 0', 'write16 0 1123']],
    ['imul eax, [rbx]', [0x0f, 0xaf, 0x03], 0x10n, ['read32 0'], 0x1111_1110n],
    ['imul rax, [rbx], -3', [0x48, 0x6b, 0x03, 0xfd], 5n, ['read64 0'], 0xffff_ffff_ffff_fff1n],
    ['mul dword [rbx]', [0xf7, 0x23], 2n, ['read32 0'], 0x2222_2222n],
    ['div byte [rbx]', [0xf6, 0x33], 0x22n, ['read8 0'], 0x1111_1111_1111_1180n],
    ['bsf eax, [rbx]', [0x0f, 0xbc, 0x03], 0x8040n, ['read32 0'], 6n],
    ['bsr eax, [rbx] of nothing', [0x0f, 0xbd, 0x03], 0n, ['read32 0']],
    ['lzcnt ax, [rbx]', [0xf3, 0x66, 0x0f, 0xbd, 0x03], 0x10n, ['read16 0'], 0x1111_1111_1111_000bn],
    ['tzcnt rax, [rbx] of nothing', [0xf3, 0x48, 0x0f, 0xbc, 0x03], 0n, ['read64 0'], 64n],
    ['lock cmpxchg8b [rbx]', [0xf0, 0x0f, 0xc7, 0x0b], 0n, ['read32 0', 'read32 4', 'write32 0 0', 'write32 4 0'], 0n],
    ['smsw [rbx]', [0x0f, 0x01, 0x23], 0n, ['write16 0 11']],
    ['mov rax, moffs', [0x48, 0xa1, 0, 0, 0x20, 0, 0, 0, 0, 0], 5n, ['read64 0'], 5n],
  ];
  for (const [name, bytes, value, log, rax] of cases) {
    test(name, () => {
      withMachine((m) => {
        m.vcpu.setGpr(RAX, 0x1111_1111_1111_1111n);
        m.vcpu.setGpr(RCX, 0x2222_2222n);
        expect(access(m, bytes, value, log[0]?.startsWith('write') ?? false)).toEqual(log);
        expect(m.vcpu.getGpr(RAX)).toBe(rax ?? 0x1111_1111_1111_1111n);
        expect(m.cpu.field(F.guestRip)).toBe(CODE + BigInt(bytes.length));
      }, 64);
    });
  }

  /** With the stack at the device's 0x100 and RBP there too; what is read is 0x9000. What follows is RSP, RBP and RIP, from the device and the code. */
  const onStack: readonly (readonly [name: string, bytes: readonly number[], log: readonly string[], rsp: bigint, rbp: bigint, rip: bigint])[] = [
    ['push rax', [0x50], ['write64 f8 1111111111111111'], 0xf8n, 0x100n, 1n],
    ['push r9', [0x41, 0x51], ['write64 f8 9999'], 0xf8n, 0x100n, 2n],
    ['push ax', [0x66, 0x50], ['write16 fe 1111'], 0xfen, 0x100n, 2n],
    ['push -7', [0x6a, 0xf9], ['write64 f8 fffffffffffffff9'], 0xf8n, 0x100n, 2n],
    ['push 0x12345678', [0x68, 0x78, 0x56, 0x34, 0x12], ['write64 f8 12345678'], 0xf8n, 0x100n, 5n],
    ['push [rbx]', [0xff, 0x33], ['read64 0', 'write64 f8 9000'], 0xf8n, 0x100n, 2n],
    ['pop rbp', [0x5d], ['read64 100'], 0x108n, 0x9000n - DEVICE, 1n],
    ['pop [rsp]', [0x8f, 0x04, 0x24], ['read64 100', 'write64 108 9000'], 0x108n, 0x100n, 3n],
    ['call +0x10', [0xe8, 0x10, 0, 0, 0], ['write64 f8 8005'], 0xf8n, 0x100n, 0x15n],
    ['call [rbx]', [0xff, 0x13], ['read64 0', 'write64 f8 8002'], 0xf8n, 0x100n, 0x1000n],
    ['jmp [rbx]', [0xff, 0x23], ['read64 0'], 0x100n, 0x100n, 0x1000n],
    ['ret', [0xc3], ['read64 100'], 0x108n, 0x100n, 0x1000n],
    ['ret 0x20', [0xc2, 0x20, 0], ['read64 100'], 0x128n, 0x100n, 0x1000n],
    ['enter 0x40, 0', [0xc8, 0x40, 0, 0], ['write64 f8 200100'], 0xb8n, 0xf8n, 4n],
    ['leave', [0xc9], ['read64 100'], 0x108n, 0x9000n - DEVICE, 1n],
  ];
  test.each(onStack)('%s with its stack in a device', (_name, bytes, log, rsp, rbp, rip) => {
    withMachine((m) => {
      m.vcpu.setGpr(RAX, 0x1111_1111_1111_1111n);
      m.vcpu.setGpr(9, 0x9999n);
      m.vcpu.setGpr(RSP, DEVICE + 0x100n);
      m.vcpu.setGpr(RBP, DEVICE + 0x100n);
      expect(access(m, bytes, 0x9000n, log[0]?.startsWith('write') ?? false)).toEqual(log);
      expect([m.vcpu.getGpr(RSP) - DEVICE, m.vcpu.getGpr(RBP) - DEVICE, m.cpu.field(F.guestRip) - CODE]).toEqual([rsp, rbp, rip]);
    }, 64);
  });

  test('a return to no address', () => {
    withMachine((m) => {
      m.vcpu.setGpr(RSP, DEVICE);
      let info = 0n;
      m.code(0xc3);
      m.run((cpu) => {
        cpu.exit(ExitReason.eptViolation, 0x181);
        cpu.setField(F.guestPhysicalAddress, DEVICE);
      });
      m.vcpu.decodeMmio();
      m.vcpu.setGpr(EMULATED, 1n << 47n);
      m.run((cpu) => {
        info = cpu.field(F.entryInterruptionInformation);
        cpu.exit(ExitReason.externalInterrupt);
      });
      expect([info, m.cpu.field(F.guestRip), m.vcpu.getGpr(RSP)]).toEqual([0x8000_0b0dn, CODE, DEVICE]);
    }, 64);
  });

  /** Register 1 has bytes 0x10 and up, upper half included; a load reads 8 bytes of 0x77. What follows are the quadwords of the register. */
  const quads = (...hex: string[]): bigint[] => hex.map((h) => BigInt(`0x${h}`));
  const OLD = quads('1716151413121110', '1f1e1d1c1b1a1918', '2726252423222120', '2f2e2d2c2b2a2928');
  const SEVEN = 0x7777_7777_7777_7777n;
  const vectors: readonly (readonly [name: string, bytes: readonly number[], log: readonly string[], register: readonly bigint[]])[] = [
    ['movups xmm1, [rbx]', [0x0f, 0x10, 0x0b], ['read64 0', 'read64 8'], [SEVEN, SEVEN, OLD[2]!, OLD[3]!]],
    ['vmovups ymm1, [rbx]', [0xc5, 0xfc, 0x10, 0x0b], ['read64 0', 'read64 8', 'read64 10', 'read64 18'], [SEVEN, SEVEN, SEVEN, SEVEN]],
    ['vmovdqu xmm1, [rbx]', [0xc4, 0xe1, 0x7a, 0x6f, 0x0b], ['read64 0', 'read64 8'], [SEVEN, SEVEN, 0n, 0n]],
    ['vmovdqu [rbx], ymm1', [0xc5, 0xfe, 0x7f, 0x0b], ['write64 0 1716151413121110', 'write64 8 1f1e1d1c1b1a1918', 'write64 10 2726252423222120', 'write64 18 2f2e2d2c2b2a2928'], OLD],
    ['movntdq [rbx], xmm1', [0x66, 0x0f, 0xe7, 0x0b], ['write64 0 1716151413121110', 'write64 8 1f1e1d1c1b1a1918'], OLD],
    ['movss xmm1, [rbx]', [0xf3, 0x0f, 0x10, 0x0b], ['read32 0'], [0x7777_7777n, 0n, OLD[2]!, OLD[3]!]],
    ['movsd [rbx], xmm1', [0xf2, 0x0f, 0x11, 0x0b], ['write64 0 1716151413121110'], OLD],
    ['movhps xmm1, [rbx]', [0x0f, 0x16, 0x0b], ['read64 0'], [OLD[0]!, SEVEN, OLD[2]!, OLD[3]!]],
    ['movhps [rbx], xmm1', [0x0f, 0x17, 0x0b], ['write64 0 1f1e1d1c1b1a1918'], OLD],
    ['movd [rbx], xmm1', [0x66, 0x0f, 0x7e, 0x0b], ['write32 0 13121110'], OLD],
    ['vmovq [rbx], xmm1', [0xc4, 0xe1, 0xf9, 0x7e, 0x0b], ['write64 0 1716151413121110'], OLD],
    ['vmovq xmm1, [rbx]', [0xc5, 0xfa, 0x7e, 0x0b], ['read64 0'], [SEVEN, 0n, 0n, 0n]],
    ['vmovlps xmm1, xmm2, [rbx], which has three operands', [0xc5, 0xe8, 0x12, 0x0b], [], OLD],
  ];
  test.each(vectors)('%s', (_name, bytes, log, register) => {
    withMachine((m) => {
      const { vectors: area } = m.cpu;
      const fill = (): void => {
        for (let i = 0; i < 32; i++) area[(i < 16 ? 160 + 16 : 576) + i] = 0x10 + i;
        area[512] = 7;
      };
      const first = log[0] ?? '';
      expect(access(m, bytes, first.startsWith('read32') ? 0x7777_7777n : SEVEN, first.startsWith('write'), fill)).toEqual(log);
      const view = new DataView(area.buffer);
      expect([176, 184, 592, 600].map((at) => view.getBigUint64(at, true))).toEqual(register);
    }, 64);
  });

  const mmx: readonly (readonly [name: string, bytes: readonly number[], log: readonly string[], register: bigint])[] = [
    ['movq mm1, [rbx]', [0x0f, 0x6f, 0x0b], ['read64 0'], SEVEN],
    ['movd mm1, [rbx]', [0x0f, 0x6e, 0x0b], ['read32 0'], 0x7777_7777n],
    ['movq [rbx], mm1', [0x0f, 0x7f, 0x0b], ['write64 0 101'], 0x101n],
    ['movd [rbx], mm1', [0x0f, 0x7e, 0x0b], ['write32 0 101'], 0x101n],
    ['movntq [rbx], mm1', [0x0f, 0xe7, 0x0b], ['write64 0 101'], 0x101n],
  ];
  test.each(mmx)('%s, which numbers x87 registers from the first on', (_name, bytes, log, register) => {
    withMachine((m) => {
      const { vectors: area } = m.cpu;
      const view = new DataView(area.buffer);
      // TOP is 3: R1 is ST6.
      const fill = (): void => {
        view.setUint16(2, 0x1800, true);
        view.setUint8(4, 0);
        for (let i = 0; i < 8; i++) view.setBigUint64(32 + 16 * i, BigInt(0x100 + ((i + 3) & 7)), true);
        area[512] = 7;
      };
      expect(access(m, bytes, log[0] === 'read32 0' ? 0x7777_7777n : SEVEN, log[0]?.startsWith('write'), fill)).toEqual(log);
      const registers = Array.from({ length: 8 }, (_, i) => (i === 1 ? register : BigInt(0x100 + i)));
      expect(Array.from({ length: 8 }, (_, i) => view.getBigUint64(32 + 16 * i, true))).toEqual(registers);
      expect([view.getUint16(2, true), view.getUint8(4), view.getUint16(56, true)]).toEqual([0, 0xff, log[0]?.startsWith('read') ? 0xffff : 0]);
    }, 64);
  });

  test('a division that has no result', () => {
    withMachine((m) => {
      m.code(0xf7, 0x3b); // idiv dword [rbx]
      m.vcpu.setGpr(RBX, DEVICE);
      m.run((cpu) => {
        cpu.exit(ExitReason.eptViolation, 0x181);
        cpu.setField(F.guestPhysicalAddress, DEVICE);
      });
      expect(m.vcpu.decodeMmio()).toMatchObject({ reason: 'MmioRead' });
      m.vcpu.setGpr(EMULATED, 0n);
      let info = 0n;
      m.run((cpu) => {
        info = cpu.field(F.entryInterruptionInformation);
        cpu.exit(ExitReason.externalInterrupt);
      });
      expect([info, m.cpu.field(F.guestRip)]).toEqual([0x8000_0300n, CODE]);
    }, 64);
  });

  test('flags of arithmetic', () => {
    withMachine((m) => {
      access(m, [0xc1, 0x23, 0x04], 0x1000_0000n); // shl dword [rbx], 4
      expect(flags(m) & 0xc5n).toBe(0x45n); // CF, PF, ZF
      access(m, [0xd1, 0x13], 0x8000_0000n); // rcl dword [rbx], 1: carries in and out, and overflows
      expect(flags(m) & 0x801n).toBe(0x801n);
      access(m, [0x83, 0x3b, 0x01], 0n); // cmp dword [rbx], 1
      expect(flags(m)).toBe(0x95n); // CF, PF, AF, SF
      access(m, [0xff, 0x03], 0x7fff_ffffn); // inc: overflow, CF kept
      expect(flags(m)).toBe(0x895n);
    }, 64);
  });

  test('an access across pages is made of parts, with memory on its side', () => {
    withMachine((m) => {
      m.space.writeValue(gpa(0xf_fffe), 2, 0xbeefn);
      m.vcpu.setGpr(RAX, 0n);
      m.code(0x8b, 0x03);
      m.vcpu.setGpr(RBX, 0xf_fffen);
      m.run((cpu) => {
        cpu.exit(ExitReason.eptViolation, 0x181);
        cpu.setField(F.guestPhysicalAddress, 0x10_0000);
      });
      expect(m.vcpu.decodeMmio()).toMatchObject({ reason: 'MmioRead', addr: 0x10_0000n, width: 2 });
      m.vcpu.setGpr(EMULATED, 0xdeadn);
      m.run();
      expect(m.vcpu.getGpr(RAX)).toBe(0xdead_beefn);
    }, 64);
  });

  test('rep movsb from a device', () => {
    withMachine((m) => {
      m.vcpu.setGpr(RSI, DEVICE);
      m.vcpu.setGpr(RDI, 0x9000n);
      m.vcpu.setGpr(RCX, 3n);
      expect(access(m, [0xf3, 0xa4], 0x5an)).toEqual(['read8 0', 'read8 1', 'read8 2']);
      expect(m.space.readValue(gpa(0x9000), 4)).toBe(0x5a_5a5an);
      expect([m.vcpu.getGpr(RCX), m.vcpu.getGpr(RSI)]).toEqual([0n, DEVICE + 3n]);
    }, 64);
  });

  test('nothing answers: the bus floats', () => {
    withMachine((m) => {
      m.vcpu.setGpr(RAX, 0n);
      m.code(0x8b, 0x03);
      m.vcpu.setGpr(RBX, DEVICE);
      m.run((cpu) => {
        cpu.exit(ExitReason.eptViolation, 0x181);
        cpu.setField(F.guestPhysicalAddress, DEVICE);
      });
      m.vcpu.decodeMmio();
      m.vcpu.injectAccessFault();
      m.run();
      expect(m.vcpu.getGpr(RAX)).toBe(0xffff_ffffn);
    }, 64);
  });

  test('a nested fault says what was tried', () => {
    withMachine((m) => {
      const fault = (qualification: number): AxVCpuExitReason =>
        m.run((cpu) => {
          cpu.exit(ExitReason.eptViolation, qualification);
          cpu.setField(F.guestPhysicalAddress, 0x30_0123);
        });
      expect(fault(0x182)).toEqual({ reason: 'NestedPageFault', addr: 0x30_0123n, accessFlags: 2 });
      expect(fault(0x184)).toMatchObject({ accessFlags: 4 });
      expect(m.vcpu.decodeMmio()).toBeUndefined();
    });
  });
});

describe('16-bit addressing', () => {
  test('mov al, [bx+si+4] with segment bases', () => {
    withMachine((m) => {
      m.code(0x8a, 0x40, 0x04);
      m.cpu.setField(F.guestDsBase, 0x1f_0000);
      m.vcpu.setGpr(RBX, 0xf000n);
      m.vcpu.setGpr(RSI, 0x0ffcn);
      m.run((cpu) => {
        cpu.exit(ExitReason.eptViolation, 0x181);
        cpu.setField(F.guestPhysicalAddress, 0x1f_0000);
      });
      // The offset wraps at 64 KiB.
      expect(m.vcpu.decodeMmio()).toMatchObject({ reason: 'MmioRead', addr: 0x1f_0000n, width: 1 });
    }, 16);
  });
});

describe('ports', () => {
  const port = (m: Machine, qualification: number, length = 1): AxVCpuExitReason => m.run((cpu) => cpu.exit(ExitReason.ioInstruction, qualification, length));

  test('IN and OUT', () => {
    withMachine((m) => {
      m.code(0xec);
      m.vcpu.setGpr(RAX, 0x1234_5678n);
      expect(port(m, (0x3f8 << 16) | 8)).toEqual({ reason: 'IoRead', port: 0x3f8, width: 1 });
      m.vcpu.setReturnValue(0x60n);
      m.run();
      expect([m.vcpu.getGpr(RAX), m.cpu.field(F.guestRip)]).toEqual([0x1234_5660n, 0x8001n]);
      expect(port(m, (0x604 << 16) | 1)).toEqual({ reason: 'IoWrite', port: 0x604, width: 2, data: 0x5660n });
    });
  });

  test('rep outsb reads memory, rep insw writes it', () => {
    withMachine((m) => {
      m.space.writeBuffer(gpa(0x9000), Uint8Array.from([1, 2, 3]));
      m.code(0xf3, 0x6e);
      m.vcpu.setGpr(RSI, 0x9000n);
      m.vcpu.setGpr(RCX, 3n);
      const data: bigint[] = [];
      for (let exit = port(m, (0x3f8 << 16) | 0x30); exit.reason === 'IoWrite'; exit = m.run()) data.push(exit.data);
      expect(data).toEqual([1n, 2n, 3n]);
      m.code(0x66, 0xf3, 0x6d);
      m.vcpu.setGpr(RDI, 0x9010n);
      m.vcpu.setGpr(RCX, 2n);
      let next = 0x1111n;
      for (let exit = port(m, (0x1f0 << 16) | 0x39); exit.reason === 'IoRead'; exit = m.run()) m.vcpu.setReturnValue((next += 1n));
      expect(m.space.readValue(gpa(0x9010), 4)).toBe(0x1113_1112n);
      expect(m.cpu.field(F.guestRip)).toBe(0x8003n);
    });
  });
});
