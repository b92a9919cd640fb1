import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disassemble, insns } from '../../src/isa/index.ts';
import { csrNumbers } from '../../src/isa/csr_names.ts';
import { gnuDisassemble, haveBinutils, textSection } from './binutils.ts';

const golden = readFileSync(new URL('golden/objdump.txt', import.meta.url), 'utf8').trim().split('\n').map((line) => line.split('\t') as [string, string, string]);

/** Takes away what is mere spelling: 0x before numbers, objdump's names for data, reserved rounding modes and the empty fence set. */
const spelled = (text: string): string =>
  text
    .replace(/^\.(2byte|half) /, '.half ')
    .replace(/^\.(4byte|word) /, '.word ')
    .replace(/^c\.(slli|srli|srai)64 (\w+)$/, 'c.$1 $2,0x0')
    .replace(/^c\.addi zero,(-?\d+)$/, (_, n: string) => (n === '0' ? 'c.nop' : `c.nop ${n}`))
    .replace(/^c\.unimp$/, '.half 0x0')
    .replace(/^(f(?!ence).*),(unknown|5|6)$/, '$1,reserved')
    .replace(/unknown/g, '0')
    .replace(/0x([0-9a-f]+)/g, '$1');

/** objdump knows names of CSRs of other extensions and of RV32, and not the newest of ours: compare CSRs by what both name. */
const sameInstruction = (ours: string, theirs: string): boolean => {
  const [a, b] = [spelled(ours), spelled(theirs)];
  if (a === b) return true;
  const [mine = [], its = []] = [a, b].map((text) => text.split(/[ ,]/));
  return a.startsWith('csr') && mine.every((part, i) => part === its[i] || /^[0-9a-f]{1,3}$/.test(part) && !csrNumbers.has(its[i]!) || csrNumbers.get(part) === Number(`0x${its[i]!}`));
};

describe('disassemble', () => {
  it('writes what objdump wrote: a sample of every instruction', () => {
    for (const [address, bits, text] of golden) {
      const ours = disassemble(Number(`0x${bits}`) | 0, BigInt(`0x${address}`));
      expect(sameInstruction(ours, text), `${bits}: ${ours}, not ${text}`).toBe(true);
    }
    expect(golden.length).toBeGreaterThan(insns.length);
  });

  it.each([
    [0x00008067, 'ret'],
    [0x00050513, 'mv a0,a0'],
    [0x00000013, 'nop'],
    [0xfff54513, 'not a0,a0'],
    [0x00c0006f, 'j 0x8000000c'],
    [0xfe050ee3, 'beqz a0,0x7ffffffc'],
    [0xc0102573, 'rdtime a0'],
    [0x10029073, 'csrw sstatus,t0'],
    [0x12000073, 'sfence.vma'],
    [0x22a50553, 'fmv.d fa0,fa0'],
    [0x0100000f, 'pause'],
    [0x8082, 'ret'],
    [0x1141, 'addi sp,sp,-16'],
    [0x02b57553, 'fadd.d fa0,fa0,fa1'],
  ])('writes aliases when asked: %i as %s', (bits, text) => {
    expect(disassemble(bits, 0x8000_0000n, { aliases: true })).toBe(text);
  });

  it('writes illegal instructions as data', () => {
    expect(disassemble(0, 0n)).toBe('.half 0x0');
    expect(disassemble(-1, 0n)).toBe('.word 0xffffffff');
  });

  it.runIf(haveBinutils)('agrees with objdump on every compressed instruction and on random words', () => {
    const words = [
      ...fc.sample(fc.tuple(fc.nat(insns.length - 1), fc.integer()), { numRuns: 20_000, seed: 1 }).map(([i, noise]) => insns[i]!.match | (noise & ~insns[i]!.mask)),
      ...fc.sample(fc.integer(), { numRuns: 20_000, seed: 2 }).map((word) => word | 3),
    ].filter((word) => (word & 0x1f) !== 0x1f); // objdump reads longer instructions there
    const halves = Array.from({ length: 0x10000 }, (_, half) => half).filter((half) => (half & 3) !== 3);
    const code = new DataView(new ArrayBuffer(words.length * 4 + halves.length * 2));
    for (const [i, word] of words.entries()) code.setInt32(i * 4, word, true);
    for (const [i, half] of halves.entries()) code.setUint16(words.length * 4 + i * 2, half, true);
    const lines = gnuDisassemble(new Uint8Array(code.buffer), ['-M', 'no-aliases']);
    expect(lines.length).toBe(words.length + halves.length);
    for (const { address, bits, text } of lines) {
      const ours = disassemble(bits, address);
      if (sameInstruction(ours, text)) continue;
      // objdump 2.40 takes the rounding mode of conversions that cannot round for fixed, and c.addi16sp 0 for legal.
      const known = /^fcvt\.d\.(s|w|wu) /.test(ours) || bits === 0x6101;
      expect(known, `${bits.toString(16)}: ${ours}, not ${text}`).toBe(true);
    }
  });

  const firmware = '/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.elf';
  it.runIf(haveBinutils && existsSync(firmware))('agrees with objdump on firmware', () => {
    const lines = gnuDisassemble(textSection(firmware), ['-M', 'no-aliases']);
    expect(lines.length).toBeGreaterThan(10_000);
    const wrong = lines.filter(({ address, bits, text }) => !sameInstruction(disassemble(bits, address), text) && bits !== 0xffff);
    expect(wrong.map(({ bits, text }) => `${bits.toString(16)} ${text}`)).toEqual([]);
  });
});
