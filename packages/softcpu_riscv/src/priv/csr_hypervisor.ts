/** Hypervisor CSRs (hypervisor chapter, "Hypervisor and Virtual Supervisor CSRs"). GEILEN is 0: hgeip, hgeie, VGEIN and SGEIP are 0. */

import { constantCsr, storedCsr, wordCsr, type Csr, type CsrParts, type Verdict } from './csr.ts';
import { ENVCFG_HI_WRITABLE, legalEnvcfg } from './csr_machine.ts';
import { legalMode } from './csr_supervisor.ts';
import { EnvcfgHi, HEDELEG_WRITABLE, HSTATUS_WRITABLE, Irq, Mstatus, VS_INTERRUPTS } from './fields.ts';
import { slot } from './registers.ts';

const { mstatus: MSTATUS, mie: MIE, hstatus: HSTATUS, hgatp: HGATP, menvcfg: MENVCFG, henvcfg: HENVCFG, htimedelta: HTIMEDELTA } = slot;

/** hstatus.VSXL in the high word: 64 bits, read-only. */
const VSXL = 2;
/** hgatp: PPN[1:0] are 0, as roots are 16 KiB; VMID has 14 bits, 57:44. */
const HGATP_LO = ~3;
const HGATP_HI = 0x03ff_ffff;

function hgatp(parts: CsrParts): Csr {
  const { state } = parts;
  const { csr } = state;
  return storedCsr(parts, 0x680, 'hgatp', 0, 0, {
    guard: (prv): Verdict => (prv === 1 && (csr[MSTATUS]! & Mstatus.TVM) !== 0 ? 2 : 0),
    write: (lo, hi) => {
      const newLo = lo & HGATP_LO;
      // An unsupported MODE is not written; the other fields are.
      const mode = legalMode(hi) ? hi : csr[HGATP + 1]!;
      const newHi = (hi & HGATP_HI) | (mode & 0xf000_0000);
      if (csr[HGATP] === newLo && csr[HGATP + 1] === newHi) return;
      csr[HGATP] = newLo;
      csr[HGATP + 1] = newHi;
      state.guestStageChanged();
    },
  });
}

function henvcfg(parts: CsrParts): Csr {
  const { state, interrupts } = parts;
  const { csr } = state;
  return storedCsr(parts, 0x60a, 'henvcfg', 0, 0, {
    interrupts: true,
    read: () => {
      parts.hi = csr[HENVCFG + 1]! & csr[MENVCFG + 1]!;
      return csr[HENVCFG]!;
    },
    write: (lo, hi) => {
      const old = csr[HENVCFG + 1]!;
      csr[HENVCFG] = legalEnvcfg(csr[HENVCFG]!, lo);
      csr[HENVCFG + 1] = hi & ENVCFG_HI_WRITABLE & csr[MENVCFG + 1]!;
      if (((old ^ csr[HENVCFG + 1]!) & (EnvcfgHi.ADUE | EnvcfgHi.PBMTE)) !== 0) state.flushFor(1);
      interrupts.poll();
    },
  });
}

/** The hypervisor CSRs. */
export function hypervisorCsrs(parts: CsrParts): Csr[] {
  const { interrupts } = parts;
  const { csr } = parts.state;
  return [
    {
      number: 0x600,
      name: 'hstatus',
      read: () => {
        parts.hi = VSXL;
        return csr[HSTATUS]!;
      },
      write: (lo) => {
        csr[HSTATUS] = lo & HSTATUS_WRITABLE;
      },
    },
    storedCsr(parts, 0x602, 'hedeleg', HEDELEG_WRITABLE, 0),
    storedCsr(parts, 0x603, 'hideleg', VS_INTERRUPTS, 0, { interrupts: true }),
    wordCsr(parts, 0x604, 'hie', () => csr[MIE]! & VS_INTERRUPTS, (lo) => {
      csr[MIE] = (csr[MIE]! & ~VS_INTERRUPTS) | (lo & VS_INTERRUPTS);
    }, { interrupts: true }),
    storedCsr(parts, 0x605, 'htimedelta', -1, -1, {
      interrupts: true,
      write: (lo, hi) => {
        csr[HTIMEDELTA] = lo;
        csr[HTIMEDELTA + 1] = hi;
        interrupts.poll();
      },
    }),
    storedCsr(parts, 0x606, 'hcounteren', -1, 0),
    constantCsr(parts, 0x607, 'hgeie'),
    henvcfg(parts),
    storedCsr(parts, 0x643, 'htval'),
    wordCsr(parts, 0x644, 'hip', () => {
      interrupts.poll();
      return interrupts.mip & VS_INTERRUPTS;
    }, (lo) => {
      interrupts.software = (interrupts.software & ~Irq.VSSI) | (lo & Irq.VSSI);
    }, { interrupts: true }),
    wordCsr(parts, 0x645, 'hvip', () => interrupts.software & VS_INTERRUPTS, (lo) => {
      interrupts.software = (interrupts.software & ~VS_INTERRUPTS) | (lo & VS_INTERRUPTS);
    }, { interrupts: true }),
    storedCsr(parts, 0x64a, 'htinst'),
    hgatp(parts),
    constantCsr(parts, 0xe12, 'hgeip'),
  ];
}
