/** How the engine runs code, on each tier: budget, retirement, decode cache, self-modifying code, pages, precise faults. */
import { CoreExit, Execution } from '@axvisor/softcpu';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encode } from '../../src/isa/encode.ts';
import { op } from '../../src/isa/table.ts';
import { BASE, program as programOn, x } from './harness.ts';
import type { Program } from './harness.ts';

describe.each(Object.values(Execution))('%s', (engine) => {
  const program = (source: string): Program => programOn(source, { engine });

  describe('budget', () => {
    const source = `
        li a0, 0
        la s0, data
  loop: addi a0, a0, 1
        sd a0, 0(s0)
        ld a1, 0(s0)
        mul a2, a1, a1
        beqz a2, never
        call f
        j loop
  never: unimp
  f:    addi a3, a3, 7
        ret
        .balign 4096
  data: .zero 8`;

    test('any division into runs gives the same states', () => {
      const { hart: whole } = program(source);
      whole.run(997);
      const state = Array.from({ length: 32 }, (_, i) => whole.reg(i));
      const { pc } = whole;
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 80 }), (parts) => {
          const { hart, machine } = program(source);
          const before = hart.retired;
          let left = 997;
          for (const part of [...parts, 997]) {
            const steps = Math.min(part, left);
            expect(hart.run(steps)).toBe(CoreExit.budget);
            expect(hart.steps).toBe(steps);
            left -= steps;
          }
          expect(hart.pc).toBe(pc);
          expect(hart.retired - before).toBe(997);
          expect(Array.from({ length: 32 }, (_, i) => hart.reg(i))).toEqual(state);
          expect(machine.time).toBe(997n);
        }),
        { numRuns: 30 },
      );
    });

    test('single steps follow the pc', () => {
      const { hart, at } = program(source);
      const seen: bigint[] = [];
      for (let i = 0; i < 16; i++) {
        seen.push(hart.pc);
        hart.run(1);
      }
      const loop = at('loop');
      const body = [0n, 4n, 8n, 12n, 16n, 20n, 24n].map((d) => loop + d); // call is two instructions
      expect(seen.slice(3)).toEqual([...body, at('f'), at('f') + 4n, loop + 28n, loop, loop + 4n, loop + 8n]);
    });

    test('a trap takes a step and retires nothing', () => {
      const { hart, at } = program(`
        la t0, handler
        csrw mtvec, t0
        ecall
        li a0, 1
        .balign 4
    handler:
        csrr a1, minstret
        csrr t1, mepc
        addi t1, t1, 4
        csrw mepc, t1
        mret`);
      hart.run(3); // la is two
      const before = hart.retired;
      hart.run(1);
      expect(hart.retired).toBe(before);
      expect(hart.pc).toBe(at('handler'));
      hart.run(1);
      expect(hart.reg(x.a1)).toBe(3n);
      hart.run(4);
      expect(hart.retired).toBe(before + 5);
      hart.run(1);
      expect(hart.reg(x.a0)).toBe(1n);
    });

    test.each([
      ['an illegal instruction at the trap vector', 'la t0, here\n csrw mtvec, t0\n .balign 4\n here: .word 0'],
      ['a trap vector where nothing can be fetched', 'li t0, 0x40000000\n csrw mtvec, t0\n ecall'],
      ['a load fault at the trap vector', 'la t0, here\n csrw mtvec, t0\n .balign 4\n here: ld a0, 0(zero)'],
    ])('%s: endless exceptions use the budget up', (_, source) => {
      const { hart } = program(source);
      const before = hart.retired;
      expect(hart.run(10_000)).toBe(CoreExit.budget);
      expect(hart.steps).toBe(10_000);
      expect(hart.retired - before).toBeLessThan(10);
    });

    test('WFI leaves, and goes on when an interrupt is pending', () => {
      const { hart } = program('li t0, 8\n csrw mie, t0\n wfi\n li a0, 9\n wfi');
      expect(hart.run(100)).toBe(CoreExit.waiting);
      expect(hart.steps).toBe(3);
      expect(hart.run(100)).toBe(CoreExit.waiting);
      hart.priv.setPending(3, true);
      expect(hart.run(1)).toBe(CoreExit.budget);
      expect(hart.reg(x.a0)).toBe(9n);
      hart.priv.setPending(3, false);
      expect(hart.run(100)).toBe(CoreExit.waiting);
    });
  });

  describe('self-modifying code', () => {
    const li = (rd: number, imm: number): number => encode(op.addi, { rd, imm });

    test('a store replaces an instruction already executed, without a fence', () => {
      const { hart } = program(`
        la s0, patch
        li s1, ${li(x.a0, 2)}
        li a1, 0
  again:
  patch: li a0, 1
        bnez a1, done
        sw s1, 0(s0)
        li a1, 1
        j again
  done: wfi`);
      expect(hart.run(100)).toBe(CoreExit.waiting);
      expect(hart.reg(x.a0)).toBe(2n);
    });

    test('stores of every width and alignment that touch an instruction are seen', () => {
      for (const [store, size] of [['sb', 1], ['sh', 2], ['sw', 4], ['sd', 8]] as const) {
        for (let distance = -size + 1; distance < 4; distance++) {
          const { hart, view, offset } = program(`
            call code
            ${store} s1, 0(s0)
            call code
      stop: j stop
            .balign 64
            .zero 8
      code: addi a0, a0, 0x111
            ret
            .zero 64`);
          const code = offset('code');
          const target = code + distance;
          // What the store makes of the instruction, decided by the reference: the bytes in memory.
          const bytes = new Uint8Array(16);
          for (let i = 0; i < 16; i++) bytes[i] = view.getUint8(code - 8 + i);
          const patched = new DataView(bytes.buffer);
          patched.setInt32(8, encode(op.addi, { rd: x.a1, rs1: x.a1, imm: 0x223 }), true);
          let value = 0n;
          for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[8 + distance + i] ?? 0);
          hart.setReg(x.s0, BASE + BigInt(target));
          hart.setReg(x.s1, value);
          hart.run(100);
          const second = view.getInt32(code, true);
          // Executed afresh from memory, the same instruction gives the same registers.
          const [first0, first1] = [hart.reg(x.a0), hart.reg(x.a1)];
          hart.setReg(x.a0, 0x111n);
          hart.setReg(x.a1, 0n);
          hart.engine.pages.clear();
          hart.pc = BASE + BigInt(code);
          hart.run(1);
          expect([store, distance, second, hart.reg(x.a0), hart.reg(x.a1)]).toEqual([store, distance, second, first0, first1]);
        }
      }
    });

    test('a page that is written often becomes data, and code again when executed', () => {
      const { hart, machine } = program(`
        la s0, counter
        li a0, 0
  loop: ld a1, 0(s0)
        addi a1, a1, 1
        sd a1, 0(s0)
        addi a0, a0, 1
        li a2, 1000
        bne a0, a2, loop
        wfi
        .balign 8
  counter: .dword 0`);
      expect(hart.run(100_000)).toBe(CoreExit.waiting);
      expect(hart.reg(x.a1)).toBe(1000n);
      expect(machine.hart.steps).toBeLessThan(10_000);
    });

    test('a device writes code', () => {
      const { hart, view, offset } = program('loop: li a0, 1\n j loop');
      hart.run(10);
      view.setInt32(offset('loop'), li(x.a0, 5), true);
      hart.invalidatePhys(Number(BASE), 4);
      hart.run(2);
      expect(hart.reg(x.a0)).toBe(5n);
    });

    test('more code pages than the pool holds', () => {
      const pages = 24;
      const bodies = Array.from({ length: pages }, (_, i) => `.balign 4096\n page${i}: addi a0, a0, ${i}\n ${i + 1 < pages ? `j page${i + 1}` : 'j back'}`);
      const { hart } = program(`start: li a1, 50\n loop: j page0\n back: addi a1, a1, -1\n bnez a1, loop\n wfi\n ${bodies.join('\n')}`);
      expect(hart.run(100_000)).toBe(CoreExit.waiting);
      expect(hart.reg(x.a0)).toBe(BigInt((50 * pages * (pages - 1)) / 2));
    });
  });

  describe('instructions across two pages', () => {
    /** `code` begins two bytes before the end of a page. */
    const straddling = (code: string, rest: string): string => `
        j start
        .balign 4096
        .zero 4094
  cross: ${code}
  after: ${rest}
        .balign 4
  start: `;

    test('are executed, branch from, and fall through', () => {
      const { hart } = program(straddling('addi a0, a0, 1', 'addi a1, a1, 2\n ret') + 'call cross\n call cross\n wfi');
      expect(hart.run(100)).toBe(CoreExit.waiting);
      expect([hart.reg(x.a0), hart.reg(x.a1)]).toEqual([2n, 4n]);
      const branch = program(`
        j start
        .balign 4096
  target: addi a1, a1, 1
        ret
        .zero 4086
  cross: beqz a0, target
  after: addi a2, a2, 1
        ret
  start: call cross
        li a0, 1
        call cross
        wfi`);
      expect(branch.offset('cross') % 4096).toBe(4094);
      expect(branch.hart.run(100)).toBe(CoreExit.waiting);
      expect([branch.hart.reg(x.a1), branch.hart.reg(x.a2)]).toEqual([1n, 1n]);
    });

    test.each([
      ['first', 0, encode(op.addi, { rd: x.a0, rs1: x.a0, imm: 1 }) & 0xffff, encode(op.addi, { rd: x.a1, rs1: x.a0, imm: 1 }) & 0xffff],
      ['second', 2, encode(op.addi, { rd: x.a0, rs1: x.a0, imm: 1 }) >>> 16, encode(op.addi, { rd: x.a0, rs1: x.a0, imm: 7 }) >>> 16],
    ])('are seen again when the %s half is written', (_, distance, before, after) => {
      const { hart, view, offset } = program(
        straddling('addi a0, a0, 1', 'ret') + `call cross\n la s0, cross\n li s1, ${after}\n sh s1, ${distance}(s0)\n call cross\n wfi`,
      );
      expect(offset('cross') % 4096).toBe(4094);
      expect(view.getUint16(offset('cross') + distance, true)).toBe(before);
      expect(hart.run(100)).toBe(CoreExit.waiting);
      expect([hart.reg(x.a0), hart.reg(x.a1)]).toEqual(distance === 0 ? [1n, 2n] : [8n, 0n]);
    });

    test('of which the second half cannot be fetched: the fault is there', () => {
      const { hart, machine, at } = program('la t0, handler\n csrw mtvec, t0\n li t0, 0x800ffffe\n jr t0\n .balign 4\n handler: csrr a0, mcause\n csrr a1, mepc\n csrr a2, mtval\n wfi');
      machine.ram.set([0x13, 0x05], machine.ram.length - 2); // the first half of addi a0, a0, …
      expect(at('handler')).toBeGreaterThan(BASE);
      expect(hart.run(100)).toBe(CoreExit.waiting);
      expect([hart.reg(x.a0), hart.reg(x.a1), hart.reg(x.a2)]).toEqual([1n, 0x800f_fffen, 0x8010_0000n]);
    });
  });

  describe('cbo.zero', () => {
    test('zeroes the block an address lies in, first asked for and then inline, and decoded instructions with it', () => {
      const { hart, machine, offset } = program(`
        la s0, data
        addi s0, s0, 70
        li a0, 40
  loop: cbo.zero (s0)
        addi s0, s0, 64
        addi a0, a0, -1
        bnez a0, loop
        la t0, handler
        csrw mtvec, t0
        call code
        la s0, code
        cbo.zero (s0)
        call code
        .balign 64
  handler: csrr a2, mcause
        wfi
        .balign 4096
  code: addi a1, a1, 1
        ret
        .balign 4096
  data: .zero 8`);
      const data = offset('data');
      machine.ram.fill(0xaa, data, data + 8192);
      expect(hart.run(1000)).toBe(CoreExit.waiting);
      const expected = new Uint8Array(8192).fill(0xaa).fill(0, 64, 64 + 40 * 64);
      expect(machine.ram.slice(data, data + 8192)).toEqual(expected);
      expect([hart.reg(x.a1), hart.reg(x.a2)]).toEqual([1n, 2n]);
    });

    test('stays forbidden where menvcfg forbids it, though M-mode has just used it', () => {
      const { hart, at } = program(`
        la t0, handler
        csrw mtvec, t0
        li t0, -1
        csrw pmpaddr0, t0
        li t0, 31
        csrw pmpcfg0, t0
        la t0, user
        csrw mepc, t0
        la s0, data
        cbo.zero (s0)
        cbo.zero (s0)
        mret
  user: cbo.zero (s0)
        .balign 4
  handler: csrr a2, mcause
        csrr a3, mepc
        wfi
        .balign 4096
  data: .zero 64`);
      hart.run(100);
      expect([hart.reg(x.a2), hart.reg(x.a3)]).toEqual([2n, at('user')]);
    });
  });

  describe('faults', () => {
    test('a store across the end of memory writes nothing', () => {
      const { hart, machine, view, at } = program(`
        la t0, handler
        csrw mtvec, t0
        li s0, 0x800ffffc
        li s1, -1
  store: sd s1, 0(s0)
        .balign 4
  handler: csrr a0, mcause
        csrr a1, mtval
        csrr a2, mepc
        wfi`);
      hart.run(100);
      expect([hart.reg(x.a0), hart.reg(x.a1), hart.reg(x.a2)]).toEqual([7n, 0x8010_0000n, at('store')]);
      expect(view.getUint32(machine.ram.length - 4, true)).toBe(0);
    });

    test.each([
      ['lr.w a0, (s0)', 4n],
      ['sc.w a0, a1, (s0)', 6n],
      ['amoadd.w a0, a1, (s0)', 6n],
      ['lr.d a0, (s0)', 4n],
    ])('%s at an odd address is misaligned', (source, cause) => {
      const { hart } = program(`la t0, handler\n csrw mtvec, t0\n la s0, data\n addi s0, s0, 2\n ${source}\n .balign 4\n handler: csrr a2, mcause\n csrr a3, mtval\n wfi\n .balign 4096\n data: .zero 16`);
      hart.run(100);
      expect(hart.reg(x.a2)).toBe(cause);
      expect(hart.reg(x.a3)).toBe(hart.reg(x.s0));
    });

    test('atomics on a device are access faults, plain accesses reach it', () => {
      const { hart } = program(`
        la t0, handler
        csrw mtvec, t0
        li s0, 0x02004000
        li a0, 1234
        sd a0, 0(s0)
        ld a1, 0(s0)
        lwu a2, 0(s0)
        amoadd.d a0, a0, (s0)
        .balign 4
  handler: csrr a3, mcause
        wfi`);
      hart.run(100);
      expect([hart.reg(x.a1), hart.reg(x.a2), hart.reg(x.a3)]).toEqual([1234n, 1234n, 7n]);
    });

    test('protection within a page is checked access by access, fetches too', () => {
      // Supervisor mode may execute the first 16 bytes of `code` and read the first 8 of `data`.
      const { hart, at } = program(`
        la t0, handler
        csrw mtvec, t0
        la t0, code
        srli t0, t0, 2
        addi t0, t0, 1
        csrw pmpaddr0, t0
        la t0, data
        srli t0, t0, 2
        csrw pmpaddr1, t0
        li t0, ${(0x18 | 1) << 8 | (0x18 | 4)}
        csrw pmpcfg0, t0
        la t0, code
        csrw mepc, t0
        li t0, ${1 << 11}
        csrw mstatus, t0
        la s0, data
        mret
        .balign 4
  handler: csrr a3, mcause
        csrr a4, mepc
        csrr a5, mtval
        wfi
        .balign 4096
  code: addi a0, a0, 1
        ld a1, 0(s0)
        addi a0, a0, 1
        bnez s1, code
        addi a0, a0, 1
        .balign 4096
  data: .dword 77, 78`);
      expect(hart.run(100)).toBe(CoreExit.waiting);
      expect([hart.reg(x.a0), hart.reg(x.a1), hart.reg(x.a3), hart.reg(x.a4)]).toEqual([2n, 77n, 1n, at('code') + 16n]);
    });
  });
});
