/** User-mode instruction prevention: SGDT, SIDT, SLDT, SMSW and STR outside CPL 0 (SDM vol. 3, 2.5, CR4.UMIP; vol. 2, these instructions). */
import { ExitReason, ProcControl2, SvmExit, SvmIntercept3, Vmcb, VmcbSave } from '@axvisor/axvisor_api/arch/x86';
import { describe, expect, test } from 'vitest';
import { GDT, Harness, IDT, SEL, TSS, flatTables, gate } from './harness.ts';
import { SvmHarness } from './svm_harness.ts';
import { F, VmxHarness } from './vmx_harness.ts';

const UMIP = 0x800n;
const HANDLER = 0x7000;
const PLACE = 0x6000;
const GP = 13;
const UD = 6;
const INSTRUCTIONS = ['sgdt', 'sidt', 'sldt', 'smsw', 'str'] as const;
type Name = (typeof INSTRUCTIONS)[number];

const LDT = 0x48;
/** What each stores, from CR0 0x31, in as many bytes as memory gets. */
const STORED: Readonly<Record<Name, bigint>> = { sgdt: (BigInt(GDT) << 16n) | 0xffn, sidt: (BigInt(IDT) << 16n) | 0xfffn, sldt: BigInt(LDT), smsw: 0x31n, str: BigInt(SEL.tss) };

type Mode = 'real' | 'virtual-8086' | '32-bit' | '64-bit';

/** A processor in a mode, at a privilege level, whose handlers tell their vector. */
function prepared(mode: Mode, cpl: number, cr4: bigint): Harness {
  const h = new Harness();
  flatTables(h);
  if (mode === '64-bit') {
    h.write64(0xf_0000, 0xf_1007n);
    h.write64(0xf_1000, 0x87n);
    h.set('cr3', 0xf_0000);
    h.set('efer', 0x500);
  }
  h.set('cr4', cr4 | 0x20n);
  h.set('cr0', mode === 'real' ? 0x30 : mode === '64-bit' ? 0x8000_0031 : 0x31);
  h.regs.setSegment(6, LDT, 0x4000, 0, 0x7f, 0x82);
  h.write32(TSS + 4, 0x9000);
  h.write32(TSS + 8, mode === '64-bit' ? 0 : SEL.data0);
  const size = mode === '64-bit' ? 16 : 8;
  for (const vector of [UD, GP]) {
    if (mode === 'real') h.write32(IDT + 4 * vector, HANDLER + vector);
    else h.write64(IDT + size * vector, gate(mode === '64-bit' ? SEL.code64 : SEL.code0, HANDLER + vector, 0x8e));
  }
  const user = cpl === 3;
  if (mode === 'virtual-8086' || mode === 'real') {
    for (const segment of [0, 1, 2, 3, 4, 5]) h.regs.setSegment(segment, 0, 0, 0, 0xffff, user ? 0xf3 : 0x93);
    if (user) h.regs.flags |= 1 << 17;
  } else {
    h.regs.setSegment(1, user ? SEL.code3 : SEL.code0, 0, 0, 0xffff_ffff, (mode === '64-bit' ? 0xa09b : 0xc09b) | (cpl << 5));
    for (const segment of [0, 2, 3]) h.regs.setSegment(segment, user ? SEL.data3 : SEL.data0, 0, 0, 0xffff_ffff, 0xc093 | (cpl << 5));
  }
  h.regs.cpl = cpl;
  h.rip = 0x5000;
  h.setGpr(4, 0x8000);
  h.regs.modeChanged();
  h.regs.waiting = 0;
  return h;
}

/** What became of an instruction: the vector of its exception, or what it stored. */
function execute(h: Harness, name: Name, inMemory: boolean): number | bigint {
  h.setGpr(3, 0);
  h.write64(PLACE, 0n);
  h.run(name, inMemory ? { rm: -1, lo: PLACE, length: 3 } : { rm: 3, opSize: 4, length: 3 });
  const handler = Number(h.rip) - HANDLER;
  if (handler === GP || handler === UD) return handler;
  expect(h.rip).toBe(0x5003n);
  return inMemory ? h.read64(PLACE) : h.gpr(3);
}

describe.each(INSTRUCTIONS)('%s', (name) => {
  // Tables go to memory only.
  const forms = name === 'sgdt' || name === 'sidt' ? [true] : [true, false];
  const needsProtection = name === 'sldt' || name === 'str';

  test.each(['32-bit', '64-bit'] as const)('%s: #GP(0) at CPL 3 and with CR4.UMIP only', (mode) => {
    for (const inMemory of forms) {
      const stored = name === 'smsw' && mode === '64-bit' && !inMemory ? 0x8000_0031n : STORED[name];
      for (const [cpl, cr4] of [[0, 0n], [0, UMIP], [3, 0n]] as const) expect(execute(prepared(mode, cpl, cr4), name, inMemory)).toBe(stored);
      const h = prepared(mode, 3, UMIP);
      expect(execute(h, name, inMemory)).toBe(GP);
      // Error code, RIP and CS.
      const at = Number(h.gpr(4));
      expect(mode === '64-bit' ? [h.read64(at), h.read64(at + 8), h.read64(at + 16)] : [h.read32(at), h.read32(at + 4), h.read32(at + 8)].map(BigInt)).toEqual([0n, 0x5000n, BigInt(SEL.code3)]);
      expect([h.gpr(3), h.read64(PLACE)]).toEqual([0n, 0n]);
    }
  });

  test('in modes without selectors, where two of them are undefined', () => {
    for (const inMemory of forms) {
      const stored = name === 'smsw' ? 0x30n : STORED[name];
      expect(execute(prepared('real', 0, UMIP), name, inMemory)).toBe(needsProtection ? UD : stored);
      expect(execute(prepared('virtual-8086', 3, 0n), name, inMemory)).toBe(needsProtection ? UD : STORED[name]);
      expect(execute(prepared('virtual-8086', 3, UMIP), name, inMemory)).toBe(needsProtection ? UD : GP);
    }
  });

  test('what is prevented does not leave a guest, what is not does where the hypervisor wants it', () => {
    const insn = { rm: -1, lo: PLACE, length: 3 };
    const vmx = (cr4: bigint): VmxHarness => {
      const h = new VmxHarness();
      h.enable(F.secondaryProcessorBasedControls, ProcControl2.descriptorTableExiting);
      h.write64(IDT + 16 * GP, gate(SEL.code64, HANDLER + GP, 0x8e));
      h.write32(TSS + 4, 0x9000);
      h.w(F.guestCr4, 0x2020n | cr4);
      h.start();
      h.regs.cpl = 3;
      h.run(name, insn);
      return h;
    };
    const tables = name === 'sgdt' || name === 'sidt';
    if (name !== 'smsw') expect([vmx(0n).lp.exited, vmx(0n).exit.reason]).toEqual([true, tables ? ExitReason.gdtrOrIdtrAccess : ExitReason.ldtrOrTrAccess]);
    expect([vmx(UMIP).lp.exited, vmx(UMIP).rip]).toEqual([false, BigInt(HANDLER + GP)]);
    const intercept = { sgdt: SvmIntercept3.GDTR_READ, sidt: SvmIntercept3.IDTR_READ, sldt: SvmIntercept3.LDTR_READ, str: SvmIntercept3.TR_READ, smsw: 0 }[name];
    const code = { sgdt: SvmExit.GDTR_READ, sidt: SvmExit.IDTR_READ, sldt: SvmExit.LDTR_READ, str: SvmExit.TR_READ, smsw: SvmExit.CR0_READ }[name];
    const svm = (cr4: bigint): SvmHarness => {
      const h = new SvmHarness();
      if (name === 'smsw') h.enable(Vmcb.interceptCr, 1);
      else h.enable(Vmcb.intercept3, intercept);
      h.write64(IDT + 16 * GP, gate(SEL.code64, HANDLER + GP, 0x8e));
      h.write32(TSS + 4, 0x9000);
      h.segment(VmcbSave.tr, SEL.tss, 0x8b, 0x67, BigInt(TSS));
      h.set64(VmcbSave.cr4, 0x20n | cr4);
      h.start();
      h.regs.setSegment(7, SEL.tss, TSS, 0, 0x67, 0x8b);
      h.regs.cpl = 3;
      h.run(name, insn);
      return h;
    };
    expect([svm(0n).lp.exited, svm(0n).exit[0]]).toEqual([true, code]);
    expect([svm(UMIP).lp.exited, svm(UMIP).rip]).toEqual([false, BigInt(HANDLER + GP)]);
  });
});
