/** What the translator makes of RISC-V code. */
import { join } from 'node:path';
import { Execution } from '@axvisor/softcpu';
import { filetests } from '@axvisor/tooling/filetests';
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';

const START = BigInt(RAM_BASE);

await filetests(join(import.meta.dirname, 'golden'), (source) => {
  const { hart, ram } = new BareMachine({ ramBytes: 1 << 20, poolPages: 16, engine: Execution.translator });
  ram.set(assemble(source, { base: START }).bytes);
  hart.reset(START);
  hart.run(1);
  return hart.translation(START) as Uint8Array;
});
