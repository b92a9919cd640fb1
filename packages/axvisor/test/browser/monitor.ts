/** The worker that keeps the virtual machine. */
import { createHostShare, failCpu, usableThreads } from '@axvisor/axhost';
import type { PerCpuAreas } from '@axvisor/percpu';
import { composeRiscv64 } from '../../src/compose/riscv64.ts';
import { session } from './guest.ts';
import { browser, reportFailures } from './page.ts';

reportFailures();
const threads = usableThreads(2);
const share = createHostShare({ memory: 256 << 20, guestCpus: threads });
let areas: PerCpuAreas | undefined;
composeRiscv64({ share, cpu: threads }, {}, { onPerCpu: (created) => (areas = created) });
areas?.initInPlace();
const percpu = areas?.share();
for (let cpu = 0; cpu < threads; cpu++) {
  const worker = new browser.Worker(new URL('./cpu.ts', import.meta.url), { type: 'module' });
  worker.onerror = ({ message }) => failCpu(share, cpu, message);
  worker.postMessage({ host: { share, cpu }, processor: {}, percpu }, []);
}
browser.postMessage({ threads, said: [], ...(await session()) }, []);
