import { testThrowingDevice } from '@axvisor/tooling/guest_vm';
import { describe, expect, test } from 'vitest';
import { DEVICE_BASE, GuestVm, psci, RAM_BASE, runGuest, SHUTDOWN, withMachine } from './support/guest.ts';

/** Words that a guest leaves for the test. */
const OUT = (count: number): string => `.balign 8\nout: ${Array(count).fill('.dword 0x5a5a').join('\n')}`;
const out = (vm: GuestVm, count: number): bigint[] => Array.from({ length: count }, (_, i) => vm.wordAt('out', i));
/** A constant into a register. */
const li = (register: string, value: bigint): string =>
  [0n, 16n, 32n, 48n].map((shift) => `mov${shift === 0n ? 'z' : 'k'} ${register}, #${(value >> shift) & 0xffffn}, lsl #${shift}`).join('\n');
const FP_ON = 'mov x0, #0x300000\nmsr cpacr_el1, x0\nisb\n';
const VECTORS = 'adr x0, vectors\nmsr vbar_el1, x0\n';
/** Synchronous exceptions and interrupts of EL1h. */
const vectors = (sync: string, irq = 'b .'): string => `.balign 2048\nvectors: .space 512\n${sync}\n.balign 128\n${irq}\n`;

describe('boot', () => {
  test('a guest is entered as the boot protocol says', () =>
    runGuest(
      `adr x10, out
       stp x0, x1, [x10]
       stp x2, x3, [x10, #16]
       mrs x1, CurrentEL
       mrs x2, daif
       stp x1, x2, [x10, #32]
       mrs x1, sctlr_el1
       mrs x2, mpidr_el1
       stp x1, x2, [x10, #48]
       mrs x1, cntvct_el0
       mrs x2, cntfrq_el0
       stp x1, x2, [x10, #64]
       mrs x1, spsel
       str x1, [x10, #80]
       ${SHUTDOWN}
       ${OUT(11)}`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect(out(vm, 6)).toEqual([0x4010_0000n, 0n, 0n, 0n, 4n, 0x3c0n]);
        expect(vm.wordAt('out', 6) & 0x1005n).toBe(0n);
        expect(vm.wordAt('out', 7)).toBe(0x8000_0000n);
        expect(vm.wordAt('out', 8)).toBeLessThan(1000n);
        expect([vm.wordAt('out', 9) > 0n, vm.wordAt('out', 10)]).toEqual([true, 1n]);
      },
    ));

  test('stage 1 over memory that is mapped at the first access', () =>
    runGuest(
      // 39 bits: a block for the first GiB of RAM, and a page of a table of level 3 at 0x1_0000_0000.
      `${li('x0', 0x4018_0000n)}
       ${li('x1', 0x4000_0705n | 0x400n)}
       str x1, [x0, #8]
       ${li('x1', 0x4018_1003n)}
       str x1, [x0, #32]
       ${li('x2', 0x4018_1000n)}
       ${li('x1', 0x4018_2003n)}
       str x1, [x2]
       ${li('x2', 0x4018_2000n)}
       ${li('x1', 0x4019_0703n | 0x400n)}
       str x1, [x2]
       msr ttbr0_el1, x0
       mov x1, #0x44ff
       msr mair_el1, x1
       ${li('x1', 0x1_0080_3519n)}
       msr tcr_el1, x1
       isb
       mrs x1, sctlr_el1
       mov x2, #5
       orr x1, x1, x2
       msr sctlr_el1, x1
       isb
       ${li('x3', 0x1_0000_0008n)}
       mov x4, #0x1234
       str x4, [x3]
       ${li('x5', 0x4019_0008n)}
       ldr x20, [x5]
       ${SHUTDOWN}`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect(vm.boot.getGpr(20)).toBe(0x1234n);
        expect(vm.count('NestedPageFault')).toBeGreaterThanOrEqual(4);
      },
    ));

  test('features and versions', () =>
    runGuest(
      `${psci(0x8400_0000)}
       mov x20, x0
       ${psci(0x8000_0000)}
       mov x21, x0
       ${psci(0x8400_00ff)}
       mov x22, x0
       ${SHUTDOWN}`,
      (vm) => expect([vm.boot.getGpr(20), vm.boot.getGpr(21), BigInt.asIntN(32, vm.boot.getGpr(22))]).toEqual([0x1_0001n, 0x1_0001n, -1n]),
    ));

  test.each([
    ['SYSTEM_OFF', 0x8400_0008, { reason: 'SystemDown' }],
    ['SYSTEM_RESET', 0x8400_0009, { reason: 'SystemReset', warm: false }],
  ])('%s', (_, number, expected) => runGuest(psci(number), (_vm, end) => expect(end).toEqual(expected)));
});

/** Loads and stores of x19 as base; operands in x1, x2, v1, v2. */
const MEMORY_INSTRUCTIONS: readonly string[] = [
  ...['ldrb w2', 'ldrsb w2', 'ldrsb x2', 'ldrh w2', 'ldrsh w2', 'ldrsh x2', 'ldr w2', 'ldrsw x2', 'ldr x2', 'strb w1', 'strh w1', 'str w1', 'str x1'].flatMap((start) =>
    [`${start}, [x19, #8]`, `${start}, [x19, #8]!`, `${start}, [x19], #8`, `mov x3, #8\n${start}, [x19, x3]`]),
  'ldur x2, [x19, #8]', 'stur w1, [x19, #4]', 'ldar x2, [x19]', 'stlr x1, [x19]', 'ldapr w2, [x19]', 'ldtr x2, [x19, #8]', 'sttr x1, [x19, #8]',
  'ldp x1, x2, [x19]', 'ldp w1, w2, [x19, #8]!', 'ldpsw x1, x2, [x19]', 'stp x1, x2, [x19], #16', 'ldnp x1, x2, [x19]', 'stnp w1, w2, [x19, #8]',
  'ldr b2, [x19, #3]', 'ldr h2, [x19, #2]', 'ldr s2, [x19, #4]', 'ldr d2, [x19, #8]', 'ldr q2, [x19]', 'str q1, [x19]', 'str d1, [x19, #8]!', 'str s1, [x19], #4',
  'ldp d1, d2, [x19]', 'stp q1, q2, [x19]', 'ldp q1, q2, [x19]', 'stp s1, s2, [x19], #8',
  'ld1 {v1.16b}, [x19]', 'st1 {v1.8h, v2.8h}, [x19]', 'ld2 {v1.4s, v2.4s}, [x19], #32', 'st4 {v0.2d, v1.2d, v2.2d, v3.2d}, [x19]', 'ld1 {v2.s}[1], [x19]', 'ld1r {v2.4h}, [x19]', 'st1 {v1.b}[3], [x19], #1',
];

describe('devices', () => {
  test.each([false, true])('every kind of access does to a device what it does to memory, without exits where that can be: %s', (quick) => {
    const sequence = (instruction: string, address: string, to: string): string =>
      `${address}
       ${li('x1', 0x8192_a3b4_c5d6_e7f8n)}
       stp x1, x1, [x19]
       stp x1, xzr, [x19, #16]
       stp x1, xzr, [x19, #32]
       stp x1, xzr, [x19, #48]
       mov x4, x19
       ${li('x1', 0xfedc_ba98_7654_3210n)}
       mov x2, #0x77
       dup v0.2d, x2
       dup v1.2d, x1
       dup v2.2d, x2
       dup v3.2d, x1
       ${instruction}
       sub x5, x19, x4
       adr x10, ${to}
       stp x1, x2, [x10]
       str x5, [x10, #16]
       stp d1, d2, [x10, #24]
       mov d1, v1.d[1]
       mov d2, v2.d[1]
       stp d1, d2, [x10, #40]
       ldp x1, x2, [x4]
       stp x1, x2, [x10, #56]
       ldp x1, x2, [x4, #48]
       stp x1, x2, [x10, #72]`;
    runGuest(
      `${FP_ON}${VECTORS}
       ${MEMORY_INSTRUCTIONS.map((instruction, i) => `${sequence(instruction, 'adr x19, memory', `m${i}`)}\n${sequence(instruction, li('x19', DEVICE_BASE), `d${i}`)}`).join('\n')}
       ${SHUTDOWN}
       .balign 16
       memory: .dword 0, 0, 0, 0, 0, 0, 0, 0, 0
       ${MEMORY_INSTRUCTIONS.map((_, i) => `m${i}: .space 88\nd${i}: .space 88`).join('\n')}
       ${vectors(`mrs x20, esr_el1\nmrs x21, elr_el1\n${SHUTDOWN}`)}`,
      (vm) => {
        expect([vm.boot.getGpr(20), vm.boot.getGpr(21)], 'no exception').toEqual([0n, 0n]);
        const words = (symbol: string): bigint[] => Array.from({ length: 11 }, (_, i) => vm.wordAt(symbol, i));
        for (const [i, instruction] of MEMORY_INSTRUCTIONS.entries()) expect(words(`d${i}`), instruction).toEqual(words(`m${i}`));
        // What a syndrome does not describe, and 64 bits, always is an exit.
        expect(vm.count('MmioRead')).toBeGreaterThan(0);
        expect(vm.quickAccesses > 0).toBe(quick);
      },
      { maxExits: 100_000, quick },
    );
  });

  /** Stores to the device, between an exclusive load of memory and the store to it. */
  const storeToDevice = `${li('x19', DEVICE_BASE)}\nadr x20, word\nldxr x1, [x20]\nhere: str w19, [x19]\nstxr w22, x1, [x20]\n${SHUTDOWN}.balign 8\nword: .dword 0\n`;

  test.each([false, true])('an access takes the exclusive monitor away, without an exit: %s', (quick) =>
    runGuest(storeToDevice, (vm) => expect([vm.boot.getGpr(22), vm.count('MmioWrite'), vm.quickAccesses]).toEqual(quick ? [1n, 0, 1] : [1n, 1, 0]), { quick }),
  );

  test.each([false, true])('an interrupt that comes by an access is taken behind it, without an exit: %s', (quick) =>
    withMachine(() => {
      const vm = new GuestVm(
        `${VECTORS}
         mov x1, #0xff
         msr icc_pmr_el1, x1
         mov x1, #1
         msr icc_igrpen1_el1, x1
         msr daifclr, #2
         ${li('x19', DEVICE_BASE)}
         adr x23, behind
         str w19, [x19]
         behind: mov x24, #1
         b .
         ${vectors('b .', `mrs x21, elr_el1\nmrs x20, icc_iar1_el1\n${SHUTDOWN}`)}`,
        { quick },
      );
      vm.onStore = () => vm.boot.injectInterrupt(40);
      expect(vm.run()).toMatchObject({ reason: 'SystemDown' });
      expect([vm.boot.getGpr(20), vm.boot.getGpr(24)]).toEqual([40n, 0n]);
      expect(vm.boot.getGpr(21)).toBe(vm.boot.getGpr(23));
    }),
  );

  testThrowingDevice((quick) => new GuestVm(storeToDevice, { quick }), withMachine);

  test.each([
    ['ldr x1, [x19]', 0x9600_0010n], ['str w1, [x19]', 0x9600_0050n], ['ldp x1, x2, [x19]', 0x9600_0010n], ['ldadd x1, x2, [x19]', undefined], ['cas x1, x2, [x19]', undefined], ['br x19', 0x8600_0010n],
  ])('%s where nothing answers is an external abort', (instruction, esr) =>
    runGuest(
      `${VECTORS}${li('x19', 0x2000_0000n)}
       here: ${instruction}
       ${vectors(`mrs x20, esr_el1\nmrs x21, far_el1\nmrs x22, elr_el1\nadr x23, here\n${SHUTDOWN}`)}`,
      (vm) => {
        if (esr !== undefined) expect(vm.boot.getGpr(20)).toBe(esr);
        expect(vm.boot.getGpr(20) & 0x3fn).toBe(0x10n);
        expect(vm.boot.getGpr(21)).toBe(0x2000_0000n);
        expect(vm.boot.getGpr(22)).toBe(instruction === 'br x19' ? 0x2000_0000n : vm.boot.getGpr(23));
      },
    ),
  );
});

describe('interrupts and time', () => {
  test.each([['virtual', 'cntv', 27], ['physical', 'cntp', 30]] as const)('the %s timer, and WFI in between', (_, timer, intid) =>
    runGuest(
      `${VECTORS}
       mov x1, #0xff
       msr icc_pmr_el1, x1
       mov x1, #1
       msr icc_igrpen1_el1, x1
       isb
       mov x24, #0
       mrs x25, cntvct_el0
       mov x1, #5000
       msr ${timer}_tval_el0, x1
       mov x1, #1
       msr ${timer}_ctl_el0, x1
       msr daifclr, #2
       1: wfi
       cmp x24, #3
       b.lo 1b
       mrs x26, cntvct_el0
       ${SHUTDOWN}
       ${vectors('b .', `mrs x20, icc_iar1_el1
       add x24, x24, #1
       mov x1, #5000
       msr ${timer}_tval_el0, x1
       msr icc_eoir1_el1, x20
       eret`)}`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect(vm.boot.getGpr(20)).toBe(BigInt(intid));
        const elapsed = vm.boot.getGpr(26) - vm.boot.getGpr(25);
        expect(elapsed).toBeGreaterThanOrEqual(15000n);
        expect(elapsed).toBeLessThan(17000n);
        expect(vm.count('Halt')).toBeGreaterThanOrEqual(3);
      },
    ));

  test('a timer that nobody waits for', () =>
    runGuest(
      `${VECTORS}
       mov x1, #0xff
       msr icc_pmr_el1, x1
       mov x1, #1
       msr icc_igrpen1_el1, x1
       mov x24, #0
       mov x1, #50
       msr cntv_tval_el0, x1
       mov x1, #1
       msr cntv_ctl_el0, x1
       msr daifclr, #2
       1: add x27, x27, #1
       cmp x24, #50
       b.lo 1b
       ${SHUTDOWN}
       ${vectors('b .', `mrs x20, icc_iar1_el1
       add x24, x24, #1
       mov x1, #50
       msr cntv_tval_el0, x1
       msr icc_eoir1_el1, x20
       eret`)}`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect(vm.boot.getGpr(24)).toBe(50n);
        expect(vm.boot.getGpr(27)).toBeGreaterThan(50n * 100n);
      },
    ));

  test('a slice ends an endless loop', () =>
    withMachine(() => {
      const vm = new GuestVm('1: add x20, x20, #1\nb 1b', { maxExits: 20 });
      expect(() => vm.run()).toThrow('too many exits');
      expect(vm.count('ExternalInterrupt')).toBeGreaterThan(15);
      expect(vm.boot.getGpr(20)).toBeGreaterThan(10_000n);
    }));
});

describe('several CPUs', () => {
  test('start, talk by SGI, stop', () =>
    runGuest(
      `adr x10, out
       movz w0, #3
       movk w0, #0xc400, lsl #16
       mov x1, #1
       adr x2, secondary
       mov x3, #0x111
       hvc #0
       str x0, [x10]
       movz w0, #3
       movk w0, #0xc400, lsl #16
       mov x1, #1
       adr x2, secondary
       hvc #0
       str x0, [x10, #8]
       movz w0, #3
       movk w0, #0xc400, lsl #16
       mov x1, #7
       adr x2, secondary
       hvc #0
       str x0, [x10, #16]
       adr x11, arrived
       1: ldar w12, [x11]
       cbz w12, 1b
       mov x1, #2
       movk x1, #0x500, lsl #16
       msr icc_sgi1r_el1, x1
       2: movz w0, #4
       movk w0, #0xc400, lsl #16
       mov x1, #1
       mov x2, #0
       hvc #0
       cmp x0, #1
       b.ne 2b
       ${SHUTDOWN}
       secondary: adr x10, out
       str x0, [x10, #24]
       mov x1, #0xff
       msr icc_pmr_el1, x1
       mov x1, #1
       msr icc_igrpen1_el1, x1
       isb
       adr x11, arrived
       mov w1, #1
       ldadd w1, w2, [x11]
       3: wfi
       mrs x20, icc_iar1_el1
       str x20, [x10, #32]
       msr icc_eoir1_el1, x20
       ${psci(0x8400_0002)}
       .balign 8
       arrived: .dword 0
       ${OUT(5)}`,
      (vm, end) => {
        expect(end).toEqual({ reason: 'SystemDown' });
        expect(out(vm, 5).map((e) => BigInt.asIntN(64, e))).toEqual([0n, -4n, -2n, 0x111n, 5n]);
      },
      { cpus: 2 },
    ));
});

test('the map of the machine', () => expect([RAM_BASE, DEVICE_BASE]).toEqual([0x4000_0000n, 0x0900_0000n]));
