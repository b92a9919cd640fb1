import { expect, test } from 'vitest';
import { DEVICE_BASE, RAM_BASE, runGuest, sbi, SHUTDOWN } from './support/guest.ts';

test('a guest is entered as SBI firmware enters a kernel, and shuts down', () =>
  runGuest(
    `la t0, out
     sd a0, 0(t0)
     sd a1, 8(t0)
     csrr t1, sstatus
     sd t1, 16(t0)
     csrr t1, satp
     sd t1, 24(t0)
     ${SHUTDOWN}
     .align 3
     out: .dword 1, 1, 1, 1
     dtb: .dword 0`,
    (vm, end) => {
      expect(end).toEqual({ reason: 'SystemDown' });
      expect(vm.word('out')).toBe(0n);
      const out = vm.symbols.get('out') as bigint;
      expect(out).toBeGreaterThan(RAM_BASE);
      expect(vm.boot.getGpr(6)).toBe(0n);
    },
  ));

test('prints through DBCN from guest memory', () =>
  runGuest(
    `li a0, 6
     la a1, text
     li a2, 0
     ${sbi(0x4442434e, 0)}
     mv s0, a0
     mv s1, a1
     ${SHUTDOWN}
     text: .ascii "hello\\n"`,
    (vm) => {
      expect(vm.output).toBe('hello\n');
      expect([vm.boot.getGpr(8), vm.boot.getGpr(9)]).toEqual([0n, 6n]);
    },
  ));

test('device registers', () =>
  runGuest(
    `li s0, DEVICE
     li t0, 0x8182838485868788
     sd t0, 0(s0)
     lb s1, 0(s0)
     lbu s2, 1(s0)
     lh s3, 2(s0)
     lw s4, 4(s0)
     lwu s5, 4(s0)
     ld s6, 0(s0)
     ${SHUTDOWN}`,
    (vm) => {
      expect(vm.stores).toEqual([{ offset: 0, width: 8, data: 0x8182838485868788n }]);
      expect([9, 18, 19, 20, 21, 22].map((r) => vm.boot.getGpr(r))).toEqual([
        0xffff_ffff_ffff_ff88n, 0x87n, 0xffff_ffff_ffff_8586n, 0xffff_ffff_8182_8384n, 0x8182_8384n, 0x8182838485868788n,
      ]);
      expect(DEVICE_BASE).toBe(0x1000_0000n);
    },
  ));
