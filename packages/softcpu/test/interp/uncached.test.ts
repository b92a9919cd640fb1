/** Code of pages that protection divides: it may not be cached, each instruction is asked for. */
import { describe, expect, it } from 'vitest';
import { Permission, Status } from '../../src/index.ts';
import type { Access, Execution } from '../../src/index.ts';
import { Toy, toy } from './toy.ts';

/** Pages at these offsets may not be cached; all others may. */
const DIVIDED = [0x1000, 0x2000, 0x3000];
const CACHED = 0x4000;

class Divided extends Toy {
  #page = 0;

  override translate(lo: number, hi: number, access: Access, size: number, offset: number): number {
    this.#page = (lo & -0x1000) - this.base;
    return super.translate(lo, hi, access, size, offset);
  }

  override permissions(): number {
    const data = Permission.read | Permission.write;
    return DIVIDED.includes(this.#page) ? data : data | Permission.execute;
  }
}

const make = (execution: Execution): Divided => new Divided({ execution, service: () => Status.leave });

describe.each(['interpreter', 'auto', 'translator'] as const)('%s', (execution) => {
  it('tells the instructions of two such pages apart', () => {
    const m = make(execution);
    const [a = 0, b = 0] = DIVIDED;
    m.load([toy('jumpTo', 1), toy('addi', 3, 3, 100), toy('service')], a);
    m.load([toy('service'), toy('jumpTo', 2), toy('service')], b);
    m.setReg(1, BigInt(m.base + b + 4));
    m.setReg(2, BigInt(m.base + a + 4));
    m.pc = BigInt(m.base + a);
    m.engine.run(100);
    expect([m.reg(3), m.pc]).toEqual([100n, BigInt(m.base + a + 8)]);
  });

  it('executes what has been written since', () => {
    const m = make(execution);
    const [a = 0] = DIVIDED;
    m.load([toy('jumpTo', 2)], a);
    m.load([toy('store', 6, 7), toy('jumpTo', 1)], CACHED);
    m.setReg(1, BigInt(m.base + a));
    m.setReg(2, BigInt(m.base + CACHED));
    m.setReg(6, BigInt(toy('addi', 3, 3, 5) >>> 0) | (BigInt(toy('service')) << 32n));
    m.setReg(7, BigInt(m.base + a));
    m.pc = BigInt(m.base + a);
    m.engine.run(100);
    expect([m.reg(3), m.pc]).toEqual([5n, BigInt(m.base + a + 4)]);
  });

  it('executes loops through such pages and others as it does through others', () => {
    const m = make(execution);
    // Three pages that call a cached one, around and around; the branch back is within its page.
    const pages = [...DIVIDED];
    pages.forEach((page, i) => {
      const next = pages[i + 1];
      m.load([
        toy('addi', 1, 0, 0), toy('addi', 3, 3, 1), toy('callTo', 4, 5), toy('addi', 2, 2, -1), toy('addi', 7, 7, 1),
        ...(next === undefined ? [toy('branch', 2, 0, -(2 * 0x1000) - 20), toy('service')] : [toy('jump', 0, 0, next - page - 20)]),
      ], page);
    });
    m.load([toy('addi', 6, 6, 2), toy('return', 4)], CACHED);
    m.setReg(2, 90n);
    m.setReg(5, BigInt(m.base + CACHED));
    m.pc = BigInt(m.base + (pages[0] as number));
    m.engine.run(5000);
    expect([m.reg(3), m.reg(6), m.reg(7), m.pc]).toEqual([90n, 180n, 90n, BigInt(m.base + (pages[2] as number) + 24)]);
  });
});
