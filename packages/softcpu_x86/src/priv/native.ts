/** The logical processor as native hypervisor software at CPL 0 sees it: CPUID, MSRs, control and debug registers, XSAVE (hosted mode). */
import type { CpuidResult, HostSegments } from '@axvisor/axvisor_api/arch/x86';
import { axError } from '@axvisor/axvisor_api/errors';
import { ABORT } from './abort.ts';
import type { ControlRegisters } from './control.ts';
import type { Cpuid } from './cpuid.ts';
import type { Debug } from './debug.ts';
import { CR0, CR4, DR6, DR7, EFER, SEG } from './fields.ts';
import { storable } from './linear.ts';
import type { Msrs } from './msrs.ts';
import { highWord, lowWord, slot, toBigint, type Registers } from './registers.ts';
import type { Xsave } from './xsave.ts';

/** Selectors of a host that has no segments: what a host-state area accepts. */
const SEGMENTS: HostSegments = { es: 0x10, cs: 0x08, ss: 0x10, ds: 0x10, fs: 0, gs: 0, tr: 0x18, trBase: 0n, gdtrBase: 0n, idtrBase: 0n };

/** The leaf that CR4 is part of. */
const IDENTITY = 1;

/** Control registers that exist. */
const CONTROL: ReadonlySet<number> = new Set([0, 2, 3, 4, 8]);

export interface NativeParts {
  readonly regs: Registers;
  readonly control: ControlRegisters;
  readonly cpuid: Cpuid;
  readonly msrs: Msrs;
  readonly xsave: Xsave;
  readonly debug: Debug;
  /** The registers that the host and a guest have in common become the host's. */
  readonly settle: () => void;
}

export class Native {
  private readonly p: NativeParts;
  private tpr = 0n;

  constructor(parts: NativeParts) {
    this.p = parts;
  }

  /** 64-bit mode with paging, as a hypervisor finds itself after its own boot. */
  reset(apicId: number): void {
    const { regs } = this.p;
    regs.set('cr0', CR0.PG | CR0.PE | CR0.MP | CR0.ET | CR0.NE | CR0.WP | CR0.AM, 0);
    regs.set('cr4', CR4.PAE | CR4.PGE | CR4.OSFXSR | CR4.OSXMMEXCPT, 0);
    regs.set('efer', EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE, 0);
    regs.set('apicBase', 0xfee0_0800 | (apicId === 0 ? 0x100 : 0), 0);
    regs.setSegment(SEG.cs, SEGMENTS.cs, 0, 0, 0xffff_ffff, 0xa09b);
    regs.setSegment(SEG.ss, SEGMENTS.ss, 0, 0, 0xffff_ffff, 0xc093);
    regs.modeChanged();
  }

  /** Runs what may raise an exception, which in native software is misuse. */
  private guarded(what: string, run: () => void): void {
    const { fault } = this.p.regs;
    try {
      run();
    } catch (signal) {
      if (signal !== ABORT) throw signal;
      const { vector } = fault;
      fault.clear();
      throw axError('InvalidInput', `${what} raises exception ${vector}`);
    }
  }

  get cpuid(): (leaf: number, subleaf: number) => CpuidResult {
    return (leaf, subleaf) => {
      const { cpuid } = this.p;
      if (leaf === IDENTITY) this.p.settle();
      cpuid.get(leaf, subleaf);
      return { eax: cpuid.a >>> 0, ebx: cpuid.b >>> 0, ecx: cpuid.c >>> 0, edx: cpuid.d >>> 0 };
    };
  }

  rdmsr(msr: number): bigint {
    this.p.settle();
    const value = this.p.msrs.read(msr);
    if (value === undefined) throw axError('InvalidInput', `RDMSR of 0x${msr.toString(16)} raises #GP`);
    return BigInt.asUintN(64, value);
  }

  wrmsr(msr: number, value: bigint): void {
    this.p.settle();
    if (!this.p.msrs.write(msr, lowWord(value), highWord(value))) throw axError('InvalidInput', `WRMSR of 0x${msr.toString(16)} raises #GP`);
  }

  readCr(cr: number): bigint {
    if (!CONTROL.has(cr)) throw axError('InvalidInput', `there is no CR${cr}`);
    this.p.settle();
    return cr === 8 ? this.tpr : this.p.regs.get(`cr${cr}` as 'cr0');
  }

  writeCr(cr: number, value: bigint): void {
    const { regs, control } = this.p;
    const lo = lowWord(value);
    const hi = highWord(value);
    if (!CONTROL.has(cr)) throw axError('InvalidInput', `there is no CR${cr}`);
    this.p.settle();
    if (cr === 8) {
      if (value < 0n || value > 15n) throw axError('InvalidInput', 'MOV to CR8 raises #GP');
      this.tpr = value;
    } else if (cr === 2 || cr === 3) regs.set(cr === 2 ? 'cr2' : 'cr3', lo, hi);
    else this.guarded(`MOV to CR${cr}`, () => (cr === 0 ? control.writeCr0(lo, hi) : control.writeCr4(lo, hi)));
  }

  readDr(dr: number): bigint {
    if (![0, 1, 2, 3, 6, 7].includes(dr)) throw axError('InvalidInput', `there is no DR${dr}`);
    this.p.settle();
    return this.p.regs.get(`dr${dr}` as 'dr0');
  }

  writeDr(dr: number, value: bigint): void {
    const { regs, debug } = this.p;
    this.readDr(dr);
    let lo = lowWord(value);
    const hi = highWord(value);
    if (dr > 3 ? hi !== 0 : !storable(hi)) throw axError('InvalidInput', `MOV to DR${dr} raises #GP`);
    if (dr === 6) lo = (lo & DR6.defined) | DR6.ones;
    if (dr === 7) lo = (lo & ~0xd000) | DR7.ones;
    const name = `dr${dr}` as 'dr0';
    if (regs.sys[slot[name]] === lo && regs.sys[slot[name] + 1] === hi) return;
    regs.set(name, lo, hi);
    debug.changed();
  }

  private needXsave(): void {
    this.p.settle();
    if ((this.p.regs.cr4 & CR4.OSXSAVE) === 0) throw axError('BadState', 'CR4.OSXSAVE is clear: the instruction raises #UD');
  }

  xgetbv(): bigint {
    this.needXsave();
    return this.p.regs.get('xcr0');
  }

  xsetbv(value: bigint): void {
    this.needXsave();
    const { control, cpuid } = this.p;
    this.guarded('XSETBV', () => control.writeXcr0(lowWord(value), highWord(value), cpuid.xcr0Mask));
  }

  /** @param place - byte offset of the area in linear memory */
  saveVectors(place: number): void {
    this.p.xsave.save(place);
  }

  restoreVectors(place: number): void {
    this.p.xsave.restore(place);
  }

  hostSegments(): HostSegments {
    this.p.settle();
    const { regs } = this.p;
    return { ...SEGMENTS, gdtrBase: toBigint(regs.sys[slot.gdtrBase]!, regs.sys[slot.gdtrBase + 1]!), idtrBase: toBigint(regs.sys[slot.idtrBase]!, regs.sys[slot.idtrBase + 1]!) };
  }
}
