/** Machine-level CSRs (machine chapter). */

import { constantCsr, storedCsr, wordCsr, type Csr, type CsrParts } from './csr.ts';
import { Envcfg, EnvcfgHi, ENVCFG_WRITABLE, Irq, MEDELEG_WRITABLE, MPP_SHIFT, Mstatus, MstatusHi, MSTATUS_WRITABLE } from './fields.ts';
import { MIDELEG_FIXED, MIDELEG_WRITABLE, MIE_WRITABLE } from './interrupts.ts';
import { slot } from './registers.ts';

const { mstatus: MSTATUS, mideleg: MIDELEG, menvcfg: MENVCFG } = slot;

/** misa: RV64 with extensions A, C, D, F, H, I, M, S and U. */
const MISA_LO = 0x0014_11ad;
const MISA_HI = 2 << 30;

/** SD as the high word of a status register, for the given low word. XS is 0, there is no vector state. */
export function sd(status: number): number {
  return (status & Mstatus.FS) === Mstatus.FS ? MstatusHi.SD : 0;
}

/** The CBIE field of an envcfg register: 0b10 is reserved, then it keeps its value. */
export function legalEnvcfg(old: number, lo: number): number {
  const value = lo & ENVCFG_WRITABLE;
  return (value & Envcfg.CBIE) === 0x20 ? (value & ~Envcfg.CBIE) | (old & Envcfg.CBIE) : value;
}

/** Bits of the high words of menvcfg and henvcfg that exist. */
export const ENVCFG_HI_WRITABLE: number = EnvcfgHi.ADUE | EnvcfgHi.PBMTE | EnvcfgHi.STCE;

function mstatus(parts: CsrParts): Csr {
  const { state } = parts;
  const { csr } = state;
  return {
    number: 0x300,
    name: 'mstatus',
    interrupts: true,
    read: () => {
      state.syncFs();
      parts.hi = csr[MSTATUS + 1]! | sd(csr[MSTATUS]!);
      return csr[MSTATUS]!;
    },
    write: (lo, hi) => {
      state.syncFs();
      const mpp = (lo & Mstatus.MPP) >>> MPP_SHIFT;
      const mask = mpp === 2 ? MSTATUS_WRITABLE : MSTATUS_WRITABLE | Mstatus.MPP;
      csr[MSTATUS] = (csr[MSTATUS]! & ~mask) | (lo & mask);
      csr[MSTATUS + 1] = MstatusHi.XL | (hi & (MstatusHi.GVA | MstatusHi.MPV));
      state.modeChanged();
    },
  };
}

function interruptCsrs(parts: CsrParts): Csr[] {
  const { state, interrupts } = parts;
  const { csr } = state;
  const pending = (): number => {
    interrupts.poll();
    return interrupts.mip;
  };
  return [
    wordCsr(parts, 0x303, 'mideleg', () => csr[MIDELEG]!, (lo) => {
      csr[MIDELEG] = (lo & MIDELEG_WRITABLE) | MIDELEG_FIXED;
    }, { interrupts: true }),
    storedCsr(parts, 0x304, 'mie', MIE_WRITABLE, 0, { interrupts: true }),
    wordCsr(parts, 0x344, 'mip', pending, (lo) => {
      const writable = Irq.SEI | Irq.SSI | Irq.VSSI | (interrupts.stce ? 0 : Irq.STI);
      interrupts.software = (interrupts.software & ~writable) | (lo & writable);
    }, {
      interrupts: true,
      // The level of the external interrupt line takes no part in read-modify-write.
      readToModify: () => (pending() & ~Irq.SEI) | (interrupts.software & Irq.SEI),
    }),
  ];
}

function menvcfg(parts: CsrParts): Csr {
  const { state, interrupts } = parts;
  const { csr } = state;
  return storedCsr(parts, 0x30a, 'menvcfg', 0, 0, {
    interrupts: true,
    write: (lo, hi) => {
      csr[MENVCFG] = legalEnvcfg(csr[MENVCFG]!, lo);
      csr[MENVCFG + 1] = hi & ENVCFG_HI_WRITABLE;
      state.flushAll();
      interrupts.poll();
    },
  });
}

function pmpCsrs(parts: CsrParts): Csr[] {
  const { state, pmp } = parts;
  const csrs: Csr[] = [];
  for (let first = 0; first < pmp.entries; first += 8) {
    csrs.push({
      number: 0x3a0 + first / 4,
      name: `pmpcfg${first / 4}`,
      read: () => {
        parts.hi = pmp.config(first + 4);
        return pmp.config(first);
      },
      write: (lo, hi) => {
        pmp.writeConfig(first, lo);
        pmp.writeConfig(first + 4, hi);
        state.flushAll();
      },
    });
  }
  for (let i = 0; i < pmp.entries; i++) {
    csrs.push({
      number: 0x3b0 + i,
      name: `pmpaddr${i}`,
      read: () => {
        parts.hi = pmp.addressHi(i);
        return pmp.addressLo(i);
      },
      write: (lo, hi) => {
        pmp.writeAddress(i, lo, hi);
        state.flushAll();
      },
    });
  }
  return csrs;
}

/** The machine-level CSRs but for counters. */
export function machineCsrs(parts: CsrParts): Csr[] {
  return [
    constantCsr(parts, 0xf11, 'mvendorid'),
    constantCsr(parts, 0xf12, 'marchid'),
    constantCsr(parts, 0xf13, 'mimpid'),
    constantCsr(parts, 0xf14, 'mhartid', parts.hartId),
    constantCsr(parts, 0xf15, 'mconfigptr'),
    mstatus(parts),
    constantCsr(parts, 0x301, 'misa', MISA_LO, MISA_HI),
    storedCsr(parts, 0x302, 'medeleg', MEDELEG_WRITABLE, 0),
    ...interruptCsrs(parts),
    storedCsr(parts, 0x305, 'mtvec', ~2),
    storedCsr(parts, 0x306, 'mcounteren', -1, 0),
    menvcfg(parts),
    storedCsr(parts, 0x340, 'mscratch'),
    storedCsr(parts, 0x341, 'mepc', ~1),
    storedCsr(parts, 0x342, 'mcause'),
    storedCsr(parts, 0x343, 'mtval'),
    storedCsr(parts, 0x34a, 'mtinst'),
    storedCsr(parts, 0x34b, 'mtval2'),
    ...pmpCsrs(parts),
    // One trigger slot with no trigger in it (debug specification: type 0; tinfo lists type 0 alone).
    constantCsr(parts, 0x7a0, 'tselect'),
    constantCsr(parts, 0x7a1, 'tdata1'),
    constantCsr(parts, 0x7a2, 'tdata2'),
    constantCsr(parts, 0x7a3, 'tdata3'),
    constantCsr(parts, 0x7a4, 'tinfo', 1),
  ];
}
