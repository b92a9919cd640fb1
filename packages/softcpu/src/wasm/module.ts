/**
 * A WebAssembly module under construction: types, imports, functions, tables, memory, globals, exports, element segments,
 * and the custom sections `name` and `metadata.code.branch_hint`. Core specification, section 5.5.
 */
import { ByteWriter } from './bytes.ts';
import { Code } from './code.ts';
import type { Body } from './code.ts';
import { control, valTypeCode } from './opcodes.ts';
import type { ScalarType, ValType } from './opcodes.ts';

/** Limits of a memory (in 64 KiB pages) or a table (in entries). */
export interface Limits {
  readonly min: number;
  readonly max?: number;
  /** Memories only: shared between threads; needs `max`. */
  readonly shared?: boolean;
}

/** What a table holds instead of any functions: functions of one type, all places always. Calls through it test no type. */
export interface Filled {
  /** The type, as {@link ModuleBuilder.type}. */
  readonly type: number;
}

interface Table extends Limits {
  readonly filled?: Filled & { /** Index of the function that is in every place at first. */ readonly by: number };
}

interface Func {
  readonly name: string;
  readonly type: number;
  readonly code: Body;
}

/** `(ref type)`, and what makes one of a function. */
const REF = 0x64;
const REF_FUNC = 0xd2;

const KIND = { func: 0, table: 1, memory: 2, global: 3 } as const;
type Kind = keyof typeof KIND;

const SECTION = { custom: 0, type: 1, import: 2, function: 3, table: 4, global: 6, export: 7, element: 9, code: 10 } as const;

function writeLimits(out: ByteWriter, { min, max, shared }: Limits): void {
  if (shared === true && max === undefined) throw new RangeError('a shared memory needs a maximum');
  out.u8((max === undefined ? 0 : 1) | (shared === true ? 2 : 0));
  out.u32(min);
  if (max !== undefined) out.u32(max);
}

/** Types of tables: references to functions, or to functions of one type which are never null. */
function writeReferences(out: ByteWriter, filled: Filled | undefined): void {
  if (filled === undefined) {
    out.u8(valTypeCode.funcref);
  } else {
    out.u8(REF);
    out.u32(filled.type);
  }
}

function writeFunction(out: ByteWriter, index: number): void {
  out.u8(REF_FUNC);
  out.u32(index);
  out.u8(control.end);
}

function writeConst(out: ByteWriter, type: ScalarType, value: number | bigint): void {
  out.u8(control[`${type}.const`]);
  if (type === 'i64') out.s64(BigInt(value));
  else if (type === 'i32') out.s32(Number(value));
  else out[type](Number(value));
  out.u8(control.end);
}

export class ModuleBuilder {
  readonly #alone: boolean;
  readonly #types = new Map<string, { readonly index: number; readonly params: readonly ValType[]; readonly results: readonly ValType[] }>();
  readonly #imports: { readonly module: string; readonly field: string; readonly write: (out: ByteWriter) => void }[] = [];
  readonly #importNames: string[] = [];
  readonly #funcs: Func[] = [];
  readonly #tables: Table[] = [];
  readonly #globals: { readonly type: ScalarType; readonly mutable: boolean; readonly init: number | bigint }[] = [];
  readonly #exports: { readonly name: string; readonly kind: Kind; readonly index: number }[] = [];
  readonly #elements: { readonly table: number; readonly offset: number; readonly funcs: readonly number[]; readonly filled: Filled | undefined }[] = [];
  #importedTables = 0;
  #importedGlobals = 0;

  /** @param alone - see {@link Code.alone}. */
  constructor(alone = false) {
    this.#alone = alone;
  }

  /** Index of a function type, the same for equal types. */
  type(params: readonly ValType[], results: readonly ValType[]): number {
    const key = `${params.join()}>${results.join()}`;
    let type = this.#types.get(key);
    if (type === undefined) this.#types.set(key, (type = { index: this.#types.size, params, results }));
    return type.index;
  }

  /** Function index of an import. All imports come before the first function. */
  importFunc(module: string, field: string, params: readonly ValType[], results: readonly ValType[]): number {
    if (this.#funcs.length > 0) throw new RangeError(`import ${module}.${field} after the first function`);
    const type = this.type(params, results);
    this.#imports.push({ module, field, write: (out) => (out.u8(KIND.func), out.u32(type)) });
    return this.#importNames.push(field) - 1;
  }

  importMemory(module: string, field: string, limits: Limits): void {
    this.#imports.push({ module, field, write: (out) => (out.u8(KIND.memory), writeLimits(out, limits)) });
  }

  /** Table index of an imported table of function references. */
  importTable(module: string, field: string, limits: Limits, filled?: Filled): number {
    this.#imports.push({ module, field, write: (out) => (out.u8(KIND.table), writeReferences(out, filled), writeLimits(out, limits)) });
    return this.#importedTables++;
  }

  importGlobal(module: string, field: string, type: ScalarType, mutable: boolean): number {
    this.#imports.push({ module, field, write: (out) => (out.u8(KIND.global), out.u8(valTypeCode[type]), out.u8(mutable ? 1 : 0)) });
    return this.#importedGlobals++;
  }

  /** Declares a function; its body is written into the `code` returned, which must end with its own `end`. */
  func(name: string, params: readonly ValType[], results: readonly ValType[]): { readonly index: number; readonly code: Code } {
    const code = new Code(params, this.#alone);
    return { index: this.add(name, params, results, code), code };
  }

  /** Declares a function whose body was written. @returns its index */
  add(name: string, params: readonly ValType[], results: readonly ValType[], code: Body): number {
    return this.#importNames.length + this.#funcs.push({ name, type: this.type(params, results), code }) - 1;
  }

  /** Table index of a table of function references. */
  table(table: Table): number {
    return this.#importedTables + this.#tables.push(table) - 1;
  }

  global(type: ScalarType, mutable: boolean, init: number | bigint): number {
    return this.#importedGlobals + this.#globals.push({ type, mutable, init }) - 1;
  }

  export(name: string, kind: Kind, index: number): void {
    this.#exports.push({ name, kind, index });
  }

  /** Active element segment: puts functions into a table, {@link Filled} or not, from `offset` on. */
  element(table: number, offset: number, funcs: readonly number[], filled?: Filled): void {
    this.#elements.push({ table, offset, funcs, filled });
  }

  build(): Uint8Array<ArrayBuffer> {
    const size = this.#funcs.reduce((sum, { code }) => sum + code.out.length, 0);
    const out = new ByteWriter(size + 4096);
    out.raw(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const section = (id: number, body: ByteWriter): void => {
      out.u8(id);
      out.u32(body.length);
      out.raw(body.view());
    };
    /** A section that is a vector of `items`; omitted when empty. */
    const vector = <T>(id: number, items: readonly T[], write: (body: ByteWriter, item: T) => void): void => {
      if (items.length === 0) return;
      const body = new ByteWriter(128);
      body.u32(items.length);
      for (const item of items) write(body, item);
      section(id, body);
    };
    const valTypes = (body: ByteWriter, types: readonly ValType[]): void => {
      body.u32(types.length);
      for (const type of types) body.u8(valTypeCode[type]);
    };

    vector(SECTION.type, [...this.#types.values()], (body, { params, results }) => {
      body.u8(0x60);
      valTypes(body, params);
      valTypes(body, results);
    });
    vector(SECTION.import, this.#imports, (body, { module, field, write }) => {
      body.name(module);
      body.name(field);
      write(body);
    });
    vector(SECTION.function, this.#funcs, (body, func) => body.u32(func.type));
    vector(SECTION.table, this.#tables, (body, { filled, ...limits }) => {
      if (filled !== undefined) {
        body.u8(0x40);
        body.u8(0);
      }
      writeReferences(body, filled);
      writeLimits(body, limits);
      if (filled !== undefined) writeFunction(body, filled.by);
    });
    vector(SECTION.global, this.#globals, (body, { type, mutable, init }) => {
      body.u8(valTypeCode[type]);
      body.u8(mutable ? 1 : 0);
      writeConst(body, type, init);
    });
    vector(SECTION.export, this.#exports, (body, { name, kind, index }) => {
      body.name(name);
      body.u8(KIND[kind]);
      body.u32(index);
    });
    vector(SECTION.element, this.#elements, (body, { table, offset, funcs, filled }) => {
      body.u32(filled === undefined ? 2 : 6); // of function indices, or of expressions
      body.u32(table);
      writeConst(body, 'i32', offset);
      if (filled === undefined) body.u8(0); // element kind: funcref
      else writeReferences(body, filled);
      body.u32(funcs.length);
      for (const func of funcs) {
        if (filled === undefined) body.u32(func);
        else writeFunction(body, func);
      }
    });

    // Bodies first: a branch hint counts from the local declarations, whose size is known only then.
    const bodies = new ByteWriter(size + 64 * this.#funcs.length);
    const hinted: { readonly index: number; readonly declarations: number; readonly code: Body }[] = [];
    bodies.u32(this.#funcs.length);
    this.#funcs.forEach(({ code }, i) => {
      const locals = new ByteWriter(32);
      code.encodeLocals(locals);
      bodies.u32(locals.length + code.out.length);
      bodies.raw(locals.view());
      bodies.raw(code.out.view());
      if (code.hints.length > 0) hinted.push({ index: this.#importNames.length + i, declarations: locals.length, code });
    });
    if (hinted.length > 0) {
      const body = new ByteWriter(256);
      body.name('metadata.code.branch_hint');
      body.u32(hinted.length);
      for (const { index, declarations, code } of hinted) {
        body.u32(index);
        body.u32(code.hints.length);
        for (const { at, taken } of code.hints) {
          body.u32(declarations + at);
          body.u32(1);
          body.u8(taken ? 1 : 0);
        }
      }
      section(SECTION.custom, body);
    }
    if (this.#funcs.length > 0) section(SECTION.code, bodies);

    const names = [...this.#importNames, ...this.#funcs.map(({ name }) => name)];
    if (names.length > 0) {
      const map = new ByteWriter();
      map.u32(names.length);
      names.forEach((name, index) => {
        map.u32(index);
        map.name(name);
      });
      const body = new ByteWriter();
      body.name('name');
      body.u8(1); // subsection: function names
      body.u32(map.length);
      body.raw(map.view());
      section(SECTION.custom, body);
    }
    return out.view().slice();
  }
}
