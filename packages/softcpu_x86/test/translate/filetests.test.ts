/** What the translator makes of x86-64 code, in 64-bit mode. */
import { join } from 'node:path';
import { Execution } from '@axvisor/softcpu';
import { filetests } from '@axvisor/tooling/filetests';
import { assemble } from '../../src/isa/asm.ts';
import { FlatProcessor } from '../../src/testing/index.ts';

const START = 0x10_0000;

await filetests(join(import.meta.dirname, 'golden'), (source) => {
  const processor = new FlatProcessor([{ base: START, size: 0x1_0000 }], Execution.translator);
  processor.load(START, assemble(source, { base: BigInt(START) }).bytes);
  processor.run(START, 1);
  return processor.engine.translationAt(processor.placeOf(START)) as Uint8Array;
});
