/** What generated code does of the privileged architecture itself: SYSCALL and SYSRET, SWAPGS, STAC and CLAC under SMAP, STI and its shadow. */
import { describe, expect, test } from 'vitest';
import type { Stored } from '../../src/priv/registers.ts';
import { Machine } from './machine.ts';

const engines = ['interpreter', 'translator'] as const;
const KERNEL = 0x5000;
const USER = 0x2_0000;
const USER_DATA = 0x2_1000;
const STACK = 0x9000;
const GDT = 0x1000;
const IDT = 0x2000;
const TSS = 0x3000;
const TABLES = 0xe_0000;
const AC = 0x4_0000;

const RAX = 0;
const RDX = 2;
const RBX = 3;

function set(m: Machine, name: Stored, value: bigint | number): void {
  const v = BigInt(value);
  m.lp.priv.regs.set(name, Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n)));
}

/** 64-bit mode with SMAP, pages mapped to themselves, of which two are the user's. */
function machine(engine: 'interpreter' | 'translator', fmask: number): Machine {
  const m = new Machine(engine);
  const { regs } = m.lp.priv;
  for (let level = 0; level < 3; level++) m.view.setBigUint64(TABLES + 0x1000 * level, BigInt(TABLES + 0x1000 * (level + 1)) | 7n, true);
  for (let i = 0; i < 256; i++) m.view.setBigUint64(TABLES + 0x3000 + 8 * i, BigInt(i * 0x1000) | (i >> 1 === USER >> 13 ? 7n : 3n), true);
  const gdt = [0n, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0n, 0x00cf_f300_0000_ffffn, 0x00af_fb00_0000_ffffn, 0x0000_8b00_3000_0067n, 0n];
  gdt.forEach((entry, i) => m.view.setBigUint64(GDT + 8 * i, entry, true));
  m.view.setBigUint64(TSS + 4, BigInt(STACK), true);
  set(m, 'cr0', 0x8001_0013n);
  set(m, 'cr3', TABLES);
  set(m, 'cr4', 0x20_0620);
  set(m, 'efer', 0xd01);
  set(m, 'star', (0x1bn << 48n) | (8n << 32n));
  set(m, 'fmask', fmask);
  set(m, 'kernelGsBase', 0x8000);
  set(m, 'gdtrBase', GDT);
  set(m, 'idtrBase', IDT);
  regs.gdtrLimit = 63;
  regs.idtrLimit = 0xfff;
  regs.setSegment(1, 8, 0, 0, 0xffff_ffff, 0xa09b);
  regs.setSegment(2, 16, 0, 0, 0xffff_ffff, 0xc093);
  regs.setSegment(7, 0x30, TSS, 0, 0x67, 0x8b);
  regs.modeChanged();
  regs.translations.flush();
  m.lp.setGpr(4, BigInt(STACK));
  return m;
}

/** An interrupt gate. */
function gate(m: Machine, vector: number, handler: bigint): void {
  m.view.setBigUint64(IDT + 16 * vector, (handler & 0xffffn) | (8n << 16n) | (0x8en << 40n), true);
  m.view.setBigUint64(IDT + 16 * vector + 8, 0n, true);
}

function start(m: Machine, at: number): void {
  m.lp.priv.regs.setRip(at, 0);
}

const state = (m: Machine): unknown => {
  const { regs } = m.lp.priv;
  const segments = [1, 2, 5].map((i) => [regs.selector(i), regs.limits[i], regs.rights[i], regs.baseLo(i)]);
  return [Array.from({ length: 16 }, (_, i) => m.lp.gpr(i)), m.lp.pc, regs.flags, regs.cpl, segments, regs.get('kernelGsBase'), regs.words.slice(regs.base + 296 / 4, regs.base + 320 / 4), m.lp.retired];
};

/** The kernel goes to the user, who asks it to add until the sum is large, and then executes what it may not. */
const CALLS = {
  kernel: `
        mov ecx, ${USER}
        mov r11d, 0x3ad7
        sysretq
call:   swapgs
        mov gs:[0], rsp
        mov gs:[8], rcx
        add rax, rdx
        pushfq
        pop rbx
        stac
        mov [${USER_DATA}], rax
        clac
        mov rcx, gs:[8]
        swapgs
        sysretq
fault:  hlt
`,
  user: `
        mov edx, 3
again:  stc
        syscall
        mov r8, [${USER_DATA}]
        cmp r8, 300
        jc again
        mov r9, r11
        hlt
`,
};

function calls(engine: 'interpreter' | 'translator', fmask: number): unknown {
  const m = machine(engine, fmask);
  const symbols = m.load(KERNEL, CALLS.kernel, 64);
  m.load(USER, CALLS.user, 64);
  set(m, 'lstar', symbols.get('call') as bigint);
  gate(m, 13, symbols.get('fault') as bigint);
  start(m, KERNEL);
  expect(m.lp.run(100_000)).toBe('waiting');
  expect([m.lp.gpr(RAX), m.lp.gpr(8), m.lp.gpr(RDX), m.lp.priv.regs.cpl]).toEqual([300n, 300n, 3n, 0]);
  // RFLAGS as the user had them, CF included, and as the kernel began with them.
  expect([m.lp.gpr(9) & 1n, m.lp.gpr(9) & 0x3200n]).toEqual([1n, 0x3200n]);
  expect(m.lp.gpr(RBX) & 0x4_7701n).toBe(BigInt(0x3ad7 & 0x7700 & ~fmask));
  return state(m);
}

describe('system calls', () => {
  test('come to the same whoever executes them, on all tiers', () => {
    const fast = calls('interpreter', 0x4_7fd5);
    expect(calls('translator', 0x4_7fd5)).toEqual(fast);
    // Without AC in IA32_FMASK, JavaScript does it.
    expect(calls('interpreter', 0x7fd5)).toEqual(fast);
  });

  test.each(engines)('%s: SYSRET of an address that is not canonical, or by a user, faults', (engine) => {
    for (const source of ['mov rcx, 0x800000000000\nsysretq', `mov ecx, ${USER}\nmov r11d, 2\nsysretq`]) {
      const m = machine(engine, 0x4_7fd5);
      const symbols = m.load(KERNEL, `${source}\nfault: hlt`, 64);
      m.load(USER, 'sysretq', 64);
      gate(m, 13, symbols.get('fault') as bigint);
      start(m, KERNEL);
      expect(m.lp.run(1000)).toBe('waiting');
      expect(m.lp.pc).toBe((symbols.get('fault') as bigint) + 1n);
    }
  });
});

test.each(engines)('%s: SMAP guards the user’s pages as AC says', (engine) => {
  const m = machine(engine, 0x4_7fd5);
  const symbols = m.load(KERNEL, `
        mov r8d, 100
again:  stac
        mov rax, [${USER_DATA}]
        clac
        add rbx, rax
        dec r8d
        jnz again
        stac
        stac
        mov rdx, [${USER_DATA}]
        clac
        mov rdx, [${USER_DATA}]
        hlt
fault:  mov rcx, cr2
        hlt
`, 64);
  m.view.setBigUint64(USER_DATA, 5n, true);
  gate(m, 14, symbols.get('fault') as bigint);
  start(m, KERNEL);
  expect(m.lp.run(10_000)).toBe('waiting');
  expect([m.lp.gpr(RBX), m.lp.gpr(RDX), m.lp.gpr(1), m.lp.priv.regs.flags & AC]).toEqual([500n, 5n, BigInt(USER_DATA), 0]);
});

describe.each(engines)('%s: STI', (engine) => {
  const begun = (source: string): Machine => {
    const m = machine(engine, 0);
    m.load(KERNEL, source, 64);
    start(m, KERNEL);
    return m;
  };

  test('blocks interrupts before the next instruction, if IF was clear', () => {
    const m = begun('sti\nnop\nsti\nnop\nnop');
    const shadows = Array.from({ length: 5 }, () => {
      m.lp.run(1);
      return m.lp.priv.regs.currentShadow();
    });
    expect(shadows).toEqual([1, 0, 0, 0, 0]);
  });

  test('does not block them where the next instruction is come to again, nor at the last address', () => {
    const m = begun('sti\nhere: nop\ncli\njmp here');
    m.lp.run(4);
    expect([m.lp.pc, m.lp.priv.regs.currentShadow()]).toEqual([BigInt(KERNEL) + 1n, 0]);
    for (const flags of [0x202, 2]) {
      m.lp.priv.regs.flags = flags;
      m.lp.priv.regs.clearShadow();
      m.lp.priv.regs.setRip(-1, -1);
      expect(m.lp.priv.regs.currentShadow()).toBe(0);
    }
  });

  test('does not block them for ever where the next instruction repeats', () => {
    const m = begun('sti\nhere: jmp here');
    m.lp.run(1);
    expect(m.lp.priv.regs.currentShadow()).toBe(1);
    m.lp.run(1);
    expect(m.lp.priv.regs.currentShadow()).toBe(0);
    m.lp.run(100);
    m.lp.priv.setNmi();
    gate(m, 2, BigInt(KERNEL + 0x800));
    m.load(KERNEL + 0x800, 'hlt', 64);
    expect(m.lp.run(1000)).toBe('waiting');
  });
});

describe('segment bases', () => {
  const FSGSBASE = 1n << 16n;
  /** Bases of all kinds go through registers of both sizes. */
  const moves = `
        mov ecx, 100
again:  mov rax, 0xff7f800012345678
        wrfsbase rax
        wrgsbase eax
        rdfsbase rbx
        rdfsbase edx
        rdgsbase r8
        mov r9, 0x80000000000000
        wrgsbase r9
        rdgsbase r10
        dec ecx
        jnz again
        mov r9, 0x100000000000000
        wrgsbase r9
        hlt
fault:  hlt
`;

  test.each(engines)('%s: are read and written as the manual says', (engine) => {
    for (const allowed of [true, false]) {
      const m = machine(engine, 0x4_7fd5);
      const { regs } = m.lp.priv;
      if (allowed) set(m, 'cr4', regs.get('cr4') | FSGSBASE);
      const symbols = m.load(KERNEL, moves, 64);
      gate(m, allowed ? 13 : 6, symbols.get('fault') as bigint);
      start(m, KERNEL);
      // Of 57 bits, those above are copies.
      m.lp.setGpr(0, 0n);
      expect(m.lp.run(10_000)).toBe('waiting');
      expect(m.lp.pc).toBe((symbols.get('fault') as bigint) + 1n);
      if (!allowed) continue;
      expect([3, 2, 8, 10].map((i) => m.lp.gpr(i))).toEqual([0xff7f_8000_1234_5678n, 0x1234_5678n, 0x1234_5678n, 0x80_0000_0000_0000n]);
      expect([regs.baseLo(5), regs.baseHi(5)]).toEqual([0, 0x80_0000]);
    }
  });
});

describe('extended state', () => {
  /** Saves, destroys and restores; the area ends in the next page. */
  const source = `
        mov eax, 7
        xor ecx, ecx
        xor edx, edx
        xsetbv
        fldpi
        fld1
        mov rax, 0x0123456789abcdef
        movq xmm1, rax
        vinserti128 ymm1, ymm1, xmm1, 1
        mov eax, 7
        xsaves64 [0x20e00]
        xsave64 [0x21600]
        fninit
        vzeroall
        xrstors64 [0x20e00]
        vextracti128 xmm2, ymm1, 1
        movq r8, xmm2
        fstp qword ptr [0x22000]
        vzeroall
        fninit
        xrstor64 [0x21600]
        vextracti128 xmm2, ymm1, 1
        movq r9, xmm2
        fstp qword ptr [0x22008]
        fstp qword ptr [0x22010]
        hlt
`;

  test.each(engines)('%s: comes back from both formats', (engine) => {
    const m = machine(engine, 0x4_7fd5);
    const { regs } = m.lp.priv;
    set(m, 'cr4', (regs.get('cr4') & ~0x20_0000n) | 0x4_0000n);
    regs.modeChanged();
    regs.translations.flush();
    m.load(KERNEL, source, 64);
    start(m, KERNEL);
    expect(m.lp.run(10_000)).toBe('waiting');
    expect([m.lp.gpr(8), m.lp.gpr(9)]).toEqual([0x0123_4567_89ab_cdefn, 0x0123_4567_89ab_cdefn]);
    expect([0, 8, 16].map((at) => m.view.getFloat64(0x2_2000 + at, true))).toEqual([1, 1, Math.PI]);
    // XSTATE_BV and XCOMP_BV.
    expect([m.view.getBigUint64(0x2_1000, true), m.view.getBigUint64(0x2_1008, true)]).toEqual([7n, (1n << 63n) | 7n]);
    expect([m.view.getBigUint64(0x2_1800, true), m.view.getBigUint64(0x2_1808, true)]).toEqual([7n, 0n]);
  });
});
