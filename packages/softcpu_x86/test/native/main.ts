/** A long run: `main.ts [cases per row] [seed] [execution] [name pattern]`. Prints what differs, and what of the table was covered. */
import { Execution } from '@axvisor/softcpu';
import { rows } from '../../src/isa/table.ts';
import { comparisonOf, executable } from './classes.ts';
import { Subject } from './compare.ts';
import { Generator, Random } from './generate.ts';
import { ask } from './oracle.ts';
import type { Case } from './oracle.ts';

const [perRow = '20', seed = '1', execution = 'interpreter', pattern = ''] = process.argv.slice(2);
let total = 0;
let wrong = 0;
const covered = new Set<number>();
for (const mode of [64, 32, 16] as const) {
  const subject = new Subject(Execution[execution as Execution], mode);
  const random = new Random(Number(seed));
  const generator = new Generator(random);
  const list = rows.filter((row) => executable(row, mode) && new RegExp(pattern).test(row.name));
  const cases: { readonly test: Case; readonly op: number }[] = [];
  for (const row of list) {
    for (let made = 0, tries = 0; made < Number(perRow) && tries < Number(perRow) * 20; tries++) {
      const test = generator.make(row, mode);
      if (test === undefined) continue;
      cases.push({ test, op: row.op });
      made++;
    }
  }
  const outcomes = ask(cases.map(({ test }) => test));
  const shown = new Map<string, number>();
  cases.forEach(({ test, op }, i) => {
    const problem = subject.check(test, outcomes[i]!);
    total++;
    covered.add(op);
    if (problem === undefined) return;
    wrong++;
    const { name } = rows[op]!;
    const seen = (shown.get(name) ?? 0) + 1;
    shown.set(name, seen);
    if (seen <= 3) console.log(mode, name, Buffer.from(test.code).toString('hex'), problem);
  });
  for (const [name, number] of shown) console.log(mode, name, number, 'of', cases.filter(({ op }) => rows[op]!.name === name).length);
}
console.log(`${total} cases, ${wrong} wrong, ${covered.size} rows of ${rows.length}`);
const by = Object.groupBy(rows, comparisonOf);
console.log(`of the table: ${Object.entries(by).map(([name, list]) => `${name} ${list.length}`).join(', ')}`);
console.log(`compared by no one: ${[...new Set(by.none?.map(({ name }) => name))].join(' ')}`);
