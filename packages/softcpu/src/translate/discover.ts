/**
 * The blocks of a region: what direct jumps and falling through reach from its entry, what its returns may lead to (behind its own calls),
 * and what other computed jumps may lead to (where code of its pages is jumped to often).
 *
 * They lie in the page of the entry and in at most one other page. All offsets count from the beginning of the page of the entry, in
 * virtual addresses; what is there in the other page depends on how it is mapped, so that ways into it are guarded (`region.ts`).
 */
import { PAGE_SIZE } from '../interp/layout.ts';
import type { Linkage } from '../ir/emitter.ts';
import type { StateLayout } from '../isa.ts';
import type { Shape } from './shape.ts';

/** Instructions of a region at most. */
const LIMIT = 256;
/** Places that a computed jump is expected to lead to, at most. */
const MAX_TARGETS = 16;

/** One instruction. */
export interface Step {
  readonly offset: number;
  /** Its record. */
  readonly record: number;
  readonly instruction: number;
  readonly length: number;
  readonly shape: Shape;
  /** Where `branch` and `jump` lead; may lie outside. */
  readonly target: number;
  readonly linkage: 'call' | 'return' | undefined;
}

/** What lies at an offset: an instruction, one that ends in a page that is not the region's, or nothing that can be translated. */
export type ReadStep = (offset: number) => Step | 'cut' | undefined;

/** The page beside its own that a region has instructions of. */
export interface OtherPage {
  /** From the region's own page, in bytes of virtual addresses. */
  readonly distance: number;
}

export interface Block {
  readonly offset: number;
  /** It is executed only where the other page is known to be mapped as it was. */
  readonly guarded: boolean;
  readonly steps: readonly Step[];
  /**
   * Where execution goes on, as offsets: first where a condition does not hold, and of a computed jump where it may lead to.
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

/** Whether an offset is one of the page of the entry. */
const isOwn = (offset: number): boolean => offset >= 0 && offset < PAGE_SIZE;

/** Whether it is known what lies at an offset where a block is executed, without asking how pages are mapped. */
export const isKnown = ({ guarded }: Block, offset: number, other: OtherPage | undefined): boolean => isOwn(offset) || (guarded && other !== undefined && isOwn(offset - other.distance));

/** Whether the way from one block to another may only be taken where the other page is mapped as it was. */
export const isCrossing = (from: Block, to: Block): boolean => to.guarded && !from.guarded;

class Discovery {
  readonly steps = new Map<number, Step>();
  readonly leaders = new Set<number>();
  /** Behind calls, in the order found. */
  readonly behind = new Set<number>();
  returns = false;
  /** There are computed jumps beside returns. */
  jumps = false;
  /** Ways into other pages, by their distance. */
  readonly ways = new Map<number, number>();
  readonly #read: ReadStep;
  /** Follows calls into another page. */
  readonly #calls: boolean;
  readonly #distance: number | undefined;

  constructor(read: ReadStep, calls: boolean, distance: number | undefined) {
    this.#read = read;
    this.#calls = calls;
    this.#distance = distance;
  }

  #isOther(offset: number): boolean {
    return this.#distance !== undefined && isOwn(offset - this.#distance);
  }

  /** Lies in the other page at least in part. */
  isGuarded({ offset, length }: Step): boolean {
    return !isOwn(offset) || this.#isOther(offset + length - 1);
  }

  /** Follows direct jumps. */
  from(entry: number): void {
    const { steps, leaders } = this;
    leaders.add(entry);
    const queue = [entry];
    for (let next = 0; next < queue.length; next++) {
      let at = queue[next] as number;
      let guarded = false;
      while (this.#enter(at) && steps.size < LIMIT) {
        if (steps.has(at)) {
          leaders.add(at);
          break;
        }
        const step = this.#read(at);
        if (step === 'cut') this.#way(at + PAGE_SIZE);
        if (step === undefined || step === 'cut' || step.shape.control === 'stop') break;
        steps.set(at, step);
        const isGuarded = this.isGuarded(step);
        if (isGuarded !== guarded) leaders.add(at);
        guarded = isGuarded;
        const { shape: { control }, linkage } = step;
        if (control === 'next') {
          at += step.length;
          continue;
        }
        if ((control === 'branch' || control === 'jump') && (this.#calls || linkage !== 'call' || isOwn(at) === isOwn(step.target)) && this.#enter(step.target)) {
          leaders.add(step.target);
          queue.push(step.target);
        }
        at += step.length;
        if (linkage === 'call' && this.#isInside(at)) this.behind.add(at);
        if (linkage === 'return') this.returns = true;
        else if (control === 'jumpTo') this.jumps = true;
        if (control !== 'branch') break;
        leaders.add(at);
      }
    }
  }

  #isInside(offset: number): boolean {
    return isOwn(offset) || this.#isOther(offset);
  }

  /** Whether a way leads on in the region. */
  #enter(offset: number): boolean {
    if (this.#isInside(offset)) return true;
    this.#way(offset);
    return false;
  }

  #way(to: number): void {
    const distance = Math.floor(to / PAGE_SIZE) * PAGE_SIZE;
    this.ways.set(distance, (this.ways.get(distance) ?? 0) + 1);
  }
}

/** What {@link discover} found. */
export interface Discovered {
  /** The one where the region begins comes first; empty if there is none. */
  readonly blocks: readonly Block[];
  /** How many ways lead into pages that are not the region's, by their distance. */
  readonly ways: ReadonlyMap<number, number>;
}

/**
 * Blocks of the region that begins at `entry`.
 *
 * @param distance - of the other page.
 * @param entries - what computed jumps to these pages often lead to; absent: the region is left by all of them, by returns, and by calls into the other page.
 */
export function discover(entry: number, read: ReadStep, distance?: number, entries?: readonly number[]): Discovered {
  const found = new Discovery(read, entries !== undefined, distance);
  const { steps, leaders, ways } = found;
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
  const blocks: Block[] = [];
  for (const leader of leaders) {
    const first = steps.get(leader);
    if (first !== undefined) blocks.push(blockAt(first, found.isGuarded(first), steps, leaders, targetsOf));
  }
  return { blocks, ways };
}

/** Whether a block ends in a computed jump. */
export const endsComputed = ({ steps }: Block): boolean => steps.at(-1)?.shape.control === 'jumpTo';

/** Whether computed jumps go on in the region. */
export const hasComputedTargets = (blocks: readonly Block[]): boolean => blocks.some((block) => endsComputed(block) && block.targets.length > 0);

function blockAt(first: Step, guarded: boolean, all: ReadonlyMap<number, Step>, leaders: ReadonlySet<number>, targetsOf: (step: Step) => readonly number[]): Block {
  const { offset } = first;
  const steps = [first];
  let last = first;
  let end = offset + first.length;
  while (last.shape.control === 'next' && !leaders.has(end)) {
    const step = all.get(end);
    if (step === undefined) break;
    steps.push(step);
    last = step;
    end += step.length;
  }
  return { offset, guarded, steps, targets: targetsBehind(last, end, targetsOf), end };
}

/** Where the last step of a block leads, which ends at an offset. */
function targetsBehind(last: Step, end: number, targetsOf: (step: Step) => readonly number[]): readonly number[] {
  switch (last.shape.control) {
    case 'jumpTo':
      return targetsOf(last);
    case 'mode':
      return [];
    case 'jump':
      return [last.target];
    case 'branch':
      return [end, last.target];
    default:
      return [end];
  }
}

/** What the instructions of blocks do, each kind of them once. */
export function shapesIn(blocks: readonly Block[]): ReadonlySet<Shape> {
  const shapes = new Set<Shape>();
  for (const { steps } of blocks) for (const { shape } of steps) shapes.add(shape);
  return shapes;
}
