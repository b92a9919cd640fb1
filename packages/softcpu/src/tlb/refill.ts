/**
 * The first part of the slow path of a data access, in WebAssembly: what missed the delta TLB only for its alignment, or is in
 * the second-level TLB, is answered here, and JavaScript is not asked. Nor is it of values in two pages, if both are there, and of what page tables
 * have where walks are defined for the instruction set.
 */
import {
  ACCESS_EXACT, ACCESS_SIZE, ACCESS_STORE, ACCESS_UPDATE, ENGINE, LOCAL_LOGS, MOST_STORES, PAGE_SIZE, SECOND_ENTRY_SIZE, SECOND_WAYS, recordShift, tlbLogCapacity,
} from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { BlockEmitter, lower } from '../ir/block.ts';
import { i32, i64, local, select } from '../ir/expr.ts';
import type { I32, I64 } from '../ir/expr.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';
import type { Code } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module.ts';
import { GLOBAL, secondSet } from './second.ts';
import { generateWalk } from './walk.ts';

/** Export of the interpreter: `(address, value, mode) → place in linear memory, 0 if JavaScript must be asked`. */
export const REFILL = 'refill';
export const REFILL_PARAMS = ['i64', 'i64', 'i32'] as const;

export function generateRefill(module: ModuleBuilder, isa: Isa, layout: Layout): number {
  const within = generateWithin(module, isa, layout);
  const walk = isa.walk === undefined ? undefined : generateWalk(module, isa, layout, isa.walk);
  const { index, code } = module.func(REFILL, REFILL_PARAMS, ['i32']);
  const b = new BlockEmitter(code, layout.state, new Map());
  const address = local('i64', 0);
  const mode = local('i32', 2);
  const size = i32.and(mode, i32.const(ACCESS_SIZE));
  const offset = i32.and(i32.wrap_i64(address), i32.const(PAGE_SIZE - 1));
  b.if(i32.gt_u(i32.add(offset, size), i32.const(PAGE_SIZE)), () => {
    for (const parameter of REFILL_PARAMS.keys()) code.get(parameter);
    code.returnCall(generateAcross(module, isa, layout, within));
  }, undefined, false);
  const ask = (callee: number): I32 => {
    code.get(0);
    code.get(2);
    code.call(callee);
    const answer = code.local('i32');
    code.set(answer);
    return local('i32', answer);
  };
  const leaveWith = (place: I32): void => {
    lower(code, place);
    code.return();
  };
  if (walk !== undefined) {
    const place = ask(within);
    b.if(place, () => leaveWith(place));
    b.if(i32.eqz(ask(walk)), () => leaveWith(i32.const(0)));
  }
  code.get(0);
  code.get(2);
  code.returnCall(within);
  code.end();
  return index;
}

/** `(address, value, mode)`: the same of a value in two pages. What is loaded is put together in the scratch words; what is stored, stored. */
function generateAcross(module: ModuleBuilder, isa: Isa, layout: Layout, within: number): number {
  const { index, code } = module.func('across', REFILL_PARAMS, ['i32']);
  const b = new BlockEmitter(code, layout.state, new Map());
  const address = local('i64', 0);
  const value = local('i64', 1);
  const mode = local('i32', 2);
  const giveUpIf = (condition: I32): void => b.if(condition, () => {
    code.i32(0);
    code.return();
  });
  const { aligned } = isa.state;
  const asked = layout.strict ? i32.const(1) : aligned === undefined ? i32.const(0) : b.state('i32.load', aligned);
  const size = b.let(i32.and(mode, i32.const(ACCESS_SIZE)));
  giveUpIf(i32.or(i32.gt_u(size, i32.const(8)), i32.ne(i32.or(i32.and(mode, i32.const(ACCESS_EXACT)), asked), i32.const(0))));
  const placeOf = (at: I64, count: I32): I32 => {
    lower(code, at);
    lower(code, i32.or(i32.and(mode, i32.const(~ACCESS_SIZE)), count));
    code.call(within);
    const place = code.local('i32');
    code.set(place);
    giveUpIf(i32.eqz(local('i32', place)));
    return local('i32', place);
  };
  const next = b.let(i64.add(i64.and(address, i64.const(-PAGE_SIZE)), i64.const(PAGE_SIZE)));
  const bytes = b.let(i32.wrap_i64(i64.sub(next, address)));
  const first = placeOf(address, bytes);
  const second = placeOf(next, i32.sub(size, bytes));
  const scratch = layout.engine + ENGINE.scratch;
  b.if(i32.and(mode, i32.const(ACCESS_STORE)), () => {
    const i = b.variable(i32.const(0));
    b.loop((again) => {
      const place = select(i32.lt_u(i.get, bytes), i32.add(first, i.get), i32.add(second, i32.sub(i.get, bytes)));
      b.write('i64.store8', place, i64.shr_u(value, i64.extend_i32_u(i32.shl(i.get, i32.const(3)))));
      b.assign(i, i32.add(i.get, i32.const(1)));
      again(i32.lt_u(i.get, size));
    });
  }, () => {
    // The last bytes of the one page, and the first of the other.
    const bits = b.let(i64.extend_i32_u(i32.shl(bytes, i32.const(3))));
    const low = i64.shr_u(b.read('i64.load', i32.sub(i32.add(first, bytes), i32.const(8))), i64.sub(i64.const(64), bits));
    b.write('i64.store', i32.const(0), i64.or(low, i64.shl(b.read('i64.load', second), bits)), scratch);
  });
  code.i32(scratch);
  code.end();
  return index;
}

/** `(records, offset, size)`: whether no decoded instruction, in these records or those of the page before, has bytes that are stored to. */
function generateBesides(module: ModuleBuilder, isa: Isa): number {
  const { index, code } = module.func('besides', ['i32', 'i32', 'i32'], ['i32']);
  const b = new BlockEmitter(code, 0, new Map());
  const records = local('i32', 0);
  const offset = local('i32', 1);
  const end = i32.add(offset, local('i32', 2));
  const touches = (condition: I32): void => b.if(condition, () => {
    code.i32(0);
    code.return();
  });
  const before = isa.maxLength - isa.unit;
  touches(i32.or(i32.lt_u(offset, i32.const(before)), i32.gt_u(end, i32.const(PAGE_SIZE - before))));
  const recordAt = (at: I32): I32 => i32.add(records, i32.shl(i32.and(at, i32.const(-isa.unit)), i32.const(recordShift(isa))));
  const last = b.let(recordAt(i32.sub(end, i32.const(1))));
  const record = b.variable(recordAt(i32.sub(offset, i32.const(before))));
  b.loop((again) => {
    touches(b.read('i32.load16_u', record.get));
    b.assign(record, i32.add(record.get, i32.const(isa.records.place)));
    again(i32.le_u(record.get, last));
  });
  code.i32(1);
  code.end();
  return index;
}

/** `(address, mode)`: the same of what lies in one page. */
function generateWithin(module: ModuleBuilder, isa: Isa, layout: Layout): number {
  const besides = generateBesides(module, isa);
  const { index, code } = module.func('within', ['i64', 'i32'], ['i32']);
  const b = new BlockEmitter(code, layout.state, new Map());
  const address = local('i64', 0);
  const mode = local('i32', 1);
  const { windowBits: w } = layout;
  const giveUpIf = (condition: I32): void => b.if(condition, () => {
    code.i32(0);
    code.return();
  });
  const answer = (place: I32): void => {
    lower(code, place);
    code.return();
  };

  const size = b.let(i32.and(mode, i32.const(ACCESS_SIZE)));
  const offset = b.let(i32.and(i32.wrap_i64(address), i32.const(PAGE_SIZE - 1)));
  const misaligned = i32.ne(i32.and(offset, i32.sub(size, i32.const(1))), i32.const(0));
  const { aligned } = isa.state;
  const asked = layout.strict ? i32.const(1) : aligned === undefined ? i32.const(0) : b.state('i32.load', aligned);
  const exact = i32.and(mode, i32.const(ACCESS_EXACT));
  giveUpIf(i32.and(misaligned, i32.ne(i32.or(exact, asked), i32.const(0))));

  const write = b.let(i32.and(i32.shr_u(mode, i32.const(Math.log2(ACCESS_STORE))), i32.const(1)));
  const update = b.let(i32.and(i32.shr_u(mode, i32.const(Math.log2(ACCESS_UPDATE))), i32.const(1)));
  const mmu = b.let(b.state('i32.load', isa.state.mmuIdx));
  const table = b.let(i32.add(i32.mul(write, i32.const(MMU_MODES)), mmu));
  const slots = 2 ** (w - 11);
  const number = b.let(i64.shr_u(address, i64.const(12)));
  const slot = b.let(i32.and(i32.wrap_i64(number), i32.const(slots - 1)));
  const at = b.let(i32.add(i32.shl(table, i32.const(w - 8)), i32.shl(slot, i32.const(3))));
  const entry = b.let(b.read('i64.load', at, layout.tlb));
  const host = b.let(i64.add(address, entry));
  // What will be stored to must be writable, which the table of reads does not say.
  const inside = i64.eqz(i64.and(host, i64.const(-(2n ** BigInt(w)))));
  b.if(i32.and(inside, i32.eqz(update)), () => answer(i32.wrap_i64(host)));

  const guest = b.let(i64.and(address, i64.const(-PAGE_SIZE)));
  const tagged = (tags: number): I64 => b.let(i64.or(guest, i64.extend_i32_u(b.read('i32.load', i32.shl(mmu, i32.const(2)), layout.engine + tags))));
  const own = tagged(ENGINE.dataTags);
  const shared = tagged(ENGINE.globalTags);
  const set = b.let(secondSet(number));
  const found = b.variable(i32.const(0));
  for (let way = 0; way < SECOND_WAYS; way++) {
    const base = layout.second + way * SECOND_ENTRY_SIZE;
    const tag = b.let(b.read('i64.load', set, base));
    b.if(i32.or(i64.eq(tag, own), i64.eq(tag, shared)), () => b.assign(found, b.read('i32.load', set, base + 8)));
  }
  // Permissions are in the order of the kinds of access.
  giveUpIf(i32.eqz(i32.and(i32.shr_u(found.get, i32.or(write, update)), i32.const(1))));
  const page = b.let(i32.and(found.get, i32.const(-PAGE_SIZE)));
  b.if(write, () => {
    const index = b.let(i32.shr_u(page, i32.const(12)));
    const records = b.let(b.read('i32.load', i32.shl(index, i32.const(2)), layout.codePages));
    // Others must hear of every store to code.
    if (!layout.alone) giveUpIf(records);
    else b.if(records, () => {
      const stores = b.let(b.read('i32.load8_u', index, layout.codeStores));
      giveUpIf(i32.eq(stores, i32.const(MOST_STORES)));
      lower(code, records);
      lower(code, offset);
      lower(code, size);
      code.call(besides);
      const apart = code.local('i32');
      code.set(apart);
      giveUpIf(i32.eqz(local('i32', apart)));
      b.write('i32.store8', index, i32.add(stores, i32.const(1)), layout.codeStores);
      answer(i32.add(page, offset));
    }, undefined, false);
  });

  const empty = i64.sub(i64.const(2n ** BigInt(w)), i64.shl(i64.extend_i32_u(slot), i64.const(12)));
  const global = b.let(i32.and(i32.shr_u(found.get, i32.const(Math.log2(GLOBAL))), i32.const(1)));
  const flag = b.let(i32.shr_u(at, i32.const(3)));
  // A slot is in the log of what is not global if such a translation is in it.
  b.if(i32.or(i64.eq(entry, empty), i32.lt_u(global, b.read('i32.load8_u', flag, layout.tlbGlobal))), () => {
    const log = b.let(i32.add(table, select(global, i32.const(0), i32.const(LOCAL_LOGS))));
    const count = b.let(i32.shl(log, i32.const(2)));
    const logged = b.let(b.read('i32.load', count, layout.tlbLogged));
    giveUpIf(i32.eq(logged, i32.const(tlbLogCapacity(w))));
    const place = i32.shl(i32.add(i32.mul(log, i32.const(tlbLogCapacity(w))), logged), i32.const(2));
    b.write('i32.store', place, i32.add(at, i32.const(layout.tlb)), layout.tlbLogs);
    b.write('i32.store', count, i32.add(logged, i32.const(1)), layout.tlbLogged);
  });
  b.write('i64.store', at, i64.sub(i64.extend_i32_u(page), guest), layout.tlb);
  b.write('i32.store8', flag, global, layout.tlbGlobal);
  const refills = layout.engine + ENGINE.refills;
  b.write('i32.store', i32.const(0), i32.add(b.read('i32.load', i32.const(0), refills), i32.const(1)), refills);
  lower(code, i32.add(page, offset));
  code.end();
  return index;
}

/** Returns the answer of `refill`, if there is one, from a function whose parameters begin with `(address, value, mode)`. */
export function emitRefill(code: Code, refill: number): void {
  const place = code.local('i32');
  for (const parameter of REFILL_PARAMS.keys()) code.get(parameter);
  code.call(refill);
  code.tee(place);
  code.if(true);
  code.get(place);
  code.return();
  code.end();
}
