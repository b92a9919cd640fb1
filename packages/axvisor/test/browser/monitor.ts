/** The worker that keeps the virtual machine. */
import { createHostShare, failCpu, usableThreads } from '@axvisor/axhost';
import type { PerCpuAreas } from '@axvisor/percpu';
import { createCompilerShare } from '@axvisor/softcpu';
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
const compiler = createCompilerShare(threads);
const compiling = new browser.Worker(new URL('./compiler.ts', import.meta.url), { type: 'module' });
const compiled = new Promise<boolean>((resolve) => (compiling.onmessage = () => resolve(true)));
compiling.onerror = ({ message }) => failCpu(share, 0, message);
compiling.postMessage(compiler, []);
for (let cpu = 0; cpu < threads; cpu++) {
  const worker = new browser.Worker(new URL('./cpu.ts', import.meta.url), { type: 'module' });
  worker.onerror = ({ message }) => failCpu(share, cpu, message);
  worker.postMessage({ options: { host: { share, cpu }, processor: {}, percpu }, compiler }, []);
}
const end = await session();
browser.postMessage({ threads, said: [], translated: await compiled, ...end }, []);
