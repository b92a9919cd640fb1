/** The blocks of a region: what direct jumps and falling through reach from its entry within one page of records. */
import type { Shape } from './shape.ts';

/** Instructions of a region at most. */
const LIMIT = 256;

/** One instruction. */
export interface Step {
  /** Where it lies in the page. */
  readonly offset: number;
  /** Its record. */
  readonly record: number;
  readonly instruction: number;
  readonly length: number;
  readonly shape: Shape;
  /** Where `branch` and `jump` lead, counted from the page; may lie outside. */
  readonly target: number;
}

/** What lies at an offset of the page: an instruction, or nothing that can be translated. */
export type ReadStep = (offset: number) => Step | undefined;

export interface Block {
  readonly offset: number;
  readonly steps: readonly Step[];
  /** Where execution goes on, as offsets from the page: first where a condition does not hold. Empty: it does not, or nobody knows. */
  readonly targets: readonly number[];
  /** Offset behind the last step. */
  readonly end: number;
}

/** Blocks of the region that begins at `entry`, which comes first; empty if there is none. */
export function discover(entry: number, pageSize: number, read: ReadStep): Block[] {
  const steps = new Map<number, Step>();
  const leaders = new Set<number>([entry]);
  const inPage = (offset: number): boolean => offset >= 0 && offset < pageSize;
  const queue = [entry];
  for (let offset = queue.shift(); offset !== undefined; offset = queue.shift()) {
    let at: number = offset;
    while (inPage(at) && steps.size < LIMIT) {
      if (steps.has(at)) {
        leaders.add(at);
        break;
      }
      const step = read(at);
      if (step === undefined || step.shape.control === 'stop') break;
      steps.set(at, step);
      const { control } = step.shape;
      if (control === 'branch' || control === 'jump') {
        if (inPage(step.target)) {
          leaders.add(step.target);
          queue.push(step.target);
        }
      }
      if (control === 'jump' || control === 'jumpTo' || control === 'mode') break;
      at += step.length;
      if (control === 'branch') leaders.add(at);
    }
  }
  return [...leaders].filter((leader) => steps.has(leader)).map((leader) => blockAt(leader, steps, leaders));
}

function blockAt(offset: number, all: ReadonlyMap<number, Step>, leaders: ReadonlySet<number>): Block {
  const steps: Step[] = [];
  let at = offset;
  for (let step = all.get(at); step !== undefined; step = leaders.has(at) ? undefined : all.get(at)) {
    steps.push(step);
    at += step.length;
    const { control } = step.shape;
    if (control === 'jumpTo' || control === 'mode') return { offset, steps, targets: [], end: at };
    if (control === 'jump') return { offset, steps, targets: [step.target], end: at };
    if (control === 'branch') return { offset, steps, targets: [at, step.target], end: at };
  }
  return { offset, steps, targets: [at], end: at };
}
