/** A physical CPU in a thread of its own: counts on its area, and on that of CPU 0 in competition with others. */
import { workerData } from 'node:worker_threads';
import { withLinked } from '@axvisor/axvisor_api';
import { PerCpuAreas, u64, usize, type PerCpuShare } from '../src/index.ts';
import { createMachine } from './machine.ts';

const { cpu, buffer, info, rounds } = workerData as { cpu: number; buffer: SharedArrayBuffer; info: PerCpuShare; rounds: number };
const machine = createMachine(info.count, buffer);
machine.cpu = cpu;
withLinked([machine.component], () => {
  const areas = new PerCpuAreas();
  areas.attach(info);
  const owner = areas.define('owner', usize, 7n);
  const hits = areas.define('hits', u64, 0n);
  owner.writeCurrent(BigInt(100 + cpu));
  for (let i = 0; i < rounds; i++) {
    hits.updateCurrent((n) => n + 1n);
    for (let seen = hits.readRemote(0), before = -1n; seen !== before; ) {
      before = seen;
      seen = hits.compareExchange(0, before, before + 1n);
    }
  }
});
