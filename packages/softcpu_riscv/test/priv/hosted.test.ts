import { describe, expect, test } from 'vitest';
import { Status } from '../../src/priv/index.ts';
import { csr, Harness, RAM } from './harness.ts';

const SPV = 1n << 7n;
const SPVP = 1n << 8n;

/** A hypervisor in native code that has prepared a guest to run at `pc` in VS-mode. */
function hypervisor(pc = 0x8000_1000n): Harness {
  const h = new Harness({ hosted: true });
  h.priv.csrWrite(csr.hedeleg, 0xb1ffn);
  h.priv.csrWrite(csr.hideleg, 0x444n);
  h.priv.csrWrite(csr.hstatus, SPV | SPVP);
  h.priv.csrWrite(csr.sstatus, 0x2100n);
  h.priv.csrWrite(csr.sepc, pc);
  return h;
}

describe('a hosted hart', () => {
  test('drops what is cached when MXR differs at the next entry', () => {
    const h = hypervisor();
    h.priv.enterGuest();
    h.execute('ecall');
    h.log.length = 0;
    h.priv.csrWrite(csr.sstatus, h.priv.csrRead(csr.sstatus) | (1n << 19n));
    expect(h.log).toEqual([]);
    h.priv.enterGuest();
    expect(h.log).toEqual(['tlb']);
  });

  test('starts in HS-mode with everything delegated and enabled', () => {
    const h = new Harness({ hosted: true });
    expect([h.mode, h.priv.csrRead(csr.hedeleg), h.priv.csrRead(csr.satp)]).toEqual(['HS', 0n, 0n]);
    h.priv.csrWrite(csr.henvcfg, -1n);
    expect(h.priv.csrRead(csr.henvcfg)).toBe(0xe000_0000_0000_00f1n);
    h.priv.csrWrite(csr.sie, -1n);
    expect(h.priv.csrRead(csr.sie)).toBe(0x222n);
  });

  test('CSRs that HS-mode cannot access throw', () => {
    const h = new Harness({ hosted: true });
    for (const number of [csr.mstatus, csr.mhartid, csr.pmpaddr0, 0x5a8, 0x7c0]) {
      expect(() => h.priv.csrRead(number)).toThrow(RangeError);
      expect(() => h.priv.csrWrite(number, 0n)).toThrow(RangeError);
    }
    expect(() => h.priv.csrWrite(csr.hgeip, 0n)).toThrow(RangeError);
    expect(h.priv.csrRead(csr.hgeip)).toBe(0n);
    expect(h.priv.csrRead(csr.time)).toBe(0n);
  });

  test('enterGuest is SRET: mode, PC, interrupt stack', () => {
    const h = hypervisor();
    h.priv.enterGuest();
    expect([h.mode, h.pc, h.priv.exited]).toEqual(['VS', 0x8000_1000n, false]);
    expect(() => h.priv.enterGuest()).toThrow('not in HS-mode');
    h.execute('ecall');
    h.priv.csrWrite(csr.hstatus, 0n);
    expect(() => h.priv.enterGuest()).toThrow('SPV');
    h.priv.csrWrite(csr.hstatus, SPV);
    h.priv.csrWrite(csr.sstatus, 0x2000n);
    h.priv.enterGuest();
    expect(h.mode).toBe('VU');
  });

  test('an ECALL of the guest leaves it; its CSRs are those of a trap into HS-mode', () => {
    const h = hypervisor();
    h.priv.enterGuest();
    h.log.length = 0;
    h.pc = 0x8000_1234n;
    expect(h.execute('ecall')).toBe(Status.leave);
    expect([h.priv.exited, h.mode]).toEqual([true, 'HS']);
    expect([csr.scause, csr.sepc, csr.stval, csr.htval, csr.htinst].map((number) => h.priv.csrRead(number))).toEqual([10n, 0x8000_1234n, 0n, 0n, 0n]);
    expect(h.priv.csrRead(csr.hstatus) & 0x1c0n).toBe(SPV | SPVP);
    expect(h.priv.csrRead(csr.sstatus) & 0x100n).toBe(0x100n);
    // Going on leaves what is cached of the guest alone, whatever sstatus was meanwhile.
    const sstatus = h.priv.csrRead(csr.sstatus);
    h.priv.csrWrite(csr.sstatus, 0xc_6002n);
    h.priv.csrWrite(csr.sstatus, sstatus);
    h.priv.csrWrite(csr.sepc, 0x8000_1238n);
    h.priv.enterGuest();
    expect([h.mode, h.pc, h.priv.exited]).toEqual(['VS', 0x8000_1238n, false]);
    expect(h.log).toEqual([]);
  });

  test('what hedeleg delegates stays in the guest', () => {
    const h = hypervisor();
    h.priv.csrWrite(csr.vstvec, 0x8000_4000n);
    h.priv.enterGuest();
    expect(h.execute('ebreak')).toBe(Status.refetch);
    expect([h.mode, h.pc, h.priv.exited]).toEqual(['VS', 0x8000_4000n, false]);
  });

  test('a guest page fault reports address and instruction', () => {
    const h = hypervisor();
    h.priv.csrWrite(csr.hgatp, (8n << 60n) | (BigInt(RAM) >> 12n));
    h.priv.enterGuest();
    expect(h.priv.translate(0x1000_0005, 0, 1, 1)).toBe(-1);
    expect(h.priv.takeTrap(0x00b5_02a3)).toBe(Status.leave);
    expect([csr.scause, csr.stval, csr.htval, csr.htinst].map((number) => h.priv.csrRead(number))).toEqual([23n, 0x1000_0005n, 0x1000_0004n >> 2n, 0x00b0_0023n]);
    expect(h.priv.csrRead(csr.hstatus) & 0x40n).toBe(0x40n);
  });

  test('HS-level interrupts leave the guest, VS-level ones are taken in it', () => {
    const h = hypervisor();
    h.priv.csrWrite(csr.sie, 0x20n);
    h.priv.csrWrite(csr.vstvec, 0x8000_4000n);
    h.priv.csrWrite(csr.hvip, 0x400n);
    h.priv.csrWrite(csr.stimecmp, 50n);
    h.priv.enterGuest();
    expect([h.priv.pendingInterrupt(), h.mode, h.pc]).toEqual([Status.next, 'VS', 0x8000_1000n]);
    h.setX(5, 2n);
    expect(h.execute('csrrs', { rs1: 5, csrNumber: csr.sstatus })).toBe(Status.next);
    expect(h.execute('csrrs', { rs1: 5, csrNumber: csr.sie })).toBe(Status.next);
    h.setX(5, 0x200n);
    expect(h.execute('csrrs', { rs1: 5, csrNumber: csr.sie })).toBe(Status.refetch);
    expect([h.pc, h.get('scause')]).toEqual([0x8000_4000n, (1n << 63n) | 9n]);
    h.now = 50n;
    expect([h.priv.pendingInterrupt(), h.priv.exited]).toEqual([Status.leave, true]);
    expect([h.priv.csrRead(csr.scause), h.priv.csrRead(csr.sepc), h.priv.csrRead(csr.stval)]).toEqual([(1n << 63n) | 5n, 0x8000_4000n, 0n]);
  });

  test('an interrupt that is pending at entry leaves at once, before an instruction', () => {
    const h = hypervisor();
    h.priv.csrWrite(csr.sie, 0x2n);
    h.priv.setPending(1, true);
    h.priv.enterGuest();
    expect([h.priv.exited, h.priv.csrRead(csr.scause), h.priv.csrRead(csr.sepc)]).toEqual([true, (1n << 63n) | 1n, 0x8000_1000n]);
    h.priv.setPending(1, false);
    h.priv.enterGuest();
    expect([h.priv.exited, h.mode]).toEqual([false, 'VS']);
  });

  test('WFI waits in the guest, or leaves it with VTW', () => {
    const h = hypervisor();
    h.priv.enterGuest();
    expect([h.execute('wfi'), h.priv.waiting, h.priv.exited]).toEqual([Status.leave, true, false]);
    h.execute('ecall');
    expect(h.priv.waiting).toBe(false);
    h.priv.csrWrite(csr.hstatus, SPV | SPVP | (1n << 21n));
    h.priv.enterGuest();
    expect([h.execute('wfi'), h.priv.waiting, h.priv.exited]).toEqual([Status.leave, false, true]);
    expect([h.priv.csrRead(csr.scause), h.priv.csrRead(csr.stval)]).toEqual([22n, 0x1050_0073n]);
  });

  test('floating-point state of the guest is dirty at both levels after it was written', () => {
    const h = hypervisor();
    h.priv.csrWrite(csr.vsstatus, 0x2000n);
    h.priv.enterGuest();
    h.dirtyFs();
    h.execute('ecall');
    expect([h.priv.csrRead(csr.sstatus) & 0x6000n, h.priv.csrRead(csr.vsstatus) & 0x6000n]).toEqual([0x6000n, 0x6000n]);
  });

  test('hlv, hlvx and hsv return values or record faults, without a trap', () => {
    const h = hypervisor();
    h.write64(RAM + 0x800, 0x8899_aabb_ccdd_eeffn);
    expect(h.priv.hlv(0x8000_0800n, 8)).toBe(0x8899_aabb_ccdd_eeffn);
    expect(h.priv.hlv(0x8000_0801n, 2)).toBe(0xddeen);
    expect(h.priv.hlvx(0x8000_0800n, 4)).toBe(0xccdd_eeffn);
    expect(h.priv.hsv(0x8000_0806n, 2, 0x1234n)).toBe(true);
    expect(h.read64(RAM + 0x800)).toBe(0x1234_aabb_ccdd_eeffn);
    h.priv.csrWrite(csr.hgatp, (8n << 60n) | (BigInt(RAM) >> 12n));
    expect(h.priv.hlv(0x1000n, 4)).toBe(undefined);
    expect([h.priv.exception.cause, h.priv.exception.gpaLo, h.priv.exited]).toEqual([21, 0x1000, false]);
    expect(h.priv.hsv(0x1000n, 4, 0n)).toBe(false);
    expect(h.priv.exception.cause).toBe(23);
  });

  test('fences flush what the guest left cached', () => {
    const h = hypervisor();
    h.priv.enterGuest();
    h.execute('ecall');
    h.log.length = 0;
    h.priv.hfenceGvma();
    h.priv.hfenceVvma(0x5000n);
    h.priv.hfenceVvma();
    h.priv.sfenceVma();
    expect(h.log).toEqual(['forget 1:', 'page 5000', 'forget 1:', 'forget 0:']);
  });
});
