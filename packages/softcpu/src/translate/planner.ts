/** Decides what a region is made of: which code, of which pages, and which regions it leads to. */
import { PAGE_SIZE } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import type { Backoff } from './backoff.ts';
import { discover, endsComputed } from './discover.ts';
import type { Block, Discovered, ReadStep, Step } from './discover.ts';
import type { NumberedSource } from './batch.ts';
import { entryMark } from './entries.ts';
import type { Records, RecordsHost } from './records.ts';
import type { Extent, Slot, Slots } from './slots.ts';

/** Other pages that are looked at. */
const CHOICES = 2;

/** The page of a region that an offset is in, and the offset there. */
interface Place {
  readonly page: number;
  readonly offset: number;
}

function placeOf({ page }: Slot, other: Extent['other'], offset: number): Place | undefined {
  if (offset >= 0 && offset < PAGE_SIZE) return { page, offset };
  const within = offset - (other?.distance ?? 0);
  return other !== undefined && within >= 0 && within < PAGE_SIZE ? { page: other.page, offset: within } : undefined;
}

/** Blocks from which there is a way to others. @param to - some of them, perhaps divided otherwise. */
function leadingTo(blocks: readonly Block[], to: readonly Block[]): readonly Block[] {
  const reached = new Set(to.flatMap(({ steps }) => steps.map(({ offset }) => offset)));
  const kept = new Set<number>();
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    for (const { offset, targets } of blocks) if (reached.has(offset) || targets.some((target) => kept.has(target))) kept.add(offset);
  }
  return blocks.filter(({ offset }) => kept.has(offset)).map((block) => (block.targets.every((target) => kept.has(target)) || !endsComputed(block) ? block : { ...block, targets: block.targets.filter((target) => kept.has(target)) }));
}

export class Planner {
  readonly #host: RecordsHost;
  readonly #records: Records;
  readonly #slots: Slots;
  readonly #backoff: Backoff;
  /** Regions are made of blocks that were executed. What seldom is would take more time to compile than the rest. */
  readonly #executed: boolean;

  /** @param executed - regions are made of blocks that were executed, else of all that can be reached. */
  constructor(host: RecordsHost, records: Records, slots: Slots, backoff: Backoff, executed: boolean) {
    this.#host = host;
    this.#records = records;
    this.#slots = slots;
    this.#backoff = backoff;
    this.#executed = executed;
  }

  /**
   * What the region of a slot is to be made of now: of another page, what leads back to where it would not be left otherwise. The rest of that
   * page would be translated twice, which costs more than a jump to it. What was not executed yet is left out.
   *
   * @param index - of the region among those that are made at a time.
   */
  extent(slot: Slot, index: number, slice: number): Extent {
    const { asks } = slot;
    const read = new Map<number, Step | undefined>();
    const { blocks, ways } = this.#discover(slot, undefined, index, read);
    for (const other of blocks.length === 0 ? [] : this.#choices(slot, ways, slice)) {
      const loops = leadingTo(this.#discover(slot, other, index, read).blocks, blocks);
      if (loops.some(({ guarded }) => guarded)) return { blocks: loops, asks, other };
    }
    return { blocks, asks, other: undefined };
  }

  /** Pages that ways lead to, those that most lead to first, if the slot's page was executed with them lately. Only calls lead back from far away. */
  #choices({ page, mode, deep }: Slot, ways: Discovered['ways'], slice: number): NonNullable<Extent['other']>[] {
    const { pages } = this.#host;
    const own = pages.recordsOf(page);
    const near = [...ways].filter(([distance]) => deep || Math.abs(distance) === PAGE_SIZE);
    return near.toSorted(([, a], [, b]) => b - a).slice(0, CHOICES).flatMap(([distance]) => {
      const records = pages.fetches.beside(own, Math.floor(mode / MMU_MODES), distance);
      const number = records === 0 ? -1 : pages.pageOf(records) / PAGE_SIZE;
      return number < 0 || number === page || this.#backoff.holds(number, slice) ? [] : { page: number, distance, records };
    });
  }

  /** @param known - what was read of the slot's page already. */
  #discover(slot: Slot, other: Extent['other'], index: number, known: Map<number, Step | undefined>): Discovered {
    let across = -1;
    const read: ReadStep = (offset) => {
      const before = known.get(offset);
      if (before !== undefined || known.has(offset)) return before;
      const place = placeOf(slot, other, offset) as Place;
      if (this.#isCold(place.page, place.offset)) return undefined;
      let step = this.#records.read(place.page, place.offset);
      if (step === 'cut') {
        const next = placeOf(slot, other, offset + PAGE_SIZE);
        if (next === undefined || (across >= 0 && across !== offset)) return step;
        across = offset;
        step = this.#records.readAcross(place.page, next.page, place.offset, index);
      } else if (place.offset === offset) {
        known.set(offset, step);
      }
      return step === undefined ? undefined : at(step, offset);
    };
    return discover(slot.offset, read, other?.distance, slot.deep ? this.#entries(slot, other) : undefined);
  }

  /** Where a region's computed jumps may lead to in its pages. */
  #entries({ page, mode }: Slot, other: Extent['other']): readonly number[] {
    const of = (number: number, distance: number): readonly number[] =>
      this.#slots.of(number).filter((slot) => slot.mode === mode && slot.computed).map(({ offset }) => distance + offset);
    return other === undefined ? of(page, 0) : [...of(page, 0), ...of(other.page, other.distance)];
  }

  /** As it is to be generated. @param numbers - where nothing has a number yet, gives one. */
  source(slot: Slot, { blocks, asks, other }: Extent, numbers: 'given' | 'known'): NumberedSource {
    const link = (offset: number, mode: number): number => {
      const place = placeOf(slot, other, offset);
      if (place === undefined) return -1;
      const { page, offset: within } = place;
      if (numbers === 'known') return this.#slots.find(page, within, mode)?.number ?? -1;
      return this.#begins(page, within) ? this.#slots.at(page, within, mode).number : -1;
    };
    const { number, mode, assumed, page, offset } = slot;
    return { number, mark: this.markOf(page, offset), mode, asks, assumed, blocks, other, link };
  }

  /** See {@link entryMark}. */
  markOf(page: number, offset: number): number {
    const { bytes, pages } = this.#host;
    return entryMark(bytes, pages.textOf(pages.recordsOf(page)), offset);
  }

  #isCold(page: number, offset: number): boolean {
    return this.#executed && !this.#records.isDecoded(page, offset);
  }

  /** Whether a region may begin at a place, if that is executed. */
  #begins(page: number, offset: number): boolean {
    if (this.#isCold(page, offset)) return true;
    const step = this.#records.read(page, offset);
    return step !== undefined && step !== 'cut' && step.shape.control !== 'stop';
  }

  /** Places in its page where what the region of a slot was too long for goes on. They are executed as often as its beginning. */
  rest({ page, mode }: Slot, { blocks }: Extent): readonly Slot[] {
    const entries = new Set(blocks.map(({ offset }) => offset));
    return blocks.flatMap(({ steps, end }) => {
      const goesOn = steps.at(-1)?.shape.control === 'next' && end >= 0 && end < PAGE_SIZE && !entries.has(end) && !this.#isCold(page, end);
      return goesOn && this.#begins(page, end) ? this.#slots.at(page, end, mode) : [];
    });
  }

  /** Decodes again what a region is made of; whether it could be: others may be in the place of its instructions. */
  restore(slot: Slot, { blocks, other }: Extent): boolean {
    return blocks.every(({ steps }) => steps.every(({ offset, length, record, instruction }) => {
      const { page, offset: within } = placeOf(slot, other, offset) as Place;
      if (within + length > PAGE_SIZE) {
        this.#host.decodeAcross(page, (placeOf(slot, other, offset + PAGE_SIZE) as Place).page, within, record);
        return true;
      }
      const step = this.#records.read(page, within);
      return step !== undefined && step !== 'cut' && step.instruction === instruction;
    }));
  }
}

/** A step with offsets counted from the region's page. */
const at = (step: Step, offset: number): Step => (step.offset === offset ? step : { ...step, offset, target: step.target + offset - step.offset });
