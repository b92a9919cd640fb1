/**
 * Code of one region: its flow graph as structured control from the dominator tree (Ramsey, "Beyond Relooper", 2022).
 *
 * Steps are taken off the budget where ways meet: at such a point (a checkpoint) the region is left unless the longest way
 * to the next ones is affordable, so that a run ends after exactly the steps it was given.
 */
import type { Layout } from '../interp/layout.ts';
import { lower } from '../ir/block.ts';
import { i32, i64, local } from '../ir/expr.ts';
import type { I64 } from '../ir/expr.ts';
import type { Isa } from '../isa.ts';
import type { Code, Label } from '../wasm/code.ts';
import { isCrossing, isKnown, shapesIn } from './discover.ts';
import type { Block, OtherPage, Step } from './discover.ts';
import { RegionEmitter } from './emitter.ts';
import type { RegionRuntime } from './emitter.ts';
import { analyzeFlow } from './flow.ts';
import type { Flow } from './flow.ts';
import { NOTHING_KNOWN } from './held.ts';
import type { Known } from './held.ts';
import { planRegisters } from './registers.ts';
import type { ReadField } from './registers.ts';

/** Steps of a loop that is repeated in a row: 48 divided by its own, at most 4 times. One check and one branch back serve them all. */
const UNROLLED_STEPS = 48;
const MAX_COPIES = 4;

/** Places that a computed jump may lead to which are compared with its target one by one; more are divided by bits of the address first. */
const COMPARED = 3;

/** Divides offsets by the bits from `shift` on, so that few are alike in these. */
function divide(offsets: readonly number[]): { readonly shift: number; readonly groups: readonly (readonly number[])[] } {
  const count = 2 ** Math.ceil(Math.log2(2 * offsets.length));
  const by = (shift: number): number[][] => {
    const groups = Array.from({ length: count }, (): number[] => []);
    for (const offset of offsets) (groups[(offset >>> shift) & (count - 1)] as number[]).push(offset);
    return groups;
  };
  const cost = (groups: readonly (readonly number[])[]): number => groups.reduce((sum, { length }) => sum + length * length, 0);
  const ways = Array.from({ length: 12 - Math.log2(count) + 1 }, (_, shift) => ({ shift, groups: by(shift) }));
  return ways.reduce((best, way) => (cost(way.groups) < cost(best.groups) ? way : best));
}

/** A region to be generated. */
export interface RegionSource {
  readonly other: OtherPage | undefined;
  /** Values of the ISA's assumptions, in order. */
  readonly assumed: readonly number[];
  readonly blocks: readonly Block[];
  readonly mode: number;
  /** Accesses ask for the places that the TLB has not; else the region is left at them. */
  readonly asks: boolean;
  readonly field: ReadField;
  /** Symbol of the constant that a field of a record holds, -1 if it holds a value. */
  readonly constant: ReadField;
  /** Symbol of the number of the region that begins at an offset of its pages, in a mode; -1 where tier 0 must go on. */
  readonly link: (offset: number, mode: number) => number;
}

/** By block: the blocks it leads to. */
export function successorsOf(blocks: readonly Block[]): number[][] {
  const blockAt = new Map<number, number>();
  for (let i = 0; i < blocks.length; i++) blockAt.set((blocks[i] as Block).offset, i);
  return blocks.map(({ targets }) => {
    const inside: number[] = [];
    for (const offset of targets) {
      const to = blockAt.get(offset);
      if (to !== undefined) inside.push(to);
    }
    return inside;
  });
}

export class RegionGenerator {
  readonly #source: RegionSource;
  readonly #code: Code;
  readonly #flow: Flow;
  readonly #emitter: RegionEmitter;
  readonly #blockAt: ReadonlyMap<number, number>;
  /** Successors within the region, without those that were cut. */
  readonly #inside: readonly (readonly number[])[];
  readonly #dirty: readonly Uint8Array[];
  readonly #labels = new Map<number, Label>();
  readonly #loops = new Map<number, Label>();
  /** By block: how often the loop it heads is repeated in a row. */
  readonly #copies: readonly number[];
  /** By header of a loop that is repeated: its blocks. */
  readonly #repeated = new Map<number, ReadonlySet<number>>();
  /** By loop header: repetitions that are still to be emitted. */
  readonly #left: number[];
  /** Local: where a computed jump leads. */
  #target: number | undefined;

  constructor(code: Code, isa: Isa, layout: Layout, runtime: RegionRuntime, source: RegionSource) {
    const { assumed, blocks, mode, asks, field, constant, other } = source;
    this.#source = source;
    this.#code = code;
    this.#blockAt = new Map(blocks.map(({ offset }, i) => [offset, i]));
    const successors = successorsOf(blocks);
    this.#flow = analyzeFlow(successors);
    this.#inside = successors.map((list, from) => list.filter((to) => !this.#flow.isCut(from, to)));
    this.#copies = blocks.map((_, block) => this.#copiesOf(block));
    this.#left = [...this.#copies];
    const plan = planRegisters(isa, field, blocks, this.#flow.order, this.#inside, (block) => this.#isCheckpoint(block));
    this.#dirty = plan.dirty;
    this.#emitter = new RegionEmitter(code, runtime, { mode, asks, entry: (blocks[0] as Block).offset, other }, {
      isa, layout, field, constant, plan, assumed: new Map(isa.assumptions?.map(({ offset }, i) => [offset, assumed[i] as number])),
    });
  }

  /** Writes the function. */
  generate(): void {
    const words = new Set<number>();
    for (const shape of shapesIn(this.#source.blocks)) for (const word of shape.words) words.add(word);
    this.#emitter.enter(words);
    this.#tree(0, 0);
    this.#code.unreachable();
    this.#emitter.finish();
    this.#code.end();
  }

  #isCheckpoint(block: number): boolean {
    return block === 0 || this.#flow.isMerge[block] === true || this.#flow.isHeader[block] === true;
  }

  /**
   * Loops without inner joins are repeated in a row if they are short: of several with one header, which an inner and an outer loop have where the
   * region begins with it, the shortest. Ways out of them lead to one place for all copies.
   */
  #copiesOf(header: number): number {
    const flow = this.#flow;
    if (flow.backEdges[header] === 0) return 1;
    const cycle = this.#cycle(header, header);
    const steps = this.#steps(cycle);
    const copies = steps === 0 ? 1 : Math.min(MAX_COPIES, Math.floor(UNROLLED_STEPS / steps));
    if (copies < 2) return 1;
    this.#repeated.set(header, new Set(cycle));
    for (const block of cycle) {
      for (const to of this.#inside[block] as readonly number[]) {
        const outside = !cycle.includes(to) && (flow.rank[to] as number) > (flow.rank[header] as number);
        // A merge point that something outside the loop dominates has its place there.
        if (outside && cycle.includes(flow.idom[to] as number)) flow.join(to, header);
      }
      // What several ways out lead to comes behind them.
      for (const merge of [...(flow.merges[block] as readonly number[])]) flow.join(merge, header);
    }
    return copies;
  }

  #steps(blocks: readonly number[]): number {
    return blocks.reduce((sum, block) => sum + (this.#source.blocks[block] as Block).steps.length, 0);
  }

  /** Blocks of the shortest way from `block` back to a loop header that passes no checkpoint; empty if there is none. */
  #cycle(block: number, header: number): readonly number[] {
    let shortest: readonly number[] = [];
    for (const to of this.#inside[block] as readonly number[]) {
      if (to === header) return [block];
      if (this.#isCheckpoint(to)) continue;
      const rest = this.#cycle(to, header);
      if (rest.length > 0 && (shortest.length === 0 || this.#steps(rest) < this.#steps(shortest))) shortest = rest;
    }
    return shortest.length === 0 ? [] : [block, ...shortest];
  }

  /** Steps of the longest way from a block to the next checkpoints, of a repeated loop through all its copies. */
  #longestInCopies(block: number): number {
    return (this.#copies[block] as number) * this.#longest(block);
  }

  #longest(block: number): number {
    const ways = (this.#inside[block] as readonly number[]).filter((to) => !this.#isCheckpoint(to)).map((to) => this.#longest(to));
    return (this.#source.blocks[block] as Block).steps.length + Math.max(0, ...ways);
  }

  /** A block and all that it dominates. */
  #tree(block: number, spent: number): void {
    const header = this.#flow.isHeader[block] === true;
    if (header) this.#loops.set(block, this.#code.loop());
    this.#within(block, 0, spent);
    this.#left[block] = this.#copies[block] as number;
    if (header) this.#code.end();
  }

  /** The block, enclosed by WebAssembly blocks behind whose ends the merge points follow that it dominates. */
  #within(block: number, merge: number, spent: number): void {
    const behind = (this.#flow.merges[block] as readonly number[])[merge];
    if (behind === undefined) {
      this.#block(block, spent);
      return;
    }
    this.#labels.set(behind, this.#code.block());
    this.#within(block, merge + 1, spent);
    this.#code.end();
    this.#tree(behind, 0);
  }

  #block(index: number, spent: number, again = false): void {
    const emitter = this.#emitter;
    const { steps, offset, targets } = this.#source.blocks[index] as Block;
    emitter.at(this.#dirty[index] as Uint8Array, spent, this.#isCheckpoint(index) && !again ? NOTHING_KNOWN : emitter.known);
    if (this.#isCheckpoint(index) && !again) emitter.check(offset, this.#longestInCopies(index));
    emitter.repeated = 0;
    for (const [header, cycle] of this.#repeated) if (cycle.has(index)) emitter.repeated = Math.max(emitter.repeated, (this.#left[header] as number) - 1);
    const end = steps.length - 1;
    for (let i = 0; i < end; i++) {
      emitter.emit(steps[i] as Step, index, i);
      emitter.releaseTemporaries();
    }
    const last = steps[end] as Step;
    emitter.emit(last, index, end);
    const { control } = last.shape;
    if (control === 'jumpTo') {
      this.#jumpTo(index, emitter.destination, spent + steps.length);
      return;
    }
    if (control === 'mode') {
      const { mode, near } = emitter.entered;
      if (near) this.#leave(index, last.offset + last.length, mode);
      else emitter.chainTo(emitter.destination, mode);
      emitter.releaseTemporaries();
      return;
    }
    if (control === 'branch') {
      const { dirty, known } = emitter;
      lower(this.#code, emitter.condition);
      emitter.releaseTemporaries();
      this.#code.if();
      this.#edge(index, targets[1] as number, dirty, known, spent + steps.length);
      this.#code.end();
      this.#edge(index, targets[0] as number, dirty, known, spent + steps.length);
      return;
    }
    emitter.releaseTemporaries();
    this.#edge(index, targets[0] as number, emitter.dirty, emitter.known, spent + steps.length);
  }

  /** A computed jump: within the region where it may lead there, else through the jump cache. */
  #jumpTo(index: number, destination: I64, spent: number): void {
    const emitter = this.#emitter;
    const code = this.#code;
    const { targets } = this.#source.blocks[index] as Block;
    const { dirty, known } = emitter;
    const target = local('i64', this.#target ??= code.local('i64'));
    lower(code, destination);
    code.set(this.#target);
    emitter.releaseTemporaries();
    const otherwise = code.block();
    const goTo = (offset: number): void => {
      emitter.at(dirty, spent, known);
      lower(code, i64.eq(target, emitter.address(offset)));
      code.if();
      this.#edge(index, offset, dirty, known, spent);
      code.end();
    };
    if (targets.length <= COMPARED) {
      targets.forEach(goTo);
    } else {
      const { shift, groups } = divide(targets);
      const labels = groups.map(() => code.block());
      lower(code, i32.and(i32.shr_u(i32.wrap_i64(target), i32.const(shift)), i32.const(groups.length - 1)));
      code.brTable(groups.map((group, i) => (group.length === 0 ? otherwise : (labels[labels.length - 1 - i] as Label))), otherwise);
      for (const group of groups) {
        code.end();
        if (group.length === 0) continue;
        group.forEach(goTo);
        code.br(otherwise);
      }
    }
    code.end();
    emitter.at(dirty, spent, known);
    emitter.chainTo(target);
    emitter.releaseTemporaries();
  }

  #edge(from: number, offset: number, dirty: Uint8Array, known: Known, spent: number): void {
    const emitter = this.#emitter;
    const flow = this.#flow;
    emitter.at(dirty, spent, known);
    const to = this.#blockAt.get(offset);
    if (to === undefined || flow.isCut(from, to)) {
      this.#leave(from, offset, this.#source.mode);
      return;
    }
    const { blocks, mode } = this.#source;
    if (isCrossing(blocks[from] as Block, blocks[to] as Block)) emitter.guard(() => this.#leave(from, offset, mode));
    if ((flow.rank[to] as number) <= (flow.rank[from] as number)) {
      this.#backTo(to, spent, this.#repeated.get(to)?.has(from) === true);
    } else if (flow.isMerge[to] === true) {
      emitter.settle();
      this.#code.br(this.#labels.get(to) as Label);
    } else if (flow.isHeader[to] === true) {
      emitter.settle();
      this.#tree(to, 0);
    } else {
      this.#tree(to, spent);
    }
  }

  /** The next copy of a loop, or back to the first. @param inCopy - from the blocks that are repeated. */
  #backTo(header: number, spent: number, inCopy: boolean): void {
    const left = this.#left[header] as number;
    if (inCopy && left > 1) {
      this.#left[header] = left - 1;
      this.#block(header, spent, true);
      this.#left[header] = left;
      return;
    }
    this.#emitter.settle();
    this.#code.br(this.#loops.get(header) as Label);
  }

  #leave(from: number, offset: number, mode: number): void {
    const { blocks, other, link } = this.#source;
    const way = isKnown(blocks[from] as Block, offset, other) ? link(offset, mode) : undefined;
    if (way === undefined) this.#emitter.chainTo(this.#emitter.address(offset), mode);
    else if (way < 0) this.#emitter.leaveAt(offset);
    else this.#emitter.chain(offset, way);
    this.#emitter.releaseTemporaries();
  }
}
