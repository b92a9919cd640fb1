/** IRET to user code in generated code does what the service does, or leaves it to that. */
import { PageWrites } from '@axvisor/softcpu';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import type { Stored } from '../../src/priv/registers.ts';
import { Flag, INTERCEPTS, Intercepts } from '../../src/state.ts';
import { Machine } from './machine.ts';

const KERNEL = 0x5000;
const HANDLER = 0x5800;
const STACK = 0x9000;
const GDT = 0x1000;
const IDT = 0x2000;
const TSS = 0x3000;
const TABLES = 0xe_0000;
const SEGMENTS = 8;

/** Code and data of both levels, then what is nearly right: not accessed, 32-bit code, conforming, read-only, not flat, absent. */
const DESCRIPTORS: readonly bigint[] = [
  0n, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00cf_f300_0000_ffffn, 0x00af_fb00_0000_ffffn, 0x00bf_f900_0000_ffffn, 0x0000_8b00_3000_0067n, 0n,
  0x00af_fa00_0000_ffffn, 0x00cf_fb00_0000_ffffn, 0x00af_ff00_0000_ffffn, 0x00cf_f100_0000_ffffn, 0x00cf_f200_0000_ffffn, 0x00cf_f300_1000_ffffn, 0x008f_f300_0000_0fffn,
  0x00af_7b00_0000_ffffn,
];

function set(m: Machine, name: Stored, value: bigint | number): void {
  const v = BigInt(value);
  m.lp.priv.regs.set(name, Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n)));
}

/** 64-bit mode, pages mapped to themselves for both levels, an IRETQ of the kernel next. */
function prepare(m: Machine, flags: number, awaited: boolean, dr7: number, segments: readonly number[]): void {
  const { regs } = m.lp.priv;
  for (let level = 0; level < 3; level++) m.view.setBigUint64(TABLES + 0x1000 * level, BigInt(TABLES + 0x1000 * (level + 1)) | 7n, true);
  for (let i = 0; i < 256; i++) m.view.setBigUint64(TABLES + 0x3000 + 8 * i, BigInt(i * 0x1000) | 7n, true);
  DESCRIPTORS.forEach((entry, i) => m.view.setBigUint64(GDT + 8 * i, entry, true));
  m.view.setBigUint64(TSS + 4, BigInt(STACK), true);
  for (let vector = 0; vector < 32; vector++) {
    m.view.setBigUint64(IDT + 16 * vector, BigInt(HANDLER + vector) | (8n << 16n) | (0x8en << 40n), true);
    m.view.setBigUint64(IDT + 16 * vector + 8, 0n, true);
  }
  set(m, 'cr0', 0x8005_0013n);
  set(m, 'cr3', TABLES);
  set(m, 'cr4', 0x620);
  set(m, 'efer', 0xd01);
  set(m, 'dr7', 0x400 | dr7);
  set(m, 'gdtrBase', GDT);
  set(m, 'idtrBase', IDT);
  regs.gdtrLimit = 8 * DESCRIPTORS.length - 1;
  regs.idtrLimit = 0xfff;
  for (let i = 0; i < SEGMENTS; i++) regs.setSegment(i, 0, 0, 0, 0, 0x1_0000);
  [0, 3, 4, 5].forEach((segment, i) => regs.setSegment(segment, 0x10 + i, 0, 0, 0xffff_ffff, segments[i] as number));
  regs.setSegment(1, 8, 0, 0, 0xffff_ffff, 0xa09b);
  regs.setSegment(2, 16, 0, 0, 0xffff_ffff, 0xc093);
  regs.setSegment(7, 0x30, TSS, 0, 0x67, 0x8b);
  regs.cpl = 0;
  regs.flags = flags;
  regs.ifAwaited = awaited;
  regs.clearShadow();
  regs.modeChanged();
  for (let i = 0; i < 16; i++) m.lp.setGpr(i, BigInt(i));
  m.lp.setGpr(4, BigInt(STACK));
  regs.setRip(KERNEL, 0);
}

/** RF is heeded by instruction breakpoints alone. */
function state(m: Machine): unknown {
  const { regs } = m.lp.priv;
  const segments = Array.from({ length: SEGMENTS }, (_, i) => [regs.selector(i), regs.limits[i], regs.rights[i], regs.baseLo(i)]);
  const stack = m.bytes.slice(STACK - 64, STACK + 40);
  const gdt = m.bytes.slice(GDT, GDT + 8 * DESCRIPTORS.length);
  return [Array.from({ length: 16 }, (_, i) => m.lp.gpr(i)), m.lp.pc, regs.flags & ~Flag.RF, regs.cpl, segments, regs.words.slice(regs.base + 232 / 4, regs.base + 240 / 4), regs.words.slice(regs.base + 296 / 4, regs.base + 320 / 4), stack, gdt];
}

test('what it returns to, and what it refuses', () => {
  const machines = [new Machine(), new Machine()] as const;
  for (const m of machines) m.load(KERNEL, 'iretq', 64);
  const selector = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0x1b, 0x23, 0x2b) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 0x88 }) });
  const flag = fc.constantFrom(0, Flag.IF, Flag.TF, Flag.DF, Flag.IOPL, Flag.NT, Flag.RF, Flag.AC, Flag.ID, Flag.CF, Flag.OF, Flag.ZF, Flag.SF);
  const flags = fc.array(flag, { maxLength: 4 }).map((bits) => bits.reduce((sum, bit) => sum | bit, 2));
  const address = fc.constantFrom(0x2_0000n, 0x7fff_ffff_f000n, 0x8000_0000_0000n, -4096n);
  const rights = fc.constantFrom(0x1_0000, 0xc0f3, 0xc093, 0xc0ff, 0xa0fb);
  fc.assert(
    fc.property(
      fc.tuple(address, fc.oneof({ weight: 3, arbitrary: fc.constant(0x23) }, { weight: 1, arbitrary: selector }), flags, address, fc.oneof({ weight: 3, arbitrary: fc.constant(0x1b) }, { weight: 1, arbitrary: selector })),
      flags, fc.boolean(), fc.constantFrom(0, 2), fc.tuple(rights, rights, rights, rights),
      (frame, before, awaited, dr7, segments) => {
        const results = machines.map((m, i) => {
          prepare(m, before & ~(Flag.TF | Flag.AC), awaited, dr7, segments);
          frame.forEach((value, at) => m.view.setBigUint64(STACK + 8 * at, BigInt.asUintN(64, BigInt(value)), true));
          const { regs } = m.lp.priv;
          if (i === 1) (regs.words[regs.base + INTERCEPTS / 4] as number) |= Intercepts.iret;
          else regs.intercepts = 0;
          m.lp.run(1);
          return state(m);
        });
        expect(results[0]).toEqual(results[1]);
      },
    ),
    { numRuns: 300 },
  );
});

test('code that another processor wrote is executed behind it', () => {
  const writes = new PageWrites(new ArrayBuffer(PageWrites.bytes(0x200_0000)));
  const m = new Machine('interpreter', { others: { writes, self: 0 } });
  const user = 0x2_0000;
  const results = [1, 2].map((value) => {
    const { bytes } = assemble(`mov eax, ${value}`, { base: BigInt(user), bits: 64 });
    if (value === 1) m.load(KERNEL, 'iretq', 64);
    for (let number = 0; number < 0x2000; number++) writes.opened(number, 1);
    m.bytes.set(bytes, user);
    prepare(m, 2, false, 0, [0x1_0000, 0x1_0000, 0x1_0000, 0x1_0000]);
    [user, 0x23, 2, STACK, 0x1b].forEach((word, at) => m.view.setBigUint64(STACK + 8 * at, BigInt(word), true));
    m.lp.run(2);
    return m.lp.gpr(0);
  });
  expect(results).toEqual([1n, 2n]);
});
