/**
 * A guest that loads all of its harts with what goes wrong between threads, and checks all of it: atomics, locks, interprocessor
 * interrupts, timers that end WFI, remote fences, code that others rewrite, page tables that others change, first touches of memory.
 */
import { assemble } from '@axvisor/softcpu_riscv/asm';

export interface StressOptions {
  readonly harts: number;
  /** Guest time. */
  readonly seconds: number;
  readonly seed: number;
}

/** Where it is to be loaded. */
export const LOAD_ADDRESS = 0x8020_0000n;
/** Memory that a stress guest needs, in MiB. */
export const MEMORY_MIB = 256;

/** What the guest gives up for, by the number it prints. */
export const FAILURES: readonly string[] = [
  '', 'SBI call', 'data under a lock', 'lost interprocessor interrupt', 'stale code', 'stale translation', 'memory', 'lost timer interrupt',
  'sum of AMOs', 'sum of LR/SC', 'sum of first touches', 'unexpected trap', 'hart not done',
  'sum of pairs', 'sum of split locks', 'lost NMI', 'time that goes back',
];

const failure = (what: string): number => FAILURES.indexOf(what);

/** Registers a trap saves. */
const SAVED = ['ra', 't0', 't1', 't2', 't3', 't4', 'a0'] as const;
const each = (mnemonic: string): string => SAVED.map((register, i) => `        ${mnemonic} ${register}, ${8 * i}(sp)`).join('\n');

/*
 * tp: the hart's record; s0: hart; s1: random state; s2: shared data; s3: harts; s4: end; s5, s6, s8: tallies of AMOs, LR/SC, touches;
 * s7: rounds.
 */
const PROGRAM = String.raw`
        .equ    UART, 0x10000000
        .equ    SECOND, 10000000
        .equ    PATIENCE, 20 * SECOND
        .equ    BIG, 0x88000000         # touched page by page
        .equ    BIG_PAGES, 0x4000
        .equ    BUFFERS, 0x8c000000     # 64 KiB for each hart
        .equ    WINDOW, 0x100000000     # virtual page that is remapped
        .equ    REC_SHIFT, 9
        .equ    R_FIRED, 0
        .equ    R_AMO, 8
        .equ    R_LRSC, 16
        .equ    R_TOUCH, 24
        .equ    R_ROUNDS, 32
        .equ    R_IPIS, 40
        .equ    R_TIMERS, 48
        .equ    R_SENT, 64              # by hart: requests to it
        .equ    R_ACKED, 320            # by hart: of its requests the last one seen here
start:  mv      s0, a0
        la      s2, shared
        li      s3, HARTS
        la      tp, records
        slli    t0, s0, REC_SHIFT
        add     tp, tp, t0
        la      sp, stacks
        addi    t0, s0, 1
        slli    t0, t0, 12
        add     sp, sp, t0
        la      t0, trap
        csrw    stvec, t0
        li      t0, -1
        csrw    0x14d, t0               # stimecmp
        bnez    s0, 2f
        call    make_tables
        rdtime  t0
        li      t1, SECONDS * SECOND
        add     t0, t0, t1
        sd      t0, end_time - shared(s2)
        li      s5, 1
1:      bgeu    s5, s3, 2f
        li      a7, 0x48534d            # HSM hart_start
        li      a6, 0
        mv      a0, s5
        la      a1, start
        li      a2, 0
        ecall
        li      s11, ${failure('SBI call')}
        bnez    a0, fail
        addi    s5, s5, 1
        j       1b
2:      ld      s4, end_time - shared(s2)
        la      t0, root
        srli    t0, t0, 12
        li      t1, 8
        slli    t1, t1, 60
        or      t0, t0, t1
        csrw    satp, t0
        sfence.vma
        li      s1, SEED
        li      t0, 0x9e3779b97f4a7c15
        addi    t1, s0, 1
        mul     t0, t0, t1
        xor     s1, s1, t0
        li      s5, 0
        li      s6, 0
        li      s7, 0
        li      s8, 0
        li      t0, 0x22                # SSIE, STIE
        csrw    sie, t0
        csrsi   sstatus, 2

round:  addi    s7, s7, 1
        rdtime  t0
        bgeu    t0, s4, finish
        ld      t0, failed - shared(s2)
        bnez    t0, halt
        call    random
        andi    t0, a0, 15
        slli    t0, t0, 2
        la      t1, jumps
        add     t1, t1, t0
        jr      t1
        .balign 4
        .option norvc
jumps:  j       do_amo
        j       do_amo
        j       do_amo
        j       do_lrsc
        j       do_lrsc
        j       do_locked
        j       do_locked
        j       do_ipi
        j       do_broadcast
        j       do_remote_vma
        j       do_remote_i
        j       do_code
        j       do_remap
        j       do_buffer
        j       do_touch
        j       do_timer

do_amo: li      t0, 64
        li      t1, 1
1:      amoadd.d zero, t1, (s2)
        addi    t0, t0, -1
        bnez    t0, 1b
        addi    s5, s5, 64
        j       round

do_lrsc: li     t0, 64
        addi    t1, s2, lrsc - shared
1:      lr.d    t2, (t1)
        addi    t2, t2, 1
        sc.d    t3, t2, (t1)
        bnez    t3, 1b
        addi    t0, t0, -1
        bnez    t0, 1b
        addi    s6, s6, 64
        j       round

        # Four words that are equal whenever nobody holds the lock.
do_locked: addi a0, s2, lock - shared
        call    take
        li      s11, ${failure('data under a lock')}
        ld      t0, equal - shared(s2)
        ld      t1, equal - shared + 8(s2)
        ld      t2, equal - shared + 1024(s2)
        ld      t3, equal - shared + 1032(s2)
        bne     t0, t1, fail
        bne     t0, t2, fail
        bne     t0, t3, fail
        xor     t0, t0, s1
        sd      t0, equal - shared(s2)
        sd      t0, equal - shared + 1032(s2)
        sd      t0, equal - shared + 8(s2)
        sd      t0, equal - shared + 1024(s2)
        addi    a0, s2, lock - shared
        call    give
        j       round

        # To one hart, and wait for it.
do_ipi: srli    t0, a0, 8
        remu    t0, t0, s3
        beq     t0, s0, round
        li      s9, 1
        sll     s9, s9, t0
        call    send
        li      s11, ${failure('lost interprocessor interrupt')}
        call    await_acks
        j       round

        # To any set of harts; that all of them come is seen to later.
do_broadcast: srli s9, a0, 8
        li      t0, 1
        sll     t0, t0, s3
        addi    t0, t0, -1
        and     s9, s9, t0
        li      t0, 1
        sll     t0, t0, s0
        not     t0, t0
        and     s9, s9, t0
        beqz    s9, round
        call    send
        j       round

do_remote_vma: li a6, 1
        li      a2, 0
        li      a3, 0
        call    remote
        j       round

do_remote_i: li a6, 0
        call    remote
        j       round

        # One of 8 functions is rewritten, or called.
do_code: srli   s9, a0, 8
        srli    s10, a0, 16
        andi    s9, s9, 7
        addi    a0, s2, code_lock - shared
        call    take
        slli    t0, s9, 6
        la      t1, code
        add     t1, t1, t0              # the function
        slli    t0, s9, 3
        addi    t2, s2, code_values - shared
        add     t2, t2, t0              # what it returns
        andi    t0, s10, 3
        bnez    t0, 1f
        srli    s10, s10, 2
        andi    s10, s10, 2047
        slli    t3, s10, 20
        addi    t3, t3, 0x513           # li a0, imm
        sw      t3, (t1)
        sd      s10, (t2)
        fence   rw, rw
        fence.i
        li      a6, 0
        call    remote
        j       2f
1:      mv      s10, t2
        jalr    t1
        ld      t0, (s10)
        li      s11, ${failure('stale code')}
        bne     a0, t0, fail
2:      addi    a0, s2, code_lock - shared
        call    give
        j       round

        # The window is remapped, or looked through.
do_remap: srli  s9, a0, 8
        addi    a0, s2, map_lock - shared
        call    take
        andi    t0, s9, 3
        bnez    t0, 1f
        ld      t0, mapped - shared(s2)
        xori    t0, t0, 1
        sd      t0, mapped - shared(s2)
        slli    t0, t0, 12
        la      t1, targets
        add     t0, t0, t1
        srli    t0, t0, 2
        ori     t0, t0, 0xcf
        la      t1, leaves
        sd      t0, (t1)
        fence   rw, rw
        li      a2, WINDOW
        sfence.vma a2, zero
        li      a3, 4096
        li      a6, 1
        call    remote
1:      li      t0, WINDOW
        ld      t0, (t0)
        ld      t1, mapped - shared(s2)
        li      s11, ${failure('stale translation')}
        bne     t0, t1, fail
        addi    a0, s2, map_lock - shared
        call    give
        j       round

        # A page of the hart's own: written, then read again.
do_buffer: li   t0, BUFFERS
        slli    t1, s0, 16
        add     t0, t0, t1
        srli    t1, a0, 20
        andi    t1, t1, 15
        slli    t1, t1, 12
        add     t0, t0, t1
        li      t2, 4096
        add     t2, t2, t0
        mv      t1, t0
        mv      t3, s1
1:      sd      t3, (t1)
        add     t3, t3, a0
        addi    t1, t1, 8
        bltu    t1, t2, 1b
        mv      t3, s1
        li      s11, ${failure('memory')}
2:      ld      t4, (t0)
        bne     t4, t3, fail
        add     t3, t3, a0
        addi    t0, t0, 8
        bltu    t0, t2, 2b
        j       round

        # 64 pages anywhere in the big memory.
do_touch: li    s9, 64
1:      call    random
        li      t0, BIG_PAGES - 1
        and     t0, t0, a0
        slli    t0, t0, 12
        li      t1, BIG
        add     t0, t0, t1
        li      t1, 1
        amoadd.d zero, t1, (t0)
        addi    s9, s9, -1
        bnez    s9, 1b
        addi    s8, s8, 64
        andi    t0, s7, 255
        bnez    t0, round
        li      a0, '.'
        beqz    s0, 2f
        j       round
2:      call    put
        j       round

        # Sleeps until a timer is due, at most 6.5 ms; interprocessor interrupts end WFI too.
do_timer: srli  a0, a0, 12
        li      t0, 0xffff
        and     a0, a0, t0
        rdtime  t0
        add     t0, t0, a0
        li      t1, PATIENCE
        add     s9, t0, t1
        sd      zero, R_FIRED(tp)
        csrw    0x14d, t0
1:      csrci   sstatus, 2
        ld      t0, R_FIRED(tp)
        bnez    t0, 2f
        wfi
        csrsi   sstatus, 2
        rdtime  t0
        li      s11, ${failure('lost timer interrupt')}
        bgeu    t0, s9, fail
        j       1b
2:      csrsi   sstatus, 2
        j       round

        # ── done ──
finish: sd      s5, R_AMO(tp)
        sd      s6, R_LRSC(tp)
        sd      s8, R_TOUCH(tp)
        sd      s7, R_ROUNDS(tp)
        li      s11, ${failure('hart not done')}
        addi    a0, s2, arrived - shared
        call    barrier
        li      s11, ${failure('lost interprocessor interrupt')}
        call    await_acks
        li      s11, ${failure('hart not done')}
        addi    a0, s2, acknowledged - shared
        call    barrier
        bnez    s0, halt
        li      s11, ${failure('sum of AMOs')}
        li      a0, R_AMO
        call    sum
        ld      t0, (s2)
        bne     a0, t0, fail
        li      s11, ${failure('sum of LR/SC')}
        li      a0, R_LRSC
        call    sum
        ld      t0, lrsc - shared(s2)
        bne     a0, t0, fail
        li      s11, ${failure('sum of first touches')}
        li      a0, R_TOUCH
        call    sum
        li      t0, BIG
        li      t1, BIG_PAGES
        li      t2, 0
        li      t3, 4096
1:      ld      t4, (t0)
        add     t2, t2, t4
        add     t0, t0, t3
        addi    t1, t1, -1
        bnez    t1, 1b
        bne     a0, t2, fail
        la      a0, passed_text
        call    say
        li      s9, R_ROUNDS
2:      mv      a0, s9
        call    sum
        call    say_hex
        addi    s9, s9, 8
        li      t0, R_TIMERS
        bleu    s9, t0, 2b
        li      a0, '\n'
        call    put
off:    li      a7, 0x53525354          # SRST, shutdown
        li      a6, 0
        li      a0, 0
        li      a1, 0
        ecall
halt:   csrci   sstatus, 2
1:      wfi
        j       1b

        # The reason is s11.
fail:   csrci   sstatus, 2
        li      t0, 1
        addi    t1, s2, failed - shared
        amoswap.d t0, t0, (t1)
        bnez    t0, halt
        la      a0, failed_text
        call    say
        mv      a0, s11
        call    say_hex
        mv      a0, s0
        call    say_hex
        csrr    a0, scause
        call    say_hex
        csrr    a0, sepc
        call    say_hex
        li      a0, '\n'
        call    put
        j       off

        # ── parts ──
random: slli    t0, s1, 13
        xor     s1, s1, t0
        srli    t0, s1, 7
        xor     s1, s1, t0
        slli    t0, s1, 17
        xor     s1, s1, t0
        li      t0, 0x2545f4914f6cdd1d
        mul     a0, s1, t0
        srli    a0, a0, 24
        ret

take:   li      t0, 1
1:      amoswap.w.aq t1, t0, (a0)
        bnez    t1, 1b
        ret
give:   amoswap.w.rl zero, zero, (a0)
        ret

        # A request to each hart of the set s9, and the interrupt.
send:   mv      t0, s9
        addi    t1, tp, R_SENT
1:      andi    t2, t0, 1
        beqz    t2, 2f
        ld      t2, (t1)
        addi    t2, t2, 1
        sd      t2, (t1)
2:      addi    t1, t1, 8
        srli    t0, t0, 1
        bnez    t0, 1b
        fence   rw, rw
        li      a7, 0x735049            # IPI
        li      a6, 0
        mv      a0, s9
        li      a1, 0
        ecall
        li      s11, ${failure('SBI call')}
        bnez    a0, fail
        ret

        # Waits until all requests of this hart have been seen.
await_acks: rdtime t0
        li      t1, PATIENCE
        add     t5, t0, t1
        la      t0, records
        li      t1, 0
        addi    t2, tp, R_SENT
        slli    t6, s0, 3
        addi    t6, t6, R_ACKED
1:      add     t3, t0, t6
2:      ld      t4, (t2)
        ld      a0, (t3)
        beq     a0, t4, 3f
        rdtime  t4
        bltu    t4, t5, 2b
        j       fail
3:      addi    t0, t0, 1 << REC_SHIFT
        addi    t2, t2, 8
        addi    t1, t1, 1
        bltu    t1, s3, 1b
        ret

        # RFENCE function a6 with a2, a3, on all harts.
remote: li      a7, 0x52464e43
        li      a0, 0
        li      a1, -1
        ecall
        li      s11, ${failure('SBI call')}
        bnez    a0, fail
        ret

barrier: li     t0, 1
        amoadd.d zero, t0, (a0)
        rdtime  t1
        li      t2, PATIENCE
        add     t2, t2, t1
1:      ld      t0, (a0)
        beq     t0, s3, 2f
        rdtime  t1
        bltu    t1, t2, 1b
        j       fail
2:      fence   rw, rw
        ret

        # Field a0 of all records.
sum:    la      t0, records
        add     t0, t0, a0
        li      t1, 0
        li      a0, 0
1:      ld      t2, (t0)
        add     a0, a0, t2
        addi    t0, t0, 1 << REC_SHIFT
        addi    t1, t1, 1
        bltu    t1, s3, 1b
        ret

put:    li      t0, UART
1:      lbu     t1, 5(t0)
        andi    t1, t1, 0x20
        beqz    t1, 1b
        sb      a0, (t0)
        ret
say:    mv      t3, a0
        mv      t4, ra
1:      lbu     a0, (t3)
        beqz    a0, 2f
        call    put
        addi    t3, t3, 1
        j       1b
2:      jr      t4
say_hex: mv     t3, a0
        mv      t4, ra
        li      a0, ' '
        call    put
        li      t5, 60
1:      srl     a0, t3, t5
        andi    a0, a0, 15
        addi    a0, a0, '0'
        li      t0, '9'
        bleu    a0, t0, 2f
        addi    a0, a0, 39
2:      call    put
        addi    t5, t5, -4
        bgez    t5, 1b
        jr      t4

        # The first 4 GiB as they are, and the window.
make_tables: la t0, root
        li      t1, 0xcf
        sd      t1, (t0)
        li      t1, (0x80000000 >> 2) | 0xcf
        sd      t1, 16(t0)
        la      t1, middle
        srli    t1, t1, 2
        ori     t1, t1, 1
        sd      t1, 32(t0)
        la      t0, middle
        la      t1, leaves
        srli    t1, t1, 2
        ori     t1, t1, 1
        sd      t1, (t0)
        la      t0, leaves
        la      t1, targets
        srli    t1, t1, 2
        ori     t1, t1, 0xcf
        sd      t1, (t0)
        ret

        .balign 4
trap:   addi    sp, sp, -64
${each('sd')}
        csrr    t0, scause
        bgez    t0, 3f
        andi    t0, t0, 0xff
        li      t1, 1
        beq     t0, t1, 1f
        li      t1, 5
        bne     t0, t1, 3f
        li      t0, -1
        csrw    0x14d, t0
        li      t0, 1
        sd      t0, R_FIRED(tp)
        ld      t0, R_TIMERS(tp)
        addi    t0, t0, 1
        sd      t0, R_TIMERS(tp)
        j       4f
1:      csrci   sip, 2
        fence   rw, rw
        ld      t0, R_IPIS(tp)
        addi    t0, t0, 1
        sd      t0, R_IPIS(tp)
        la      t0, records
        slli    t1, s0, 3
        addi    t1, t1, R_SENT
        add     t0, t0, t1              # requests of hart 0 to this one
        addi    t1, tp, R_ACKED
        li      t2, 0
2:      ld      t3, (t0)
        sd      t3, (t1)
        addi    t0, t0, 1 << REC_SHIFT
        addi    t1, t1, 8
        addi    t2, t2, 1
        bltu    t2, s3, 2b
        j       4f
3:      li      s11, ${failure('unexpected trap')}
        j       fail
4:
${each('ld')}
        addi    sp, sp, 64
        sret

passed_text: .asciz "\nstress passed:"
failed_text: .asciz "\nstress failed:"

        .balign 4096
        # Functions that return a constant, 64 bytes each.
code:
${Array.from({ length: 8 }, () => '        .word   0x00000513, 0x00008067\n        .zero   56').join('\n')}
        .balign 4096
shared: .zero   64
lrsc:   .zero   64
lock:   .zero   64
code_lock: .zero 64
map_lock: .zero 64
mapped: .zero   64
code_values: .zero 64
failed: .zero   64
arrived: .zero  64
acknowledged: .zero 64
end_time: .zero 64
equal:  .zero   1088
        .balign 4096
root:   .zero   4096
middle: .zero   4096
leaves: .zero   4096
targets: .dword 0
        .zero   4088
        .dword  1
        .zero   4088
records: .zero  512 * HARTS
        .balign 4096
stacks: .zero   4096 * HARTS
`;

/** The guest's kernel. */
export function stressGuest({ harts, seconds, seed }: StressOptions): Uint8Array {
  return assemble(PROGRAM, { base: LOAD_ADDRESS, symbols: { HARTS: BigInt(harts), SECONDS: BigInt(seconds), SEED: BigInt(seed) } }).bytes;
}

export interface StressResult {
  readonly rounds: number;
  readonly ipis: number;
  readonly timers: number;
}

/** What the guest's output says. @throws {Error} if it did not pass */
export function stressResult(output: string): StressResult {
  const passed = /stress passed: ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16})/.exec(output);
  if (passed !== null) {
    const [rounds = 0, ipis = 0, timers = 0] = passed.slice(1).map((text) => parseInt(text, 16));
    return { rounds, ipis, timers };
  }
  const failed = /stress failed: ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16})/.exec(output);
  if (failed === null) throw new Error(`the guest did not finish; the last it said: ${output.slice(-200)}`);
  const [, code = '', hart = '', cause, at] = failed;
  throw new Error(`hart ${parseInt(hart, 16)}: ${FAILURES[parseInt(code, 16)] ?? code} (cause ${cause}, at ${at})`);
}
