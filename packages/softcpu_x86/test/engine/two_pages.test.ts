/** Instructions that lie in two pages, of which one byte is written: what is executed next is what memory holds (SDM vol. 3, 13.1.3). */
import { describe, expect, it } from 'vitest';
import { GPR } from '../../src/state.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';

const BASE = 0x1_0000;
/** `add rbx, 0x04030201`, `hlt`, and what takes the place of each byte without changing how long the instruction is. */
const CODE = [0x48, 0x81, 0xc3, 1, 2, 3, 4];
const OTHERS = [0x49, 0xc7, 0xc1, 0x11, 0x12, 0x13, 0x14];
const HLT = 0xf4;

describe.each(['interpreter', 'translator'] as const)('%s', (execution) => {
  /** What rcx, rbx and r11 hold behind the instruction at an address. */
  const execute = (p: FlatProcessor, at: number): bigint[] => {
    for (const register of [1, 3, 11]) p.put(GPR + 8 * register, BigInt(register));
    p.run(at, 10);
    return [1, 3, 11].map((register) => p.gpr(register));
  };

  const make = (): FlatProcessor => new FlatProcessor([{ base: BASE, size: 0x3000 }], execution);
  const p = make();
  const other = make();
  /** What the code does where it lies in one page. */
  const expected = (code: readonly number[]): bigint[] => {
    other.load(BASE, Uint8Array.from([...code, HLT]));
    return execute(other, BASE);
  };

  it.each([1, 2, 3, 4, 5, 6])('%i bytes in the first page', (first) => {
    const at = BASE + 0x1000 - first;
    p.load(at, Uint8Array.from([...CODE, HLT]));
    expect(execute(p, at)).toEqual(expected(CODE));
    OTHERS.forEach((byte, i) => {
      for (const code of [CODE.with(i, byte), CODE]) {
        p.load(at + i, Uint8Array.of(code[i] as number));
        expect(execute(p, at), `byte ${i}`).toEqual(expected(code));
      }
    });
  });
});
