/** vCPUs on threads: what guests see is what they see in slices, only at the same time. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble as assembleArm } from '@axvisor/softcpu_arm/asm';
import { assemble as assembleRiscv } from '@axvisor/softcpu_riscv/asm';
import { afterAll, describe, expect, test } from 'vitest';
import { MEMORY_MIB, stressResult } from '../stress/guest.ts';
import { stressGuestOf } from '../stress/guests.ts';
import { axvisor, cachedImage, ROOT, Session } from './session.ts';

const PROMPT = 'axvisor> ';
const TIMEOUT = { timeout: 180_000 };
const folder = mkdtempSync(join(tmpdir(), 'axvisor-threads-'));
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * Four harts at once, each ROUNDS times: an atomic addition, an increment by LR and SC, a plain increment under a lock made of AMOs,
 * and now and then an IPI and remote fences to all. The first hart compares the counters with what they have to be.
 */
const RISCV_COUNTERS = String.raw`
        .equ    HARTS, 4
        .equ    ROUNDS, 20000
        .text
start:  mv      s0, a0
        la      s1, counters
        bnez    s0, work
        li      s2, 1
1:      li      a7, 0x48534d            # HSM hart_start
        li      a6, 0
        mv      a0, s2
        la      a1, start
        li      a2, 0
        ecall
        bnez    a0, wrong
        addi    s2, s2, 1
        li      t0, HARTS
        bltu    s2, t0, 1b
work:   li      s3, ROUNDS
loop:   li      t0, 1
        amoadd.d zero, t0, (s1)         # counter 0
        addi    t1, s1, 8
1:      lr.d    t2, (t1)                # counter 1
        addi    t2, t2, 1
        sc.d    t3, t2, (t1)
        bnez    t3, 1b
        addi    t1, s1, 16
2:      amoswap.w.aq t2, t0, (t1)       # the lock
        bnez    t2, 2b
        ld      t2, 24(s1)              # counter 2
        addi    t2, t2, 1
        sd      t2, 24(s1)
        amoswap.w.rl zero, zero, (t1)
        andi    t2, s3, 255
        bnez    t2, 3f
        li      a7, 0x52464e43          # RFENCE remote_sfence_vma, all harts, everything
        li      a6, 1
        li      a0, 0
        li      a1, -1
        li      a2, 0
        li      a3, 0
        ecall
        bnez    a0, wrong
        li      a7, 0x52464e43          # remote_fence_i
        li      a6, 0
        li      a0, 0
        li      a1, -1
        ecall
        bnez    a0, wrong
        li      a7, 0x735049            # IPI send_ipi, all harts
        li      a6, 0
        li      a0, 0
        li      a1, -1
        ecall
        bnez    a0, wrong
        csrci   sip, 2
3:      addi    s3, s3, -1
        bnez    s3, loop
        li      t0, 1
        addi    t1, s1, 32
        amoadd.d zero, t0, (t1)         # harts that are done
        bnez    s0, stop
        li      t2, HARTS
4:      ld      t0, (t1)
        bne     t0, t2, 4b
        fence   rw, rw
        li      t2, HARTS * ROUNDS
        ld      t0, (s1)
        bne     t0, t2, wrong
        ld      t0, 8(s1)
        bne     t0, t2, wrong
        ld      t0, 24(s1)
        bne     t0, t2, wrong
        la      s2, right_text
        j       say
wrong:  la      s2, wrong_text
say:    lbu     a0, (s2)
        beqz    a0, off
        li      a7, 0x4442434e          # DBCN console_write_byte
        li      a6, 2
        ecall
        addi    s2, s2, 1
        j       say
off:    li      a7, 0x53525354          # SRST, shutdown
        li      a6, 0
        li      a0, 0
        li      a1, 0
        ecall
stop:   li      a7, 0x48534d            # HSM hart_stop
        li      a6, 1
        ecall
right_text: .asciz "every count is right\n"
wrong_text: .asciz "a count is wrong\n"
        .align  6
counters: .zero 64
`;

/** The same for Arm: LSE atomics, exclusives, a lock of acquire and release; TLB and instruction cache maintenance for all, and SGIs to the others. */
const ARM_COUNTERS = String.raw`
start:  mrs     x19, MPIDR_EL1
        ands    x19, x19, 0xff
        adr     x20, counters
        b.ne    work
        mov     x21, 1
1:      movz    x0, 0xc400, lsl 16      // PSCI CPU_ON
        movk    x0, 3
        mov     x1, x21
        adr     x2, start
        mov     x3, 0
        hvc     0
        cbnz    x0, wrong
        add     x21, x21, 1
        cmp     x21, 4
        b.lo    1b
work:   mov     w22, 20000
loop:   mov     x0, 1
        ldadd   x0, xzr, [x20]          // counter 0
        add     x1, x20, 8
1:      ldxr    x2, [x1]                // counter 1
        add     x2, x2, 1
        stxr    w3, x2, [x1]
        cbnz    w3, 1b
        add     x1, x20, 16
2:      swpa    x0, x2, [x1]            // the lock
        cbnz    x2, 2b
        ldr     x2, [x20, 24]           // counter 2
        add     x2, x2, 1
        str     x2, [x20, 24]
        stlr    xzr, [x1]
        add     x1, x20, 48
3:      ldaxp   x2, x4, [x1]            // counters 3 and 4, as a pair
        add     x2, x2, 1
        add     x4, x4, 1
        stlxp   w3, x2, x4, [x1]
        cbnz    w3, 3b
        tst     w22, 255
        b.ne    4f
        tlbi    vmalle1is
        dsb     ish
        ic      ialluis
        dsb     ish
        isb
        movz    x2, 0x100, lsl 32       // IRM: all others
        msr     ICC_SGI1R_EL1, x2
4:      sub     w22, w22, 1
        cbnz    w22, loop
        mov     x0, 1
        add     x1, x20, 32
        ldaddal x0, xzr, [x1]           // CPUs that are done
        cbnz    x19, stop
5:      ldar    x2, [x1]
        cmp     x2, 4
        b.ne    5b
        movz    x3, 80000 & 0xffff
        movk    x3, 80000 >> 16, lsl 16
        ldr     x2, [x20]
        cmp     x2, x3
        b.ne    wrong
        ldr     x2, [x20, 8]
        cmp     x2, x3
        b.ne    wrong
        ldr     x2, [x20, 24]
        cmp     x2, x3
        b.ne    wrong
        ldp     x2, x4, [x20, 48]
        cmp     x2, x3
        b.ne    wrong
        cmp     x4, x3
        b.ne    wrong
        adr     x21, right_text
        b       say
wrong:  adr     x21, wrong_text
say:    movz    x9, 0x900, lsl 16
6:      ldrb    w0, [x21], 1
        cbz     w0, off
        str     w0, [x9]
        b       6b
off:    movz    x0, 0x8400, lsl 16      // SYSTEM_OFF
        movk    x0, 8
        hvc     0
stop:   movz    x0, 0x8400, lsl 16      // CPU_OFF
        movk    x0, 2
        hvc     0
right_text: .asciz "every count is right\n"
wrong_text: .asciz "a count is wrong\n"
        .balign 64
counters: .zero 64
        .balign 16
`;

/** Each hart waits in a loop without exits until all four have come; then the first powers off while the others go on spinning. */
const SPINNERS = String.raw`
start:  la      s1, counter
        bnez    a0, 2f
        li      s2, 1
1:      li      a7, 0x48534d            # HSM hart_start
        li      a6, 0
        mv      a0, s2
        la      a1, start
        li      a2, 0
        ecall
        addi    s2, s2, 1
        li      t0, 4
        bltu    s2, t0, 1b
        li      a0, 0
2:      li      t0, 1
        amoadd.d zero, t0, (s1)
        li      t0, 4
3:      ld      t1, (s1)
        bne     t0, t1, 3b
4:      bnez    a0, 4b
        li      a7, 0x53525354          # SRST, shutdown
        li      a6, 0
        li      a0, 0
        li      a1, 0
        ecall
        .align  3
counter: .dword 0
`;

test('harts that share a CPU with one that never exits start, and are stopped', TIMEOUT, async () => {
  const kernel = join(folder, 'spinners.bin');
  writeFileSync(kernel, assembleRiscv(SPINNERS, { base: 0x8020_0000n }).bytes);
  for (let round = 0; round < 4; round++) {
    const { status, output } = await axvisor('run', '--kernel', kernel, '--load-addr', '0x80200000', '--memory', '32M', '--cpus', '4', '--threads', '2', '--timeout', '30');
    expect(status, output).toBe(0);
  }
});

const EMBEDDED = [
  { arch: 'riscv64', cpus: 2, more: [] },
  { arch: 'riscv64', cpus: 4, more: [] },
  { arch: 'aarch64', cpus: 4, more: [] },
  { arch: 'x86_64', cpus: 4, more: [] },
  { arch: 'x86_64', cpus: 2, more: ['--virt', 'svm'] },
] as const;

describe.each(EMBEDDED)('$arch $more: $cpus vCPUs on 2 threads', ({ arch, cpus, more }) => {
  test('the embedded guest starts its CPUs, exchanges interrupts, reboots and powers off', TIMEOUT, async () => {
    await using guest = new Session(['run', '--arch', arch, '--guest', 'embedded', '--memory', '64M', '--cpus', String(cpus), '--threads', '2', ...more]);
    await guest.expect(PROMPT);
    for (let round = 0; round < 3; round++) {
      guest.type('smp\r');
      const said = await guest.expect(PROMPT);
      expect(said).not.toMatch(/does not/);
      expect(said).toContain(`100 rounds with ${cpus - 1} `);
      expect(said.match(/took 100 interrupts/g)).toHaveLength(cpus - 1);
    }
    guest.type('reboot\r');
    await guest.expect(PROMPT);
    guest.type('poweroff\r');
    expect(await guest.exited()).toBe(0);
  });
});

const COUNTERS = [
  { arch: 'riscv64', kernel: assembleRiscv(RISCV_COUNTERS, { base: 0x8020_0000n }).bytes, loadAddr: '0x80200000' },
  { arch: 'aarch64', kernel: assembleArm(ARM_COUNTERS, { base: 0x4020_0000n }).bytes, loadAddr: '0x40200000' },
];

test.each(COUNTERS)('on $arch, atomics, locks, maintenance for all and IPIs of four CPUs leave exact counts', TIMEOUT, async ({ arch, kernel: bytes, loadAddr }) => {
  const kernel = join(folder, `${arch}.bin`);
  writeFileSync(kernel, bytes);
  for (const threads of ['2', '4']) {
    const { status, output } = await axvisor('run', '--arch', arch, '--kernel', kernel, '--load-addr', loadAddr, '--memory', '16M', '--cpus', '4', '--threads', threads, '--timeout', '100');
    expect(output).toContain('every count is right');
    expect(status).toBe(0);
  }
});

test.each([
  { arch: 'riscv64', harts: 4, threads: 4, seed: 1, more: [] },
  { arch: 'riscv64', harts: 4, threads: 2, seed: 2, more: [] },
  { arch: 'riscv64', harts: 3, threads: 1, seed: 3, more: [] },
  { arch: 'aarch64', harts: 4, threads: 2, seed: 1, more: [] },
  { arch: 'x86_64', harts: 4, threads: 2, seed: 1, more: [] },
  { arch: 'x86_64', harts: 3, threads: 2, seed: 2, more: ['--virt', 'svm'] },
])('$arch $more: $harts CPUs on $threads threads lose no interrupt and see no stale code, translation or data (seed $seed)', TIMEOUT, async ({ arch, harts, threads, seed, more }) => {
  const kernel = join(folder, `stress-${arch}-${seed}.bin`);
  const { make, args } = stressGuestOf(arch);
  writeFileSync(kernel, make({ harts, seconds: 3, seed }));
  const { status, output } = await axvisor('run', '--kernel', kernel, ...args, ...more, '--memory', `${MEMORY_MIB}M`, '--cpus', String(harts), '--threads', String(threads), '--timeout', '100');
  expect(stressResult(output).rounds).toBeGreaterThan(0);
  expect(status).toBe(0);
});

test('a console is written without exits, also where it is on another thread', TIMEOUT, async () => {
  const { bytes } = assembleArm(
    `movz x9, 0x900, lsl 16
     mov x8, 50
  next: ldrh w1, [x9, 0x18]
     mov w0, 'a'
     str w0, [x9]
     subs x8, x8, 1
     b.ne next
     movz x0, 0x8400, lsl 16
     movk x0, 8
     hvc 0`,
    { base: 0x4020_0000n },
  );
  const kernel = join(folder, 'prints.bin');
  const stats = join(folder, 'prints.json');
  writeFileSync(kernel, bytes);
  const { status, output } = await axvisor('run', '--arch', 'aarch64', '--kernel', kernel, '--load-addr', '0x40200000', '--memory', '32M', '--cpus', '2', '--threads', '2', '--stats', stats);
  expect(status).toBe(0);
  expect(output).toContain('a'.repeat(50));
  const { exits } = JSON.parse(readFileSync(stats, 'utf8')) as { readonly exits: Readonly<Record<string, number>> };
  expect(exits).toMatchObject({ MmioRead: 50, MmioWrite: 50 });
  expect(exits['NestedPageFault']).toBeUndefined();
});

test('a virtual clock is for one thread', async () => {
  const { status, output } = await axvisor('run', '--guest', 'embedded', '--threads', '2', '--clock', 'virtual');
  expect(output).toContain('--threads');
  expect(status).toBe(2);
});

test('an idle guest costs next to nothing, and a timeout ends its threads', TIMEOUT, () => {
  // The processor time of a command, in seconds, as POSIX shells tell it of their children.
  const cost = (seconds: number): number => {
    const command = `"${process.execPath}" --conditions=@axvisor/source packages/axvisor/src/cli.ts run --guest embedded --memory 64M --cpus 2 --threads 2 --timeout ${seconds}`;
    const times = execFileSync('sh', ['-c', `${command} </dev/null >/dev/null 2>&1; test $? -eq 3 && times`], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n')[1];
    return [...(times ?? '').matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, rest]) => sum + 60 * Number(minutes) + Number(rest), 0);
  };
  // What a longer run costs more is idling: the embedded guest's tick comes 100 times a second.
  expect(cost(8) - cost(2)).toBeLessThan(3);
});

const DEBIANS = [
  { guest: 'debian-riscv64', args: [] },
  { guest: 'debian-arm64', args: ['--arch', 'aarch64'] },
  { guest: 'debian-arm64', args: ['--arch', 'aarch64', '--gic', '2'] },
  { guest: 'debian-amd64', args: ['--arch', 'x86_64'] },
  { guest: 'debian-amd64', args: ['--arch', 'x86_64', '--virt', 'svm'] },
] as const;
const images = new Map(await Promise.all(['debian-riscv64', 'debian-arm64', 'debian-amd64'].map(async (name) => [name, await cachedImage(name)] as const)));

describe.each(DEBIANS.filter(({ guest }) => images.get(guest) !== undefined))('$guest $args on 2 threads', ({ guest: name, args }) => {
  const prompt = images.get(name)?.spec.boot?.marker ?? '';

  test('boots, works in parallel, reboots and powers off', TIMEOUT, async () => {
    const disk = join(folder, 'disk.img');
    writeFileSync(disk, new Uint8Array(1 << 20).fill(0x5a));
    await using guest = new Session(['run', '--guest', name, ...args, '--cpus', '4', '--threads', '2', '--disk', disk]);
    await guest.expect(prompt, 120);
    guest.type('for i in 1 2 3; do (echo part $i | dd of=/dev/vda bs=512 seek=$i conv=notrunc,fsync 2>/dev/null; dd if=/dev/vda bs=64k 2>/dev/null | wc -c) & done; wait; echo disk do""ne\n');
    expect((await guest.expect('disk done', 120)).match(/^1048576/gm)).toHaveLength(3);
    expect([1, 2, 3].map((i) => readFileSync(disk, 'latin1').slice(512 * i, 512 * i + 7))).toEqual(['part 1\n', 'part 2\n', 'part 3\n']);
    guest.type('for i in 1 2 3 4; do (i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; echo job do""ne) & done; wait; echo all do""ne\n');
    expect((await guest.expect('all done', 120)).match(/job done/g)?.length).toBe(4);
    guest.type('i=0; while [ $i -lt 50 ]; do /bin/true; echo $i | cat > /dev/null; i=$((i+1)); done; echo pipes do""ne\n');
    await guest.expect('pipes done', 120);
    guest.type('reboot\n');
    await guest.expect('Linux version', 120);
    await guest.expect(prompt, 120);
    guest.type('poweroff\n');
    expect(await guest.exited()).toBe(0);
  });
});
