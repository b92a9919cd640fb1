/**
 * The blocks of a region, within one page of records: what direct jumps and falling through reach from its entry, what its returns may
 * lead to (behind its own calls), and what other computed jumps may lead to (where code of the page is jumped to often).
 */
import type { Linkage } from '../ir/emitter.ts';
import type { StateLayout } from '../isa.ts';
import type { Shape } from './shape.ts';

/** Instructions of a region at most. */
const LIMIT = 256;
/** Places that a computed jump is expected to lead to, at most. */
const MAX_TARGETS = 16;

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
  readonly linkage: 'call' | 'return' | undefined;
}

/** What lies at an offset of the page: an instruction, or nothing that can be translated. */
export type ReadStep = (offset: number) => Step | undefined;

export interface Block {
  readonly offset: number;
  readonly steps: readonly Step[];
  /**
   * Where execution goes on, as offsets from the page: first where a condition does not hold, and of a computed jump where it may lead to.
   * Empty: it does not, or nobody knows.
   */
  readonly targets: readonly number[];
  /** Offset behind the last step. */
  readonly end: number;
}

/** Whether a jump is a call or a return. @param field - of its record. */
export function linkageOf({ links, sink }: Pick<StateLayout, 'links' | 'sink'>, linkage: Linkage | undefined, field: (name: string) => number): 'call' | 'return' | undefined {
  if (typeof linkage !== 'object') return linkage;
  const { link, from } = linkage;
  const holds = (name: string | undefined): boolean => name !== undefined && links?.includes(field(name)) === true;
  if (holds(link)) return 'call';
  return holds(from) && field(link) === sink ? 'return' : undefined;
}

class Discovery {
  readonly steps = new Map<number, Step>();
  readonly leaders = new Set<number>();
  /** Behind calls, in the order found. */
  readonly behind = new Set<number>();
  returns = false;
  /** There are computed jumps beside returns. */
  jumps = false;
  readonly #pageSize: number;
  readonly #read: ReadStep;

  constructor(pageSize: number, read: ReadStep) {
    this.#pageSize = pageSize;
    this.#read = read;
  }

  #inPage(offset: number): boolean {
    return offset >= 0 && offset < this.#pageSize;
  }

  /** Follows direct jumps. */
  from(entry: number): void {
    const { steps, leaders } = this;
    leaders.add(entry);
    const queue = [entry];
    for (let offset = queue.shift(); offset !== undefined; offset = queue.shift()) {
      let at: number = offset;
      while (this.#inPage(at) && steps.size < LIMIT) {
        if (steps.has(at)) {
          leaders.add(at);
          break;
        }
        const step = this.#read(at);
        if (step === undefined || step.shape.control === 'stop') break;
        steps.set(at, step);
        const { shape: { control }, linkage } = step;
        if (control === 'branch' || control === 'jump') {
          if (this.#inPage(step.target)) {
            leaders.add(step.target);
            queue.push(step.target);
          }
        }
        at += step.length;
        if (linkage === 'call' && this.#inPage(at)) this.behind.add(at);
        if (linkage === 'return') this.returns = true;
        else if (control === 'jumpTo') this.jumps = true;
        if (control === 'jump' || control === 'jumpTo' || control === 'mode') break;
        if (control === 'branch') leaders.add(at);
      }
    }
  }
}

/**
 * Blocks of the region that begins at `entry`, which comes first; empty if there is none.
 *
 * @param entries - what computed jumps to the page often lead to; absent: the region is left by all of them, and by returns.
 */
export function discover(entry: number, pageSize: number, read: ReadStep, entries?: readonly number[]): Block[] {
  const found = new Discovery(pageSize, read);
  const { steps, leaders } = found;
  const returnedTo = new Set<number>();
  const jumpedTo = new Set<number>();
  found.from(entry);
  for (let changed = entries !== undefined; changed; ) {
    changed = false;
    const take = (offsets: Iterable<number>, into: Set<number>): void => {
      for (const offset of offsets) {
        if (into.has(offset) || into.size === MAX_TARGETS) continue;
        into.add(offset);
        found.from(offset);
        changed = true;
      }
    };
    if (found.returns) take(found.behind, returnedTo);
    if (found.jumps) take(entries as readonly number[], jumpedTo);
  }
  const known = (offsets: ReadonlySet<number>): number[] => [...offsets].filter((offset) => steps.has(offset));
  const targetsOf = ({ linkage }: Step): readonly number[] => known(linkage === 'return' ? returnedTo : jumpedTo);
  return [...leaders].filter((leader) => steps.has(leader)).map((leader) => blockAt(leader, steps, leaders, targetsOf));
}

/** Whether computed jumps go on in the region. */
export const hasComputedTargets = (blocks: readonly Block[]): boolean => blocks.some(({ steps, targets }) => steps.at(-1)?.shape.control === 'jumpTo' && targets.length > 0);

function blockAt(offset: number, all: ReadonlyMap<number, Step>, leaders: ReadonlySet<number>, targetsOf: (step: Step) => readonly number[]): Block {
  const steps: Step[] = [];
  let at = offset;
  for (let step = all.get(at); step !== undefined; step = leaders.has(at) ? undefined : all.get(at)) {
    steps.push(step);
    at += step.length;
    const { control } = step.shape;
    if (control === 'jumpTo') return { offset, steps, targets: targetsOf(step), end: at };
    if (control === 'mode') return { offset, steps, targets: [], end: at };
    if (control === 'jump') return { offset, steps, targets: [step.target], end: at };
    if (control === 'branch') return { offset, steps, targets: [at, step.target], end: at };
  }
  return { offset, steps, targets: [at], end: at };
}
