/** The encoder against two readers of the format: V8 and wabt. */
import fc from 'fast-check';
import wabtInit from 'wabt';
import { describe, expect, test } from 'vitest';
import { wasm } from '../../src/wasm/api.ts';
import { ByteWriter } from '../../src/wasm/bytes.ts';
import { ModuleBuilder } from '../../src/wasm/module.ts';
import { atomic, memory, numeric } from '../../src/wasm/opcodes.ts';
import type { AtomicOp, MemoryOp, ScalarType, ValType } from '../../src/wasm/opcodes.ts';
import { simd } from '../../src/wasm/simd.ts';

const wabt = await wabtInit();
const features = { threads: true, tail_call: true, simd: true, bulk_memory: true, sat_float_to_int: true, sign_extension: true };

function toText(bytes: Uint8Array): string {
  const module = wabt.readWasm(bytes, { ...features, readDebugNames: true });
  return module.toText({ foldExprs: false, inlineExport: false });
}

function run(build: (module: ModuleBuilder) => void, ...args: unknown[]): unknown {
  const module = new ModuleBuilder();
  build(module);
  const instance = new wasm.Instance(new wasm.Module(module.build()));
  return (instance.exports['f'] as (...args: unknown[]) => unknown)(...args);
}

describe('LEB128', () => {
  test('u32, s32 and s64 constants come back', () => {
    fc.assert(
      fc.property(fc.integer(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (small, large) => {
        const back = run((module) => {
          const { index, code } = module.func('f', [], ['i32', 'i64']);
          code.i32(small);
          code.i64(large);
          code.end();
          module.export('f', 'func', index);
        });
        expect(back).toEqual([small, large]);
      }),
      { numRuns: 50 },
    );
  });

  test('u32 by definition', () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xffff_ffff }), (value) => {
        const out = new ByteWriter(1);
        out.u32(value);
        const bytes = [...out.view()];
        expect(bytes.reduce((sum, byte, i) => sum + (byte & 0x7f) * 2 ** (7 * i), 0)).toBe(value);
        expect(bytes.every((byte, i) => byte >= 0x80 === i < bytes.length - 1)).toBe(true);
      }),
    );
  });
});

const zero = (code: ReturnType<ModuleBuilder['func']>['code'], type: ScalarType): void => {
  if (type === 'i64') code.i64(0n);
  else code[type](0);
};

describe('opcode tables', () => {
  test.each(Object.values(numeric))('$name has the type the table says, and wabt reads its name', (op) => {
    const module = new ModuleBuilder();
    const { index, code } = module.func('f', [], [op.result]);
    for (let i = 0; i < op.arity; i++) zero(code, op.operand);
    code.op(op);
    code.end();
    module.export('f', 'func', index);
    const bytes = module.build();
    expect(wasm.validate(bytes)).toBe(true);
    expect(toText(bytes)).toContain(`${op.name}\n`.trimEnd());
  });

  const inMemory = (name: string, emit: (code: ReturnType<ModuleBuilder['func']>['code']) => void): string => {
    const module = new ModuleBuilder();
    module.importMemory('host', 'memory', { min: 1, max: 2, shared: true });
    const { code } = module.func('f', [], []);
    emit(code);
    code.end();
    const bytes = module.build();
    expect(wasm.validate(bytes), name).toBe(true);
    return toText(bytes);
  };

  test.each(Object.keys(memory) as MemoryOp[])('%s', (name) => {
    const text = inMemory(name, (code) => {
      code.i32(8);
      if (name === 'v128.store') code.v128(0n);
      else if (name.includes('store')) zero(code, name.slice(0, 3) as ScalarType);
      code.access(name, 16);
      if (name.includes('load')) code.drop();
    });
    expect(text).toContain(`${name} offset=16`);
  });

  test.each((Object.keys(atomic) as AtomicOp[]).filter((name) => !name.startsWith('memory')))('%s', (name) => {
    const type = name.slice(0, 3) as ScalarType;
    const text = inMemory(name, (code) => {
      code.i32(8);
      const operands = name.includes('cmpxchg') ? 2 : /rmw|store/.test(name) ? 1 : 0;
      for (let i = 0; i < operands; i++) zero(code, type);
      code.atomic(name, 24);
      if (!name.includes('store')) code.drop();
    });
    expect(text).toContain(`${name} offset=24`);
  });

  test('wait, notify, fence, fill and copy', () => {
    const text = inMemory('bulk', (code) => {
      code.i32(0);
      code.i32(0);
      code.i64(0n);
      code.atomic('memory.atomic.wait32');
      code.drop();
      code.i32(0);
      code.i32(1);
      code.atomic('memory.atomic.notify');
      code.drop();
      code.atomicFence();
      for (let i = 0; i < 3; i++) code.i32(0);
      code.fill();
      for (let i = 0; i < 3; i++) code.i32(0);
      code.copy();
    });
    for (const name of ['memory.atomic.wait32', 'memory.atomic.notify', 'atomic.fence', 'memory.fill', 'memory.copy']) expect(text).toContain(name);
  });

  test.each(Object.values(simd))('$name', (op) => {
    const text = inMemory(op.name, (code) => {
      for (const type of op.operands) {
        if (type === 'v128') code.v128(0n);
        else zero(code, type as ScalarType);
      }
      code.simd(op, Array<number>(op.immediates).fill(1));
      code.drop();
    });
    expect(text).toMatch(new RegExp(`\\b${op.name.replace('.', '\\.')}\\b`));
  });

  test('v128.const', () => {
    const text = inMemory('constant', (code) => {
      code.v128(0x0f0e0d0c_0b0a0908_07060504_03020100n);
      code.drop();
    });
    expect(text).toContain('v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c');
  });
});

describe('modules', () => {
  test('imports, tables, globals, elements and tail calls read back', () => {
    const module = new ModuleBuilder();
    module.importMemory('host', 'memory', { min: 1 });
    const imported = module.importFunc('host', 'g', ['i32', 'f64'], ['i64']);
    const importedTable = module.importTable('host', 'table', { min: 0 });
    const importedGlobal = module.importGlobal('host', 'global', 'f32', true);
    const table = module.table({ min: 4, max: 8 });
    const counter = module.global('i64', true, -5n);
    const { index, code } = module.func('f', ['i32', 'f64'], ['i64']);
    const type = module.type(['i32', 'f64'], ['i64']);
    expect([importedTable, table, importedGlobal, counter]).toEqual([0, 1, 0, 1]);
    code.globalGet(counter);
    code.globalSet(counter);
    code.get(0);
    code.if(false);
    code.get(0);
    code.get(1);
    code.returnCall(imported);
    code.else();
    code.get(0);
    code.get(1);
    code.get(0);
    code.callIndirect(type, table);
    code.return();
    code.end();
    code.get(0);
    code.get(1);
    code.get(0);
    code.returnCallIndirect(type, table);
    code.end();
    module.element(table, 1, [index, imported]);
    module.export('f', 'func', index);
    module.export('t', 'table', table);
    const bytes = module.build();
    expect(wasm.validate(bytes)).toBe(true);
    expect(toText(bytes)).toMatchInlineSnapshot(`
      "(module
        (type (;0;) (func (param i32 f64) (result i64)))
        (import "host" "memory" (memory (;0;) 1))
        (import "host" "g" (func $g (type 0)))
        (import "host" "table" (table (;0;) 0 funcref))
        (import "host" "global" (global (;0;) (mut f32)))
        (func $f (type 0) (param i32 f64) (result i64)
          global.get 1
          global.set 1
          local.get 0
          if  ;; label = @1
            local.get 0
            local.get 1
            return_call 0
          else
            local.get 0
            local.get 1
            local.get 0
            call_indirect 1 (type 0)
            return
          end
          local.get 0
          local.get 1
          local.get 0
          return_call_indirect (type 0))
        (table (;1;) 4 8 funcref)
        (global (;1;) (mut i64) (i64.const -5))
        (export "f" (func 1))
        (export "t" (table 1))
        (elem (;0;) (table 1) (i32.const 1) func 1 0))
      "
    `);
  });

  test('branch hints are at the hinted instructions, counted from the local declarations', () => {
    const module = new ModuleBuilder();
    const { code } = module.func('f', ['i32'], []);
    code.local('i64');
    code.local('i64');
    code.local('i32');
    const block = code.block();
    code.get(0);
    code.brIf(block, false);
    code.get(0);
    code.if(true);
    code.end();
    code.end();
    code.end();
    const bytes = module.build();
    expect(wasm.validate(bytes)).toBe(true);
    const [section] = (
      globalThis as unknown as { WebAssembly: { Module: { customSections(module: unknown, name: string): ArrayBuffer[] } } }
    ).WebAssembly.Module.customSections(new wasm.Module(bytes), 'metadata.code.branch_hint');
    // One function, index 0, two hints: (offset, 1, direction). The declarations take 5 bytes, block and local.get 4.
    expect([...new Uint8Array(section as ArrayBuffer)]).toEqual([1, 0, 2, 9, 1, 0, 13, 1, 1]);
  });

  test('misuse is refused', () => {
    const module = new ModuleBuilder();
    module.func('f', [], []);
    expect(() => module.importFunc('a', 'b', [], [])).toThrow(RangeError);
    const shared = new ModuleBuilder();
    shared.importMemory('a', 'b', { min: 1, shared: true });
    expect(() => shared.build()).toThrow(RangeError);
  });

  test('locals are pooled by type', () => {
    const value = run((module) => {
      const { index, code } = module.func('f', ['i32'], ['i32']);
      const types: ValType[] = ['i64', 'i32', 'f64'];
      const locals = types.map((type) => code.local(type));
      code.release(locals[1] as number);
      expect(code.local('i32')).toBe(locals[1]);
      expect(() => code.release(0)).toThrow(RangeError);
      code.get(0);
      code.tee(locals[1] as number);
      code.end();
      module.export('f', 'func', index);
    }, 42);
    expect(value).toBe(42);
  });
});
