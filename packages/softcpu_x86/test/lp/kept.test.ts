/** Translations that are kept: those of a kernel that is found at another address each time. */
import type { ReadyBatch, RegionBatch, RegionCompiler, RegionStore } from '@axvisor/softcpu';
import { wasm } from '@axvisor/softcpu';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileBatch } from '../../src/compile.ts';
import { Machine, TABLES, toLongMode, toProtectedMode } from './machine.ts';

/** Compiles at once, and hands it out one slice later. */
class Compiler implements RegionCompiler {
  readonly processors = 1;
  readonly #store: RegionStore;
  readonly #ready: ReadyBatch[] = [];
  kept = 0;

  constructor(store: RegionStore) {
    this.#store = store;
  }

  submit(batch: RegionBatch): void {
    const { id, code, kept } = compileBatch(batch, this.#store);
    this.kept += kept;
    this.#ready.push({ id, module: new wasm.Module(code), bytes: code.length, kept });
  }

  take(): ReadyBatch | undefined {
    return this.#ready.shift();
  }
}

class Store implements RegionStore {
  readonly #kept = new Map<string, Uint8Array>();

  find(content: Uint8Array): Uint8Array | undefined {
    return this.#kept.get(content.join());
  }

  keep(content: Uint8Array, object: Uint8Array): void {
    this.#kept.set(content.join(), object.slice());
  }
}

/** What instructions of 64-bit code make of addresses, or of numbers that could be some; results at 0x9000. */
const loop = (a: number, b: number): string => `${toProtectedMode()}${toLongMode('start', 24)}start:  xor r8, r8
        xor r9, r9
        mov ecx, 15000
again:  mov rax, ${a}
        add r8, rax
        lea rdx, [rcx + ${b}]
        xor r9, rdx
        lea rsi, [rip + ${a}]
        sub rsi, r8
        cmp esi, ${a}
        adc r9, rsi
        imul rbx, rsi, ${b}
        add r8, rbx
        movabs rdi, ${0x1234_0000_0000n + BigInt.asUintN(32, BigInt(a))}
        add r8, rdi
        dec ecx
        jnz again
        mov [0x9000], r8
        mov [0x9008], r9
        mov [0x9010], rbx
        hlt
${TABLES}`;

function results(machine: Machine): readonly bigint[] {
  let exit = '';
  for (let i = 0; i < 1000 && exit !== 'waiting'; i++) exit = machine.lp.run(1000);
  expect(exit).toBe('waiting');
  return [0x9000, 0x9008, 0x9010].map((at) => machine.view.getBigUint64(at, true));
}

function machineOf(a: number, b: number, compiler?: RegionCompiler): Machine {
  const machine = new Machine(compiler === undefined ? 'interpreter' : 'auto', compiler === undefined ? {} : { compiler });
  machine.load(0x2000, loop(a, b));
  machine.boot(0x2000, 1);
  return machine;
}

/** Numbers that are taken for addresses, and are none, and those between. */
const number = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.constantFrom(0, 1, -1, 2 ** 30 - 1, 2 ** 30, -(2 ** 30), -(2 ** 30) - 1, 2 ** 31 - 1, -(2 ** 31)));

test('whatever the addresses in it, code does what it does step by step', () => {
  const store = new Store();
  let kept = 0;
  fc.assert(
    fc.property(number, number, (a, b) => {
      const compiler = new Compiler(store);
      expect(results(machineOf(a, b, compiler))).toEqual(results(machineOf(a, b)));
      kept += compiler.kept;
    }),
    { numRuns: 20, examples: [[-0x7edc_ba98, 0x5678_9abc], [-0x4edc_ba98, 0x4678_9abc]] },
  );
  expect(kept).toBeGreaterThan(0);
});
