/** Decoding in WebAssembly, by what `format.ts` describes: most of what a guest executes for the first time is like what others have executed before. */
import { Handler, PAGE_SIZE, recordShift } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { BlockEmitter, lower } from '../ir/block.ts';
import type { Block, Variable } from '../ir/emitter.ts';
import { i32, local, select } from '../ir/expr.ts';
import type { I32 } from '../ir/expr.ts';
import type { Isa } from '../isa.ts';
import type { ModuleBuilder } from '../wasm/module.ts';
import { BLOCK_ENDS, Candidate, KEPT_MULTIPLIER, Kept, Node, PLAN, STEP, rootOf } from './format.ts';
import type { Decoder } from './format.ts';

/**
 * Export of the interpreter: `(text, record, offset) → answer`. Decodes what lies from an offset on in the page whose text is at `text`, into the
 * records from `record` on, to the end of the basic block or what is decoded already: {@link DecodedBlock}.
 */
export const DECODE_BLOCK = 'decode_block';
export type DecodeBlock = (text: number, record: number, offset: number) => number;

/**
 * The offset behind what was decoded, in its lower bits, and above them how many instructions it was; negative if nothing is left to do. If not,
 * JavaScript has to decode the next one.
 */
export const DecodedBlock = { offset: 0x1fff, countShift: 13 } as const;

/** The field of an instruction that a word describes, the field's lowest bit being the lowest. */
function field(word: I32, shifts: I32, signed?: I32): I32 {
  const shifted = i32.shl(word, shifts);
  const right = i32.shr_u(shifts, i32.const(8));
  const unsigned = i32.shr_u(shifted, right);
  return signed === undefined ? unsigned : select(signed, i32.shr_s(shifted, right), unsigned);
}

/** A loop of a body that goes on while what it yields is not 0. */
const repeat = (b: Block, body: () => I32): void => b.loop((again) => again(body()));

const copyRecord = (b: Block, record: I32, from: I32, more: number): void => {
  for (const half of [0, 8]) b.write('i64.store', record, b.read('i64.load', from, more + half), half);
};

/** The plan of an instruction, or 0. */
function findPlan(b: Block, word: I32, root: number): Variable<'i32'> {
  const at = b.variable(i32.const(root));
  repeat(b, () => {
    const chosen = i32.and(i32.shr_u(word, b.read('i32.load', at.get, Node.shift)), b.read('i32.load', at.get, Node.bits));
    b.assign(at, b.read('i32.load', i32.add(at.get, i32.shl(chosen, i32.const(2))), Node.children));
    return i32.gt_s(at.get, i32.const(0));
  });
  const plan = b.variable(i32.const(0));
  b.if(at.get, () => {
    b.assign(at, i32.sub(i32.const(-Candidate.size), at.get));
    repeat(b, () => {
      b.assign(at, i32.add(at.get, i32.const(Candidate.size)));
      return i32.ne(i32.and(word, b.read('i32.load', at.get, Candidate.mask)), b.read('i32.load', at.get, Candidate.match));
    });
    b.assign(plan, b.read('i32.load', at.get, Candidate.plan));
  });
  return plan;
}

/** Writes the record of an instruction that has a plan. @returns the flags */
function followPlan(b: Block, word: I32, record: I32, plan: I32, compute: NonNullable<Decoder['plans']>['compute']): I32 {
  const load = (at: I32, more = 0): I32 => b.read('i32.load', at, more);
  const flags = b.let(load(plan));
  copyRecord(b, record, plan, PLAN.record);
  b.if(i32.and(flags, i32.const(PLAN.bits)), () => b.write('i32.store', record, word, 12));
  const step = b.variable(i32.add(plan, i32.const(PLAN.steps)));
  const end = b.let(i32.add(step.get, i32.mul(i32.shr_u(flags, i32.const(PLAN.countShift)), i32.const(STEP.size))));
  b.if(i32.ne(step.get, end), () =>
    repeat(b, () => {
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
      const target = b.let(i32.add(record, i32.and(what, i32.const(STEP.target))));
      b.write('i32.store', target, i32.add(load(target), value.get));
      b.assign(step, i32.add(step.get, i32.const(STEP.size)));
      return i32.ne(step.get, end);
    }),
  );
  return flags;
}

export function generateDecodeBlock(module: ModuleBuilder, isa: Pick<Isa, 'unit' | 'records'>, decoder: Decoder, layout: Layout): void {
  const { index, code } = module.func(DECODE_BLOCK, ['i32', 'i32', 'i32'], ['i32']);
  module.export(DECODE_BLOCK, 'func', index);
  const b = new BlockEmitter(code, layout.state, new Map());
  const text = local('i32', 0);
  const record = { get: local('i32', 1) };
  const offset = { get: local('i32', 2) };
  const count = b.variable(i32.const(0));
  const { keptBits, isShort, plans } = decoder;

  const complete = code.block();
  const asked = code.block();
  const askIf = (condition: I32): void => {
    lower(code, condition);
    code.brIf(asked, false);
  };
  const next = code.loop();
  let length: I32 = i32.const(4);
  let whole: I32 | undefined;
  if (isShort !== undefined) {
    // It may end in the next page.
    askIf(i32.gt_u(offset.get, i32.const(PAGE_SIZE - 4)));
    whole = b.let(b.read('i32.load', i32.add(text, offset.get)));
    length = b.let(i32.shr_u(i32.const(4), isShort(whole)));
  }
  const word = b.let(whole === undefined ? b.read('i32.load', i32.add(text, offset.get)) : select(i32.eq(length, i32.const(2)), i32.and(whole, i32.const(0xffff)), whole));

  const flags = b.variable(i32.const(0));
  const takeKept = (): void => {
    const hash = i32.shr_u(i32.mul(word, i32.const(KEPT_MULTIPLIER | 0)), i32.const(32 - keptBits));
    const kept = b.let(i32.mul(hash, i32.const(Kept.size)));
    const base = layout.decoder;
    b.assign(flags, b.read('i32.load', kept, base + Kept.flags));
    askIf(i32.or(i32.eqz(flags.get), i32.ne(b.read('i32.load', kept, base + Kept.bits), word)));
    copyRecord(b, record.get, kept, base + Kept.record);
  };
  if (plans === undefined) takeKept();
  else {
    const plan = findPlan(b, word, rootOf(layout.decoder, decoder));
    b.if(plan.get, () => b.assign(flags, followPlan(b, word, record.get, plan.get, plans.compute)), takeKept);
  }

  b.if(i32.and(flags.get, i32.const(PLAN.direct)), () => {
    const distance = b.let(b.read('i32.load', record.get, 8));
    b.if(i32.lt_u(i32.add(offset.get, distance), i32.const(PAGE_SIZE)), () => {
      const back = i32.le_s(distance, i32.const(0));
      b.write('i32.store', record.get, i32.add(b.read('i32.load', record.get), i32.add(i32.const(1), back)));
      b.write('i32.store', record.get, i32.shl(distance, i32.const(recordShift(isa))), 8);
    });
  });
  askIf(i32.eqz(b.read('i32.load8_u', b.read('i32.load16_u', record.get), layout.seen)));
  b.assign(offset, i32.add(offset.get, length));
  b.assign(record, i32.add(record.get, i32.mul(length, i32.const(isa.records.place / isa.unit))));
  b.assign(count, i32.add(count.get, i32.const(1)));
  const ends = i32.or(i32.and(flags.get, i32.const(BLOCK_ENDS)), i32.ge_u(offset.get, i32.const(PAGE_SIZE)));
  lower(code, i32.or(ends, i32.ne(b.read('i32.load16_u', record.get), i32.const(Handler.undecoded))));
  code.brIf(complete);
  code.br(next);
  code.end();
  const answer = i32.or(offset.get, i32.shl(count.get, i32.const(DecodedBlock.countShift)));
  code.end(); // asked
  lower(code, answer);
  code.return();
  code.end(); // complete
  lower(code, i32.sub(i32.const(0), answer));
  code.end();
}
