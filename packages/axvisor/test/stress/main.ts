/** `stress`: runs the stress guest for as long as wanted. Exit status 0: it passed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Session } from '../guests/session.ts';
import { MEMORY_MIB, stressResult } from './guest.ts';
import { stressGuestOf } from './guests.ts';

const { values } = parseArgs({
  options: {
    harts: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: 'auto' },
    engine: { type: 'string', default: 'auto' },
    arch: { type: 'string', default: 'riscv64' },
    virt: { type: 'string' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'axvisor-stress-'));
try {
  const kernel = join(folder, 'stress.bin');
  const seconds = Number(values.seconds);
  const { make, args } = stressGuestOf(values.arch);
  writeFileSync(kernel, make({ harts: Number(values.harts), seconds, seed: Number(values.seed) }));
  const start = performance.now();
  await using session = new Session([
    'run', '--kernel', kernel, ...args, ...(values.virt === undefined ? [] : ['--virt', values.virt]), '--memory', `${MEMORY_MIB}M`, '--cpus', values.harts, '--threads', values.threads,
    '--engine', values.engine, '--timeout', String(seconds + 120),
  ]);
  const status = await session.exited(seconds + 180);
  const { output } = session;
  if (status !== 0) throw new Error(`exit status ${status}: ${output.slice(-400)}`);
  const { rounds, ipis, timers } = stressResult(output);
  console.log(`passed: ${values.arch}, ${values.harts} harts, threads ${values.threads}, seed ${values.seed}, ${((performance.now() - start) / 1000).toFixed(1)} s: ${rounds} rounds, ${ipis} IPIs taken, ${timers} timer interrupts`);
} finally {
  rmSync(folder, { recursive: true });
}
