/** What an exception on the way into the handler of another event makes of both, in all modes and as exits (SDM vol. 3, tables 6-4 and 6-5, 6.13; 28.2.4). */
import { ExitReason } from '@axvisor/axvisor_api/arch/x86';
import { describe, expect, test } from 'vitest';
import { GDT, Harness, IDT, SEL, TSS, descriptor, flatTables, gate } from './harness.ts';
import { F, VmxHarness } from './vmx_harness.ts';

const V = { DE: 0, DB: 1, UD: 6, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19 } as const;
const CONTRIBUTORY: ReadonlySet<number> = new Set([V.DE, V.TS, V.NP, V.SS, V.GP]);
const WITH_ERROR: ReadonlySet<number> = new Set([V.DF, V.TS, V.NP, V.SS, V.GP, V.PF, V.AC]);

const FIRSTS = [V.DE, V.DB, V.UD, V.DF, V.TS, V.NP, V.SS, V.GP, V.PF, V.MF, V.AC, V.MC, V.XM];
const SECONDS = [V.TS, V.NP, V.SS, V.GP, V.PF] as const;
type Second = (typeof SECONDS)[number];

/** Table 6-5: the vector that is delivered, -1 for shutdown. */
function table(first: number, second: number): number {
  const kind = (vector: number): 'benign' | 'contributory' | 'page' => (CONTRIBUTORY.has(vector) ? 'contributory' : vector === V.PF ? 'page' : 'benign');
  if (first === V.DF) return -1;
  if (kind(first) === 'contributory' && kind(second) === 'contributory') return V.DF;
  return kind(first) === 'page' ? V.DF : second;
}

const HANDLERS = 0x7000;
const UNMAPPED = 0x4000_1230;
/** What #DF and #PF leave in CR2 if they do not change it. */
const OLD_CR2 = 0x77_7000n;
const INTERRUPTED = 0x5000n;

interface Mode {
  readonly make: () => Harness;
  /** Has the way to the handler of a vector end in an exception. @returns its error code, but for EXT */
  readonly breakGate: (h: Harness, vector: number, second: Second) => number;
  /** The error code on top of a handler's stack, and what is pushed in front. */
  readonly error: (h: Harness) => number;
  readonly frame: number;
}

/** Behind the interrupt stack 3, in front of 5. */
const TSS_LIMIT = 0x43;

/** 64-bit mode; the interrupt stacks 5, 2 and 3 are beyond the limit of the TSS, at no address, and not mapped. */
const long: Mode = {
  make: () => {
    const h = new Harness();
    flatTables(h);
    h.write64(0xf_0000, 0xf_1003n);
    h.write64(0xf_1000, 0x83n);
    h.set('cr3', 0xf_0000);
    h.set('cr4', 0x20);
    h.set('efer', 0x500);
    h.set('cr0', 0x8000_0031);
    h.regs.setSegment(7, SEL.tss, TSS, 0, TSS_LIMIT, 0x8b);
    h.write64(TSS + 28 + 8 * 2, 1n << 62n);
    h.write64(TSS + 28 + 8 * 3, BigInt(UNMAPPED));
    h.regs.setSegment(1, SEL.code64, 0, 0, 0xffff_ffff, 0xa09b);
    h.regs.setSegment(2, SEL.data0, 0, 0, 0xffff_ffff, 0xc093);
    h.setGpr(4, 0x9000);
    for (let vector = 0; vector < 256; vector++) h.write64(IDT + 16 * vector, gate(SEL.code64, HANDLERS + 16 * vector, 0xee));
    return h;
  },
  breakGate: (h, vector, second) => {
    const at = IDT + 16 * vector;
    const ist = (number: number): void => h.write64(at, gate(SEL.code64, HANDLERS + 16 * vector, 0xee, number));
    if (second === V.TS) ist(5);
    else if (second === V.SS) ist(2);
    else if (second === V.PF) ist(3);
    else h.write64(at, gate(SEL.code64, HANDLERS + 16 * vector, second === V.NP ? 0x6e : 0xe1));
    return { [V.TS]: SEL.tss, [V.NP]: 8 * vector + 2, [V.SS]: 0, [V.GP]: 8 * vector + 2, [V.PF]: 2 }[second];
  },
  error: (h) => Number(h.read64(Number(h.gpr(4)))),
  frame: 8,
};

/** The address space of 32-bit modes: 4 MiB pages, the one behind 1 GiB not there. */
const paging32 = (h: Harness): void => {
  h.write32(0xf_0000, 0x83);
  h.set('cr3', 0xf_0000);
  h.set('cr4', 0x10);
  h.set('cr0', 0x8000_0031);
};

/** 32-bit protected mode at CPL 3. */
const protectedMode: Mode = {
  make: () => {
    const h = new Harness();
    flatTables(h);
    paging32(h);
    // Handlers run at CPL 3 as what they interrupt; broken ones at CPL 0, with the stack that the TSS names.
    h.regs.setSegment(1, SEL.code3, 0, 0, 0xffff_ffff, 0xc0fb);
    h.regs.setSegment(2, SEL.data3, 0, 0, 0xffff_ffff, 0xc0f3);
    h.regs.cpl = 3;
    h.write32(0xf_0000, 0x87);
    h.write64(GDT + SEL.spare, descriptor(0, 0xf_ffff, 0x13, 0xc));
    h.setGpr(4, 0x9000);
    for (let vector = 0; vector < 256; vector++) h.write64(IDT + 8 * vector, gate(SEL.code3, HANDLERS + 16 * vector, 0xee));
    return h;
  },
  breakGate: (h, vector, second) => {
    const inner = (ss: number, esp: number): void => {
      h.write64(IDT + 8 * vector, gate(SEL.code0, HANDLERS + 16 * vector, 0xee));
      h.write32(TSS + 4, esp);
      h.write32(TSS + 8, ss);
    };
    if (second === V.TS) inner(SEL.data3, 0x8000);
    else if (second === V.SS) inner(SEL.spare, 0x8000);
    else if (second === V.PF) inner(SEL.data0, UNMAPPED);
    else h.write64(IDT + 8 * vector, gate(SEL.code3, HANDLERS + 16 * vector, second === V.NP ? 0x6e : 0xe1));
    return { [V.TS]: SEL.data3 & ~3, [V.NP]: 8 * vector + 2, [V.SS]: SEL.spare, [V.GP]: 8 * vector + 2, [V.PF]: 2 }[second];
  },
  error: (h) => h.read32(Number(h.gpr(4))),
  frame: 4,
};

const prepared = (mode: Mode): Harness => {
  const h = mode.make();
  h.set('cr2', OLD_CR2);
  h.rip = INTERRUPTED;
  h.regs.modeChanged();
  h.regs.waiting = 0;
  return h;
};

/** The vector whose handler is at hand, -1 for shutdown, with its error code. */
function outcome(h: Harness, mode: Mode): readonly [vector: number, error: number | undefined] {
  if (h.lp.waiting === 2) return [-1, undefined];
  const vector = (Number(h.rip) - HANDLERS) / 16;
  return [vector, WITH_ERROR.has(vector) ? mode.error(h) : undefined];
}

/** What page faults of the way leave in CR2: they change it whatever becomes of them. */
const cr2Of = (mode: Mode, second: Second): bigint => (second === V.PF ? BigInt((mode === long ? UNMAPPED & ~15 : UNMAPPED) - mode.frame) : OLD_CR2);

describe.each([['64-bit mode', long], ['32-bit mode', protectedMode]] as const)('%s', (_, mode) => {
  test.each(FIRSTS.flatMap((first) => SECONDS.map((second) => [first, second] as const)))('an exception %i whose handler is not reached for an exception %i', (first, second) => {
    const h = prepared(mode);
    const error = mode.breakGate(h, first, second);
    h.lp.fault(first, 0);
    const expected = table(first, second);
    const errors: Readonly<Record<number, number>> = { [V.DF]: 0, [second]: second === V.PF ? error : error | 1 };
    expect(outcome(h, mode)).toEqual([expected, errors[expected]]);
    expect(h.get('cr2')).toBe(first === V.PF && second !== V.PF ? 0n : cr2Of(mode, second));
  });

  test.each(SECONDS)('what is no exception and meets %i is benign; its EXT bit is set unless a program asked for it', (second) => {
    const h = prepared(mode);
    const error = mode.breakGate(h, 0x40, second);
    h.run('int', { imm: 0x40, length: 2 });
    expect(outcome(h, mode)).toEqual([second, error]);
    const software = prepared(mode);
    const ofBreakpoint = mode.breakGate(software, 3, second);
    software.run('int3', { length: 1 });
    expect(outcome(software, mode)).toEqual([second, ofBreakpoint]);
    const nmi = prepared(mode);
    const ofNmi = mode.breakGate(nmi, 2, second);
    nmi.lp.setNmi();
    nmi.lp.pendingEvent();
    expect(outcome(nmi, mode)).toEqual([second, second === V.PF ? ofNmi : ofNmi | 1]);
    // INT n of the vector of an exception is no exception.
    const asked = prepared(mode);
    asked.write64(IDT + (mode === long ? 16 : 8) * V.GP, gate(mode === long ? SEL.code64 : SEL.code3, HANDLERS + 16 * V.GP, 0x6e));
    asked.run('int', { imm: V.GP, length: 2 });
    expect(outcome(asked, mode)).toEqual([V.NP, 8 * V.GP + 2]);
  });

  test('a fault that is delivered after another one is contributory in its turn', () => {
    // #UD meets #NP, whose handler meets a page fault, whose handler is not there.
    const h = prepared(mode);
    mode.breakGate(h, V.UD, V.NP);
    mode.breakGate(h, V.NP, V.PF);
    h.lp.fault(V.UD);
    expect(outcome(h, mode)).toEqual([V.PF, 2]);
    const double = prepared(mode);
    mode.breakGate(double, V.UD, V.NP);
    mode.breakGate(double, V.NP, V.PF);
    mode.breakGate(double, V.PF, V.GP);
    double.lp.fault(V.UD);
    expect(outcome(double, mode)).toEqual([V.DF, 0]);
    const triple = prepared(mode);
    for (const vector of [V.PF, V.DF]) mode.breakGate(triple, vector, V.PF);
    triple.lp.fault(V.PF);
    expect([outcome(triple, mode)[0], triple.get('cr2')]).toEqual([-1, cr2Of(mode, V.PF)]);
  });
});

test('in real-address mode the table may end before a vector, and no handler gets an error code', () => {
  const play = (vector: number, limit: number): readonly [vector: number, sp: number] => {
    const h = new Harness();
    h.set('idtrBase', IDT);
    h.regs.idtrLimit = limit;
    h.regs.setSegment(1, 0, 0, 0, 0xffff, 0x9b);
    h.rip = INTERRUPTED;
    h.setGpr(4, 0x9000);
    for (let i = 0; i < 64; i++) h.write32(IDT + 4 * i, HANDLERS + 16 * i);
    h.regs.modeChanged();
    h.regs.waiting = 0;
    h.lp.fault(vector);
    return [h.lp.waiting === 2 ? -1 : (Number(h.rip) - HANDLERS) / 16, Number(h.gpr(4))];
  };
  expect([play(V.MF, 0xff), play(V.MF, 4 * V.MF + 2), play(V.MF, 4 * V.GP + 2), play(V.MF, 4 * V.DF + 2)]).toEqual([[V.MF, 0x8ffa], [V.GP, 0x8ffa], [V.DF, 0x8ffa], [-1, 0x9000]]);
});

describe('in a guest of VMX', () => {
  interface Guest {
    readonly bitmap: number;
    readonly first: number;
    /** Vectors whose gate is not there, is none, or has a stack that is not mapped. */
    readonly gates: Readonly<Record<number, Second>>;
  }
  const run = ({ bitmap, first, gates }: Guest): VmxHarness => {
    const h = new VmxHarness();
    for (let vector = 0; vector < 32; vector++) h.write64(IDT + 16 * vector, gate(SEL.code64, HANDLERS + 16 * vector, 0x8e));
    h.write64(TSS + 28 + 8 * 3, BigInt(UNMAPPED));
    for (const [vector, second] of Object.entries(gates)) long.breakGate(h, Number(vector), second);
    h.w(F.exceptionBitmap, bitmap);
    h.start();
    h.set('cr2', OLD_CR2);
    h.lp.fault(first, WITH_ERROR.has(first) ? 0x54 : 0);
    return h;
  };
  /** Reason, interruption information and error code, IDT-vectoring information and error code, qualification. */
  const exit = (h: VmxHarness): readonly number[] => [
    h.exit.reason, h.n(F.exitInterruptionInformation), h.n(F.exitInterruptionErrorCode), h.n(F.idtVectoringInformation), h.n(F.idtVectoringErrorCode), Number(h.r(F.exitQualification)),
  ];
  const hardware = (vector: number): number => 0x8000_0300 + vector + (WITH_ERROR.has(vector) ? 0x800 : 0);

  test('the second exception leaves before it is combined with the first', () => {
    const bitmap = (1 << V.NP) | (1 << V.PF) | (1 << V.DF);
    const h = run({ bitmap, first: V.GP, gates: { [V.GP]: V.NP } });
    expect(exit(h)).toEqual([ExitReason.exceptionOrNmi, hardware(V.NP), 8 * V.GP + 3, hardware(V.GP), 0x54, 0]);
    const page = run({ bitmap: bitmap & ~(1 << V.NP), first: V.GP, gates: { [V.GP]: V.PF } });
    expect(exit(page)).toEqual([ExitReason.exceptionOrNmi, hardware(V.PF), 2, hardware(V.GP), 0x54, (UNMAPPED & ~15) - 8]);
    expect(page.get('cr2')).toBe(OLD_CR2);
    // A page fault that is delivered, and meets one: with shadow paging the second is the hypervisor's business.
    const masked = new VmxHarness();
    masked.write64(TSS + 28 + 8 * 3, BigInt(UNMAPPED));
    masked.write64(IDT + 16 * V.PF, gate(SEL.code64, HANDLERS, 0x8e, 3));
    masked.w(F.exceptionBitmap, 1 << V.PF);
    masked.w(F.entryInterruptionInformation, hardware(V.PF));
    masked.w(F.entryExceptionErrorCode, 4);
    masked.enter();
    expect(exit(masked)).toEqual([ExitReason.exceptionOrNmi, hardware(V.PF), 2, hardware(V.PF), 4, (UNMAPPED & ~15) - 8]);
    // So is one in the delivery of a double fault.
    const last = run({ bitmap: 1 << V.PF, first: V.GP, gates: { [V.GP]: V.NP, [V.DF]: V.PF } });
    expect(exit(last)).toEqual([ExitReason.exceptionOrNmi, hardware(V.PF), 2, hardware(V.DF), 0, (UNMAPPED & ~15) - 8]);
  });

  test('a double fault leaves as an event of its own, a triple fault as none', () => {
    const double = run({ bitmap: 1 << V.DF, first: V.NP, gates: { [V.NP]: V.GP } });
    expect(exit(double).slice(0, 4)).toEqual([ExitReason.exceptionOrNmi, hardware(V.DF), 0, 0]);
    const pages = run({ bitmap: 1 << V.DF, first: V.SS, gates: { [V.SS]: V.PF, [V.PF]: V.PF } });
    expect([...exit(pages).slice(0, 4), pages.get('cr2')]).toEqual([ExitReason.exceptionOrNmi, hardware(V.DF), 0, 0, BigInt((UNMAPPED & ~15) - 8)]);
    const triple = run({ bitmap: 0, first: V.NP, gates: { [V.NP]: V.GP, [V.DF]: V.NP } });
    expect([triple.exit.reason, triple.n(F.idtVectoringInformation)]).toEqual([ExitReason.tripleFault, 0]);
  });
});
