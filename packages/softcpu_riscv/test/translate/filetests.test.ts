/** What the translator makes of RISC-V code. */
import { join } from 'node:path';
import { Execution } from '@axvisor/softcpu';
import { filetests } from '@axvisor/tooling/filetests';
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';

const START = BigInt(RAM_BASE);
/** What is to become hot begins here. */
const LOOP = 0xff4n;
/** Until it is translated. */
const SLICES = 600;
const STEPS = 1000;

await filetests(join(import.meta.dirname, 'golden'), (source) => {
  const { hart, ram } = new BareMachine({ ramBytes: 1 << 20, poolPages: 16, engine: Execution.translator });
  ram.set(assemble(source, { base: START }).bytes);
  hart.reset(START);
  hart.run(1);
  return hart.translation(START) as Uint8Array;
});

await filetests(join(import.meta.dirname, 'golden', 'hot'), (source) => {
  const { hart, ram } = new BareMachine({ ramBytes: 1 << 20, poolPages: 16, engine: Execution.auto });
  const { bytes } = assemble(source, { base: START });
  ram.set(bytes);
  hart.reset(START + LOOP);
  for (let i = 0; i < SLICES; i++) hart.run(STEPS);
  return hart.translation(START + BigInt(bytes.length - 2)) as Uint8Array;
});
