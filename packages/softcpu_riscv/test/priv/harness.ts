/** A hart's privileged architecture on a bare fake memory, without an engine. */

import { Space, type PhysBus } from '@axvisor/softcpu';
import { insns, op, type InsnName } from '../../src/isa/table.ts';
import { Privileged, Status } from '../../src/priv/index.ts';
import { FS_DIRTY, MMU_IDX, PC, STATE_SIZE, X } from '../../src/state.ts';

/** Where RAM begins in physical memory, and behind the state block in linear memory. */
export const RAM = 0x8000_0000;
const RAM_OFFSET = 0x4000;

/** The modes of the hart: nominal privilege and V. */
export const modes = {
  M: { prv: 3, v: 0 },
  HS: { prv: 1, v: 0 },
  U: { prv: 0, v: 0 },
  VS: { prv: 1, v: 1 },
  VU: { prv: 0, v: 1 },
} as const;
export type Mode = keyof typeof modes;
export const modeNames: readonly Mode[] = ['M', 'HS', 'U', 'VS', 'VU'];

/** CSR numbers used by the tests, written down from the manual's table independently of the implementation. */
export const csr = {
  fflags: 0x001, frm: 0x002, fcsr: 0x003, cycle: 0xc00, time: 0xc01, instret: 0xc02, hpmcounter3: 0xc03,
  sstatus: 0x100, sie: 0x104, stvec: 0x105, scounteren: 0x106, senvcfg: 0x10a, sscratch: 0x140, sepc: 0x141, scause: 0x142, stval: 0x143,
  sip: 0x144, stimecmp: 0x14d, satp: 0x180,
  vsstatus: 0x200, vsie: 0x204, vstvec: 0x205, vsscratch: 0x240, vsepc: 0x241, vscause: 0x242, vstval: 0x243, vsip: 0x244,
  vstimecmp: 0x24d, vsatp: 0x280,
  hstatus: 0x600, hedeleg: 0x602, hideleg: 0x603, hie: 0x604, htimedelta: 0x605, hcounteren: 0x606, hgeie: 0x607, henvcfg: 0x60a,
  htval: 0x643, hip: 0x644, hvip: 0x645, htinst: 0x64a, hgatp: 0x680, hgeip: 0xe12,
  mvendorid: 0xf11, mhartid: 0xf14, mstatus: 0x300, misa: 0x301, medeleg: 0x302, mideleg: 0x303, mie: 0x304, mtvec: 0x305, mcounteren: 0x306,
  menvcfg: 0x30a, mcountinhibit: 0x320, mscratch: 0x340, mepc: 0x341, mcause: 0x342, mtval: 0x343, mip: 0x344, mtinst: 0x34a, mtval2: 0x34b,
  pmpcfg0: 0x3a0, pmpcfg2: 0x3a2, pmpaddr0: 0x3b0, mcycle: 0xb00, minstret: 0xb02, mhpmcounter3: 0xb03, mhpmevent3: 0x323,
} as const;
export type CsrName = keyof typeof csr;

export const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
export const lo = (value: bigint): number => Number(BigInt.asIntN(32, value));
export const hi = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

/** Permissions for everything in PMP entry 0 (NAPOT over all addresses). */
export const PMP_ALL = { cfg: 0x1fn, addr: (1n << 54n) - 1n };

export class Harness {
  readonly buffer: ArrayBuffer;
  readonly view: DataView;
  readonly ram: Uint8Array;
  readonly priv: Privileged;
  now = 0n;
  retired = 0;
  /** What the hart told its engine. */
  readonly log: string[] = [];
  /** The last key of an address space of each kind: M-mode, V = 0, V = 1. */
  readonly keys: Map<string, string> = new Map([['M', 'M'], ['0:', '0:0'], ['1:', '1:0.0:0']]);
  /** Address spaces of explicit accesses, as they were entered, and conditions on those to be forgotten. */
  readonly entered: Space[] = [];
  readonly conditions: ((key: string) => boolean)[] = [];

  constructor(options: { ramSize?: number; hosted?: boolean; bus?: PhysBus; pmpEntries?: 0 | 16; openPmp?: boolean } = {}) {
    const size = options.ramSize ?? 65536;
    this.buffer = new ArrayBuffer(RAM_OFFSET + size);
    this.view = new DataView(this.buffer);
    this.ram = new Uint8Array(this.buffer, RAM_OFFSET, size);
    this.view.setInt32(STATE_SIZE, 0x5a5a5a5a);
    this.priv = new Privileged({
      memory: { buffer: this.buffer },
      stateBase: 0,
      ram: [{ pa: RAM, size, offset: RAM_OFFSET }],
      hosted: options.hosted ?? false,
      ...(options.bus === undefined ? {} : { bus: options.bus }),
      ...(options.pmpEntries === undefined ? {} : { pmpEntries: options.pmpEntries }),
      host: {
        now: () => this.now,
        retired: () => this.retired,
        flushTlb: () => this.log.push('tlb'),
        space: (key, regime) => {
          this.keys.set(key.slice(0, 2), key);
          return new Space(key, regime === undefined ? undefined : new Space(regime));
        },
        enterSpaces: (data) => this.entered.push(data),
        forgetSpaces: (condition) => {
          this.conditions.push(condition);
          this.log.push(`forget ${[...this.keys].flatMap(([kind, key]) => (condition(key) ? [kind] : [])).join(' ')}`);
        },
        dropSpaces: (keys) => this.log.push(`drop ${[...keys].join(' ')}`),
        flushPage: (vaLo, vaHi) => this.log.push(`page ${u64((BigInt(vaHi) << 32n) | BigInt(vaLo >>> 0)).toString(16)}`),
        stored: (pa) => this.log.push(`stored ${pa.toString(16)}`),
      },
    });
    if (options.hosted !== true && options.openPmp !== false) {
      this.set('pmpaddr0', PMP_ALL.addr);
      this.set('pmpcfg0', PMP_ALL.cfg);
    }
    this.log.length = 0;
  }

  x(register: number): bigint {
    return this.view.getBigUint64(X + 8 * register, true);
  }

  setX(register: number, value: bigint): void {
    this.view.setBigUint64(X + 8 * register, u64(value), true);
  }

  get pc(): bigint {
    return this.view.getBigUint64(PC, true);
  }

  set pc(value: bigint) {
    this.view.setBigUint64(PC, u64(value), true);
  }

  get mmuIdx(): number {
    return this.view.getInt32(MMU_IDX, true);
  }

  dirtyFs(): void {
    this.view.setInt32(FS_DIRTY, 1, true);
  }

  read64(pa: number): bigint {
    return this.view.getBigUint64(pa - RAM + RAM_OFFSET, true);
  }

  write64(pa: number, value: bigint): void {
    this.view.setBigUint64(pa - RAM + RAM_OFFSET, u64(value), true);
  }

  /** Runs one instruction given its name and register operands; a CSR instruction gets its CSR number as `csrNumber`. */
  execute(name: InsnName, operands: { rd?: number; rs1?: number; rs2?: number; csrNumber?: number } = {}): Status {
    const { rd = 0, rs1 = 0, rs2 = 0, csrNumber } = operands;
    let bits = insns[op[name]]!.match | (rd << 7) | (rs1 << 15);
    if (csrNumber !== undefined) bits |= csrNumber << 20;
    else if (rs2 !== 0) bits |= rs2 << 20;
    return this.priv.system(op[name], bits | 0);
  }

  /** Reads a CSR by an instruction in the current mode, into x5. @throws when it traps */
  get(name: CsrName): bigint {
    if (this.execute('csrrs', { rd: 5, csrNumber: csr[name] }) !== Status.next) throw new Error(`reading ${name} trapped`);
    return this.x(5);
  }

  /** Writes a CSR by an instruction in the current mode, from x5. */
  set(name: CsrName, value: bigint): void {
    this.setX(5, value);
    if (this.execute('csrrw', { rs1: 5, csrNumber: csr[name] }) !== Status.next) throw new Error(`writing ${name} trapped or took an interrupt`);
  }

  /** Goes to another mode from M-mode, by MRET to `pc`, keeping the interrupt enables. */
  enter(mode: Mode, pc = 0x8000_1000n): void {
    const { prv, v } = modes[mode];
    const mstatus = this.get('mstatus') & ~((3n << 11n) | (1n << 39n) | (1n << 7n));
    const mpie = (mstatus >> 3n) & 1n;
    this.set('mstatus', mstatus | (BigInt(prv) << 11n) | (BigInt(v) << 39n) | (mpie << 7n));
    this.set('mepc', pc);
    if (this.execute('mret') !== Status.refetch) throw new Error('mret failed');
  }

  get mode(): Mode {
    const { prv, v } = this.priv;
    return modeNames.find((name) => modes[name].prv === prv && modes[name].v === v)!;
  }

  /** Raises an exception and takes it, so that the hart is in M-mode again unless it is delegated. */
  trap(cause: number, tval = 0n, bits = 0): Status {
    this.priv.raise(cause, lo(tval), hi(tval));
    return this.priv.takeTrap(bits);
  }
}
