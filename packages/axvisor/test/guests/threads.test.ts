/** vCPUs on threads: what guests see is what they see in slices, only at the same time. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { afterAll, describe, expect, test } from 'vitest';
import { LOAD_ADDRESS, MEMORY_MIB, stressGuest, stressResult } from '../stress/guest.ts';
import { axvisor, cachedImage, ROOT, Session } from './session.ts';

const PROMPT = 'axvisor> ';
const TIMEOUT = { timeout: 180_000 };
const folder = mkdtempSync(join(tmpdir(), 'axvisor-threads-'));
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * Four harts at once, each ROUNDS times: an atomic addition, an increment by LR and SC, a plain increment under a lock made of AMOs,
 * and now and then an IPI and remote fences to all. The first hart compares the counters with what they have to be.
 */
const COUNTERS = String.raw`
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

describe.each([2, 4])('%i vCPUs on 2 threads', (cpus) => {
  test('the embedded guest starts its harts, exchanges interrupts, reboots and powers off', TIMEOUT, async () => {
    await using guest = new Session(['run', '--guest', 'embedded', '--memory', '64M', '--cpus', String(cpus), '--threads', '2']);
    await guest.expect(PROMPT);
    for (let round = 0; round < 3; round++) {
      guest.type('smp\r');
      const said = await guest.expect(PROMPT);
      expect(said).not.toMatch(/does not/);
      expect(said).toContain(`100 rounds with ${cpus - 1} harts`);
      for (let hart = 1; hart < cpus; hart++) expect(said).toContain(`hart ${hart} took 100 interrupts`);
    }
    guest.type('reboot\r');
    await guest.expect(PROMPT);
    guest.type('poweroff\r');
    expect(await guest.exited()).toBe(0);
  });
});

test('atomics, locks, remote fences and IPIs of four harts leave exact counts', TIMEOUT, async () => {
  const kernel = join(folder, 'counters.bin');
  writeFileSync(kernel, assemble(COUNTERS, { base: 0x8020_0000n }).bytes);
  for (const threads of ['2', '4']) {
    const { status, output } = await axvisor('run', '--kernel', kernel, '--load-addr', '0x80200000', '--memory', '16M', '--cpus', '4', '--threads', threads, '--timeout', '100');
    expect(output).toContain('every count is right');
    expect(status).toBe(0);
  }
});

test.each([
  { harts: 4, threads: 4, seed: 1 },
  { harts: 4, threads: 2, seed: 2 },
  { harts: 3, threads: 1, seed: 3 },
])('$harts harts on $threads threads lose no interrupt and see no stale code, translation or data (seed $seed)', TIMEOUT, async ({ harts, threads, seed }) => {
  const kernel = join(folder, `stress-${seed}.bin`);
  writeFileSync(kernel, stressGuest({ harts, seconds: 3, seed }));
  const { status, output } = await axvisor('run', '--kernel', kernel, '--load-addr', `0x${LOAD_ADDRESS.toString(16)}`, '--memory', `${MEMORY_MIB}M`, '--cpus', String(harts), '--threads', String(threads), '--timeout', '100');
  expect(stressResult(output).rounds).toBeGreaterThan(100);
  expect(status).toBe(0);
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

const image = await cachedImage('debian-riscv64');

describe.skipIf(image === undefined)('Debian on 2 threads', () => {
  test('boots, works in parallel, reboots and powers off', TIMEOUT, async () => {
    await using guest = new Session(['run', '--guest', 'debian-riscv64', '--cpus', '4', '--threads', '2']);
    await guest.expect('~ # ', 120);
    guest.type('for i in 1 2 3 4; do (i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; echo job do""ne) & done; wait; echo all do""ne\n');
    expect((await guest.expect('all done', 120)).match(/job done/g)?.length).toBe(4);
    guest.type('i=0; while [ $i -lt 50 ]; do /bin/true; echo $i | cat > /dev/null; i=$((i+1)); done; echo pipes do""ne\n');
    await guest.expect('pipes done', 120);
    guest.type('reboot\n');
    await guest.expect('Linux version', 120);
    await guest.expect('~ # ', 120);
    guest.type('poweroff\n');
    expect(await guest.exited()).toBe(0);
  });
});
