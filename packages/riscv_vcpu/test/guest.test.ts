import { Irq } from '@axvisor/axvisor_api/arch/riscv';
import { testThrowingDevice } from '@axvisor/tooling/guest_vm';
import { describe, expect, test } from 'vitest';
import { DEVICE_BASE, RAM_BASE, runGuest, sbi, SHUTDOWN, withMachine, GuestVm } from './support/guest.ts';

const Eid = { TIME: 0x54494d45, IPI: 0x735049, RFENCE: 0x52464e43, HSM: 0x48534d, SRST: 0x53525354, PMU: 0x504d55, DBCN: 0x4442434e } as const;
/** Words that a guest leaves for the test. */
const OUT = (count: number): string => `.align 3\nout: ${Array(count).fill('.dword 0x5a5a').join('\n')}`;
const out = (vm: GuestVm, count: number): bigint[] => Array.from({ length: count }, (_, i) => vm.wordAt('out', i));

describe('boot', () => {
  test('a guest is entered as SBI firmware enters a kernel', () =>
    runGuest(
      `la t0, out
       sd a0, 0(t0)
       sd a1, 8(t0)
       csrr t1, sstatus
       sd t1, 16(t0)
       csrr t1, satp
       sd t1, 24(t0)
       csrr t1, sie
       sd t1, 32(t0)
       sd sp, 40(t0)
       rdtime t1
       sd t1, 48(t0)
       ${SHUTDOWN}
       ${OUT(7)}`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect(out(vm, 6)).toEqual([0n, 0x8010_0000n, 2n << 32n, 0n, 0n, 0n]);
        expect(vm.wordAt('out', 6)).toBeLessThan(1000n);
      },
    ));

  test('memory that is mapped at the first access, also for the guest\'s own page tables', () =>
    runGuest(
      // Sv39 with one gigapage for 0x8000_0000 and a page of 2 MiB at 0x4000_0000, tables in pages that were never touched.
      `.equ ROOT, 0x80100000
       .equ MIDDLE, 0x80104000
       li t0, ROOT
       li t1, (0x80000 << 10) | 0xcf
       sd t1, 16(t0)
       li t1, (MIDDLE >> 2) | 1
       sd t1, 8(t0)
       li t0, MIDDLE
       li t1, (0x80000 << 10) | 0x07
       sd t1, 0(t0)
       li t0, (8 << 60) | (ROOT >> 12)
       csrw satp, t0
       sfence.vma
       li s0, 0x40108000
       li t1, 0x1234
       sd t1, 0(s0)
       li s1, 0x80108000
       ld s2, 0(s1)
       ${SHUTDOWN}`,
      (vm) => {
        expect(vm.boot.getGpr(18)).toBe(0x1234n);
        expect(vm.count('NestedPageFault')).toBeGreaterThanOrEqual(4);
      },
    ));

  test.each([
    [0, 0, { reason: 'SystemDown' }],
    [0, 1, { reason: 'SystemDown', failure: true }],
    [1, 0, { reason: 'SystemReset', warm: false }],
    [2, 1, { reason: 'SystemReset', warm: true }],
  ])('system_reset type %d, reason %d', (type, reason, expected) =>
    runGuest(`li a0, ${type}\nli a1, ${reason}\n${sbi(Eid.SRST, 0)}`, (_vm, end) => expect(end).toEqual(expected)),
  );
});

describe('console', () => {
  test('prints through DBCN from guest memory', () =>
    runGuest(
      `li a0, 6
       la a1, text
       li a2, 0
       ${sbi(Eid.DBCN, 0)}
       mv s0, a0
       mv s1, a1
       ${SHUTDOWN}
       text: .ascii "hello\\n"`,
      (vm) => {
        expect(vm.output).toBe('hello\n');
        expect([vm.boot.getGpr(8), vm.boot.getGpr(9)]).toEqual([0n, 6n]);
      },
    ));

  test('legacy echo, character by character', () =>
    runGuest(
      `1: li a7, 2
       ecall
       bltz a0, 2f
       li a7, 1
       ecall
       j 1b
       2: ${SHUTDOWN}`,
      (vm) => expect(vm.output).toBe('echo'),
      { input: 'echo' },
    ));
});

/** Loads, stores and atomics; the operand is in s1 or fs1, the result goes to s2 or fs2. */
const MEMORY_INSTRUCTIONS: readonly string[] = [
  ...['lb', 'lbu', 'lh', 'lhu', 'lw', 'lwu', 'ld'].map((name) => `${name} s2, 8(s0)`),
  ...['sb', 'sh', 'sw', 'sd'].map((name) => `${name} s1, 8(s0)`),
  'flw fs2, 8(s0)', 'fld fs2, 8(s0)', 'fsw fs1, 8(s0)', 'fsd fs1, 8(s0)',
  'c.lw s1, 8(s0)', 'c.ld s1, 8(s0)', 'c.fld fs1, 8(s0)', 'c.sw s1, 8(s0)', 'c.sd s1, 8(s0)', 'c.fsd fs1, 8(s0)',
  'mv sp, s0\nc.lwsp s2, 8(sp)', 'mv sp, s0\nc.ldsp s2, 8(sp)', 'mv sp, s0\nc.fldsp fs2, 8(sp)', 'mv sp, s0\nc.swsp s1, 8(sp)',
  'mv sp, s0\nc.sdsp s1, 8(sp)', 'mv sp, s0\nc.fsdsp fs1, 8(sp)',
  ...['amoswap', 'amoadd', 'amoxor', 'amoand', 'amoor', 'amomin', 'amomax', 'amominu', 'amomaxu'].flatMap((name) =>
    ['w', 'd'].map((width) => `addi s0, s0, 8\n${name}.${width} s2, s1, (s0)`),
  ),
  'addi s0, s0, 8\namoadd.d s1, s1, (s0)', 'addi s0, s0, 8\nlr.w s2, (s0)', 'addi s0, s0, 8\nlr.d s2, (s0)',
];

describe('devices', () => {
  test.each(MEMORY_INSTRUCTIONS.flatMap((instruction) => [[instruction, false], [instruction, true]] as const))('%s does to a device what it does to memory, without exits where that can be: %s', (instruction, quick) => {
    const sequence = (address: string, to: number): string =>
      `${address}
       li t1, 0x8192a3b4c5d6e7f8
       sd t1, 8(s0)
       mv s3, s0
       li s1, 0xfedcba9876543210
       li s2, 0x77
       fmv.d.x fs1, s1
       fmv.d.x fs2, s2
       ${instruction}
       mv s0, s3
       la t0, out
       sd s1, ${to}(t0)
       sd s2, ${to + 8}(t0)
       fsd fs1, ${to + 16}(t0)
       fsd fs2, ${to + 24}(t0)
       ld t1, 8(s0)
       sd t1, ${to + 32}(t0)`;
    runGuest(
      `li t0, 3 << 13
       csrs sstatus, t0
       ${sequence('la s0, memory', 0)}
       ${sequence('li s0, DEVICE', 40)}
       ${SHUTDOWN}
       .align 3
       memory: .dword 0, 0, 0
       ${OUT(10)}`,
      (vm) => {
        expect(out(vm, 10).slice(5)).toEqual(out(vm, 10).slice(0, 5));
        // The test itself accesses 64 bits, which always is an exit.
        expect(vm.count('MmioRead')).toBeGreaterThan(0);
        expect(vm.quickAccesses).toBe(quick && /^(l[bhw]u?|s[bhw]|c\.[ls]w) |c\.[ls]wsp /m.test(instruction) ? 1 : 0);
      },
      { quick },
    );
  });

  const storeToDevice = `li s0, DEVICE\nhere: sw s0, 0(s0)\nbehind: li s1, 1\n${SHUTDOWN}`;

  test.each([false, true])('an interrupt that comes by an access is taken behind it, without an exit: %s', (quick) =>
    withMachine(() => {
      const vm = new GuestVm(
        `la t0, handler
         csrw stvec, t0
         li t0, 1 << 9
         csrs sie, t0
         csrsi sstatus, 2
         ${storeToDevice}
         .align 2
         handler: csrr s2, scause
         csrr s3, sepc
         la s4, behind
         ${SHUTDOWN}`,
        { quick },
      );
      vm.onStore = () => vm.boot.injectInterrupt(Irq.vsei);
      expect(vm.run()).toMatchObject({ reason: 'SystemDown' });
      expect([vm.boot.getGpr(18), vm.boot.getGpr(9)]).toEqual([(1n << 63n) | 9n, 0n]);
      expect(vm.boot.getGpr(19)).toBe(vm.boot.getGpr(20));
    }),
  );

  testThrowingDevice((quick) => new GuestVm(storeToDevice, { quick }), withMachine);

  test('an LR/SC loop on a device', () =>
    runGuest(
      `li s0, DEVICE
       li t0, 41
       sw t0, 0(s0)
       1: lr.w t1, (s0)
       addi t1, t1, 1
       sc.w t2, t1, (s0)
       bnez t2, 2f
       li s1, 1
       2: lw s2, 0(s0)
       ${SHUTDOWN}`,
      // The hart may fail an SC before it looks at memory; if it does not, the store went through.
      (vm) => expect(vm.boot.getGpr(18)).toBe(vm.boot.getGpr(9) === 1n ? 42n : 41n),
    ));

  test('a load to an f register makes the unit dirty', () =>
    runGuest(
      `li t0, 1 << 13
       csrs sstatus, t0
       li s0, DEVICE
       fld fs0, 0(s0)
       csrr s1, sstatus
       ${SHUTDOWN}`,
      (vm) => expect((vm.boot.getGpr(9) >> 13n) & 3n).toBe(3n),
    ));

  test.each([
    ['lw t0, 0(s0)', 5n], ['sw t0, 0(s0)', 7n], ['amoadd.w t0, t0, (s0)', 7n], ['jalr s0', 1n], ['c.lw s1, 0(s0)', 5n], ['lw t0, 1(s0)', 5n],
  ])('%s where nothing answers is an access fault', (instruction, cause) =>
    runGuest(
      `la t0, handler
       csrw stvec, t0
       li s0, 0x20000000
       here: ${instruction}
       .align 2
       handler: csrr s1, scause
       csrr s2, stval
       csrr s3, sepc
       la s4, here
       ${SHUTDOWN}`,
      (vm) => {
        const address = instruction.includes('1(s0)') ? 0x2000_0001n : 0x2000_0000n;
        expect(vm.boot.getGpr(9)).toBe(cause);
        expect(vm.boot.getGpr(18)).toBe(address);
        expect(vm.boot.getGpr(19)).toBe(cause === 1n ? address : vm.boot.getGpr(20));
      },
    ),
  );

  test('a page table that is not in memory is an access fault', () =>
    withMachine(() => {
      // The handler cannot be reached either: the guest faults for ever, and the hypervisor stays in control.
      const vm = new GuestVm(
        `la t0, handler
         csrw stvec, t0
         li t0, (8 << 60) | (0x20000000 >> 12)
         csrw satp, t0
         .align 2
         handler: nop`,
        { maxExits: 50 },
      );
      expect(() => vm.run()).toThrow('too many exits');
      expect(vm.boot.dump()).toMatchObject({ vscause: 1n, vstval: vm.symbols.get('handler') });
    }));
});

describe('interrupts and time', () => {
  /** Counts timer interrupts in s0 up to 3, waiting in between. */
  const ticking = (arm: string): string => `
       la t0, handler
       csrw stvec, t0
       li t0, 1 << 5
       csrs sie, t0
       li s0, 0
       rdtime s5
       ${arm}
       csrsi sstatus, 2
       1: wfi
       li t0, 3
       bltu s0, t0, 1b
       rdtime s6
       ${SHUTDOWN}
       .align 2
       handler: csrr s1, scause
       addi s0, s0, 1
       ${arm}
       sret`;

  test.each([
    ['stimecmp', 'rdtime t1\nli t2, 5000\nadd t1, t1, t2\ncsrw stimecmp, t1'],
    ['SBI TIME', `rdtime t1\nli t2, 5000\nadd a0, t1, t2\n${sbi(Eid.TIME, 0)}`],
    ['legacy SBI', 'rdtime t1\nli t2, 5000\nadd a0, t1, t2\nli a7, 0\necall'],
  ])('timer by %s, and WFI in between', (_, arm) =>
    runGuest(ticking(arm), (vm, end) => {
      expect(end).toEqual({ reason: 'SystemDown' });
      expect(vm.boot.getGpr(9)).toBe((1n << 63n) | 5n);
      const elapsed = vm.boot.getGpr(22) - vm.boot.getGpr(21);
      expect(elapsed).toBeGreaterThanOrEqual(15000n);
      expect(elapsed).toBeLessThan(17000n);
      expect(vm.count('Halt')).toBeGreaterThanOrEqual(3);
    }),
  );

  test('an external interrupt is a level', () =>
    withMachine(() => {
      const vm = new GuestVm(
        `la t0, handler
         csrw stvec, t0
         li t0, 1 << 9
         csrs sie, t0
         csrsi sstatus, 2
         wfi
         li s1, 1
         wfi
         ${SHUTDOWN}
         .align 2
         handler: csrr s2, scause
         addi s3, s3, 1
         li t0, 3
         bltu s3, t0, 1f
         li t0, DEVICE
         sw zero, 0(t0)
         1: sret`,
      );
      expect(() => vm.run()).toThrow('waits for ever');
      expect(vm.boot.getGpr(9)).toBe(0n);
      vm.boot.injectInterrupt(10);
      // It is taken until the device is told.
      vm.onStore = () => vm.boot.clearInterrupt(10);
      expect(() => vm.run()).toThrow('waits for ever');
      expect([vm.boot.getGpr(9), vm.boot.getGpr(18), vm.boot.getGpr(19)]).toEqual([1n, (1n << 63n) | 9n, 3n]);
    }));

  test('a slice ends an endless loop', () =>
    withMachine(() => {
      const vm = new GuestVm('1: addi s0, s0, 1\nj 1b', { maxExits: 20 });
      expect(() => vm.run()).toThrow('too many exits');
      expect(vm.count('ExternalInterrupt')).toBeGreaterThan(15);
      expect(vm.boot.getGpr(8)).toBeGreaterThan(10_000n);
    }));
});

describe('several harts', () => {
  test('start, talk, stop', () =>
    runGuest(
      `bnez a0, secondary
       la s0, out
       # Starts harts 1 and 2; a second start fails, as does one of a hart that does not exist.
       li a0, 1
       la a1, secondary
       li a2, 0x111
       ${sbi(Eid.HSM, 0)}
       sd a0, 0(s0)
       li a0, 2
       la a1, secondary
       li a2, 0x222
       ${sbi(Eid.HSM, 0)}
       li a0, 1
       la a1, secondary
       ${sbi(Eid.HSM, 0)}
       sd a0, 8(s0)
       li a0, 3
       la a1, secondary
       ${sbi(Eid.HSM, 0)}
       sd a0, 16(s0)
       # Waits until both are there.
       la t0, arrived
       1: lw t1, 0(t0)
       li t2, 2
       bne t1, t2, 1b
       # Interrupts both, and waits until they stop.
       li a0, 6
       li a1, 0
       ${sbi(Eid.IPI, 0)}
       sd a0, 24(s0)
       2: li a0, 1
       ${sbi(Eid.HSM, 2)}
       li t0, 1
       bne a1, t0, 2b
       3: li a0, 2
       ${sbi(Eid.HSM, 2)}
       li t0, 1
       bne a1, t0, 3b
       li a0, 0
       ${sbi(Eid.HSM, 2)}
       sd a1, 32(s0)
       ${SHUTDOWN}
       .align 2
       secondary: la s0, out
       slli t0, a0, 4
       add s0, s0, t0
       sd a0, 40(s0)
       sd a1, 48(s0)
       csrwi sie, 2
       la t0, arrived
       li t1, 1
       amoadd.w zero, t1, (t0)
       wfi
       csrr t0, sip
       andi t0, t0, 2
       beqz t0, lost
       csrci sip, 2
       ${sbi(Eid.HSM, 1)}
       lost: unimp
       .align 2
       arrived: .word 0
       ${OUT(11)}`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        const [a = 0n, b = 0n, c = 0n, d = 0n, status] = out(vm, 5);
        expect([a, b, c, d].map((e) => BigInt.asIntN(64, e))).toEqual([0n, -6n, -3n, 0n]);
        expect(status).toBe(0n);
        expect(out(vm, 11).slice(7)).toEqual([1n, 0x111n, 2n, 0x222n]);
      },
      { cpus: 3 },
    ));

  test('a remote fence makes a changed page table visible', () =>
    runGuest(
      // Hart 1 reads a page through its TLB until it sees the word that hart 0 mapped there, then stops.
      `.equ ROOT, 0x80100000
       .equ MIDDLE, 0x80101000
       .equ LEAF, 0x80102000
       .equ FIRST, 0x80103000
       .equ SECOND, 0x80104000
       bnez a0, secondary
       li t0, ROOT
       li t1, (0x80000 << 10) | 0xcf
       sd t1, 16(t0)
       li t1, (MIDDLE >> 2) | 1
       sd t1, 8(t0)
       li t0, MIDDLE
       li t1, (LEAF >> 2) | 1
       sd t1, 0(t0)
       li t0, LEAF
       li t1, (FIRST >> 2) | 0xcf
       sd t1, 0(t0)
       li t0, SECOND
       li t1, 0x55
       sd t1, 0(t0)
       li a0, 1
       la a1, secondary
       ${sbi(Eid.HSM, 0)}
       la t0, arrived
       1: lw t1, 0(t0)
       beqz t1, 1b
       li t0, LEAF
       li t1, (SECOND >> 2) | 0xcf
       sd t1, 0(t0)
       li a0, 2
       li a1, 0
       li a2, 0x40000000
       li a3, 0x1000
       ${sbi(Eid.RFENCE, 1)}
       2: li a0, 1
       ${sbi(Eid.HSM, 2)}
       li t0, 1
       bne a1, t0, 2b
       ${SHUTDOWN}
       secondary: li t0, (8 << 60) | (ROOT >> 12)
       csrw satp, t0
       sfence.vma
       li s0, 0x40000000
       ld s1, 0(s0)
       la t0, arrived
       li t1, 1
       sw t1, 0(t0)
       3: ld s1, 0(s0)
       beqz s1, 3b
       ${sbi(Eid.HSM, 1)}
       .align 2
       arrived: .word 0`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect(vm.vcpus[1]?.getGpr(9)).toBe(0x55n);
      },
      { cpus: 2 },
    ));

  test('each has its own floating point, timer and address space', () =>
    runGuest(
      // Both count in fs0 with their own step while slices alternate.
      `mv s0, a0
       bnez a0, run
       li a0, 1
       la a1, run
       ${sbi(Eid.HSM, 0)}
       mv a0, zero
       run: li t0, 3 << 13
       csrs sstatus, t0
       csrr s0, sscratch
       mv s0, a0
       addi t0, s0, 1
       csrw sscratch, t0
       csrwi frm, 0
       bnez s0, 1f
       csrwi frm, 1
       1: fcvt.d.l ft0, t0
       fcvt.d.l fs0, zero
       li t1, 30000
       2: fadd.d fs0, fs0, ft0
       addi t1, t1, -1
       bnez t1, 2b
       fcvt.l.d t2, fs0
       la t3, out
       slli t4, s0, 5
       add t3, t3, t4
       sd t2, 0(t3)
       csrr t2, sscratch
       sd t2, 8(t3)
       csrr t2, frm
       sd t2, 16(t3)
       fence
       la t3, done
       li t1, 1
       amoadd.w t1, t1, (t3)
       bnez s0, stop
       3: lw t1, 0(t3)
       li t2, 2
       bne t1, t2, 3b
       ${SHUTDOWN}
       stop: ${sbi(Eid.HSM, 1)}
       .align 2
       done: .word 0
       ${OUT(8)}`,
      (vm) => {
        expect(out(vm, 3)).toEqual([30000n, 1n, 1n]);
        expect(out(vm, 7).slice(4)).toEqual([60000n, 2n, 0n]);
        expect(vm.count('ExternalInterrupt')).toBeGreaterThan(1);
      },
      { cpus: 2 },
    ));

  test('two guests with the same address space numbers do not see each other\'s translations', () =>
    runGuest(
      // Both use ASID 0 and the same virtual address for different pages, without fences, while slices alternate.
      `.equ TABLES, 0x80100000
       mv s11, a0
       bnez a0, run
       li a0, 1
       la a1, run
       ${sbi(Eid.HSM, 0)}
       mv a0, zero
       run: mv s0, a0
       li t0, TABLES
       slli t1, s0, 16
       add s1, t0, t1          # root of this hart, then middle, leaf, page
       li t1, (0x80000 << 10) | 0xcf
       sd t1, 16(s1)
       li t2, 0x1000
       add t3, s1, t2
       srli t1, t3, 2
       ori t1, t1, 1
       sd t1, 8(s1)
       add t4, t3, t2
       srli t1, t4, 2
       ori t1, t1, 1
       sd t1, 0(t3)
       add t5, t4, t2
       srli t1, t5, 2
       ori t1, t1, 0xcf
       sd t1, 0(t4)
       sd s0, 0(t5)
       srli t1, s1, 12
       li t0, 8 << 60
       or t1, t1, t0
       csrw satp, t1
       sfence.vma
       li s2, 0x40000000
       li t1, 30000
       1: ld t0, 0(s2)
       bne t0, s0, wrong
       addi t1, t1, -1
       bnez t1, 1b
       bnez s0, stop
       2: li a0, 1
       ${sbi(Eid.HSM, 2)}
       li t0, 1
       bne a1, t0, 2b
       ${SHUTDOWN}
       wrong: li s3, 1
       ${SHUTDOWN}
       stop: ${sbi(Eid.HSM, 1)}`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect(vm.vcpus.map((v) => v.getGpr(19))).toEqual([0n, 0n]);
        expect(vm.count('ExternalInterrupt')).toBeGreaterThan(2);
      },
      { cpus: 2 },
    ));

  test('a suspended hart says so until an interrupt resumes it', () =>
    runGuest(
      `li a0, 1
       la a1, other
       li a2, 0
       ${sbi(Eid.HSM, 0)}
       li s2, 4
       jal ra, await_status
       li a0, 2
       li a1, 0
       ${sbi(Eid.IPI, 0)}
       li s2, 0
       jal ra, await_status
       ${SHUTDOWN}
       await_status: li a0, 1
       ${sbi(Eid.HSM, 2)}
       bne a1, s2, await_status
       ret
       .align 2
       other: csrwi sie, 2
       li a0, 0
       ${sbi(Eid.HSM, 3)}
       addi s0, a0, 1
       csrci sip, 2
       1: j 1b`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect([vm.vcpus[1]?.getGpr(8), vm.count('Halt')]).toEqual([1n, 1]);
      },
      { cpus: 2 },
    ));

  test('non-retentive suspend resumes where it was told', () =>
    runGuest(
      `csrwi sie, 0
       li t0, 1 << 5
       csrs sie, t0
       rdtime t0
       li t1, 3000
       add t0, t0, t1
       csrw stimecmp, t0
       li a0, 0x80000000
       la a1, resumed
       li a2, 0x99
       ${sbi(Eid.HSM, 3)}
       unimp
       .align 2
       resumed: mv s0, a0
       mv s1, a1
       ${SHUTDOWN}`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect([vm.boot.getGpr(8), vm.boot.getGpr(9), vm.count('Halt')]).toEqual([0n, 0x99n, 1]);
      },
    ));
});

describe('what guests may not do', () => {
  test.each(['csrr t0, hstatus', 'csrw hgatp, t0', 'hfence.gvma', 'hlv.w t0, (t0)', 'csrr t0, mstatus', 'mret', 'unimp'])('%s is an illegal instruction', (instruction) =>
    runGuest(
      `la t0, handler
       csrw stvec, t0
       here: ${instruction}
       .align 2
       handler: csrr s1, scause
       csrr s2, sepc
       la s3, here
       ${SHUTDOWN}`,
      (vm) => {
        expect(vm.boot.getGpr(9)).toBe(2n);
        expect(vm.boot.getGpr(18)).toBe(vm.boot.getGpr(19));
      },
    ),
  );

  test('user mode waits neither', () =>
    runGuest(
      `la t0, handler
       csrw stvec, t0
       la t0, user
       csrw sepc, t0
       sret
       .align 2
       user: wfi
       .align 2
       handler: csrr s1, scause
       csrr s2, sstatus
       ${SHUTDOWN}`,
      (vm) => {
        expect(vm.boot.getGpr(9)).toBe(2n);
        expect(vm.boot.getGpr(18) & 0x100n).toBe(0n);
        expect(vm.count('Halt')).toBe(0);
      },
    ));

  test('a system call in the guest is the guest\'s', () =>
    runGuest(
      `la t0, handler
       csrw stvec, t0
       la t0, user
       csrw sepc, t0
       sret
       .align 2
       user: ecall
       .align 2
       handler: csrr s1, scause
       ${SHUTDOWN}`,
      (vm) => expect([vm.boot.getGpr(9), vm.count('Nothing')]).toEqual([8n, 0]),
    ));

  test('a hart mask behind an unmapped pointer is the guest\'s page fault', () =>
    runGuest(
      `.equ ROOT, 0x80100000
       la t0, handler
       csrw stvec, t0
       li t0, ROOT
       li t1, (0x80000 << 10) | 0xcf
       sd t1, 16(t0)
       li t0, (8 << 60) | (ROOT >> 12)
       csrw satp, t0
       sfence.vma
       li a0, 0x1000
       li a7, 4
       ecall
       .align 2
       handler: csrr s1, scause
       csrr s2, stval
       ${SHUTDOWN}`,
      (vm) => expect([vm.boot.getGpr(9), vm.boot.getGpr(18)]).toEqual([13n, 0x1000n]),
    ));
});

describe('counters', () => {
  test('are the guest\'s to read', () =>
    runGuest(
      `rdinstret s1
       nop
       nop
       rdinstret s2
       rdcycle s3
       rdtime s4
       csrr s5, hpmcounter3
       sub s1, s2, s1
       ${SHUTDOWN}`,
      (vm) => {
        expect(vm.boot.getGpr(9)).toBe(3n);
        expect(vm.boot.getGpr(19)).toBeGreaterThan(0n);
        expect(vm.boot.getGpr(21)).toBe(0n);
      },
    ));

  test('with a value given through the PMU extension', () =>
    runGuest(
      `li a0, 1
       li a1, 1
       li a2, 1
       li a3, 1000000
       ${sbi(Eid.PMU, 3)}
       rdinstret s1
       li a0, 1
       li a1, 1
       li a2, 1
       ${sbi(Eid.PMU, 4)}
       rdinstret s2
       ${SHUTDOWN}`,
      (vm) => {
        expect(vm.boot.getGpr(9)).toBeGreaterThanOrEqual(1_000_000n);
        expect(vm.boot.getGpr(9)).toBeLessThan(1_000_100n);
        expect(vm.boot.getGpr(18)).toBeLessThan(1_000_000n);
      },
    ));
});

test('a hypercall is an exit', () =>
  runGuest(`li a0, 7\n${sbi(0x485643, 3)}`, (vm, end) => {
    expect(end).toMatchObject({ reason: 'Hypercall', nr: 3n });
    expect(vm.boot.dump()['pc']).toBeGreaterThan(RAM_BASE);
    expect(DEVICE_BASE).toBeLessThan(RAM_BASE);
  }));
