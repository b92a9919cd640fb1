/** Shows the progress of long work on standard error: one line that is rewritten on a terminal, a line for each step elsewhere. */
import type { FetchProgress } from '../images/index.ts';

const LABELS: Readonly<Record<FetchProgress['phase'], string>> = {
  wait: 'waiting for another fetch', index: 'reading the package index', download: 'downloading', unpack: 'unpacking', pack: 'packing', done: 'ready',
};

/** A progress display for one fetch. */
export function fetchProgress(): (event: FetchProgress) => void {
  let last = '';
  return ({ image, phase, detail, fraction }) => {
    const percent = fraction === undefined ? '' : ` ${Math.round(100 * fraction)} %`;
    const step = `${image}: ${LABELS[phase]} ${detail}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${step}${percent}${phase === 'done' ? '\n' : ''}`);
    else if (step !== last) process.stderr.write(`${step}\n`);
    last = step;
  };
}
