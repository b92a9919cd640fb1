import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assemble, AssemblyError } from '../../src/isa/asm.ts';
import { Decoder } from '../../src/isa/decode.ts';
import { format } from '../../src/isa/disasm.ts';
import { rows } from '../../src/isa/table.ts';
import type { Row } from '../../src/isa/table.ts';
import { gnuAssemble, haveBinutils } from './binutils.ts';
import { MODES, encodings } from './encodings.ts';

/** What no assembler writes: reserved NOPs, other encodings of the same. */
const unwritten = (row: Row): boolean => row.alias || (row.name === 'nop' && row.opcode !== 0x90 && row.opcode !== 0x1f) || row.name === 'enclv' || row.opcode === 0x82;

const AT = 0x1000n;

describe('the assembler', () => {
  it.each([64, 32, 16] as const)('takes what the disassembler writes, in code of %i bits', (bits) => {
    const decoder = new Decoder();
    const text = (code: Uint8Array): string => {
      decoder.decode(code, 0, code.length, MODES[bits]);
      return format(decoder.insn, AT);
    };
    let count = 0;
    const wrong = rows.filter((row) => !unwritten(row)).flatMap((row) =>
      encodings(row, bits, 3, 7).flatMap((code) => {
        const source = text(code);
        // There is a shorter one, or a size that only the prefix says.
        if (/^(ro|rc|sh|sa)[lr] .*,0x1$|st\(0\),st$|\+0x0\]/.test(source) || ('JA'.includes(row.operands[0]?.kind ?? '-') && decoder.insn.size66) || (bits !== 64 && /^(call|jmp)f$/.test(row.name) && row.memory === true)) return [];
        count++;
        try {
          const mine = assemble(source, { base: AT, bits }).bytes;
          return text(mine) === source && mine.length <= code.length ? [] : [`${source}: ${Buffer.from(mine).toString('hex')} ${text(mine)} not ${Buffer.from(code).toString('hex')}`];
        } catch (error) {
          return [`${Buffer.from(code).toString('hex')} ${source}: ${String(error)}`];
        }
      }),
    );
    expect(wrong).toEqual([]);
    expect(count).toBeGreaterThan(3000);
  });

  it.skipIf(!haveBinutils)('writes the bytes that GNU as writes', () => {
    const source = `
start:  mov eax, 5
        mov rbx, 0x123456789abcdef0
        mov rcx, -1
        lea rsi, [rip + table]
again:  add rdx, qword ptr [rsi + rcx*8 - 16]
        add dword ptr [rsp + 4], 0x7f
        sub rsp, 128
        cmp byte ptr [r13 + 0], 'A'
        jne again
        call far_away
        movzx eax, byte ptr [rbp + r12*2 + 0x1234]
        imul rax, rcx, 1000
        shl eax, 1
        shr r9, cl
        push r15
        pop qword ptr [rax]
        push -2
        push 0x12345
        rep movsb
        repne scasb
        lock cmpxchg qword ptr [rdi], rdx
        xchg eax, r8d
        test al, 1
        test ecx, 0x100
        in al, 0x60
        out dx, eax
        mov cr3, rax
        mov rax, cr4
        mov ds, eax
        wrmsr
        sysretq
        iretq
        movaps xmm0, xmmword ptr [rax + 16]
        addsd xmm9, xmm1
        vpaddd ymm1, ymm2, ymmword ptr [rdx]
        movq xmm3, r9
        fld qword ptr [rsp]
        faddp st(1), st
        jmp start
        setnz bl
        cmovae r10, r11
        bt dword ptr [rax], 3
        bswap rdi
        ret 8
        .align 16, 0xcc
far_away: ret
        .zero 200
        jmp start
        jz again
1:      jmp 1b; jmp 1f
        lea rax, [rip + 1b]
limit = 3 << 2 | 1
        cmp eax, limit + 2
1:      jmp $
        call $ + 5
        .fill 2, 2, limit
table:  .quad again - start, 2
        .asciz "text\\n"
        .word 0x1234
`;
    const mine = assemble(source).bytes;
    expect(Buffer.from(mine).toString('hex')).toBe(Buffer.from(gnuAssemble(source.replace('.align', '.balign'))).subarray(0, mine.length).toString('hex'));
  });

  it('says which line is wrong', () => {
    expect(() => assemble('nop\nmov eax, [rbx')).toThrow(AssemblyError);
    expect(() => assemble('nop\nfrobnicate')).toThrow(/line 2/);
    expect(() => assemble('jmp nowhere')).toThrow(/nowhere is not defined/);
    expect(() => assemble('mov al, 0x1234')).toThrow(/no form/);
    expect(() => assemble('mov spl, ah')).toThrow(/no form/);
  });

  it('never fails but with an AssemblyError', () => {
    const names = fc.constantFrom('mov', 'jmp', 'call', 'push', 'enter', 'lea', 'imul', 'xchg', 'test', 'loop', 'rep movsb', 'lock', 'out', 'shl', 'fld', 'vaddps', 'vgatherdps', 'movq', 'pextrq', 'constructor', 'a:', '.byte');
    const operands = fc.constantFrom('eax', 'rax', 'al', 'ax', 'r9', 'xmm0', 'ymm1', 'st(1)', 'cr0', 'ds', '[rax]', '[rip + a]', '[bx + ax]', '[ebx + ymm1*4]', 'dword ptr [rsp + 8]', 'word ptr', 'fs:[0]', '1:2', '1f', '-1', '1 << 40', 'a', 'offset', '$', '"', '[', ']');
    const lines = fc.array(fc.tuple(names, fc.array(operands, { maxLength: 3 })).map(([name, list]) => `${name} ${list.join(', ')}`), { maxLength: 4 });
    fc.assert(
      fc.property(lines, fc.constantFrom<16 | 32 | 64>(16, 32, 64), (source, bits) => {
        try {
          assemble(source.join('\n'), { bits });
        } catch (error) {
          expect(error).toBeInstanceOf(AssemblyError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
