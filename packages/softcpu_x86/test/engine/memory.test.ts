import { Access } from '@axvisor/softcpu';
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
function run(source: string, execution: 'interpreter' | 'translator' = 'interpreter', steps = 10_000): FlatProcessor {
  const processor = processors[execution];
  processor.exchange(CODE.base);
  processor.memory(DATA.base, DATA.size).fill(0);
  processor.eflags = 2;
  processor.put(GPR + 8 * 4, BigInt(DATA.base + 0x800));
  processor.load(CODE.base, assemble(source, { base: BigInt(CODE.base) }).code);
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
