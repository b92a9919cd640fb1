/** The hart under a hypervisor in JavaScript: guests are entered, run, and leave with the cause in the HS-level CSRs. */
import { CoreExit, wasm } from '@axvisor/softcpu';
import { expect, test } from 'vitest';
import { Hart, planHart } from '../../src/hart.ts';
import { assemble, csrNumbers } from '../../src/isa/asm.ts';
import { x } from './harness.ts';

const limits = { min: 256, max: 256, shared: true };
const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
const plan = planHart(0x1000, limits.max * 0x1_0000, 16);
let time = 0n;
const hart = new Hart({
  memory,
  memoryLimits: limits,
  plan,
  ram: [{ pa: 0, size: limits.max * 0x1_0000, offset: 0 }],
  now: () => time,
  hosted: true,
});
const bytes = new Uint8Array(memory.buffer);
const view = new DataView(memory.buffer);

const csr = (name: string): number => csrNumbers.get(name) as number;
const read = (name: string): bigint => hart.priv.csrRead(csr(name));
const write = (name: string, value: bigint): void => hart.priv.csrWrite(csr(name), value);

/** Frames for the guest and the tables of its second stage, behind the hart's own. */
const FRAMES = Math.ceil(plan.end / 0x1_0000) * 0x1_0000;
const ROOT = FRAMES; // four pages, 16 KiB aligned
const LEVEL1 = FRAMES + 0x4000;
const LEVEL0 = FRAMES + 0x5000;
const GUEST = FRAMES + 0x10000;
const GUEST_BASE = 0x8000_0000;
const PTE_POINTER = 1n;
const PTE_LEAF = 0b1101_1111n; // D A U X W R V
const SPV = 1n << 7n;
const SPVP = 1n << 8n;

/** Maps eight guest pages by Sv39x4 and puts a program into the first. */
function boot(source: string): ReadonlyMap<string, bigint> {
  const program = assemble(source, { base: BigInt(GUEST_BASE) });
  bytes.fill(0, FRAMES);
  bytes.set(program.bytes, GUEST);
  view.setBigUint64(ROOT + 2 * 8, (BigInt(LEVEL1) >> 2n) | PTE_POINTER, true);
  view.setBigUint64(LEVEL1, (BigInt(LEVEL0) >> 2n) | PTE_POINTER, true);
  for (let i = 0; i < 8; i++) view.setBigUint64(LEVEL0 + 8 * i, (BigInt(GUEST + 0x1000 * i) >> 2n) | PTE_LEAF, true);
  hart.clear();
  write('hgatp', (8n << 60n) | BigInt(ROOT >> 12));
  enter(BigInt(GUEST_BASE));
  return program.symbols;
}

function enter(pc: bigint): void {
  write('sepc', pc);
  write('hstatus', read('hstatus') | SPV | SPVP);
  write('sstatus', read('sstatus') | (1n << 8n)); // SPP: VS-mode
  hart.priv.enterGuest();
}

test('an environment call of the guest leaves, and the guest goes on behind it', () => {
  boot('li a0, 7\n ecall\n addi a0, a0, 1\n ecall');
  expect(hart.run(1000)).toBe(CoreExit.exited);
  expect([read('scause'), read('sepc'), hart.reg(x.a0)]).toEqual([10n, BigInt(GUEST_BASE + 4), 7n]);
  expect(hart.steps).toBe(2);
  enter(read('sepc') + 4n);
  expect(hart.run(1000)).toBe(CoreExit.exited);
  expect(hart.reg(x.a0)).toBe(8n);
});

test('an access that the second stage does not map leaves with the guest physical address', () => {
  boot('li s0, 0x10000000\n sb a0, 3(s0)');
  expect(hart.run(1000)).toBe(CoreExit.exited);
  expect([read('scause'), read('stval'), read('htval')]).toEqual([23n, 0x1000_0003n, 0x1000_0003n >> 2n]);
});

test('a fetch that the second stage does not map leaves', () => {
  boot('li s0, 0x80008000\n jr s0');
  expect(hart.run(1000)).toBe(CoreExit.exited);
  expect([read('scause'), read('sepc'), read('htval')]).toEqual([20n, 0x8000_8000n, 0x8000_8000n >> 2n]);
});

test('its own traps stay in the guest', () => {
  const symbols = boot('la t0, handler\n csrw stvec, t0\n .word 0\n .balign 4\n handler: csrr a0, scause\n csrr a1, sepc\n ecall');
  write('hedeleg', 1n << 2n);
  expect(hart.run(1000)).toBe(CoreExit.exited);
  expect([read('scause'), hart.reg(x.a0)]).toEqual([10n, 2n]);
  expect(hart.reg(x.a1)).toBeLessThan(symbols.get('handler') as bigint);
});

test('a timer of the hypervisor interrupts a guest that loops', () => {
  boot('loop: addi a0, a0, 1\n j loop');
  write('sie', 1n << 5n);
  write('stimecmp', 100n);
  time = 50n;
  expect(hart.run(100_000)).toBe(CoreExit.budget);
  expect(hart.steps).toBe(100_000);
  time = 100n;
  expect(hart.run(100_000)).toBe(CoreExit.exited);
  expect(hart.steps).toBe(0);
  expect(read('scause')).toBe((1n << 63n) | 5n);
  // Still pending: entered, the guest is left before its first instruction.
  enter(read('sepc'));
  expect(hart.run(100)).toBe(CoreExit.exited);
  expect(hart.steps).toBe(0);
});

test('outside a guest there is nothing to run', () => {
  hart.clear();
  expect(() => hart.run(10)).toThrow('HS-mode');
});
