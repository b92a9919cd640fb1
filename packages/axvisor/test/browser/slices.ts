/** In a page's own thread, which may not block: vCPUs take turns in slices. */
import { usableThreads } from '@axvisor/axhost';
import { composeRiscv64 } from '../../src/compose/riscv64.ts';
import { session } from './guest.ts';
import { report, reportFailures } from './page.ts';

reportFailures();
const said: string[] = [];
const threads = usableThreads(2, (_, __, message) => said.push(message));
composeRiscv64({ memory: 256 << 20 });
report({ threads, said, ...(await session()) });
