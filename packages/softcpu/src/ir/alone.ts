/**
 * Atomic accesses where nobody else accesses the memory: a load, an operation and a store. What is atomic takes the host's processor as long as twenty
 * others, alone or not.
 */
import type { AtomicOp, MemoryOp } from '../wasm/opcodes.ts';
import type { Block } from './emitter.ts';
import { i32, i64 } from './expr.ts';
import type { Expr } from './expr.ts';

type Word = 'i32' | 'i64';
type Operation = 'add' | 'sub' | 'and' | 'or' | 'xor' | 'xchg' | 'cmpxchg';

/** Type; load, store or read-modify-write; bits, if they are fewer than the type's; the operation. */
const FORM = /^(i32|i64)\.atomic\.(load|store|rmw)(\d*)(?:\.([a-z]+))?(?:_u)?$/;

const operations = { i32, i64 } as const;

/** Evaluated now: what was there, zero-extended; of a store, nothing. `operands` as the instruction takes them after the address. */
export function emitAlone<T extends Word>(b: Block, op: AtomicOp & `${T}.atomic.${string}`, address: Expr<'i32'>, operands: readonly Expr<T>[]): Expr<T> | undefined {
  const [, type, access, bits, operation] = FORM.exec(op) as unknown as readonly [string, T, 'load' | 'store' | 'rmw', string, Operation | undefined];
  const load = (bits === '' ? `${type}.load` : `${type}.load${bits}_u`) as MemoryOp & `${T}.load${string}`;
  const store = `${type}.store${bits}` as MemoryOp & `${T}.store${string}`;
  const [first, second] = operands as readonly [Expr<T>, Expr<T>];
  const at = b.let(address);
  if (access === 'store') {
    b.write(store, at, first);
    return undefined;
  }
  const old = b.let(b.read(load, at));
  if (access === 'load') return old;
  const { eq, ...arithmetic } = operations[type] as unknown as Record<Operation, (x: Expr<T>, y: Expr<T>) => Expr<T>> & { readonly eq: (x: Expr<T>, y: Expr<T>) => Expr<'i32'> };
  if (operation === 'cmpxchg') b.if(eq(old, bits === '' ? first : (i64.and(first as Expr<'i64'>, i64.const(2 ** Number(bits) - 1)) as Expr<T>)), () => b.write(store, at, second));
  else if (operation === 'xchg') b.write(store, at, first);
  else b.write(store, at, arithmetic[operation as Operation](old, first));
  return old;
}
