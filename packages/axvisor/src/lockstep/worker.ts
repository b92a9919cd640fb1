/** The thread of one side. */
import { workerData } from 'node:worker_threads';
import { serve, type MachineData } from './machine.ts';

await serve(workerData as MachineData);
