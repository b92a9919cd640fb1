/** Control and debug registers, model-specific ones, time stamps, CPUID, segment bases (SDM vol. 2, MOV, RDMSR, RDTSC, RDFSBASE). */
import { CR0, CR4, DR6, DR7 } from './fields.ts';
import { Status, type SystemInsn } from './interface.ts';
import { storable } from './linear.ts';
import { slot } from './registers.ts';
import type { SystemContext } from './system_context.ts';

const RAX = 0;
const RCX = 1;
const RBX = 3;

/** A count, and its words. */
const count = new BigUint64Array(1);
const countWords = new Int32Array(count.buffer);

/** Of the control registers, by number. */
const PLACES: readonly number[] = [slot.cr0, -1, slot.cr2, slot.cr3, slot.cr4];
const isControlRegister = (number: number, wide: boolean): boolean => number === 0 || (number >= 2 && number <= 4) || (number === 8 && wide);

export class RegisterInstructions {
  private readonly c: SystemContext;

  constructor(context: SystemContext) {
    this.c = context;
  }

  smsw(insn: SystemInsn): void {
    const { regs, linear } = this.c.p;
    this.c.umip();
    this.c.guest?.smsw(insn);
    const value = this.c.visible(0, regs.cr0);
    if (insn.rm >= 0) regs.setSized(insn.rm, insn.opSize, value, 0);
    else linear.store(insn.seg, insn.lo, insn.hi, 2, value, 0);
  }

  /** LMSW changes TS, EM, MP, and PE from 0 to 1. */
  lmsw(insn: SystemInsn): void {
    const { regs, control } = this.c.p;
    if (regs.cpl !== 0) this.c.gp();
    const source = this.c.word(insn);
    this.c.guest?.lmsw(source, insn);
    const old = this.c.visible(0, regs.cr0);
    const value = (old & ~(CR0.MP | CR0.EM | CR0.TS)) | (source & 15) | (old & CR0.PE);
    control.writeCr0(this.c.merge(0, regs.cr0, value));
  }

  readCr(insn: SystemInsn): void {
    const { regs, apic } = this.c.p;
    const size = regs.code64 ? 8 : 4;
    if (!isControlRegister(insn.reg, regs.code64)) this.c.ud();
    this.c.guest?.crRead(insn.reg, insn.rm, insn);
    if (insn.reg === 8) {
      regs.setSized(insn.rm, size, this.c.guest?.readTpr() ?? apic?.tpr ?? this.tpr, 0);
      return;
    }
    const at = PLACES[insn.reg]!;
    const lo = regs.sys[at]!;
    regs.setSized(insn.rm, size, insn.reg === 0 || insn.reg === 4 ? this.c.visible(insn.reg, lo) : lo, regs.sys[at + 1]!);
  }

  /** CR8 where there is no local APIC. */
  private tpr = 0;

  writeCr(insn: SystemInsn): void {
    const { regs, control, apic } = this.c.p;
    const lo = regs.lo(insn.rm);
    const hi = regs.code64 ? regs.hi(insn.rm) : 0;
    if (!isControlRegister(insn.reg, regs.code64)) this.c.ud();
    this.c.guest?.crWrite(insn.reg, insn.rm, lo, hi, insn);
    if (insn.reg === 0) {
      const value = this.c.merge(0, regs.cr0, lo);
      if (this.c.guest?.allowed(value, regs.cr4) === false) this.c.gp();
      control.writeCr0(value, hi);
    } else if (insn.reg === 2) regs.set('cr2', lo, hi);
    else if (insn.reg === 3) control.writeCr3(lo, hi);
    else if (insn.reg === 4) {
      const value = this.c.merge(4, regs.cr4, lo);
      if (this.c.guest?.allowed(regs.cr0, value) === false) this.c.gp();
      const changed = regs.cr4 ^ value;
      control.writeCr4(value, hi);
      if ((changed & CR4.DE) !== 0) this.c.p.debug.changed();
    } else {
      if ((lo & ~15) !== 0 || hi !== 0) this.c.gp();
      if (this.c.guest?.writeTpr(lo, insn) === true) return;
      if (apic === undefined) this.tpr = lo;
      else apic.tpr = lo;
    }
  }

  moveDr(insn: SystemInsn, write: boolean): void {
    const { regs, debug } = this.c.p;
    let dr = insn.reg;
    if (dr > 7 || ((dr === 4 || dr === 5) && (regs.cr4 & CR4.DE) !== 0)) this.c.ud();
    if (regs.cpl !== 0) this.c.gp();
    if (dr === 4 || dr === 5) dr += 2;
    this.c.guest?.drAccess(insn.reg, write, insn.rm, insn);
    debug.guard();
    const at = slot[`dr${dr}` as 'dr0'];
    if (!write) {
      regs.setSized(insn.rm, regs.code64 ? 8 : 4, regs.sys[at]!, regs.sys[at + 1]!);
      return;
    }
    let lo = regs.lo(insn.rm);
    const hi = regs.code64 ? regs.hi(insn.rm) : 0;
    if (dr >= 6 && hi !== 0) this.c.gp();
    if (dr < 4 && !storable(hi)) this.c.gp();
    if (dr === 6) lo = (lo & DR6.defined) | DR6.ones;
    if (dr === 7) lo = (lo & ~0xd000) | DR7.ones;
    regs.sys[at] = lo;
    regs.sys[at + 1] = hi;
    debug.changed();
  }

  /** IA32_TIME_STAMP_COUNTER as a guest reads it, with its offset. */
  guestMsr(): bigint | undefined {
    if (this.c.guest === undefined || this.c.p.regs.lo(RCX) !== 0x10) return undefined;
    return this.guestTsc();
  }

  guestTsc(): bigint {
    const { msrs, regs } = this.c.p;
    const tsc = scaled(msrs.tsc(), regs.tscMultiplier);
    return this.c.guest === undefined ? tsc : BigInt.asUintN(64, tsc + regs.get('tscOffset'));
  }

  /** EDX:EAX becomes the guest's counter: {@link guestTsc}, in words where it only has an offset. */
  private readCounter(): void {
    const { regs } = this.c.p;
    if (regs.tscMultiplier !== 0n) {
      this.c.setCount(this.guestTsc());
      return;
    }
    const { sys } = regs;
    count[0] = regs.host.now();
    const adjusted = (countWords[0]! >>> 0) + (sys[slot.tscAdjust]! >>> 0);
    const hi = countWords[1]! + sys[slot.tscAdjust + 1]! + (adjusted > 0xffff_ffff ? 1 : 0);
    if (this.c.guest === undefined) {
      this.c.setPair(adjusted | 0, hi | 0);
      return;
    }
    const lo = (adjusted >>> 0) + (sys[slot.tscOffset]! >>> 0);
    this.c.setPair(lo | 0, (hi + sys[slot.tscOffset + 1]! + (lo > 0xffff_ffff ? 1 : 0)) | 0);
  }

  rdtsc(insn: SystemInsn, aux: boolean): void {
    const { regs } = this.c.p;
    if ((regs.cr4 & CR4.TSD) !== 0 && regs.cpl !== 0) this.c.gp();
    this.c.guest?.instruction(aux ? 'rdtscp' : 'rdtsc', insn);
    this.readCounter();
    if (aux) regs.setGpr(RCX, regs.sys[slot.tscAux]!, 0);
  }

  cpuid(insn: SystemInsn): Status {
    const { regs, cpuid } = this.c.p;
    if (this.c.guest?.leaves('cpuid', insn) === true) return Status.leave;
    cpuid.get(regs.lo(RAX), regs.lo(RCX));
    this.c.setPair(cpuid.a, cpuid.d);
    regs.setGpr(RBX, cpuid.b, 0);
    regs.setGpr(RCX, cpuid.c, 0);
    return Status.next;
  }

  /** XCR0, or with ECX = 1 which of its components are in use. */
  xgetbv(): void {
    const { regs } = this.c.p;
    if ((regs.cr4 & CR4.OSXSAVE) === 0) this.c.ud();
    if (regs.lo(RCX) !== 0 && regs.lo(RCX) !== 1) this.c.gp();
    this.c.setPair(regs.sys[slot.xcr0]!, 0);
  }

  readBase(segment: number, insn: SystemInsn): void {
    const { regs } = this.c.p;
    if ((regs.cr4 & CR4.FSGSBASE) === 0 || !regs.code64) this.c.ud();
    regs.setSized(insn.rm, insn.opSize, regs.baseLo(segment), regs.baseHi(segment));
  }

  writeBase(segment: number, insn: SystemInsn): void {
    const { regs } = this.c.p;
    if ((regs.cr4 & CR4.FSGSBASE) === 0 || !regs.code64) this.c.ud();
    const hi = insn.opSize === 8 ? regs.hi(insn.rm) : 0;
    if (!storable(hi)) this.c.gp();
    regs.setBase(segment, regs.lo(insn.rm), hi);
  }
}

/** A TSC value times a multiplier of 48 fractional bits; 0 is none. */
function scaled(tsc: bigint, multiplier: bigint): bigint {
  return multiplier === 0n ? tsc : (tsc * multiplier) >> 48n;
}
