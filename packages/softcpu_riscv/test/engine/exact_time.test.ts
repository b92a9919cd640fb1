/** Time that counts instructions: timer interrupts and probes come at exactly their instruction, however the run is cut up. */
import { wasm } from '@axvisor/softcpu';
import { expect, test } from 'vitest';
import { Hart, planHart } from '../../src/hart.ts';
import { assemble } from '../../src/isa/asm.ts';
import { HartView } from '../../src/view.ts';
import { x } from './harness.ts';

const BASE = 0x8000_0000;
const limits = { min: 256, max: 256, shared: true };
const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
const plan = planHart(0x1000, limits.max * 0x1_0000, 16);
const offset = Math.ceil(plan.end / 0x1_0000) * 0x1_0000;
const hart: Hart = new Hart({
  memory,
  memoryLimits: limits,
  plan,
  ram: [{ pa: BASE, size: 1 << 20, offset }],
  // A constructor resets what it builds, and asks for the time.
  now: () => BigInt((hart as Hart | undefined)?.retired ?? 0),
  instructionsUntil: (deadline) => Number(deadline) - hart.retired,
});

/** M-mode firmware that lets S-mode have everything, and S-mode that waits for one timer interrupt in a loop of 2 instructions. */
const TIMER = `
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 15
  csrw pmpcfg0, t0
  li t0, -1
  csrw mideleg, t0
  csrw mcounteren, t0
  li t0, 1
  slli t0, t0, 63
  csrw menvcfg, t0
  la t0, supervisor
  csrw mepc, t0
  li t0, 0x800
  csrs mstatus, t0
  mret
supervisor:
  la t0, handler
  csrw stvec, t0
  li t0, 32
  csrw sie, t0
  rdtime s0
  li t0, 70001
  add s0, s0, t0
  csrw stimecmp, s0
  li a0, 0
  csrsi sstatus, 2
loop:
  addi a0, a0, 1
  j loop
  .balign 4
handler:
  rdtime a1
  csrr a2, sepc
done:
  j done
`;

function boot(): ReadonlyMap<string, bigint> {
  const program = assemble(TIMER, { base: BigInt(BASE) });
  hart.clear();
  hart.engine.bytes.fill(0, offset);
  hart.engine.bytes.set(program.bytes, offset);
  hart.reset(BigInt(BASE));
  return program.symbols;
}

test.each([1_000_000, 50_000, 997])('a timer interrupt comes at its instruction, in runs of %i steps', (chunk) => {
  const symbols = boot();
  const start = hart.retired;
  while (hart.retired < start + 200_000) hart.run(chunk);
  expect(hart.pc).toBe(symbols.get('done'));
  // What rdtime says is how many instructions were retired before it: none between the interrupt and the handler.
  expect(hart.reg(x.a1)).toBe(hart.reg(x.s0));
  expect([hart.reg(x.a0), hart.reg(x.a2)]).toEqual([34_997n, symbols.get('loop')]);
});

test('a probe sees the hart at the counts it asked for', () => {
  boot();
  const start = hart.retired;
  const view = new HartView(hart);
  const seen: (readonly [number, bigint])[] = [];
  hart.setProbe(start + 1, () => {
    seen.push([hart.retired - start, view.pc - BigInt(BASE)]);
    return seen.length === 1 ? start + 3 : seen.length === 2 ? start + 40_000 : Infinity;
  });
  hart.run(100_000);
  expect(seen.map(([count]) => count)).toEqual([1, 3, 40_000]);
  expect(seen[0]?.[1]).toBe(4n);
  expect(new DataView(view.code(4).buffer).getUint16(0, true)).toBe(hart.engine.bytes[offset + Number(view.pc) - BASE]! | (hart.engine.bytes[offset + Number(view.pc) - BASE + 1]! << 8));
  expect(view.registers()).toMatchObject({ pc: hart.pc, privilege: 1n, a0: hart.reg(x.a0), s0: hart.reg(x.s0) });
});

test('a probe may write registers', () => {
  boot();
  const view = new HartView(hart);
  hart.setProbe(hart.retired + 30_000, () => {
    view.setRegister('a0', 1_000_000n);
    return Infinity;
  });
  hart.run(40_000);
  expect(hart.reg(x.a0)).toBeGreaterThan(1_000_000n);

});
