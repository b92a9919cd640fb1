/**
 * Types of the guest description: each decodes a TOML value, and describes itself as JSON schema. A decoder reports every
 * problem it finds and goes on.
 */
import { type Path, pathText } from './toml/path.ts';
import type { Problems } from './toml/problems.ts';

/** A JSON schema (draft 2020-12). */
export type Schema = { readonly [keyword: string]: unknown };

/** A value of the document and where it is. */
export interface Cursor {
  readonly value: unknown;
  readonly path: Path;
  readonly problems: Problems;
}

/** A type of values. */
export interface Type<T> {
  /** The value, or `undefined` after a problem was reported. */
  decode(at: Cursor): T | undefined;
  readonly schema: Schema;
}

/** A decoded value and where it was. */
export interface Located<T> {
  readonly value: T;
  readonly path: Path;
}

export const child = (at: Cursor, key: string | number, value: unknown): Cursor => ({ value, path: [...at.path, key], problems: at.problems });

function fail(at: Cursor, what: string): undefined {
  at.problems.add(at.path, what);
  return undefined;
}

/** What a value is, for messages. */
function describe(value: unknown): string {
  if (typeof value === 'bigint' || typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return `the string ${JSON.stringify(value)}`;
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return 'a date';
  return 'a table';
}

/** Whether a TOML value is a table. */
export const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

const hex = (n: bigint): string => (n < 10n ? String(n) : `0x${n.toString(16)}`);

const MAX_U64 = (1n << 64n) - 1n;

/** An integer in [min, max], exact to 64 bits. */
export function integer(min: bigint, max: bigint = MAX_U64): Type<bigint> {
  return {
    decode: (at) => {
      if (typeof at.value !== 'bigint') return fail(at, `an integer is expected, not ${describe(at.value)}`);
      return at.value >= min && at.value <= max ? at.value : fail(at, `${at.value} is not from ${hex(min)} to ${hex(max)}`);
    },
    // A bound beyond what a double holds exactly would mislead; the pattern of such numbers is checked on reading.
    schema: { type: 'integer', minimum: Number(min), ...(max > BigInt(Number.MAX_SAFE_INTEGER) ? {} : { maximum: Number(max) }) },
  };
}

/** A 64-bit address. */
export const address: Type<bigint> = integer(0n);

/** A type with its values converted. */
export function map<T, U>(type: Type<T>, f: (value: T) => U): Type<U> {
  return {
    decode: (at) => {
      const value = type.decode(at);
      return value === undefined ? undefined : f(value);
    },
    schema: type.schema,
  };
}

/** A type with a further condition; `complaint` says what is wrong, or `undefined`. */
export function refine<T>(type: Type<T>, complaint: (value: T) => string | undefined): Type<T> {
  return {
    decode: (at) => {
      const value = type.decode(at);
      const what = value === undefined ? undefined : complaint(value);
      return what === undefined ? value : fail(at, what);
    },
    schema: type.schema,
  };
}

/** An integer that fits a JavaScript number. */
export function small(min: number, max: number): Type<number> {
  return map(integer(BigInt(min), BigInt(max)), Number);
}

const UNITS: Readonly<Record<string, bigint>> = { '': 1n, K: 1n << 10n, M: 1n << 20n, G: 1n << 30n, T: 1n << 40n };
const SIZE = /^([0-9]+)([KMGT]?)(?:i?B)?$/i;

/** Bytes: an integer, or a string such as `"256M"` (K, M, G and T are powers of 1024). */
export const bytes: Type<bigint> = {
  decode: (at) => {
    if (typeof at.value !== 'string') return integer(1n).decode(at);
    const [, digits, unit] = SIZE.exec(at.value) ?? [];
    if (digits === undefined) return fail(at, `'${at.value}' is not a size; write a number or e.g. "256M"`);
    return integer(1n).decode({ ...at, value: BigInt(digits) * (UNITS[(unit ?? '').toUpperCase()] as bigint) });
  },
  schema: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'string', pattern: '^[0-9]+[KMGTkmgt]?(i?[Bb])?$' }] },
};

export const text: Type<string> = {
  decode: (at) => (typeof at.value === 'string' ? at.value : fail(at, `a string is expected, not ${describe(at.value)}`)),
  schema: { type: 'string' },
};

/** A string that says something. */
export const nonEmpty: Type<string> = { ...refine(text, (s) => (s.trim() === '' ? 'it is empty' : undefined)), schema: { type: 'string', pattern: '\\S' } };

export const flag: Type<boolean> = {
  decode: (at) => (typeof at.value === 'boolean' ? at.value : fail(at, `true or false is expected, not ${describe(at.value)}`)),
  schema: { type: 'boolean' },
};

/** One of several values, each with its spellings: strings (case does not matter) and integers; the first is the one to write. */
export function choice<T>(what: string, values: readonly (readonly [value: T, ...spellings: (string | number)[]])[]): Type<T> {
  const normal = (s: string): string => s.toLowerCase().replace(/[^a-z0-9]/g, '');
  const all = values.flatMap(([, ...spellings]) => spellings);
  return {
    decode: (at) => {
      const { value } = at;
      const matches = (s: string | number): boolean => (typeof value === 'string' ? typeof s === 'string' && normal(s) === normal(value) : value === (typeof s === 'number' ? BigInt(s) : s));
      const found = values.find(([, ...spellings]) => spellings.some(matches));
      const known = values.map(([, ...spellings]) => spellings.map((s) => (typeof s === 'number' ? hex(BigInt(s)) : `"${s}"`)).join('/')).join(', ');
      return found === undefined ? fail(at, `${describe(value)} is not ${what}; there are ${known}`) : found[0];
    },
    schema: { enum: all },
  };
}

/** An array of one type; elements with problems are left out. */
export function list<T>(item: Type<T>): Type<readonly Located<T>[]> {
  return {
    decode: (at) => {
      if (!Array.isArray(at.value)) return fail(at, `an array is expected, not ${describe(at.value)}`);
      return at.value.flatMap((element: unknown, i) => {
        const cursor = child(at, i, element);
        const value = item.decode(cursor);
        return value === undefined ? [] : [{ value, path: cursor.path }];
      });
    },
    schema: { type: 'array', items: item.schema },
  };
}

/** An array of one type without the places of its elements; `undefined` if one of them has a problem. */
export function plainList<T>(item: Type<T>): Type<readonly T[]> {
  const located = list(item);
  return {
    decode: (at) => {
      const before = at.problems.count;
      const elements = located.decode(at);
      return at.problems.count > before ? undefined : elements?.map((e) => e.value);
    },
    schema: located.schema,
  };
}

/** A field of a record. */
export interface Field<T> {
  readonly type: Type<T>;
  readonly presence: 'required' | 'optional';
  readonly fallback?: T;
  /** For the schema and for generated files. */
  readonly doc: string;
  /** Other names it goes by. */
  readonly aliases?: readonly string[];
}

export type RequiredField<T> = Field<T> & { readonly presence: 'required' };
export type OptionalField<T> = Field<T> & { readonly presence: 'optional' };

/** The fields of a record `T`; those of a type with `undefined` are optional. */
export type FieldsOf<T> = { readonly [K in keyof T]-?: undefined extends T[K] ? OptionalField<Exclude<T[K], undefined>> : RequiredField<T[K]> };

export const needed = <T>(type: Type<T>, doc: string, aliases?: readonly string[]): RequiredField<T> => ({ type, presence: 'required', doc, ...(aliases && { aliases }) });
export const optional = <T>(type: Type<T>, doc: string): OptionalField<T> => ({ type, presence: 'optional', doc });
/** A field with a default. */
export const preset = <T>(type: Type<T>, fallback: NoInfer<T>, doc: string): RequiredField<T> => ({ type, presence: 'required', fallback, doc });

type AnyFields = Readonly<Record<string, Field<unknown>>>;

/** The decoded fields; those with problems are `undefined`. */
export type Partially<T> = { readonly [K in keyof T]: T[K] | undefined };

const isRequired = (f: Field<unknown>): boolean => f.presence === 'required' && f.fallback === undefined;

/** Decodes a table; unknown keys and missing fields are problems. */
export function decodeFields<T>(at: Cursor, fieldsOf: FieldsOf<T>): Partially<T> {
  const fields = fieldsOf as AnyFields;
  const table = isTable(at.value) ? at.value : (fail(at, `a table is expected, not ${describe(at.value)}`), undefined);
  const nameOf = new Map(Object.entries(fields).flatMap(([name, f]) => [name, ...(f.aliases ?? [])].map((n) => [n, name] as const)));
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(table ?? {})) {
    const name = nameOf.get(key);
    if (name === undefined) at.problems.add([...at.path, key], `unknown key${suggestion(key, [...nameOf.keys()])}`);
    else if (name in result) at.problems.add([...at.path, key], `it is the same as ${name}, which is given too`);
    else result[name] = fields[name]?.type.decode(child(at, key, value));
  }
  for (const [name, f] of Object.entries(fields)) {
    if (name in result) continue;
    result[name] = f.fallback;
    if (table !== undefined && isRequired(f)) fail(at, `${pathText([name])} is missing: ${f.doc}`);
  }
  return result as Partially<T>;
}

function fieldsSchema(fields: AnyFields): Schema {
  const names = Object.entries(fields);
  return {
    type: 'object',
    properties: Object.fromEntries(names.flatMap(([name, f]) => [name, ...(f.aliases ?? [])].map((n) => [n, { ...f.type.schema, description: f.doc }] as const))),
    // A field with aliases may go by any of them.
    required: names.filter(([, f]) => isRequired(f) && f.aliases === undefined).map(([name]) => name),
    additionalProperties: false,
  };
}

/** A table of the given fields. */
export function record<T>(fields: FieldsOf<T>): Type<T> {
  return {
    decode: (at) => {
      const before = at.problems.count;
      const value = decodeFields<T>(at, fields);
      return at.problems.count > before ? undefined : (value as T);
    },
    schema: fieldsSchema(fields),
  };
}

/** A record that can also be written as an array of the fields in order, of which the last may be left out if they can. */
export function positional<T>(fieldsOf: FieldsOf<T>): Type<T> {
  const named = record<T>(fieldsOf);
  const fields = fieldsOf as AnyFields;
  const names = Object.keys(fields);
  const least = names.findLastIndex((name) => isRequired(fields[name] as Field<unknown>)) + 1;
  return {
    decode: (at) => {
      if (!Array.isArray(at.value)) return named.decode(at);
      const { value, problems } = at;
      if (value.length < least || value.length > names.length)
        return fail(at, `${least === names.length ? least : `${least} to ${names.length}`} elements are expected (${names.join(', ')}), not ${value.length}`);
      const before = problems.count;
      const entries = names.map((name, i) => {
        const { type, fallback } = fields[name] as Field<unknown>;
        return [name, i < value.length ? type.decode(child(at, i, value[i])) : fallback] as const;
      });
      return problems.count > before ? undefined : (Object.fromEntries(entries) as T);
    },
    schema: {
      anyOf: [
        named.schema,
        { type: 'array', prefixItems: names.map((name) => ({ ...(fields[name] as Field<unknown>).type.schema, description: `${name}: ${fields[name]?.doc}` })), minItems: least, items: false },
      ],
    },
  };
}

/** A table whose keys are names of their own. */
export function named<T>(item: Type<T>): Type<readonly (Located<T> & { readonly name: string })[]> {
  return {
    decode: (at) => {
      if (!isTable(at.value)) return fail(at, `a table is expected, not ${describe(at.value)}`);
      return Object.entries(at.value).flatMap(([name, v]) => {
        const cursor = child(at, name, v);
        if (name.trim() === '') at.problems.add(cursor.path, 'its name is empty');
        const value = item.decode(cursor);
        return value === undefined ? [] : [{ name, value, path: cursor.path }];
      });
    },
    schema: { type: 'object', additionalProperties: item.schema },
  };
}

/** Any values but dates; integers become numbers where that is exact. */
export const options: Type<Readonly<Record<string, unknown>>> = {
  decode: (at) => {
    if (!isTable(at.value)) return fail(at, `a table is expected, not ${describe(at.value)}`);
    const before = at.problems.count;
    const value = plain(at) as Record<string, unknown>;
    return at.problems.count > before ? undefined : value;
  },
  schema: { type: 'object' },
};

function plain(at: Cursor): unknown {
  const { value } = at;
  if (typeof value === 'bigint') return BigInt.asIntN(54, value) === value ? Number(value) : value;
  if (Array.isArray(value)) return value.map((v: unknown, i) => plain(child(at, i, v)));
  if (value instanceof Date) return fail(at, 'a date means nothing here');
  if (isTable(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(child(at, k, v))]));
  return value;
}

/** ` (did you mean …?)` if one of `known` is at most two typing errors away. */
function suggestion(key: string, known: readonly string[]): string {
  const [best] = known.map((k) => ({ k, d: distance(key, k) })).toSorted((a, b) => a.d - b.d);
  return best !== undefined && best.d <= 2 ? `; did you mean ${best.k}?` : `; there are ${known.join(', ')}`;
}

/** Levenshtein's distance. Long keys count as far: nobody means them, and time must not grow with what a file contains. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] as number;
}
