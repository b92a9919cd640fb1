/** What a per-CPU variable in shared memory can hold: integers, booleans, structs and arrays, with their C layout. */
import { axError, ensure } from '@axvisor/axvisor_api/errors';

/** One memory under every integer width. */
export interface Views {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;
  readonly i8: Int8Array;
  readonly i16: Int16Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
}

/** The views of `buffer`. */
export function viewsOf(buffer: ArrayBufferLike): Views {
  return {
    u8: new Uint8Array(buffer), u16: new Uint16Array(buffer), u32: new Uint32Array(buffer), u64: new BigUint64Array(buffer),
    i8: new Int8Array(buffer), i16: new Int16Array(buffer), i32: new Int32Array(buffer), i64: new BigInt64Array(buffer),
  };
}

/** A type of variables: how values of `T` lie in memory. */
export interface PerCpuType<T> {
  /** Says all of the layout: two types with one signature are the same. E.g. `struct{foo:usize,bar:u8}`. */
  readonly signature: string;
  /** Bytes. */
  readonly size: number;
  /** A power of two. */
  readonly align: number;
  /** @throws {AxError} InvalidInput unless `value` is one of the type's */
  check(value: T): void;
  load(views: Views, address: number): T;
  /** Stores a checked value. */
  store(views: Views, address: number, value: T): void;
}

/** A type that is loaded, stored and exchanged in one step, as all threads see it. */
export interface PrimitiveType<T> extends PerCpuType<T> {
  /** Stores `replacement` if the value is `expected`; returns the value before. */
  compareExchange(views: Views, address: number, expected: T, replacement: T): T;
}

type Narrow = 'u8' | 'u16' | 'u32' | 'i8' | 'i16' | 'i32';
type Wide = 'u64' | 'i64';

function narrow(name: Narrow, bits: 8 | 16 | 32, min: number): PrimitiveType<number> {
  const size = bits / 8;
  const max = min + 2 ** bits - 1;
  return {
    signature: name, size, align: size,
    check: (value) => {
      if (!(Number.isInteger(value) && value >= min && value <= max)) throw axError('InvalidInput', `${value} is not a ${name}`);
    },
    load: (views, address) => Atomics.load(views[name], address / size),
    store: (views, address, value) => void Atomics.store(views[name], address / size, value),
    compareExchange: (views, address, expected, replacement) => Atomics.compareExchange(views[name], address / size, expected, replacement),
  };
}

function wide(name: string, view: Wide, min: bigint): PrimitiveType<bigint> {
  const max = min + (1n << 64n) - 1n;
  return {
    signature: name, size: 8, align: 8,
    check: (value) => {
      if (typeof value !== 'bigint' || value < min || value > max) throw axError('InvalidInput', `${String(value)} is not a ${name}`);
    },
    load: (views, address) => Atomics.load(views[view], address / 8),
    store: (views, address, value) => void Atomics.store(views[view], address / 8, value),
    compareExchange: (views, address, expected, replacement) => Atomics.compareExchange(views[view], address / 8, expected, replacement),
  };
}

const I64_MIN = -(1n << 63n);

export const u8: PrimitiveType<number> = narrow('u8', 8, 0);
export const u16: PrimitiveType<number> = narrow('u16', 16, 0);
export const u32: PrimitiveType<number> = narrow('u32', 32, 0);
export const u64: PrimitiveType<bigint> = wide('u64', 'u64', 0n);
/** An address-sized number: 64 bits. */
export const usize: PrimitiveType<bigint> = wide('usize', 'u64', 0n);
export const i8: PrimitiveType<number> = narrow('i8', 8, -(2 ** 7));
export const i16: PrimitiveType<number> = narrow('i16', 16, -(2 ** 15));
export const i32: PrimitiveType<number> = narrow('i32', 32, -(2 ** 31));
export const i64: PrimitiveType<bigint> = wide('i64', 'i64', I64_MIN);
export const isize: PrimitiveType<bigint> = wide('isize', 'i64', I64_MIN);

/** A byte: 0 is false, anything else is true. */
export const bool: PrimitiveType<boolean> = {
  signature: 'bool', size: 1, align: 1,
  check: (value) => {
    if (typeof value !== 'boolean') throw axError('InvalidInput', `${String(value)} is not a bool`);
  },
  load: (views, address) => u8.load(views, address) !== 0,
  store: (views, address, value) => u8.store(views, address, Number(value)),
  compareExchange: (views, address, expected, replacement) => u8.compareExchange(views, address, Number(expected), Number(replacement)) !== 0,
};

/** The value of a type. */
export type ValueOf<Type> = Type extends PerCpuType<infer T> ? T : never;

/** The value of a struct with these fields. */
export type StructValue<F> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** A struct. */
export interface StructType<F> extends PerCpuType<StructValue<F>> {
  readonly fields: F;
  /** Offset of each field, as a C compiler lays them out. */
  readonly offsets: { readonly [K in keyof F]: number };
}

const up = (n: number, align: number): number => Math.ceil(n / align) * align;

/**
 * A struct: fields in order, each at its natural alignment, the size a multiple of the largest. Fields are loaded and stored
 * one after the other, so another thread can see half of a store.
 *
 * @throws {AxError} InvalidInput if it has no fields
 *
 * ```ts
 * const Stat = struct({ entries: usize, last: u8 });
 * ```
 */
export function struct<const F extends Readonly<Record<keyof F, PerCpuType<unknown>>>>(fields: F): StructType<F> {
  const entries = Object.entries<PerCpuType<unknown>>(fields);
  ensure(entries.length > 0, 'InvalidInput', 'a struct needs a field');
  const offsets: Record<string, number> = {};
  let end = 0;
  for (const [name, type] of entries) {
    offsets[name] = up(end, type.align);
    end = up(end, type.align) + type.size;
  }
  const align = Math.max(...entries.map(([, type]) => type.align));
  const members = entries.map(([name, type]) => ({ name, type, offset: offsets[name] as number }));
  return {
    signature: `struct{${entries.map(([name, type]) => `${name}:${type.signature}`).join()}}`,
    size: up(end, align), align, fields,
    offsets: offsets as { [K in keyof F]: number },
    check: (value) => {
      for (const { name, type } of members) type.check((value as Record<string, unknown>)[name]);
    },
    load: (views, address) =>
      Object.fromEntries(members.map(({ name, type, offset }) => [name, type.load(views, address + offset)])) as StructValue<F>,
    store: (views, address, value) => {
      for (const { name, type, offset } of members) type.store(views, address + offset, (value as Record<string, unknown>)[name]);
    },
  };
}

/** `length` elements of one type. @throws {AxError} InvalidInput unless `length` is a positive integer */
export function array<T>(element: PerCpuType<T>, length: number): PerCpuType<readonly T[]> {
  ensure(Number.isInteger(length) && length > 0, 'InvalidInput', `${length} is not an array length`);
  return {
    signature: `[${element.signature};${length}]`,
    size: element.size * length, align: element.align,
    check: (value) => {
      ensure(value.length === length, 'InvalidInput', `an array of ${value.length} elements is given for one of ${length}`);
      value.forEach((v) => element.check(v));
    },
    load: (views, address) => Array.from({ length }, (_, i) => element.load(views, address + i * element.size)),
    store: (views, address, value) => value.forEach((v, i) => element.store(views, address + i * element.size, v)),
  };
}
