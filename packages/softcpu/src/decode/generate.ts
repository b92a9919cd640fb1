/** Decoding in WebAssembly, by the tables of `tables.ts`: most of what a guest executes for the first time is like what others have executed before. */
import { Handler, PAGE_SIZE, recordShift } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { BlockEmitter, lower } from '../ir/block.ts';
import { i32, local, select } from '../ir/expr.ts';
import type { I32 } from '../ir/expr.ts';
import type { Isa } from '../isa.ts';
import type { ModuleBuilder } from '../wasm/module.ts';
import type { Decoder } from './tables.ts';
import { Candidate, KEPT_BITS, KEPT_MULTIPLIER, Kept, Node, PLAN, SEEN_SIZE, STEP, rootOf } from './tables.ts';

/**
 * Export of the interpreter: `(text, record, offset) → offset`. Decodes what lies from an offset on in the page whose text is at `text`, into the
 * records from `record` on, to the end of the basic block or what is decoded already. Answers minus the offset behind the last instruction, or
 * the offset of an instruction that JavaScript has to decode.
 */
export const DECODE_BLOCK = 'decode_block';
export type DecodeBlock = (text: number, record: number, offset: number) => number;

/** The field of an instruction that a word describes, the field's lowest bit being the lowest. */
function field(word: I32, shifts: I32, signed?: I32): I32 {
  const shifted = i32.shl(word, shifts);
  const right = i32.shr_u(shifts, i32.const(8));
  const unsigned = i32.shr_u(shifted, right);
  return signed === undefined ? unsigned : select(signed, i32.shr_s(shifted, right), unsigned);
}

export function generateDecodeBlock(module: ModuleBuilder, isa: Pick<Isa, 'unit' | 'records'>, { compute }: Decoder, layout: Layout): void {
  const { index, code } = module.func(DECODE_BLOCK, ['i32', 'i32', 'i32'], ['i32']);
  module.export(DECODE_BLOCK, 'func', index);
  const b = new BlockEmitter(code, layout.state, new Map());
  const text = local('i32', 0);
  const record = { get: local('i32', 1) };
  const offset = { get: local('i32', 2) };
  const load = (at: I32, more = 0): I32 => b.read('i32.load', at, more);
  /** A loop `body` that goes on while what it yields is not 0. */
  const repeat = (body: () => I32): void => b.loop((again) => again(body()));

  const complete = code.block();
  const asked = code.block();
  const next = code.loop();
  const word = b.let(load(i32.add(text, offset.get)));

  const at = b.variable(i32.const(rootOf(layout.decoder)));
  repeat(() => {
    const chosen = i32.and(i32.shr_u(word, load(at.get, Node.shift)), load(at.get, Node.bits));
    b.assign(at, load(i32.add(at.get, i32.shl(chosen, i32.const(2))), Node.children));
    return i32.gt_s(at.get, i32.const(0));
  });
  const plan = b.variable(i32.const(0));
  b.if(at.get, () => {
    b.assign(at, i32.sub(i32.const(-Candidate.size), at.get));
    repeat(() => {
      b.assign(at, i32.add(at.get, i32.const(Candidate.size)));
      return i32.ne(i32.and(word, load(at.get, Candidate.mask)), load(at.get, Candidate.match));
    });
    b.assign(plan, load(at.get, Candidate.plan));
  });

  const flags = b.variable(i32.const(0));
  b.if(
    plan.get,
    () => {
      b.assign(flags, load(plan.get));
      for (const half of [0, 8]) b.write('i64.store', record.get, b.read('i64.load', plan.get, PLAN.record + half), half);
      b.if(i32.and(flags.get, i32.const(PLAN.bits)), () => b.write('i32.store', record.get, word, 12));
      const step = b.variable(i32.add(plan.get, i32.const(PLAN.steps)));
      const end = b.let(i32.add(step.get, i32.mul(i32.shr_u(flags.get, i32.const(PLAN.countShift)), i32.const(STEP.size))));
      b.if(i32.ne(step.get, end), () =>
        repeat(() => {
          const what = b.let(load(step.get));
          const bits = b.let(field(word, load(step.get, STEP.field), i32.and(what, i32.const(STEP.signed))));
          const number = b.let(load(step.get, STEP.number));
          const value = b.variable(i32.mul(bits, number));
          b.if(i32.and(what, i32.const(STEP.values)), () => b.assign(value, load(i32.add(number, i32.shl(bits, i32.const(2))))));
          b.if(i32.and(what, i32.const(STEP.times)), () => {
            const by = i32.shl(field(word, load(step.get, STEP.byField)), i32.const(2));
            b.assign(value, i32.mul(value.get, load(i32.add(load(step.get, STEP.byValues), by))));
          });
          b.if(i32.and(what, i32.const(STEP.computed)), () => b.assign(value, compute(b, word, number)), undefined, false);
          const target = b.let(i32.add(record.get, i32.and(what, i32.const(STEP.target))));
          b.write('i32.store', target, i32.add(load(target), value.get));
          b.assign(step, i32.add(step.get, i32.const(STEP.size)));
          return i32.ne(step.get, end);
        }),
      );
    },
    () => {
      const hash = i32.shr_u(i32.mul(word, i32.const(KEPT_MULTIPLIER | 0)), i32.const(32 - KEPT_BITS));
      const kept = b.let(i32.mul(hash, i32.const(Kept.size)));
      const base = layout.decoder + SEEN_SIZE;
      b.assign(flags, load(kept, base + Kept.flags));
      lower(code, i32.or(i32.eqz(flags.get), i32.ne(load(kept, base + Kept.bits), word)));
      code.brIf(asked, false);
      for (const half of [0, 8]) b.write('i64.store', record.get, b.read('i64.load', kept, base + Kept.record + half), half);
    },
  );

  b.if(i32.and(flags.get, i32.const(PLAN.direct)), () => {
    const distance = b.let(load(record.get, 8));
    b.if(i32.lt_u(i32.add(offset.get, distance), i32.const(PAGE_SIZE)), () => {
      const back = i32.le_s(distance, i32.const(0));
      b.write('i32.store', record.get, i32.add(load(record.get), i32.add(i32.const(1), back)));
      b.write('i32.store', record.get, i32.shl(distance, i32.const(recordShift(isa))), 8);
    });
  });
  lower(code, i32.eqz(b.read('i32.load8_u', b.read('i32.load16_u', record.get), layout.decoder)));
  code.brIf(asked, false);
  b.assign(offset, i32.add(offset.get, i32.const(isa.unit)));
  b.assign(record, i32.add(record.get, i32.const(isa.records.place)));
  const ends = i32.or(i32.and(flags.get, i32.const(PLAN.ends)), i32.ge_u(offset.get, i32.const(PAGE_SIZE)));
  lower(code, i32.or(ends, i32.ne(b.read('i32.load16_u', record.get), i32.const(Handler.undecoded))));
  code.brIf(complete);
  code.br(next);
  code.end();
  code.end(); // asked
  lower(code, offset.get);
  code.return();
  code.end(); // complete
  lower(code, i32.sub(i32.const(0), offset.get));
  code.end();
}
