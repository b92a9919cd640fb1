/** Sixteen bytes that are changed at once must be aligned to sixteen, at whatever distance the next such address is. */
import { describe, expect, it } from 'vitest';
import { X } from '../../src/state.ts';
import { FlatPe } from './flat.ts';

const CODE = { base: 0x2000_0000, size: 0x1000 };
const DATA = { base: 0x1000_0000, size: 0x1000 };
const INSTRUCTIONS = {
  'casp x2, x3, x4, x5, [x1]': 0x4822_7c24,
  'ldxp x2, x3, [x1]': 0xc87f_0c22,
  'stxp w6, x2, x3, [x1]': 0xc826_0c22,
} as const;

describe.each(['interpreter', 'translator'] as const)('the %s', (execution) => {
  const pe = new FlatPe([DATA, CODE], execution);

  it.each(Object.entries(INSTRUCTIONS))('%s', (_, word) => {
    pe.load(CODE.base, new Uint8Array(Int32Array.of(word).buffer));
    for (let offset = 0; offset < 32; offset++) {
      pe.word(X + 8, DATA.base + offset);
      pe.word(X + 12, 0);
      pe.run(CODE.base, 1);
      expect([offset, pe.stopped]).toEqual([offset, offset % 16 === 0 ? '' : 'misaligned']);
      if (pe.stopped !== '') expect(pe.faulting).toEqual([DATA.base + offset, 0]);
    }
  });
});
