/**
 * Compares instructions of all encoding classes with `qemu-aarch64` for as long as wanted, in rounds that each multiply what is done, and prints what
 * is done as it goes. With `--progress` a later run goes on where this one ended. Exit status 0: nothing differed.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Campaign, testedClasses } from './campaign.ts';

interface Done {
  slices: number;
  instructions: number;
  wrong: number;
}

const { values } = parseArgs({
  options: {
    /** Of each class. */
    instructions: { type: 'string', default: '1000000' },
    minutes: { type: 'string', default: 'Infinity' },
    /** A part of a class's name. */
    class: { type: 'string', default: '' },
    progress: { type: 'string' },
  },
});
const goal = Number(values.instructions);
const end = performance.now() + Number(values.minutes) * 60_000;
const CASES = 2000;
const FACTOR = 10;

const { progress } = values;
const state = new Map<string, Done>(progress !== undefined && existsSync(progress) ? (JSON.parse(readFileSync(progress, 'utf8')) as [string, Done][]) : []);
const chosen = testedClasses.filter(({ name }) => name.toLowerCase().includes(values.class.toLowerCase()));
const campaign = new Campaign();

function doneOf(name: string): Done {
  const done = state.get(name) ?? { slices: 0, instructions: 0, wrong: 0 };
  state.set(name, done);
  return done;
}

rounds: for (let round = goal / FACTOR ** 2; round <= goal; round *= FACTOR) {
  for (const tested of chosen) {
    const done = doneOf(tested.name);
    const before = done.instructions;
    while (done.instructions < round) {
      const { instructions, wrong } = campaign.slice(tested, done.slices, CASES);
      for (const text of wrong.slice(0, 5)) console.log(`  ${text}`);
      done.slices++;
      done.instructions += instructions;
      done.wrong += wrong.length;
      if (progress !== undefined) writeFileSync(progress, JSON.stringify([...state]));
      if (instructions === 0 || performance.now() > end) break;
    }
    if (done.instructions > before) console.log(`${tested.name}: ${done.instructions} instructions, ${done.wrong} cases differ`);
    if (performance.now() > end) break rounds;
  }
}
const all = chosen.map(({ name }) => doneOf(name));
const least = Math.min(...all.map(({ instructions }) => instructions));
const total = all.reduce((sum, { instructions }) => sum + instructions, 0);
const wrong = all.reduce((sum, done) => sum + done.wrong, 0);
console.log(`${all.length} classes, ${total} instructions, at least ${least} of each; ${wrong} cases differ`);
process.exitCode = wrong === 0 ? 0 : 1;
