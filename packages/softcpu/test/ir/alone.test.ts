/** Atomic accesses of one that is alone do what WebAssembly's do. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockEmitter, lower } from '../../src/ir/block.ts';
import { local } from '../../src/ir/expr.ts';
import type { Expr } from '../../src/ir/expr.ts';
import { wasm } from '../../src/wasm/api.ts';
import { ModuleBuilder } from '../../src/wasm/module.ts';
import { atomic, typeOf } from '../../src/wasm/opcodes.ts';
import type { AtomicOp } from '../../src/wasm/opcodes.ts';

const ops = (Object.keys(atomic) as AtomicOp[]).filter((op) => !op.startsWith('memory.'));
const LIMITS = { min: 1, max: 1, shared: true };

type Run = (address: number, first: bigint, second: bigint) => bigint;

/** One function for every instruction, and the memory that they access. */
function machine(alone: boolean): { readonly run: ReadonlyMap<AtomicOp, Run>; readonly words: BigUint64Array } {
  const module = new ModuleBuilder(alone);
  module.importMemory('host', 'memory', LIMITS);
  for (const op of ops) {
    const type = typeOf(op) as 'i32' | 'i64';
    const { index, code } = module.func(op, ['i32', type, type], [type]);
    const b = new BlockEmitter(code, 0, new Map());
    const operands = [1, 2].map((i) => local(type, i)) as Expr<typeof type>[];
    if (op.includes('.store')) {
      b.atomicStore(op as AtomicOp & `i64.atomic.store${string}`, local('i32', 0), operands[0] as Expr<'i64'>);
      lower(code, operands[1] as Expr);
    } else {
      const taken = op.includes('.load') ? 0 : op.includes('cmpxchg') ? 2 : 1;
      lower(code, b.atomic(op as AtomicOp & `i64.atomic.${string}`, local('i32', 0), ...(operands.slice(0, taken) as Expr<'i64'>[])));
    }
    code.end();
    module.export(op, 'func', index);
  }
  const memory = new wasm.Memory({ initial: 1, maximum: 1, shared: true });
  const { exports } = new wasm.Instance(new wasm.Module(module.build()), { host: { memory } });
  const run = new Map(
    ops.map((op): [AtomicOp, Run] => {
      const call = exports[op] as (address: number, first: unknown, second: unknown) => bigint | number;
      const narrow = typeOf(op) === 'i32';
      return [op, (address, first, second) => BigInt(narrow ? call(address, Number(first & 0xffff_ffffn), Number(second & 0xffff_ffffn)) : call(address, first, second))];
    }),
  );
  return { run, words: new BigUint64Array(memory.buffer) };
}

test('whatever is there', () => {
  const machines = [machine(false), machine(true)] as const;
  const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  const few = fc.constantFrom(0n, 1n, 0x80n, 0xffn, 0xffffn, 0x1_0000_0000n, (1n << 64n) - 1n);
  fc.assert(
    fc.property(fc.constantFrom(...ops), fc.nat(7), fc.oneof(word, few), fc.oneof(word, few), fc.oneof(word, few), fc.boolean(), (op, place, before, first, second, isThere) => {
      const size = 2 ** atomic[op][1];
      const at = (place * size) % 8;
      const expected = isThere ? (before >> BigInt(8 * at)) & ((1n << BigInt(8 * size)) - 1n) : first;
      const results = machines.map(({ run, words }) => {
        words[0] = before;
        return [(run.get(op) as Run)(at, expected, second), words[0]];
      });
      expect(results[1]).toEqual(results[0]);
    }),
    { numRuns: 3000 },
  );
});
