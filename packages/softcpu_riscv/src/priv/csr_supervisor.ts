/** Supervisor-level CSRs and their VS-level replicas (supervisor chapter; hypervisor chapter, "Virtual Supervisor ..." registers). */

import { storedCsr, wordCsr, type Csr, type CsrParts, type Verdict } from './csr.ts';
import { legalEnvcfg, sd } from './csr_machine.ts';
import { EnvcfgHi, Hstatus, Irq, Mstatus, MstatusHi, S_INTERRUPTS, SSTATUS_WRITABLE, VS_INTERRUPTS } from './fields.ts';
import { slot } from './registers.ts';

const {
  mstatus: MSTATUS, vsstatus: VSSTATUS, mideleg: MIDELEG, hideleg: HIDELEG, mie: MIE, satp: SATP, vsatp: VSATP,
  menvcfg: MENVCFG, henvcfg: HENVCFG, senvcfg: SENVCFG, mcounteren: MCOUNTEREN, hcounteren: HCOUNTEREN, hstatus: HSTATUS,
} = slot;

/** Fields whose change alters translation or whether floating-point instructions trap. */
const MODE_FIELDS = Mstatus.FS | Mstatus.SUM | Mstatus.MXR;
/** Bit TM of the counter-enable registers. */
const TM = 2;
/** MODE values of satp that are implemented: Bare, Sv39, Sv48, Sv57. */
const MODES = (1 << 0) | (1 << 8) | (1 << 9) | (1 << 10);

/** Whether a MODE field (bits 63:60 of satp, vsatp or hgatp) is implemented, given the high word. */
export function legalMode(hi: number): boolean {
  return (MODES & (1 << (hi >>> 28))) !== 0;
}

/** sstatus (a view of mstatus) and vsstatus. */
function status(parts: CsrParts, number: number, name: string, at: number, vs?: Csr): Csr {
  const { state } = parts;
  const { csr } = state;
  return {
    number,
    name,
    interrupts: true,
    read: () => {
      state.syncFs();
      const value = csr[at]! & SSTATUS_WRITABLE;
      parts.hi = MstatusHi.UXL | sd(value);
      return value;
    },
    write: (lo) => {
      state.syncFs();
      const old = csr[at]!;
      const value = (old & ~SSTATUS_WRITABLE) | (lo & SSTATUS_WRITABLE);
      csr[at] = value;
      if (((old ^ value) & MODE_FIELDS) !== 0) state.modeChanged();
    },
    ...(vs === undefined ? {} : { vs }),
  };
}

/** satp and vsatp: a write with an unsupported MODE has no effect. */
function atp(parts: CsrParts, number: number, name: 'satp' | 'vsatp', v: number, more: Partial<Csr>): Csr {
  const at = v === 0 ? SATP : VSATP;
  const { state } = parts;
  const { csr } = state;
  return storedCsr(parts, number, name, -1, -1, {
    ...more,
    write: (lo, hi) => {
      if (!legalMode(hi) || (csr[at] === lo && csr[at + 1] === hi)) return;
      csr[at] = lo;
      csr[at + 1] = hi;
      state.spaceChanged(v);
    },
  });
}

/** stimecmp and vstimecmp: below M-mode they exist with menvcfg.STCE and mcounteren.TM. */
function timecmp(parts: CsrParts, number: number, name: 'stimecmp' | 'vstimecmp', more: Partial<Csr>): Csr {
  const at = slot[name];
  const { state, interrupts } = parts;
  const { csr } = state;
  return storedCsr(parts, number, name, -1, -1, {
    interrupts: true,
    enabled: () => (csr[MCOUNTEREN]! & TM) !== 0 && (csr[MENVCFG + 1]! & EnvcfgHi.STCE) !== 0,
    write: (lo, hi) => {
      csr[at] = lo;
      csr[at + 1] = hi;
      interrupts.poll();
    },
    ...more,
  });
}

/** The VS-level CSRs; those of the same names with s instead of vs give way to them while V=1. */
function virtualSupervisorCsrs(parts: CsrParts) {
  const { interrupts } = parts;
  const { csr } = parts.state;
  return {
    sstatus: status(parts, 0x200, 'vsstatus', VSSTATUS),
    sie: wordCsr(parts, 0x204, 'vsie', () => (csr[MIE]! & csr[HIDELEG]! & VS_INTERRUPTS) >> 1, (lo) => {
      const writable = csr[HIDELEG]! & VS_INTERRUPTS;
      csr[MIE] = (csr[MIE]! & ~writable) | ((lo << 1) & writable);
    }, { interrupts: true }),
    stvec: storedCsr(parts, 0x205, 'vstvec', ~2),
    sscratch: storedCsr(parts, 0x240, 'vsscratch'),
    sepc: storedCsr(parts, 0x241, 'vsepc', ~1),
    scause: storedCsr(parts, 0x242, 'vscause'),
    stval: storedCsr(parts, 0x243, 'vstval'),
    sip: wordCsr(parts, 0x244, 'vsip', () => {
      interrupts.poll();
      return (interrupts.mip & csr[HIDELEG]! & VS_INTERRUPTS) >> 1;
    }, (lo) => {
      const writable = csr[HIDELEG]! & Irq.VSSI;
      interrupts.software = (interrupts.software & ~writable) | ((lo << 1) & writable);
    }, { interrupts: true }),
    stimecmp: timecmp(parts, 0x24d, 'vstimecmp', {}),
    satp: atp(parts, 0x280, 'vsatp', 1, {}),
  } as const satisfies Record<string, Csr>;
}

/** The supervisor-level CSRs and their VS-level replicas. */
export function supervisorCsrs(parts: CsrParts): Csr[] {
  const { state, interrupts } = parts;
  const { csr } = state;
  const vs = virtualSupervisorCsrs(parts);
  return [
    ...Object.values(vs),
    status(parts, 0x100, 'sstatus', MSTATUS, vs.sstatus),
    wordCsr(parts, 0x104, 'sie', () => csr[MIE]! & csr[MIDELEG]! & S_INTERRUPTS, (lo) => {
      const writable = csr[MIDELEG]! & S_INTERRUPTS;
      csr[MIE] = (csr[MIE]! & ~writable) | (lo & writable);
    }, { interrupts: true, vs: vs.sie }),
    storedCsr(parts, 0x105, 'stvec', ~2, -1, { vs: vs.stvec }),
    storedCsr(parts, 0x106, 'scounteren', -1, 0),
    storedCsr(parts, 0x10a, 'senvcfg', 0, 0, {
      write: (lo) => {
        csr[SENVCFG] = legalEnvcfg(csr[SENVCFG]!, lo);
      },
    }),
    storedCsr(parts, 0x140, 'sscratch', -1, -1, { vs: vs.sscratch }),
    storedCsr(parts, 0x141, 'sepc', ~1, -1, { vs: vs.sepc }),
    storedCsr(parts, 0x142, 'scause', -1, -1, { vs: vs.scause }),
    storedCsr(parts, 0x143, 'stval', -1, -1, { vs: vs.stval }),
    wordCsr(parts, 0x144, 'sip', () => {
      interrupts.poll();
      return interrupts.mip & csr[MIDELEG]! & S_INTERRUPTS;
    }, (lo) => {
      const writable = csr[MIDELEG]! & Irq.SSI;
      interrupts.software = (interrupts.software & ~writable) | (lo & writable);
    }, { interrupts: true, vs: vs.sip }),
    timecmp(parts, 0x14d, 'stimecmp', {
      vs: vs.stimecmp,
      guard: (_prv, v): Verdict =>
        v !== 0 && ((csr[HENVCFG + 1]! & EnvcfgHi.STCE) === 0 || (csr[HCOUNTEREN]! & TM) === 0) ? 22 : 0,
    }),
    atp(parts, 0x180, 'satp', 0, {
      vs: vs.satp,
      guard: (prv, v): Verdict => {
        if (prv === 3) return 0;
        if (v !== 0) return (csr[HSTATUS]! & Hstatus.VTVM) !== 0 ? 22 : 0;
        return (csr[MSTATUS]! & Mstatus.TVM) !== 0 ? 2 : 0;
      },
    }),
  ];
}
