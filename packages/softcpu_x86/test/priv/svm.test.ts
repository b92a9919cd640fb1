import { EventType, SVM_EXIT_INVALID, SvmExit, SvmIntercept3, SvmIntercept4, SvmIntercept5, TlbControl, VirtualInterrupt, Vmcb, VmcbSave } from '@axvisor/axvisor_api/arch/x86';
import { expect, test } from 'vitest';
import type { SystemInsn, SystemOp } from '../../src/priv/index.ts';
import { vmrunRules } from '../../src/priv/svm/checks.ts';
import { IDT, SEL, gate } from './harness.ts';
import { CODES_SEEN, CONTEXT, IOPM, MSRPM, NPT, SvmHarness, VMCB } from './svm_harness.ts';

const X = SvmExit;

const broken: Readonly<Record<string, (h: SvmHarness) => void>> = {
  'VMRUN intercept': (h) => h.write32(VMCB + Vmcb.intercept4, 0),
  ASID: (h) => h.write32(VMCB + Vmcb.guestAsid, 0),
  'EFER.SVME': (h) => h.set64(VmcbSave.efer, 0x500),
  'EFER: reserved bits': (h) => h.set64(VmcbSave.efer, 0x1502),
  'CR0: NW without CD': (h) => h.set64(VmcbSave.cr0, 0xa000_0011n),
  'CR0: upper half': (h) => h.set64(VmcbSave.cr0, 0x1_8000_0011n),
  'CR0: PG without PE': (h) => h.set64(VmcbSave.cr0, 0x8000_0010n),
  CR3: (h) => h.set64(VmcbSave.cr3, 1n << 50n),
  'CR4: reserved bits': (h) => h.set64(VmcbSave.cr4, 0x8020),
  'DR6 and DR7: upper halves': (h) => h.set64(VmcbSave.dr7, 1n << 32n),
  'long mode: CR4.PAE': (h) => h.set64(VmcbSave.cr4, 0),
  'long mode: CS.L and CS.D': (h) => h.segment(VmcbSave.cs, SEL.code64, 0xe09b),
  IOPM: (h) => h.set64(Vmcb.iopmBasePa, 1n << 50n),
  MSRPM: (h) => h.set64(Vmcb.msrpmBasePa, 1n << 50n),
  'virtual NMIs: NMI intercept': (h) => h.set64(Vmcb.virtualInterrupt, VirtualInterrupt.V_NMI_ENABLE),
  'event injection': (h) => h.set64(Vmcb.eventInjection, 0x8000_0302),
  'nested CR3': (h) => (h.set64(Vmcb.nestedPaging, 1), h.set64(Vmcb.nestedCr3, 1n << 50n)),
  'guest PAT': (h) => (h.set64(Vmcb.nestedPaging, 1), h.set64(VmcbSave.gPat, 2)),
};

test('every consistency rule has a VMCB that breaks it', () => {
  // PE is implied: without it paging is refused before.
  expect(new Set([...Object.keys(broken), 'long mode: CR0.PE'])).toEqual(new Set(vmrunRules.map((rule) => rule.name)));
});

test.each(Object.entries(broken))('VMEXIT_INVALID: %s', (name, breaks) => {
  const h = new SvmHarness();
  breaks(h);
  h.lp.vmRun(BigInt(VMCB), CONTEXT);
  expect([h.lp.exited, h.svm.refused?.name, h.get64(Vmcb.exitCode)]).toEqual([true, name, SVM_EXIT_INVALID]);
});

interface Case {
  readonly op: SystemOp;
  readonly insn?: Partial<SystemInsn>;
  readonly word: number;
  readonly bit: number;
  readonly code: number;
  readonly info1?: bigint;
  readonly info2?: bigint;
}

const I3 = SvmIntercept3;
const I4 = SvmIntercept4;
const W3 = Vmcb.intercept3;
const W4 = Vmcb.intercept4;
const simple3 = ['cpuid', 'rdtsc', 'rdpmc', 'pushf', 'popf', 'rsm', 'iret', 'invd', 'pause', 'hlt', 'invlpga'] as const;
const simple4 = ['vmrun', 'vmmcall', 'vmload', 'vmsave', 'stgi', 'clgi', 'skinit', 'rdtscp', 'wbinvd', 'monitor', 'mwait'] as const;
const upper = (name: string): string => name.toUpperCase();

const cases: readonly Case[] = [
  ...simple3.map((op) => ({ op, word: W3, bit: I3[upper(op) as 'CPUID'], code: X[upper(op) as 'CPUID'] })),
  ...simple4.map((op) => ({ op, word: W4, bit: I4[upper(op) as 'VMRUN'], code: X[upper(op) as 'VMRUN'] })),
  ...(['idtr', 'gdtr'] as const).flatMap((table) => [
    { op: table === 'idtr' ? 'sidt' as const : 'sgdt' as const, word: W3, bit: I3[`${upper(table)}_READ` as 'IDTR_READ'], code: X[`${upper(table)}_READ` as 'IDTR_READ'] },
    { op: table === 'idtr' ? 'lidt' as const : 'lgdt' as const, word: W3, bit: I3[`${upper(table)}_WRITE` as 'IDTR_WRITE'], code: X[`${upper(table)}_WRITE` as 'IDTR_WRITE'] },
  ]),
  { op: 'sldt', insn: { rm: 3 }, word: W3, bit: I3.LDTR_READ, code: X.LDTR_READ },
  { op: 'str', insn: { rm: 3 }, word: W3, bit: I3.TR_READ, code: X.TR_READ },
  { op: 'lldt', insn: { rm: 3 }, word: W3, bit: I3.LDTR_WRITE, code: X.LDTR_WRITE },
  { op: 'ltr', insn: { rm: 3 }, word: W3, bit: I3.TR_WRITE, code: X.TR_WRITE },
  { op: 'int', insn: { imm: 0x80 }, word: W3, bit: I3.SWINT, code: X.SWINT, info1: 0x80n },
  { op: 'int1', word: W4, bit: I4.ICEBP, code: X.ICEBP },
  { op: 'xsetbv', word: W4, bit: I4.XSETBV, code: X.XSETBV },
  { op: 'invlpg', insn: { lo: 0x6000 }, word: W3, bit: I3.INVLPG, code: X.INVLPG, info1: 0x6000n },
  { op: 'invpcid', word: Vmcb.intercept5, bit: SvmIntercept5.INVPCID, code: X.INVPCID },
  { op: 'mov_from_cr', insn: { reg: 3, rm: 9 }, word: Vmcb.interceptCr, bit: 8, code: 3, info1: (1n << 63n) | 9n },
  { op: 'mov_to_cr', insn: { reg: 8, rm: 9 }, word: Vmcb.interceptCr, bit: 1 << 24, code: 0x18, info1: (1n << 63n) | 9n },
  { op: 'mov_to_cr', insn: { reg: 0, rm: 3 }, word: W3, bit: I3.CR0_SEL_WRITE, code: X.CR0_SEL_WRITE, info1: (1n << 63n) | 3n },
  { op: 'clts', word: Vmcb.interceptCr, bit: 1 << 16, code: 0x10 },
  { op: 'lmsw', insn: { rm: 3 }, word: Vmcb.interceptCr, bit: 1 << 16, code: 0x10 },
  { op: 'smsw', insn: { rm: 3 }, word: Vmcb.interceptCr, bit: 1, code: 0 },
  { op: 'mov_from_dr', insn: { reg: 7, rm: 2 }, word: Vmcb.interceptDr, bit: 1 << 7, code: 0x27, info1: 2n },
  { op: 'mov_to_dr', insn: { reg: 3, rm: 2 }, word: Vmcb.interceptDr, bit: 1 << 19, code: 0x33, info1: 2n },
  { op: 'in_dx', insn: { opSize: 4 }, word: W3, bit: I3.IOIO_PROT, code: X.IOIO, info1: 0x3f8_0041n, info2: 0x5003n },
  { op: 'outs', insn: { opSize: 1, addrSize: 8, rep: true, seg: 3 }, word: W3, bit: I3.IOIO_PROT, code: X.IOIO, info1: 0x3f8_0e1cn, info2: 0x5003n },
  { op: 'rdmsr', word: W3, bit: I3.MSR_PROT, code: X.MSR },
  { op: 'wrmsr', word: W3, bit: I3.MSR_PROT, code: X.MSR, info1: 1n },
];

test.each(cases.map((c) => [`${c.op} ${c.code.toString(16)}`, c] as const))('%s leaves the guest', (_, c) => {
  const h = new SvmHarness();
  h.enable(c.word, c.bit);
  h.bytes.fill(0xff, IOPM, IOPM + 0x2001);
  h.start();
  h.regs.setGpr(1, c.op === 'monitor' || c.op === 'mwait' ? 0 : 0x2000, 0);
  h.setGpr(2, 0x3f8);
  h.setGpr(3, 5);
  if (c.op === 'xsetbv') h.set('cr4', 0x4_0020);
  expect(h.run(c.op, { addrSize: 8, opSize: 8, ...c.insn, length: 3 })).toBe(2);
  expect(h.exit).toEqual([c.code, c.info1 ?? 0n, c.info2 ?? 0n, 0x5003n]);
  expect([h.get64(VmcbSave.rip), h.get64(Vmcb.exitIntInfo)]).toEqual([0x5000n, 0n]);
});

test('without intercepts MSRs and ports pass by the permission maps', () => {
  const h = new SvmHarness();
  h.enable(W3, I3.MSR_PROT | I3.IOIO_PROT);
  h.bytes[MSRPM + 0x800 + (0x82 >> 2)] = 2 << ((0x82 & 3) * 2); // writes of LSTAR
  h.bytes[IOPM + (0x3f9 >> 3)] = 1 << 1;
  const msr = (op: 'rdmsr' | 'wrmsr', index: number): boolean => {
    h.start();
    h.setGpr(1, index);
    h.run(op);
    return h.lp.exited;
  };
  expect([msr('rdmsr', 0xc000_0082), msr('wrmsr', 0xc000_0082), msr('wrmsr', 0xc000_0081), msr('rdmsr', 0xc001_0114), msr('rdmsr', 0x3000)]).toEqual([false, true, false, false, true]);
  const port = (number: number, size: number): boolean => {
    h.start();
    h.setGpr(2, number);
    h.run('in_dx', { opSize: size });
    return h.lp.exited;
  };
  expect([port(0x3f8, 1), port(0x3f8, 2), port(0x3f9, 1), port(0x3fa, 4), port(0x3f6, 4)]).toEqual([false, true, true, false, true]);
});

test('exceptions: intercepted with error code and address, else delivered', () => {
  const h = new SvmHarness();
  h.write64(IDT + 14 * 16, gate(SEL.code64, 0x7000, 0x8e));
  h.write64(IDT + 14 * 16 + 8, 0n);
  h.start();
  h.lp.translate(0x1000, 0x40, 1, 8);
  expect([h.lp.takeException(), h.rip, h.get('cr2')]).toEqual([1, 0x7000n, 0x40_0000_1000n]);
  h.setUp();
  h.enable(Vmcb.interceptExceptions, (1 << 14) | (1 << 3));
  h.start();
  h.lp.translate(0x1000, 0x41, 0, 8);
  h.lp.takeException();
  expect(h.exit).toEqual([X.EXCP0 + 14, 0n, 0x41_0000_1000n, 0n]);
  h.start();
  h.run('int3', { length: 1 });
  expect(h.exit).toEqual([X.EXCP0 + 3, 0n, 0n, 0x5001n]);
  // Intercepted while another is delivered: EXITINTINFO.
  h.setUp();
  h.enable(Vmcb.interceptExceptions, 1 << 8);
  h.start();
  h.regs.idtrLimit = 0;
  h.lp.fault(13, 0x18);
  expect([h.exit[0], h.get64(Vmcb.exitIntInfo)]).toEqual([X.EXCP0 + 8, 0x18_8000_0b0dn]);
  h.setUp();
  h.enable(W3, I3.SHUTDOWN);
  h.segment(VmcbSave.idtr, 0, 0, 0, BigInt(IDT));
  h.start();
  h.lp.fault(6);
  expect(h.exit[0]).toBe(X.SHUTDOWN);
});

test('nested page faults', () => {
  const h = new SvmHarness();
  h.set64(Vmcb.nestedPaging, 1);
  h.set64(VmcbSave.gPat, 0x0007_0406_0007_0406n);
  h.write64(NPT + 0x1000, BigInt(NPT + 0x2000) | 7n);
  h.write64(NPT + 0x2000, BigInt(NPT + 0x3000) | 7n);
  for (let i = 0; i < 256; i++) h.write64(NPT + 0x3000 + 8 * i, BigInt(i * 4096) | 7n);
  const entry = NPT + 0x3000;
  h.write64(entry + 8 * 0x20, 0x2_0005n); // read only
  h.write64(entry + 8 * 0x21, 0n);
  const fault = (linear: number, access: 0 | 1 | 2): void => {
    h.lp.invalidateNested();
    h.start();
    expect(h.lp.translate(linear, 0, access, 8)).toBe(-1);
    h.lp.takeException();
  };
  fault(0x2_0123, 1);
  expect(h.exit).toEqual([X.NPF, 0x1_0000_0007n, 0x2_0123n, 0n]);
  fault(0x2_1ff0, 2);
  expect(h.exit).toEqual([X.NPF, 0x1_0000_0014n, 0x2_1ff0n, 0n]);
  // The guest's own tables are written.
  h.write64(entry + 8 * 0xf1, 0xf_1005n);
  fault(0x6000, 0);
  expect(h.exit).toEqual([X.NPF, 0x2_0000_0007n, 0xf_1000n, 0n]);
});

test('interrupts of the host, virtual interrupts, injected events', () => {
  const h = new SvmHarness();
  for (const vector of [14, 0x30, 0x40]) {
    h.write64(IDT + vector * 16, gate(SEL.code64, 0x7000 + vector, 0x8e));
    h.write64(IDT + vector * 16 + 8, 0n);
  }
  h.enable(W3, I3.INTR);
  h.set64(Vmcb.virtualInterrupt, 1 << 24);
  h.start();
  h.lp.setHostInterrupt(true);
  expect([h.lp.pendingEvent(), h.exit[0]]).toEqual([2, X.INTR]);
  h.lp.setHostInterrupt(false);
  // V_IRQ with priority 3 against V_TPR 4, then 2.
  h.set64(VmcbSave.rflags, 0x202);
  h.set64(Vmcb.virtualInterrupt, (0x30n << 32n) | (1n << 24n) | (3n << 16n) | 0x104n);
  h.start();
  expect(h.lp.pendingEvent()).toBe(0);
  h.setGpr(0, 2);
  h.run('mov_to_cr', { reg: 8, rm: 0 });
  expect([h.lp.pendingEvent(), h.rip]).toEqual([1, 0x7030n]);
  expect(h.get64(Vmcb.virtualInterrupt) & 0xffffn).toBe(2n);
  // VINTR intercept: the same, without delivery.
  h.enable(W3, I3.VINTR);
  h.set64(Vmcb.virtualInterrupt, (0x30n << 32n) | (1n << 24n) | (3n << 16n) | 0x100n);
  h.start();
  expect([h.lp.pendingEvent(), h.exit[0]]).toEqual([2, X.VINTR]);
  h.set64(Vmcb.virtualInterrupt, 0);
  h.set64(Vmcb.eventInjection, 0x8000_0040 | (EventType.externalInterrupt << 8));
  h.start();
  expect([h.rip, h.get64(Vmcb.eventInjection)]).toEqual([0x7040n, 0n]);
  // An exception with its error code on top of the stack.
  h.set64(Vmcb.eventInjection, 0x1234_8000_0b0en);
  h.start();
  expect([h.rip, h.read64(Number(h.gpr(4)))]).toEqual([0x700en, 0x1234n]);
});

test('virtual NMIs wait for IRET', () => {
  const { V_NMI, V_NMI_ENABLE, V_NMI_MASK } = VirtualInterrupt;
  const h = new SvmHarness();
  h.write64(IDT + 2 * 16, gate(SEL.code64, 0x7000, 0x8e));
  h.write64(IDT + 2 * 16 + 8, 0n);
  h.enable(W3, I3.NMI);
  h.set64(Vmcb.virtualInterrupt, V_NMI_ENABLE | V_NMI);
  h.start();
  expect([h.lp.pendingEvent(), h.rip, h.get64(Vmcb.virtualInterrupt) & V_NMI]).toEqual([1, 0x7000n, 0n]);
  // Those of the host come all the same; the exit says that the guest is in its handler.
  h.lp.setNmi();
  expect([h.lp.pendingEvent(), h.exit[0], h.get64(Vmcb.virtualInterrupt)]).toEqual([2, X.NMI, V_NMI_ENABLE | V_NMI_MASK]);
  h.set64(Vmcb.virtualInterrupt, V_NMI_ENABLE | V_NMI_MASK | V_NMI);
  h.start();
  expect(h.lp.pendingEvent()).toBe(0);
  // The next one is taken where IRET returns to, not before.
  h.run('iret', { opSize: 8 });
  expect(h.rip).toBe(0x5000n);
  h.rip = 0x5555n;
  expect([h.lp.pendingEvent(), h.rip, h.read64(Number(h.gpr(4)))]).toEqual([1, 0x7000n, 0x5555n]);
  // One that is injected blocks others, too; behind STI they wait for an instruction.
  h.lp.setNmi();
  h.lp.pendingEvent();
  h.set64(Vmcb.virtualInterrupt, V_NMI_ENABLE);
  h.set64(Vmcb.eventInjection, 0x8000_0002 | (EventType.nmi << 8));
  h.start();
  h.lp.setNmi();
  expect([h.lp.pendingEvent(), h.get64(Vmcb.virtualInterrupt)]).toEqual([2, V_NMI_ENABLE | V_NMI_MASK]);
  h.set64(Vmcb.virtualInterrupt, V_NMI_ENABLE | V_NMI);
  h.set64(Vmcb.interruptShadow, 1);
  h.start();
  expect(h.lp.pendingEvent()).toBe(0);
  h.regs.advance(1);
  h.retired++;
  expect(h.lp.pendingEvent()).toBe(1);
});

test('NMI, INIT and task switches', () => {
  const h = new SvmHarness();
  h.enable(W3, I3.NMI | I3.INIT | I3.TASK_SWITCH);
  h.start();
  h.lp.setNmi();
  expect([h.lp.pendingEvent(), h.exit[0]]).toEqual([2, X.NMI]);
  h.start();
  h.lp.setInit();
  expect([h.lp.pendingEvent(), h.exit[0]]).toEqual([2, X.INIT]);
  // A far jump to a TSS, outside long mode: EXITINFO1 has the selector, EXITINFO2 that it was a jump (APM vol. 2, 15.14.1).
  h.set64(VmcbSave.efer, 0x1000);
  h.set64(VmcbSave.cr0, 0x31);
  h.set64(VmcbSave.cr4, 0);
  h.segment(VmcbSave.cs, SEL.code0, 0xc09b, 0xffff_ffff, 0n);
  h.write64(0x1000 + SEL.spare, 0x0000_8900_3000_0067n);
  h.start();
  h.run('jmpf_ptr', { imm2: SEL.spare, length: 7 });
  expect(h.exit.slice(0, 3)).toEqual([X.TASK_SWITCH, BigInt(SEL.spare), 1n << 38n]);
});

test('VMLOAD and VMSAVE, and state that VMRUN does not touch', () => {
  const h = new SvmHarness();
  h.segment(VmcbSave.fs, 0x33, 0xf3, 0xfffff, 0x1234_5678_9abcn);
  h.set64(VmcbSave.kernelGsBase, 0x77);
  h.set64(VmcbSave.lstar, 0x88);
  h.svm.vmload(BigInt(VMCB));
  expect([h.get('kernelGsBase'), h.get('lstar'), h.regs.baseLo(4), h.regs.selector(4)]).toEqual([0x77n, 0x88n, 0x5678_9abc, 0x33]);
  h.set('lstar', 0x99);
  h.svm.vmsave(BigInt(VMCB));
  expect([h.get64(VmcbSave.lstar), h.get64(VmcbSave.fs + 8)]).toEqual([0x99n, 0x1234_5678_9abcn]);
  h.start();
  h.set('cr2', 0x55);
  h.setGpr(0, 0x42);
  h.enable(W3, I3.CPUID);
  h.run('cpuid');
  expect([h.get64(VmcbSave.cr2), h.get64(VmcbSave.rax), h.get64(VmcbSave.efer), h.get('efer')]).toEqual([0x55n, 0x42n, 0x1500n, 0x1d01n]);
  expect(() => h.svm.vmload(1n)).toThrow(/no address of a VMCB/);
});

test('translations are those of an ASID, and go as TLB_CONTROL says (15.16)', () => {
  const h = new SvmHarness();
  h.enable(Vmcb.intercept3, SvmIntercept3.CPUID);
  const enter = (asid: number, control: number): unknown => {
    h.write32(VMCB + Vmcb.guestAsid, asid);
    h.bytes[VMCB + Vmcb.tlbControl] = control;
    h.start();
    const { space } = h;
    h.run('cpuid');
    expect(h.lp.exited).toBe(true);
    return space;
  };
  const one = enter(1, TlbControl.none);
  const two = enter(2, TlbControl.none);
  expect(two).not.toBe(one);
  expect(enter(1, TlbControl.none)).toBe(one);
  const fresh = enter(1, TlbControl.flushAsid);
  expect(fresh).not.toBe(one);
  expect(enter(2, TlbControl.none)).toBe(two);
  expect(enter(1, TlbControl.flushAsidNonGlobal)).not.toBe(fresh);
  expect(enter(2, TlbControl.none)).toBe(two);
  enter(1, TlbControl.flushAll);
  expect(enter(2, TlbControl.none)).not.toBe(two);
});

test('every exit code that this processor can leave with was seen', () => {
  // There is no SMM, no RDPRU, no FERR, no armed monitor, and no trap behind writes of EFER.
  const absent = new Set<number>([X.SMI, X.FERR_FREEZE, X.RDPRU, X.EFER_WRITE_TRAP, X.MWAIT_CONDITIONAL]);
  // Ranges count as seen when one of theirs was.
  const sizes: Readonly<Record<number, number>> = { [X.CR0_READ]: 16, [X.CR0_WRITE]: 16, [X.DR0_READ]: 16, [X.DR0_WRITE]: 16, [X.EXCP0]: 32 };
  const seen = (code: number): boolean => [...CODES_SEEN].some((c) => c >= code && c < code + (sizes[code] ?? 1));
  const names = Object.entries(X);
  expect(names.filter(([, code]) => !seen(code) && !absent.has(code)).map(([name]) => name)).toEqual([]);
  console.info(`SVM exits: ${names.filter(([, code]) => seen(code)).length} of ${names.length} codes seen; not offered: ${names.filter(([, c]) => absent.has(c)).map(([name]) => name).join(', ')}`);
});
