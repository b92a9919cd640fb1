/** Constant folding against the machine: an expression over constants, folded, equals the same expression over variables, executed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockEmitter, lower } from '../../src/ir/block.ts';
import { i32, i64, local, read, select } from '../../src/ir/expr.ts';
import type { Expr, I32, I64 } from '../../src/ir/expr.ts';
import { folds } from '../../src/ir/fold.ts';
import { LOADS, MASKED_LOADS } from '../../src/ir/loads.ts';
import { numeric } from '../../src/wasm/opcodes.ts';
import type { NumericOp } from '../../src/wasm/opcodes.ts';
import { wasm } from '../../src/wasm/api.ts';
import { ModuleBuilder } from '../../src/wasm/module.ts';

type Builders = Readonly<Record<string, (...operands: Expr[]) => Expr>>;
const builders = { i32, i64 } as unknown as Record<'i32' | 'i64', Builders>;
const names = [...folds.keys()];

/** What an expression is, apart from where its leaves come from. */
type Tree =
  | { readonly kind: 'leaf'; readonly type: 'i32' | 'i64'; readonly variable: number }
  | { readonly kind: 'constant'; readonly type: 'i32' | 'i64'; readonly value: bigint }
  | { readonly kind: 'operation'; readonly name: NumericOp; readonly operands: readonly Tree[] }
  | { readonly kind: 'select'; readonly condition: Tree; readonly a: Tree; readonly b: Tree };

/** Values at which shifts, comparisons and carries change their behaviour. */
const edges = [0n, 1n, -1n, 2n, 31n, 32n, 63n, 64n, 0x7fff_ffffn, -0x8000_0000n, 0xffff_ffffn, 2n ** 63n - 1n, -(2n ** 63n), 0x80n, 0x8000n];
const value = fc.oneof(fc.constantFrom(...edges), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

function tree(type: 'i32' | 'i64', depth: number): fc.Arbitrary<Tree> {
  const leaves: fc.Arbitrary<Tree>[] = [
    fc.nat({ max: 1 }).map((variable) => ({ kind: 'leaf', type, variable })),
    value.map((v) => ({ kind: 'constant', type, value: v })),
  ];
  if (depth === 0) return fc.oneof(...leaves);
  const operation = fc
    .constantFrom(...names.filter((name) => numeric[name].result === type))
    .chain((name) =>
      fc.tuple(...Array.from({ length: numeric[name].arity }, () => tree(numeric[name].operand as 'i32' | 'i64', depth - 1))).map(
        (operands): Tree => ({ kind: 'operation', name, operands }),
      ),
    );
  const choice = fc
    .tuple(tree('i32', 0), tree(type, depth - 1), tree(type, depth - 1))
    .map(([condition, a, b]): Tree => ({ kind: 'select', condition, a, b }));
  return fc.oneof({ weight: 1, arbitrary: fc.oneof(...leaves) }, { weight: 6, arbitrary: operation }, { weight: 1, arbitrary: choice });
}

function build(node: Tree, leaf: (type: 'i32' | 'i64', variable: number) => Expr): Expr {
  switch (node.kind) {
    case 'leaf':
      return leaf(node.type, node.variable);
    case 'constant':
      return node.type === 'i32' ? i32.const(Number(BigInt.asIntN(32, node.value))) : i64.const(node.value);
    case 'operation': {
      const builder = builders[node.name.slice(0, 3) as 'i32' | 'i64'][node.name.slice(4)];
      if (builder === undefined) throw new Error(`no builder for ${node.name}`);
      return builder(...node.operands.map((operand) => build(operand, leaf)));
    }
    default:
      return select(build(node.condition, leaf) as I32, build(node.a, leaf), build(node.b, leaf));
  }
}

test('folded constants equal executed variables', () => {
  const root = fc.constantFrom('i32' as const, 'i64' as const).chain((type) => tree(type, 4));
  const typeOf = (node: Tree): 'i32' | 'i64' =>
    node.kind === 'operation' ? (numeric[node.name].result as 'i32' | 'i64') : node.kind === 'select' ? typeOf(node.a) : node.type;
  fc.assert(
    fc.property(fc.array(root, { minLength: 200, maxLength: 200 }), value, value, (trees, x, y) => {
      const module = new ModuleBuilder();
      trees.forEach((node, i) => {
        const { index, code } = module.func(`f${i}`, ['i64', 'i64'], [typeOf(node)]);
        const block = new BlockEmitter(code, 0, new Map());
        const variables = [0, 1].map((n) => ({ i64: local('i64', n), i32: block.let(i32.wrap_i64(local('i64', n))) }));
        lower(code, build(node, (type, variable) => (variables[variable] as { i32: I32; i64: I64 })[type]));
        code.end();
        module.export(`f${i}`, 'func', index);
      });
      const { exports } = new wasm.Instance(new wasm.Module(module.build()));
      trees.forEach((node, i) => {
        const constants = [x, y];
        const folded = build(node, (type, variable) => {
          const v = constants[variable] as bigint;
          return type === 'i32' ? i32.const(Number(BigInt.asIntN(32, v))) : i64.const(v);
        });
        const executed = (exports[`f${i}`] as (x: bigint, y: bigint) => number | bigint)(x, y);
        expect(folded).toEqual(typeOf(node) === 'i32' ? i32.const(executed as number) : i64.const(executed));
      });
    }),
    { numRuns: 15 },
  );
});

test('operands known in part leave no operation behind', () => {
  const x = local('i64', 0);
  const zero = i64.const(0);
  expect([i64.add(x, zero), i64.add(zero, x), i64.shl(x, zero), i64.or(x, zero), i64.and(x, i64.const(-1)), i64.mul(x, i64.const(1))]).toEqual(Array(6).fill(x));
  expect([i64.and(x, zero), i64.and(zero, x)]).toEqual([zero, zero]);
  expect(select(i32.const(0), x, zero)).toBe(zero);
});

test('what is read in part is what is cut out of the whole', () => {
  const memory = new wasm.Memory({ initial: 1 });
  const module = new ModuleBuilder();
  module.importMemory('host', 'memory', { min: 1 });
  const cases = [
    ...[...LOADS].flatMap(([op, loads]) => [...loads.keys()].map((load) => ({ load, cut: (e: Expr): Expr => (builders[op.slice(0, 3) as 'i32' | 'i64'][op.slice(4)] as (e: Expr) => Expr)(e) }))),
    ...[...MASKED_LOADS].flatMap(([mask, loads]) => [...loads.keys()].map((load) => ({ load, cut: (e: Expr): Expr => i64.and(e as I64, i64.const(mask)) }))),
  ];
  cases.forEach(({ load, cut }, i) => {
    const whole = read(load as 'i64.load', i32.const(8), 3);
    expect(cut(whole)).toMatchObject({ kind: 'read', offset: 3 });
    const type = cut(whole).type as 'i32' | 'i64';
    const { index, code } = module.func(`f${i}`, [], [type, type]);
    lower(code, cut(whole));
    lower(code, cut(new BlockEmitter(code, 0, new Map()).let(whole)));
    code.end();
    module.export(`f${i}`, 'func', index);
  });
  const { exports } = new wasm.Instance(new wasm.Module(module.build()), { host: { memory } });
  fc.assert(fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (bytes) => {
    new Uint8Array(memory.buffer).set(bytes, 11);
    for (let i = 0; i < cases.length; i++) {
      const [part, cut] = (exports[`f${i}`] as () => [number | bigint, number | bigint])();
      expect(part).toBe(cut);
    }
  }));
});

test('an operand that is not known stays an operation: division, floating point', () => {
  expect(i32.div_s(i32.const(1), i32.const(0)).kind).toBe('binary');
});
