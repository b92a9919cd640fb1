/** What the translator makes of A64 code. */
import { join } from 'node:path';
import { Execution } from '@axvisor/softcpu';
import { filetests } from '@axvisor/tooling/filetests';
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';

const START = BigInt(RAM_BASE);

await filetests(join(import.meta.dirname, 'golden'), (source) => {
  const machine = new BareMachine({ ramBytes: 1 << 20, poolPages: 16, engine: Execution.translator });
  machine.load(assemble(source, { base: START }).bytes);
  machine.pe.run(1);
  return machine.pe.translation(START) as Uint8Array;
});
