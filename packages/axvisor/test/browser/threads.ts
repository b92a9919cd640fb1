/** A page that is isolated: the monitor is a worker, which has a worker for each guest CPU. */
import { browser, report, reportFailures } from './page.ts';

reportFailures();
const monitor = new browser.Worker(new URL('./monitor.ts', import.meta.url), { type: 'module' });
monitor.onmessage = ({ data }) => report(data as object);
monitor.onerror = ({ message }) => report({ error: message });
