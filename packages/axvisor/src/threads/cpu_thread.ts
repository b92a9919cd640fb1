/** The program of a thread that is a guest CPU. */
import { workerData } from 'node:worker_threads';
import { composeCpu } from '../compose/index.ts';
import type { CpuThreadData } from './start.ts';

const { arch, share, cpu, processor, percpu, logLevel } = workerData as CpuThreadData;
const run = await composeCpu(arch, { host: { share, cpu, logLevel }, processor, percpu });
run();
