import { Access } from '@axvisor/softcpu';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { GPR, PC } from '../../src/state.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';

const CODE = { base: 0x1_0000, size: 0x2000 };
const CONSTANT = { base: 0x2_0000, size: 0x1000, readOnly: true };
const DATA = { base: 0x3_0000, size: 0x3000 };

const make = (execution: 'interpreter' | 'translator'): FlatProcessor => new FlatProcessor([{ ...CODE, copies: 40 }, CONSTANT, DATA], execution);
const processors = { interpreter: make('interpreter'), translator: make('translator') };

/** Runs a source up to HLT or a fault. */
function run(source: string, execution: 'interpreter' | 'translator' = 'interpreter', steps = 10_000, data = new Uint8Array(DATA.size)): FlatProcessor {
  const processor = processors[execution];
  processor.exchange(CODE.base);
  processor.memory(DATA.base, DATA.size).set(data);
  processor.eflags = 2;
  processor.put(GPR + 8 * 4, BigInt(DATA.base + 0x800));
  processor.load(CODE.base, assemble(source, { base: BigInt(CODE.base) }).bytes);
  processor.run(CODE.base, steps);
  return processor;
}

describe.each(['interpreter', 'translator'] as const)('memory in the %s', (execution) => {
  it.each(['add dword ptr [rax], 1', 'lock inc qword ptr [rax]', 'shl word ptr [rax], 3', 'bts dword ptr [rax], 5', 'xchg ecx, [rax]', 'cmpxchg [rax], edx', 'not byte ptr [rax]'])(
    'faults as a store where %s may only read',
    (instruction) => {
      const p = run(`mov eax, 0x20010\n${instruction}\nhlt`, execution);
      expect(p.stopped).toBe('fault');
      expect(p.faulted).toBe(Access.store);
      expect(p.get(PC)).toBe(BigInt(CODE.base + 5));
    },
  );

  it.each(['cmp dword ptr [rax], 1', 'test byte ptr [rax], 1', 'bt dword ptr [rax], 5', 'push qword ptr [rax]', 'imul ecx, [rax]'])('lets %s read', (instruction) => {
    expect(run(`mov eax, 0x20010\n${instruction}\nhlt`, execution).stopped).toBe('system');
  });

  // Aligned, within a word, across words, across pages.
  it.each([0x3_0100, 0x3_0101, 0x3_0106, 0x3_0ffd])('exchanges an operand at %i in one step', (at) => {
    const p = run(`
      mov rbx, ${at}
      mov rax, 0x1122334455667788
      mov [rbx], rax
      mov ecx, 3
      lock add dword ptr [rbx], ecx
      lock xadd [rbx], rcx
      mov edx, 0x55
      xchg [rbx], dx
      lock bts qword ptr [rbx], 1
      lock cmpxchg [rbx], rsi
      hlt`, execution);
    expect(p.stopped).toBe('system');
    expect([p.gpr(1), p.gpr(2) & 0xffffn]).toEqual([0x112233445566778bn, 0x778en]);
    const stored = p.memory(at, 8).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    expect(stored).toBe(0x1122334455660057n);
    expect(p.gpr(0)).toBe(stored);
  });

  it('compares and exchanges sixteen bytes, with LOCK and without', () => {
    for (const prefix of ['', 'lock ']) {
      const p = run(`
        mov rdi, 0x30200
        mov rax, 1
        mov rdx, 2
        mov rbx, 3
        mov rcx, 4
        ${prefix}cmpxchg16b [rdi]
        setz r8b
        ${prefix}cmpxchg16b [rdi]
        setz r9b
        mov rdx, [rdi]
        mov r10, [rdi + 8]
        hlt`, execution);
      expect([p.gpr(8) & 1n, p.gpr(9) & 1n, p.gpr(0), p.gpr(2), p.gpr(10)]).toEqual([0n, 1n, 0n, 3n, 4n]);
    }
  });

  it('copies and fills across pages, and stops at the element that faults', () => {
    const p = run(`
      mov edi, 0x30ff0
      mov ecx, 0x40
      mov al, 0x5a
      rep stosb
      mov esi, 0x30ff0
      mov edi, 0x31803
      mov ecx, 0x40
      rep movsb
      mov esi, 0x30ff0
      mov edi, 0x32fe0
      mov ecx, 0x10
      rep movsq
      hlt`, execution);
    expect(p.stopped).toBe('fault');
    expect([...p.memory(0x3_0ff0, 0x40)].every((byte) => byte === 0x5a)).toBe(true);
    expect([...p.memory(0x3_1803, 0x40)].every((byte) => byte === 0x5a)).toBe(true);
    expect([p.gpr(1), p.gpr(6), p.gpr(7)]).toEqual([0x0cn, 0x3_1010n, 0x3_3000n]);
  });

  it('copies what overlaps element by element', () => {
    const p = run(`
      mov edi, 0x30100
      mov dword ptr [rdi], 0x04030201
      mov esi, edi
      add edi, 4
      mov ecx, 0x100
      rep movsd
      std
      mov esi, 0x30010
      mov edi, 0x30012
      mov word ptr [rsi], 0xbbaa
      mov ecx, 4
      rep movsw
      hlt`, execution);
    expect(p.stopped).toBe('system');
    expect([...p.memory(0x3_0100, 0x404)]).toEqual(Array.from({ length: 0x404 }, (_, i) => (i & 3) + 1));
    expect([p.gpr(6), p.gpr(7)]).toEqual([0x3_0008n, 0x3_000an]);
  });

  it('does what element by element does, in both directions, at any distance', () => {
    const place = fc.integer({ min: DATA.base + 0x480, max: DATA.base + DATA.size - 0x480 });
    const near = fc.tuple(place, fc.integer({ min: -80, max: 80 })).map(([from, distance]) => [from, from + distance] as const);
    const elements = fc.constantFrom(['b', 1], ['w', 2], ['d', 4], ['q', 8]) as fc.Arbitrary<readonly ['b' | 'w' | 'd' | 'q', number]>;
    const value = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.integer({ min: 0, max: 255 }).map((byte) => BigInt(byte) * 0x0101_0101_0101_0101n));
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(place, place)), elements, fc.integer({ min: 1, max: 0x400 }), fc.boolean(), fc.boolean(), value, ([from, to], [suffix, bytes], bound, down, moves, filler) => {
        const count = Math.max(1, Math.floor(bound / bytes));
        const before = Uint8Array.from({ length: DATA.size }, (_, i) => (i * 0x6d) >>> 3);
        const source = `mov rax, ${filler}
          mov esi, ${from}
          mov edi, ${to}
          mov ecx, ${count}
          ${down ? 'std' : 'cld'}
          rep ${moves ? 'movs' : 'stos'}${suffix}
          hlt`;
        const p = run(source, execution, 10_000, before);
        expect(p.stopped).toBe('system');
        const expected = before.slice();
        for (let i = 0; i < count; i++) {
          const at = (first: number): number => first - DATA.base + (down ? -i : i) * bytes;
          if (moves) expected.copyWithin(at(to), at(from), at(from) + bytes);
          else for (let j = 0; j < bytes; j++) expected[at(to) + j] = Number((filler >> BigInt(8 * j)) & 0xffn);
        }
        expect(Buffer.compare(p.memory(DATA.base, DATA.size), expected)).toBe(0);
        expect([p.gpr(1), p.gpr(7)]).toEqual([0n, BigInt(to + (down ? -1 : 1) * count * bytes)]);
      }),
      { numRuns: 300 },
    );
  });

  it('executes what it has written itself', () => {
    const p = run(`
      mov ecx, 3
      xor eax, eax
again: mov byte ptr [rip + patch + 1], cl
patch: mov bl, 0
      movzx ebx, bl
      add eax, ebx
      dec ecx
      jnz again
      hlt`, execution);
    expect(p.gpr(0)).toBe(6n);
  });
});
