/** What the translator makes of x86-64 code, in 64-bit mode. */
import { join } from 'node:path';
import { Execution } from '@axvisor/softcpu';
import { filetests } from '@axvisor/tooling/filetests';
import { assemble } from '../../src/isa/asm.ts';
import { FlatProcessor } from '../../src/testing/index.ts';

const START = 0x10_0000;
/** What is to become hot begins here. */
const LOOP = 0xff8;
/** Until it is translated. */
const SLICES = 600;
const STEPS = 1000;

await filetests(join(import.meta.dirname, 'golden'), (source) => {
  const processor = new FlatProcessor([{ base: START, size: 0x1_0000 }], Execution.translator);
  processor.load(START, assemble(source, { base: BigInt(START) }).bytes);
  processor.run(START, 1);
  return processor.engine.translationAt(processor.placeOf(START)) as Uint8Array;
});

await filetests(join(import.meta.dirname, 'golden', 'hot'), (source) => {
  const processor = new FlatProcessor([{ base: START, size: 0x1_0000 }], Execution.auto);
  const { bytes } = assemble(source, { base: BigInt(START) });
  processor.load(START, bytes);
  for (let i = 0; i < SLICES; i++) processor.run(START + LOOP, STEPS);
  return processor.engine.translationAt(processor.placeOf(START + bytes.length - 2)) as Uint8Array;
});
