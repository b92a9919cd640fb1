/** Model-specific registers: one table of what each reads and lets be written (SDM vol. 4; AMD APM vol. 2, appendix A). Values are pairs of words. */
import type { Cpuid } from './cpuid.ts';
import { EFER, SEG } from './fields.ts';
import { storable } from './linear.ts';
import type { LocalApic } from './interface.ts';
import { Mtrrs, validPat } from './mtrr.ts';
import { highWord, lowWord, slot, toBigint, type Registers, type Stored } from './registers.ts';

/** One MSR. `write` answers false for #GP; without it the MSR is read-only. */
interface Msr {
  read(): bigint;
  write?(lo: number, hi: number): boolean;
}

/**
 * IA32_ARCH_CAPABILITIES: none of the transient execution attacks works on a processor that does not speculate, and IBRS once set stays in force. Systems
 * that know leave their page tables together and their indirect branches alone.
 */
const NOT_AFFECTED = [0, 1, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62].reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n);
/** IA32_MISC_ENABLE: fast strings, no branch trace or precise event based sampling. */
const MISC_ENABLE_FIXED = 0x1800;

/** What VMX adds: its capability MSRs. */
export type Capabilities = ReadonlyMap<number, bigint>;

export class Msrs {
  /** The time-stamp counter without a guest's offset. */
  private readonly regs: Registers;
  private readonly table = new Map<number, Msr>();
  private readonly mtrrs: Mtrrs;

  constructor(regs: Registers, cpuid: Cpuid, physicalBits: number, apic: LocalApic | undefined, capabilities: Capabilities, amd: boolean) {
    this.regs = regs;
    this.mtrrs = new Mtrrs(physicalBits);
    const { table } = this;
    const anything = (): boolean => true;
    const isCanonical = (_: number, hi: number): boolean => storable(hi);
    const store = (name: Stored, valid: (lo: number, hi: number) => boolean, then?: () => void): Msr => ({
      read: () => regs.get(name),
      write: (lo, hi) => {
        if (!valid(lo, hi)) return false;
        regs.set(name, lo, hi);
        then?.();
        return true;
      },
    });
    const constant = (value: bigint, ignoresWrites = false): Msr => (ignoresWrites ? { read: () => value, write: anything } : { read: () => value });
    const base = (segment: number): Msr => ({
      read: () => toBigint(regs.baseLo(segment), regs.baseHi(segment)),
      write: (lo, hi) => {
        if (!storable(hi)) return false;
        regs.setBase(segment, lo, hi);
        return true;
      },
    });
    const mask = (loMask: number, hiMask: number) => (lo: number, hi: number): boolean => (lo & ~loMask) === 0 && (hi & ~hiMask) === 0;
    const reservedHi = physicalBits >= 64 ? 0 : ~(2 ** (physicalBits - 32) - 1);

    table.set(0x10, { read: () => this.tsc(), write: (lo, hi) => this.setTsc(lo, hi) });
    table.set(0x3b, {
      read: () => regs.get('tscAdjust'),
      write: (lo, hi) => {
        regs.set('tscAdjust', lo, hi);
        return true;
      },
    });
    table.set(0x17, constant(0n));
    table.set(0x79, { read: () => 0n, write: anything });
    table.set(0x8b, store('biosSignature', anything));
    table.set(0xce, constant(0n));
    table.set(0xe1, store('umwaitControl', mask(-3, 0)));
    table.set(0x10a, constant(NOT_AFFECTED));
    table.set(0x48, store('specCtrl', mask(0x407, 0)));
    table.set(0x49, { read: () => 0n, write: mask(1, 0) });
    table.set(0x174, store('sysenterCs', anything));
    table.set(0x175, store('sysenterEsp', isCanonical));
    table.set(0x176, store('sysenterEip', isCanonical));
    // No error-reporting banks.
    table.set(0x179, constant(0n));
    table.set(0x17a, store('mcgStatus', mask(7, 0)));
    table.set(0x198, constant(0n));
    table.set(0x1a0, { read: () => regs.get('miscEnable') | BigInt(MISC_ENABLE_FIXED), write: (lo, hi) => (regs.set('miscEnable', lo, hi), true) });
    table.set(0x1d9, store('debugctl', mask(3, 0)));
    table.set(0x277, store('pat', validPat));
    table.set(0xda0, store('xss', mask(0, 0)));
    table.set(0xc000_0080, {
      read: () => regs.get('efer'),
      write: (lo, hi) => this.writeEfer(lo, hi, amd),
    });
    table.set(0xc000_0081, store('star', anything));
    table.set(0xc000_0082, store('lstar', isCanonical));
    table.set(0xc000_0083, store('cstar', isCanonical));
    table.set(0xc000_0084, store('fmask', mask(-1, 0)));
    table.set(0xc000_0100, base(SEG.fs));
    table.set(0xc000_0101, base(SEG.gs));
    table.set(0xc000_0102, store('kernelGsBase', isCanonical));
    table.set(0xc000_0103, store('tscAux', mask(-1, 0)));
    if (apic !== undefined) {
      table.set(0x1b, this.forward(apic, 0x1b));
      table.set(0x6e0, this.forward(apic, 0x6e0));
      for (let msr = 0x800; msr < 0x900; msr++) table.set(msr, this.forward(apic, msr));
    } else table.set(0x1b, store('apicBase', mask(0xffff_fd00 | 0, ~reservedHi)));
    if (cpuid.has('vmx')) {
      table.set(0x3a, {
        read: () => regs.get('featureControl'),
        write: (lo, hi) => {
          if ((regs.sys[slot.featureControl]! & 1) !== 0 || (lo & ~7) !== 0 || hi !== 0) return false;
          regs.set('featureControl', lo, hi);
          return true;
        },
      });
      for (const [msr, value] of capabilities) table.set(msr, constant(value));
    }
    if (amd) {
      table.set(0xc001_0010, constant(0n, true));
      table.set(0xc001_0015, store('hwcr', anything));
      table.set(0xc001_0114, {
        read: () => regs.get('vmCr'),
        write: (lo, hi) => {
          if ((lo & ~0x1f) !== 0 || hi !== 0) return false;
          // SVMDIS stays as it is once LOCK is set.
          const locked = (regs.sys[slot.vmCr]! & 8) !== 0;
          regs.set('vmCr', locked ? (lo & ~0x18) | (regs.sys[slot.vmCr]! & 0x18) : lo, 0);
          return true;
        },
      });
      table.set(0xc001_0117, store('vmHsavePa', (lo, hi) => (lo & 0xfff) === 0 && (hi & reservedHi) === 0));
    }
  }

  private forward(apic: LocalApic, msr: number): Msr {
    return {
      read: () => {
        const value = apic.read(msr);
        return value ?? this.regs.fault.raise(13, 0);
      },
      write: (lo, hi) => apic.write(msr, toBigint(lo, hi)),
    };
  }

  /** IA32_TIME_STAMP_COUNTER of the processor, without a guest's offset. */
  tsc(): bigint {
    return BigInt.asUintN(64, this.regs.host.now() + this.regs.get('tscAdjust'));
  }

  private setTsc(lo: number, hi: number): boolean {
    const adjust = BigInt.asUintN(64, toBigint(lo, hi) - this.regs.host.now());
    this.regs.set('tscAdjust', lowWord(adjust), highWord(adjust));
    return true;
  }

  private writeEfer(lo: number, hi: number, amd: boolean): boolean {
    const { regs } = this;
    const allowed = EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE | (amd ? EFER.SVME | EFER.FFXSR : 0);
    if ((lo & ~allowed) !== 0 || hi !== 0) return false;
    const old = regs.efer;
    // LME cannot change while paging is on; LMA is the processor's.
    if (((lo ^ old) & EFER.LME) !== 0 && regs.cr0 < 0) return false;
    if (amd && (lo & EFER.SVME) !== 0 && (regs.sys[slot.vmCr]! & 0x10) !== 0) return false;
    const value = (lo & ~EFER.LMA) | (old & EFER.LMA);
    regs.set('efer', value, 0);
    if (((value ^ old) & EFER.NXE) !== 0) regs.translations.flush();
    return true;
  }

  /** The value, or undefined for #GP. */
  read(msr: number): bigint | undefined {
    return this.table.get(msr)?.read() ?? this.mtrrs.read(msr);
  }

  /** False: #GP. */
  write(msr: number, lo: number, hi: number): boolean {
    const found = this.table.get(msr);
    if (found !== undefined) return found.write?.(lo, hi) ?? false;
    return this.mtrrs.write(msr, toBigint(lo, hi)) ?? false;
  }
}
