/**
 * The way from a guest address to its record: a direct-mapped fetch cache in linear memory, looked up inline. It is
 * tagged with the virtual page, address space and fetch mode, so that switching these flushes nothing; on a miss JavaScript
 * translates, fills the entry, or takes the trap. Regions look at it where they go on in another page.
 */
import { BlockEmitter, lower } from '../ir/block.ts';
import { i32, i64, local, read } from '../ir/expr.ts';
import type { I32, I64 } from '../ir/expr.ts';
import type { Isa } from '../isa.ts';
import type { Label } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module.ts';
import { numeric } from '../wasm/opcodes.ts';
import type { Frame, InterpreterEmitter } from './emitter.ts';
import { ENGINE, FETCH_ENTRIES, FETCH_ENTRY_SIZE, FETCH_FOLD, FETCH_PLACES, PAGE_SIZE, STRADDLE_PLACES, STRADDLE_RECORD, Status, TAG_SPACE_SHIFT, recordShift } from './layout.ts';
import type { Layout } from './layout.ts';

const pageNumber = (page: I64): I32 => i32.wrap_i64(i64.shr_u(page, i64.const(Math.log2(PAGE_SIZE))));

/** Offset of the entry of a page of this number within its cache. */
const entryOffset = (number: I32, entries: number): I32 => i32.mul(i32.and(number, i32.const(entries - 1)), i32.const(FETCH_ENTRY_SIZE));

/** Fetch tag of the current mode: what is below the page in the tag of an entry. */
export function fetchTag(e: InterpreterEmitter, isa: Isa, layout: Layout): I32 {
  return e.read('i32.load', i32.shl(e.state('i32.load', isa.state.fetchIdx), i32.const(2)), layout.engine + ENGINE.fetchTags);
}

/** What the number of a page is changed by for the space of a tag to find its entry in a cache: one of so many values. */
const placeOf = (tag: I32, entries: number, places: number): I32 => {
  const space = i32.and(tag, i32.const((places - 1) << TAG_SPACE_SHIFT));
  const shift = Math.log2(entries / places) - TAG_SPACE_SHIFT;
  return shift < 0 ? i32.shr_u(space, i32.const(-shift)) : i32.shl(space, i32.const(shift));
};

/**
 * Place in the fetch cache of the entry of a page, for a fetch tag. Bits above those that choose it are folded in: code that calls code at a
 * distance of a power of two, as parts of a kernel are laid out, would find neither.
 */
const entryOf = (page: I64, tag: I32): I32 =>
  entryOffset(i32.xor(i32.xor(pageNumber(page), i32.shr_u(i32.wrap_i64(page), i32.const(FETCH_FOLD))), placeOf(tag, FETCH_ENTRIES, FETCH_PLACES)), FETCH_ENTRIES);

const isEntryOf = (entry: I32, page: I64, tag: I32, layout: Layout): I32 => i64.eq(read('i64.load', entry, layout.fetchCache), i64.or(page, i64.extend_i32_u(tag)));

/** `has(page, records, mode)`: whether a virtual page is known to have the given records, in a fetch mode. */
export function generateHas(module: ModuleBuilder, layout: Layout): number {
  const { index, code } = module.func('has', ['i64', 'i32', 'i32'], ['i32']);
  const block = new BlockEmitter(code, layout.engine, new Map());
  const page = local('i64', 0);
  const tag = block.let(read('i32.load', i32.shl(local('i32', 2), i32.const(2)), layout.engine + ENGINE.fetchTags));
  const entry = block.let(entryOf(page, tag));
  lower(code, i32.and(isEntryOf(entry, page, tag, layout), i32.eq(read('i32.load', entry, layout.fetchCache + 8), local('i32', 1))));
  code.end();
  return index;
}

/** Ends with `ip` and the origin set for the address in local `target`; a failed fetch changes it to the trap handler's. */
export function emitLookup(e: InterpreterEmitter, isa: Isa, layout: Layout, frame: Frame, target: number, fetch: number, left: Label): void {
  const { code } = e;
  const at = local('i64', target);
  const records = code.local('i32');
  const found = code.block();
  const hit = code.block();
  const retry = code.loop();
  const page = e.let(i64.and(at, i64.const(-PAGE_SIZE)));
  const tag = e.let(fetchTag(e, isa, layout));
  const entry = e.let(entryOf(page, tag));
  lower(code, isEntryOf(entry, page, tag, layout));
  code.brIf(hit, true);
  e.setState('i64.store', isa.state.pc, at);
  e.setState('i32.store', isa.state.budget, local('i32', frame.budget));
  lower(code, i32.eqz(local('i32', frame.budget))); // a trap would take a step
  code.brIf(left);
  code.i32(0);
  code.call(fetch);
  const status = code.local('i32');
  code.tee(status);
  code.i32(Status.leave);
  code.op(numeric['i32.eq']);
  code.brIf(left);
  lower(code, e.state('i32.load', isa.state.budget));
  code.set(frame.budget);
  lower(code, e.state('i64.load', isa.state.pc));
  code.set(target);
  lower(code, i32.ne(local('i32', status), i32.const(Status.alone)));
  code.brIf(retry);
  code.i32(layout.uncachedPage);
  code.set(records);
  code.br(found);
  code.end();
  code.end();
  lower(code, read('i32.load', entry, layout.fetchCache + 8));
  code.set(records);
  code.end();
  e.setOrigin(page, local('i32', records));
  lower(code, i32.add(local('i32', records), i32.shl(i32.wrap_i64(i64.and(at, i64.const(PAGE_SIZE - 1))), i32.const(recordShift(isa)))));
  code.set(frame.ip);
}

/**
 * An instruction of which a part lies in the next page: its record is in a page of records that belongs to an entry of
 * the straddle cache, in the same slot as here. Everywhere else that page holds LOOKUP, so that the instruction's jumps
 * and the one behind it find their way back.
 */
export function emitStraddle(e: InterpreterEmitter, isa: Isa, layout: Layout, frame: Frame, straddle: number): void {
  const { code } = e;
  const pc = e.let(e.pc());
  const page = e.let(i64.and(pc, i64.const(-PAGE_SIZE)));
  const tag = e.let(fetchTag(e, isa, layout));
  const { straddleEntries } = layout;
  const entry = e.let(entryOffset(i32.xor(pageNumber(page), placeOf(tag, straddleEntries, STRADDLE_PLACES)), straddleEntries));
  const distance = e.let(i32.shl(i32.wrap_i64(i64.and(pc, i64.const(PAGE_SIZE - 1))), i32.const(recordShift(isa))));
  const known = i64.eq(read('i64.load', entry, layout.straddleCache), i64.or(page, i64.extend_i32_u(tag)));
  lower(code, i32.and(known, i32.eq(read('i32.load', entry, layout.straddleCache + STRADDLE_RECORD), distance)));
  code.if(true);
  const records = e.let(read('i32.load', entry, layout.straddleCache + 8));
  e.setOrigin(page, records);
  lower(code, i32.add(records, distance));
  code.set(frame.ip);
  code.else();
  e.helper(straddle);
  code.end();
}
