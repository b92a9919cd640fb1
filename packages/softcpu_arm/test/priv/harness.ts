/** A processing element's privileged architecture on a bare fake memory, without an engine. */

import { Space } from '@axvisor/softcpu';
import { Privileged, Status, sysRegKey, type GicCpuInterface } from '../../src/priv/index.ts';
import { readNzcv } from '../../src/nzcv.ts';
import { DAIF, EXCL_VALID, FP_TRAP, MMU_IDX, MODE, PC, SP, SP_ALIGN, STATE_SIZE, UNPRIV_IDX, X } from '../../src/state.ts';

/** Where RAM begins in physical memory, and behind the state block in linear memory. */
export const RAM = 0x4000_0000;
const RAM_OFFSET = 4096;

/** Operation codes used by the tests, written down from the manual's tables independently of the implementation. */
export const reg = {
  MIDR_EL1: [3, 0, 0, 0, 0], MPIDR_EL1: [3, 0, 0, 0, 5], REVIDR_EL1: [3, 0, 0, 0, 6], ID_AA64PFR0_EL1: [3, 0, 0, 4, 0], ID_AA64PFR1_EL1: [3, 0, 0, 4, 1],
  ID_AA64DFR0_EL1: [3, 0, 0, 5, 0], ID_AA64ISAR0_EL1: [3, 0, 0, 6, 0], ID_AA64ISAR1_EL1: [3, 0, 0, 6, 1], ID_AA64MMFR0_EL1: [3, 0, 0, 7, 0],
  ID_AA64MMFR1_EL1: [3, 0, 0, 7, 1], ID_AA64MMFR2_EL1: [3, 0, 0, 7, 2], ID_AA64ZFR0_EL1: [3, 0, 0, 4, 4], ID_PFR0_EL1: [3, 0, 0, 1, 0],
  CCSIDR_EL1: [3, 1, 0, 0, 0], CLIDR_EL1: [3, 1, 0, 0, 1], AIDR_EL1: [3, 1, 0, 0, 7], CSSELR_EL1: [3, 2, 0, 0, 0], CTR_EL0: [3, 3, 0, 0, 1], DCZID_EL0: [3, 3, 0, 0, 7],
  VPIDR_EL2: [3, 4, 0, 0, 0], VMPIDR_EL2: [3, 4, 0, 0, 5],
  SCTLR_EL1: [3, 0, 1, 0, 0], ACTLR_EL1: [3, 0, 1, 0, 1], CPACR_EL1: [3, 0, 1, 0, 2], SCTLR_EL2: [3, 4, 1, 0, 0], HCR_EL2: [3, 4, 1, 1, 0],
  MDCR_EL2: [3, 4, 1, 1, 1], CPTR_EL2: [3, 4, 1, 1, 2], HSTR_EL2: [3, 4, 1, 1, 3],
  TTBR0_EL1: [3, 0, 2, 0, 0], TTBR1_EL1: [3, 0, 2, 0, 1], TCR_EL1: [3, 0, 2, 0, 2], TTBR0_EL2: [3, 4, 2, 0, 0], TCR_EL2: [3, 4, 2, 0, 2],
  VTTBR_EL2: [3, 4, 2, 1, 0], VTCR_EL2: [3, 4, 2, 1, 2],
  SPSR_EL1: [3, 0, 4, 0, 0], ELR_EL1: [3, 0, 4, 0, 1], SP_EL0: [3, 0, 4, 1, 0], SPSel: [3, 0, 4, 2, 0], CurrentEL: [3, 0, 4, 2, 2], PAN: [3, 0, 4, 2, 3], UAO: [3, 0, 4, 2, 4],
  NZCV: [3, 3, 4, 2, 0], DAIF: [3, 3, 4, 2, 1], FPCR: [3, 3, 4, 4, 0], FPSR: [3, 3, 4, 4, 1], SPSR_EL2: [3, 4, 4, 0, 0], ELR_EL2: [3, 4, 4, 0, 1], SP_EL1: [3, 4, 4, 1, 0],
  AFSR0_EL1: [3, 0, 5, 1, 0], AFSR1_EL1: [3, 0, 5, 1, 1], ESR_EL1: [3, 0, 5, 2, 0], FAR_EL1: [3, 0, 6, 0, 0], PAR_EL1: [3, 0, 7, 4, 0],
  ESR_EL2: [3, 4, 5, 2, 0], FAR_EL2: [3, 4, 6, 0, 0], HPFAR_EL2: [3, 4, 6, 0, 4],
  MAIR_EL1: [3, 0, 10, 2, 0], AMAIR_EL1: [3, 0, 10, 3, 0], MAIR_EL2: [3, 4, 10, 2, 0], VBAR_EL1: [3, 0, 12, 0, 0], VBAR_EL2: [3, 4, 12, 0, 0], ISR_EL1: [3, 0, 12, 1, 0],
  CONTEXTIDR_EL1: [3, 0, 13, 0, 1], TPIDR_EL1: [3, 0, 13, 0, 4], TPIDR_EL0: [3, 3, 13, 0, 2], TPIDRRO_EL0: [3, 3, 13, 0, 3], TPIDR_EL2: [3, 4, 13, 0, 2],
  CNTKCTL_EL1: [3, 0, 14, 1, 0], CNTFRQ_EL0: [3, 3, 14, 0, 0], CNTPCT_EL0: [3, 3, 14, 0, 1], CNTVCT_EL0: [3, 3, 14, 0, 2],
  CNTP_TVAL_EL0: [3, 3, 14, 2, 0], CNTP_CTL_EL0: [3, 3, 14, 2, 1], CNTP_CVAL_EL0: [3, 3, 14, 2, 2],
  CNTV_TVAL_EL0: [3, 3, 14, 3, 0], CNTV_CTL_EL0: [3, 3, 14, 3, 1], CNTV_CVAL_EL0: [3, 3, 14, 3, 2],
  CNTVOFF_EL2: [3, 4, 14, 0, 3], CNTHCTL_EL2: [3, 4, 14, 1, 0], CNTHP_TVAL_EL2: [3, 4, 14, 2, 0], CNTHP_CTL_EL2: [3, 4, 14, 2, 1], CNTHP_CVAL_EL2: [3, 4, 14, 2, 2],
  PMCR_EL0: [3, 3, 9, 12, 0], PMCNTENSET_EL0: [3, 3, 9, 12, 1], PMCNTENCLR_EL0: [3, 3, 9, 12, 2], PMOVSCLR_EL0: [3, 3, 9, 12, 3], PMSWINC_EL0: [3, 3, 9, 12, 4],
  PMSELR_EL0: [3, 3, 9, 12, 5], PMCEID0_EL0: [3, 3, 9, 12, 6], PMCEID1_EL0: [3, 3, 9, 12, 7], PMCCNTR_EL0: [3, 3, 9, 13, 0], PMXEVTYPER_EL0: [3, 3, 9, 13, 1], PMUSERENR_EL0: [3, 3, 9, 14, 0],
  PMOVSSET_EL0: [3, 3, 9, 14, 3], PMINTENSET_EL1: [3, 0, 9, 14, 1], PMCCFILTR_EL0: [3, 3, 14, 15, 7],
  MDSCR_EL1: [2, 0, 0, 2, 2], MDCCINT_EL1: [2, 0, 0, 2, 0], MDRAR_EL1: [2, 0, 1, 0, 0], OSLAR_EL1: [2, 0, 1, 0, 4], OSLSR_EL1: [2, 0, 1, 1, 4], OSDLR_EL1: [2, 0, 1, 3, 4],
  DBGBVR0_EL1: [2, 0, 0, 0, 4], DBGBCR1_EL1: [2, 0, 0, 1, 5], DBGWCR1_EL1: [2, 0, 0, 1, 7], DBGBVR2_EL1: [2, 0, 0, 2, 4], MDCCSR_EL0: [2, 3, 0, 1, 0],
  ICC_PMR_EL1: [3, 0, 4, 6, 0], ICC_IAR0_EL1: [3, 0, 12, 8, 0], ICC_EOIR0_EL1: [3, 0, 12, 8, 1], ICC_BPR0_EL1: [3, 0, 12, 8, 3], ICC_AP1R0_EL1: [3, 0, 12, 9, 0], ICC_DIR_EL1: [3, 0, 12, 11, 1],
  ICC_RPR_EL1: [3, 0, 12, 11, 3], ICC_SGI1R_EL1: [3, 0, 12, 11, 5], ICC_IAR1_EL1: [3, 0, 12, 12, 0], ICC_EOIR1_EL1: [3, 0, 12, 12, 1], ICC_HPPIR1_EL1: [3, 0, 12, 12, 2],
  ICC_BPR1_EL1: [3, 0, 12, 12, 3], ICC_CTLR_EL1: [3, 0, 12, 12, 4], ICC_SRE_EL1: [3, 0, 12, 12, 5], ICC_IGRPEN0_EL1: [3, 0, 12, 12, 6], ICC_IGRPEN1_EL1: [3, 0, 12, 12, 7],
  ICC_SRE_EL2: [3, 4, 12, 9, 5], ICH_AP1R0_EL2: [3, 4, 12, 9, 0], ICH_HCR_EL2: [3, 4, 12, 11, 0], ICH_VTR_EL2: [3, 4, 12, 11, 1], ICH_MISR_EL2: [3, 4, 12, 11, 2],
  ICH_EISR_EL2: [3, 4, 12, 11, 3], ICH_ELRSR_EL2: [3, 4, 12, 11, 5], ICH_VMCR_EL2: [3, 4, 12, 11, 7], ICH_LR0_EL2: [3, 4, 12, 12, 0], ICH_LR1_EL2: [3, 4, 12, 12, 1], ICH_LR15_EL2: [3, 4, 12, 13, 7],
} as const satisfies Record<string, readonly [number, number, number, number, number]>;
export type RegName = keyof typeof reg;
export const regNames: readonly RegName[] = Object.keys(reg) as RegName[];

/** op0, op1, CRn, CRm, op2. */
type Encoding = readonly [number, number, number, number, number];
export const key = (name: RegName): number => sysRegKey(...(reg[name] as Encoding));
export const mrs = (name: RegName, rt: number): number => (0xd530_0000 | ((key(name) & 0x7fff) << 5) | rt) | 0;
export const msr = (name: RegName, rt: number): number => (0xd510_0000 | ((key(name) & 0x7fff) << 5) | rt) | 0;
export const sys = (op1: number, crn: number, crm: number, op2: number, rt = 31): number => (0xd508_0000 | (op1 << 16) | (crn << 12) | (crm << 8) | (op2 << 5) | rt) | 0;

export const insn = {
  eret: 0xd69f_03e0 | 0, wfi: 0xd503_207f | 0, wfe: 0xd503_205f | 0, sev: 0xd503_209f | 0, sevl: 0xd503_20bf | 0, nop: 0xd503_201f | 0, isb: 0xd503_3fdf | 0, clrex: 0xd503_3f5f | 0,
  sb: 0xd503_30ff | 0, daifset: (imm: number) => (0xd503_40df | (imm << 8)) | 0, daifclr: (imm: number) => (0xd503_40ff | (imm << 8)) | 0,
  svc: (imm: number) => (0xd400_0001 | (imm << 5)) | 0, hvc: (imm: number) => (0xd400_0002 | (imm << 5)) | 0, smc: (imm: number) => (0xd400_0003 | (imm << 5)) | 0,
  brk: (imm: number) => (0xd420_0000 | (imm << 5)) | 0, pan: (imm: number) => (0xd500_409f | (imm << 8)) | 0, uao: (imm: number) => (0xd500_407f | (imm << 8)) | 0,
  spsel: (imm: number) => (0xd500_40bf | (imm << 8)) | 0,
} as const;

export const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
export const lo = (value: bigint): number => Number(BigInt.asIntN(32, value));
export const hi = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));
export const join = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

/** SPSR.M of each state. */
export const modes = { EL0t: 0, EL1t: 4, EL1h: 5, EL2t: 8, EL2h: 9 } as const;
export type Mode = keyof typeof modes;

export class Harness {
  readonly buffer: ArrayBuffer;
  readonly view: DataView;
  readonly ram: Uint8Array;
  readonly priv: Privileged;
  now = 0n;
  retired = 0;
  /** What the processing element told its engine. */
  readonly log: string[] = [];
  /** Address spaces by key, and as they were entered. */
  readonly spaces = new Map<string, Space>();
  readonly entered: { readonly space: Space; readonly modes: readonly number[] }[] = [];
  /** Outputs that are high. */
  readonly lines = new Set<number>();

  constructor(options: { ramSize?: number; hosted?: boolean; gic?: GicCpuInterface; paRange?: number; shared?: boolean; affinity?: bigint } = {}) {
    const { ramSize: size = 65536, ...rest } = options;
    this.buffer = new ArrayBuffer(RAM_OFFSET + size);
    this.view = new DataView(this.buffer);
    this.ram = new Uint8Array(this.buffer, RAM_OFFSET, size);
    this.view.setInt32(STATE_SIZE, 0x5a5a5a5a);
    const page = (vaLo: number, vaHi: number): string => u64(join(vaLo, vaHi)).toString(16);
    this.priv = new Privileged({
      memory: { buffer: this.buffer },
      stateBase: 0,
      ram: [{ pa: RAM, size, offset: RAM_OFFSET }],
      ...rest,
      host: {
        now: () => this.now,
        retired: () => this.retired,
        space: (key, regime) => {
          const of = (name: string): Space => {
            const space = this.spaces.get(name) ?? new Space(name);
            this.spaces.set(name, space);
            return space;
          };
          const space = this.spaces.get(key) ?? (regime === undefined ? of(key) : new Space(key, of(regime)));
          this.spaces.set(key, space);
          return space;
        },
        enterSpaces: (space, _fetch, modes = []) => this.entered.push({ space, modes }),
        forgetSpaces: (condition) => {
          const all = [...this.spaces.keys()];
          const dropped = all.filter(condition);
          this.log.push(dropped.length === all.length ? 'all' : `spaces ${dropped.join()}`);
        },
        dropSpaces: (keys) => this.log.push(`spaces ${[...keys].join()}`),
        flushPage: (vaLo, vaHi) => this.log.push(`page ${page(vaLo, vaHi)}`),
        stored: (pa) => this.log.push(`stored ${pa.toString(16)}`),
        instructionsChanged: () => this.log.push('instructions'),
        broadcast: ({ stage2, va }) => this.log.push(`broadcast ${stage2 ? 'stage2' : 'stage1'}${va === undefined ? '' : ` ${page(va.lo, va.hi)}`}`),
        sendEvent: () => this.log.push('event'),
        line: (ppi, level) => (level ? this.lines.add(ppi) : this.lines.delete(ppi)),
      },
    });
    this.log.length = 0;
  }

  x(register: number): bigint {
    return this.view.getBigUint64(X + 8 * register, true);
  }

  setX(register: number, value: bigint): void {
    this.view.setBigUint64(X + 8 * register, u64(value), true);
  }

  get sp(): bigint {
    return this.view.getBigUint64(SP, true);
  }

  set sp(value: bigint) {
    this.view.setBigUint64(SP, value, true);
  }

  get pc(): bigint {
    return this.view.getBigUint64(PC, true);
  }

  set pc(value: bigint) {
    this.view.setBigUint64(PC, u64(value), true);
  }

  private field(offset: number): number {
    return this.view.getInt32(offset, true);
  }

  get mmuIdx(): number {
    return this.field(MMU_IDX);
  }

  /** What generated code looks at. */
  get shared(): { mmu: number; unprivileged: number; mode: number; fpTrap: number; spAlign: number; daif: number; nzcv: string; exclusive: number } {
    return {
      mmu: this.mmuIdx, unprivileged: this.field(UNPRIV_IDX), mode: this.field(MODE), fpTrap: this.field(FP_TRAP), spAlign: this.field(SP_ALIGN), daif: this.field(DAIF) >> 6,
      nzcv: readNzcv(new Int32Array(this.buffer), 0).toString(2).padStart(4, '0'), exclusive: this.field(EXCL_VALID),
    };
  }

  openMonitor(): void {
    this.view.setInt32(EXCL_VALID, 1, true);
  }

  read64(pa: number): bigint {
    return this.view.getBigUint64(pa - RAM + RAM_OFFSET, true);
  }

  write64(pa: number, value: bigint): void {
    this.view.setBigUint64(pa - RAM + RAM_OFFSET, u64(value), true);
  }

  run(bits: number): Status {
    return this.priv.system(bits);
  }

  /** Reads a register by MRS in the current mode, into x5. @throws when it traps */
  get(name: RegName): bigint {
    if (this.run(mrs(name, 5)) !== Status.next) throw new Error(`reading ${name} trapped`);
    return this.x(5);
  }

  /** Writes a register by MSR in the current mode, from x5. */
  set(name: RegName, value: bigint): void {
    this.setX(5, value);
    if (this.run(msr(name, 5)) !== Status.next) throw new Error(`writing ${name} trapped or took an interrupt`);
  }

  /** Goes from EL2 to another state by ERET to `pc`; `flags` are further bits of SPSR. */
  enter(mode: Mode, pc = 0x4000_1000n, flags = 0n): void {
    this.set('SPSR_EL2', BigInt(modes[mode]) | flags);
    this.set('ELR_EL2', pc);
    if (this.run(insn.eret) !== Status.refetch) throw new Error('ERET failed');
  }

  get mode(): Mode {
    const current = this.priv.pstate & 15;
    return (Object.keys(modes) as Mode[]).find((name) => modes[name] === current)!;
  }

  /** Back to EL2 whatever the mode is, by a fault that stage 2 makes. */
  toEl2(): void {
    if (this.priv.el !== 2) {
      this.priv.alignmentFault(0, 0, 0);
      (this.priv.exception as { stage2: boolean }).stage2 = true;
      this.priv.takeException(0);
    }
  }
}
