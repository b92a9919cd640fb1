/** Harts that share their memory: what one stores, another executes from its next FENCE.I on. */
import { PAGE_SIZE, PageWrites, wasm } from '@axvisor/softcpu';
import { describe, expect, test } from 'vitest';
import { Hart, planHart } from '../../src/hart.ts';
import { assemble } from '../../src/isa/asm.ts';

const limits = { min: 256, max: 256, shared: true };
const RAM = 8 << 20;
const BASE = 0x8000_0000;

function machine(engine: 'interpreter' | 'auto' | 'translator', poll?: () => void): { readonly hart: Hart; readonly bytes: Uint8Array } {
  const shared = new PageWrites(new ArrayBuffer(PageWrites.bytes(limits.max * 0x1_0000)));
  // Hart 1 may write to the page without telling.
  shared.opened(RAM / PAGE_SIZE, 1);
  const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
  const plan = planHart(0, 256 * 0x1_0000, 4);
  const hart = new Hart({ memory, memoryLimits: limits, plan, ram: [{ pa: BASE, size: 1 << 20, offset: RAM }], now: () => 0n, shared, engine, ...(poll === undefined ? {} : { poll }) });
  return { hart, bytes: new Uint8Array(memory.buffer) };
}

describe.each(['interpreter', 'translator'] as const)('%s', (engine) => {
  test('code that another hart rewrote is what it was until FENCE.I, and new after it', () => {
    const { hart, bytes } = machine(engine);
    const source = (value: number, fence: string): Uint8Array => assemble(`again: li a0, ${value}\n ${fence}\n j again`, { base: BigInt(BASE) }).bytes;
    const run = (): bigint => {
      hart.setReg(10, 0n);
      hart.run(30);
      return hart.reg(10);
    };
    bytes.set(source(1, 'nop'), RAM);
    hart.reset(BigInt(BASE));
    expect(run()).toBe(1n);
    // As another thread stores: this hart is not told.
    bytes.set(source(2, 'nop'), RAM);
    expect(run()).toBe(1n);
    hart.fenceI();
    expect(run()).toBe(2n);
    // A fence that finds nothing new keeps what there is.
    hart.fenceI();
    expect(run()).toBe(2n);
  });

  test('the instruction itself fences, the page it is on too', () => {
    const { hart, bytes } = machine(engine);
    const { bytes: program } = assemble('start: li t0, 5\nloop: li a0, 1\n addi t0, t0, -1\n bnez t0, loop\n fence.i\n li t0, 5\n j loop', { base: BigInt(BASE) });
    bytes.set(program, RAM);
    hart.reset(BigInt(BASE));
    hart.run(8);
    bytes.set(assemble('li a0, 9', { base: BigInt(BASE) }).bytes, RAM + 4);
    hart.run(100);
    expect(hart.reg(10)).toBe(9n);
  });
});

test('once another thread has wanted something, looks at what others want come sooner for a while', () => {
  const looks: number[] = [];
  const { hart, bytes } = machine('auto', () => looks.push(hart.elapsed));
  bytes.set(assemble('again: j again', { base: BigInt(BASE) }).bytes, RAM);
  hart.reset(BigInt(BASE));
  const run = (): number[] => {
    looks.length = 0;
    const before = hart.elapsed;
    hart.run(400_000);
    return looks.map((at) => at - before);
  };
  const seldom = [0, 131_072, 262_144, 393_216, 400_000];
  expect(run()).toEqual(seldom);
  hart.expectMore();
  expect(run()).toEqual([...Array.from({ length: 16 }, (_, i) => i * 16_384), 262_144, 393_216, 400_000]);
  expect(run()).toEqual(seldom);
});
