/** What a call through the registry costs, beside a plain import of the same function and a look-up in a Map. Run it with Node: `node --conditions=@axvisor/source`. */
import { Bench } from 'tinybench';
import { apiDef, apiImpl, component, link, required, type ApiDef } from '../src/index.ts';
import { plain } from './plain.ts';

interface Counter { next(x: number): number }
let next: Counter['next'];
const counter: ApiDef<readonly ['bench', 'counter'], Counter> = apiDef({ namespace: 'bench', name: 'counter', functions: { next: required }, bind: (f: Counter) => ({ next } = f) });
link([component({ name: 'counter', provides: () => [apiImpl(counter, { next: (x) => (x + 1) | 0 })] })]);

const table = new Map<string, (x: number) => number>([['bench/counter.next', (x) => (x + 1) | 0]]);
const CALLS = 1_000_000;

const bench = new Bench({ time: 500 });
bench
  .add('plain import', () => { let x = 0; for (let i = 0; i < CALLS; i++) x = plain(x); return x; })
  .add('linked function', () => { let x = 0; for (let i = 0; i < CALLS; i++) x = next(x); return x; })
  .add('look-up in a Map', () => { let x = 0; for (let i = 0; i < CALLS; i++) x = (table.get('bench/counter.next') as Counter['next'])(x); return x; });
await bench.run();
for (const { name, result } of bench.tasks) process.stdout.write(`${name.padEnd(20)} ${((result as { latency: { p50: number } }).latency.p50 * 1e6 / CALLS).toFixed(2)} ns a call\n`);
