import { expect, it } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { FlatProcessor } from '../../src/testing/index.ts';

it('does what the README shows', () => {
  const { bytes } = assemble('mov eax, 6\nimul eax, eax, 7\nhlt', { base: 0x10000n });
  const processor = new FlatProcessor([{ base: 0x10000, size: 0x1000 }]);
  processor.load(0x10000, bytes);
  processor.run(0x10000, 100);
  expect(processor.gpr(0)).toBe(42n);
});
