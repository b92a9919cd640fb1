/**
 * The code of one region, as an object file is of a module: it depends on what the region is made of and on nothing that differs from one run to
 * the next, so that it may be kept. Where regions have which numbers, where the records of its other page are, and which functions its module has
 * is put in when it becomes part of one.
 */
import { REGION_PARAMS } from '../interp/enter.ts';
import type { Layout } from '../interp/layout.ts';
import type { Isa } from '../isa.ts';
import { ByteWriter } from '../wasm/bytes.ts';
import { Code } from '../wasm/code.ts';
import { RegionGenerator } from './region.ts';
import type { RegionRuntime } from './emitter.ts';
import type { RegionSource } from './region.ts';
import { FUNCTION } from './symbols.ts';

/** Bytes that a region has, mostly. */
const REGION_BYTES = 8192;

export interface RegionObject {
  /** By turns: where a symbol is used, as {@link Code.symbols} says, and which. */
  readonly symbols: Int32Array;
  /** Branch hints: twice the offset, plus one where the branch is expected to be taken. */
  readonly hints: Int32Array;
  /** Encoded declarations of locals. */
  readonly locals: Uint8Array;
  /** Instructions, with room for the symbols. */
  readonly code: Uint8Array;
}

const runtimes = new WeakMap<Isa, RegionRuntime>();

/** The functions that regions call, by their symbols. */
function runtimeOf(isa: Isa): RegionRuntime {
  let runtime = runtimes.get(isa);
  if (runtime === undefined) {
    const callees = new Map(Object.keys(isa.functions).map((name, i) => [name, FUNCTION.isa + i]));
    runtimes.set(isa, (runtime = { callees, slow: FUNCTION.slow, has: FUNCTION.has, refill: FUNCTION.refill }));
  }
  return runtime;
}

export function generateObject(isa: Isa, layout: Layout, source: RegionSource): RegionObject {
  const code = new Code(REGION_PARAMS, layout.alone, REGION_BYTES, true);
  new RegionGenerator(code, isa, layout, runtimeOf(isa), source).generate();
  const locals = new ByteWriter(32);
  code.encodeLocals(locals);
  return {
    symbols: Int32Array.from(code.symbols),
    hints: Int32Array.from(code.hints, ({ at, taken }) => 2 * at + (taken ? 1 : 0)),
    locals: locals.view(),
    code: code.out.view(),
  };
}

/** Words in front: lengths of the four parts, which follow. */
const HEAD = 4;

/** As bytes, to be kept. */
export function encodeObject({ symbols, hints, locals, code }: RegionObject): Uint8Array {
  const words = HEAD + symbols.length + hints.length;
  const bytes = new Uint8Array(4 * words + locals.length + code.length);
  const head = new Int32Array(bytes.buffer, 0, words);
  head.set([symbols.length, hints.length, locals.length, code.length]);
  head.set(symbols, HEAD);
  head.set(hints, HEAD + symbols.length);
  bytes.set(locals, 4 * words);
  bytes.set(code, 4 * words + locals.length);
  return bytes;
}

/** What {@link encodeObject} made bytes of. */
export function decodeObject(bytes: Uint8Array): RegionObject {
  const { buffer, byteOffset: start } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const [symbols, hints, locals, code] = new Int32Array(buffer, start, HEAD) as unknown as readonly [number, number, number, number];
  const words = start + 4 * HEAD;
  const rest = words + 4 * (symbols + hints);
  return {
    symbols: new Int32Array(buffer, words, symbols),
    hints: new Int32Array(buffer, words + 4 * symbols, hints),
    locals: new Uint8Array(buffer, rest, locals),
    code: new Uint8Array(buffer, rest + locals, code),
  };
}
