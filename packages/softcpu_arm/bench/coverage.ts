/**
 * Prints what the differential tests cover, by encoding class: rows of the table that are compared with QEMU instruction by instruction, and
 * those that are not because they are privileged. `pnpm exec node --conditions=@axvisor/source packages/softcpu_arm/bench/coverage.ts`
 */
import { defined } from '../src/emit/isa.ts';
import { classes, insns, op } from '../src/isa/index.ts';
import { randomWords } from '../test/isa/words.ts';
import { randomCase, testable } from '../test/qemu/generate.ts';

const next = randomWords(1);
const comparable = new Set(
  testable.filter((insn) => Array.from({ length: 50 }, () => randomCase(insn, next)).some((one) => one !== undefined)).map(({ name }) => name),
);

const lines = classes.map(({ name }) => {
  const rows = insns.filter((insn) => insn.class === name);
  const compared = rows.filter((insn) => comparable.has(insn.name) && defined[op.get(insn.name) as number] !== undefined);
  const missing = rows.filter((insn) => !compared.includes(insn)).map((insn) => insn.name);
  return `${name.padEnd(72)} ${String(compared.length).padStart(4)} of ${String(rows.length).padStart(4)}${missing.length > 0 ? `  not: ${missing.join(' ')}` : ''}`;
});
process.stdout.write(`${lines.join('\n')}\n${comparable.size} of ${insns.length} instructions are compared; ${insns.filter(({ name }) => defined[op.get(name) as number] === undefined).length} are not defined\n`);
