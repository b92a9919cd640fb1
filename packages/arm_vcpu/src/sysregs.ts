/**
 * System-register accesses that trap to EL2 (EC 0x18, Arm ARM, D24.2.40 "ISS encoding for an exception from MSR, MRS, or System instruction
 * execution"). What no entry of the table covers is an exit: a device may answer, else the instruction is undefined.
 */
import { SYSREG, sysRegEncoding, sysRegFields, type SysReg } from '@axvisor/axvisor_api/arch/arm';
import { idRegisterValue, isIdRegister, type IdContext } from './id_registers.ts';
import { SGI_GROUPS } from './sgi.ts';

/** Bits of the syndrome that name the register: Op0 21:20, Op2 19:17, Op1 16:14, CRn 13:10, CRm 4:1. Exits call registers so. */
const KEY_MASK = (0xfff << 10) | (0xf << 1);

/** A trapped access. */
export interface SysRegAccess {
  readonly isRead: boolean;
  readonly register: SysReg;
  /** The register as `SysRegRead` and `SysRegWrite` exits name it. */
  readonly key: number;
  /** x0 … x30, 31 is XZR. */
  readonly rt: number;
}

export function decodeSysReg(iss: number): SysRegAccess {
  return {
    isRead: (iss & 1) === 1,
    register: sysRegEncoding((iss >> 20) & 3, (iss >> 14) & 7, (iss >> 10) & 15, (iss >> 1) & 15, (iss >> 17) & 7),
    key: iss & KEY_MASK,
    rt: (iss >> 5) & 31,
  };
}

/** The key of exits for a register. */
export function sysRegKey(register: SysReg): number {
  const { op0, op1, crn, crm, op2 } = sysRegFields(register);
  return (op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | (crm << 1);
}

/** The vCPU as emulated registers see it. */
export interface SysRegHost extends IdContext {
  /** Debug registers and the OS lock: what the guest wrote. */
  readonly debug: Map<SysReg, bigint>;
  /** The processing element's own register, 0 where it has none. */
  readHost(register: SysReg): bigint;
  writeHost(register: SysReg, value: bigint): void;
  sendSgi(value: bigint, group: 0 | 1): void;
}

/** A register, or many of one kind. `undefined` functions: the access is undefined to the guest. */
interface Emulation {
  readonly name: string;
  readonly covers: (register: SysReg) => boolean;
  readonly read?: (host: SysRegHost, register: SysReg) => bigint;
  readonly write?: (host: SysRegHost, register: SysReg, value: bigint) => void;
}

const isOneOf = (...registers: readonly SysReg[]): ((register: SysReg) => boolean) => {
  const set = new Set(registers);
  return (register) => set.has(register);
};
const ignore = (): void => {};
const zero = (): bigint => 0n;

/** DC ISW, DC CSW, DC CISW: caches of guests are coherent, so set and way operations have nothing to do. */
const SET_WAY = isOneOf(sysRegEncoding(1, 0, 7, 6, 2), sysRegEncoding(1, 0, 7, 10, 2), sysRegEncoding(1, 0, 7, 14, 2));

/** OSLSR_EL1: the OS lock is implemented (OSLM 0b10); OSLK in bit 1. */
const OSLM = 8n;
const OSLK = 2n;

/** Debug registers are op0 2 with op1 0 or 3, without the trace registers of op1 1. */
const isDebug = (register: SysReg): boolean => {
  const { op0, op1 } = sysRegFields(register);
  return op0 === 2 && op1 !== 1;
};
/** DBGBVR, DBGBCR, DBGWVR and DBGWCR: op1 0, CRn 0, op2 4 to 7. */
const isDebugState = (register: SysReg): boolean => {
  const { op0, op1, crn, op2 } = sysRegFields(register);
  return op0 === 2 && op1 === 0 && crn === 0 && op2 >= 4;
};

/** Performance monitors: CRn 9, CRm 12 to 14 and CRn 14, CRm 8 to 15. */
const isPmu = (register: SysReg): boolean => {
  const { op0, op1, crn, crm } = sysRegFields(register);
  return op0 === 3 && ((crn === 9 && crm >= 12 && crm <= 14 && (op1 === 3 || op1 === 0)) || (op1 === 3 && crn === 14 && crm >= 8));
};

/** In order: the first that covers a register is asked. */
const EMULATIONS: readonly Emulation[] = [
  { name: 'ID registers', covers: isIdRegister, read: (host, register) => idRegisterValue(register, (r) => host.readHost(r), host) },
  {
    name: 'ICC_SGI*R_EL1',
    covers: (register) => SGI_GROUPS.has(register),
    write: (host, register, value) => host.sendSgi(value, SGI_GROUPS.get(register) ?? 1),
  },
  { name: 'ACTLR_EL1', covers: isOneOf(SYSREG.ACTLR_EL1), read: zero, write: ignore },
  { name: 'set and way', covers: SET_WAY, write: ignore },
  {
    name: 'timers and counters',
    covers: isOneOf(SYSREG.CNTP_CTL_EL0, SYSREG.CNTP_CVAL_EL0, SYSREG.CNTP_TVAL_EL0),
    read: (host, register) => host.readHost(register),
    write: (host, register, value) => host.writeHost(register, value),
  },
  { name: 'CNTPCT_EL0', covers: isOneOf(SYSREG.CNTPCT_EL0), read: (host, register) => host.readHost(register) },
  {
    name: 'MDSCR_EL1',
    covers: isOneOf(SYSREG.MDSCR_EL1),
    read: (host, register) => host.readHost(register),
    write: (host, register, value) => host.writeHost(register, value),
  },
  { name: 'OSLAR_EL1', covers: isOneOf(SYSREG.OSLAR_EL1), write: ({ debug }, _register, value) => void debug.set(SYSREG.OSLSR_EL1, (value & 1n) === 1n ? OSLK : 0n) },
  { name: 'OSLSR_EL1', covers: isOneOf(SYSREG.OSLSR_EL1), read: ({ debug }) => OSLM | (debug.get(SYSREG.OSLSR_EL1) ?? 0n) },
  {
    name: 'breakpoints and watchpoints',
    covers: isDebugState,
    read: ({ debug }, register) => debug.get(register) ?? 0n,
    write: ({ debug }, register, value) => void debug.set(register, value),
  },
  // No debugger is connected and no ROM table is there.
  { name: 'other debug registers', covers: isDebug, read: zero, write: ignore },
  { name: 'performance monitors', covers: (register) => isPmu(register) },
];

/** What became of an access. */
export type SysRegOutcome = { readonly kind: 'read'; readonly value: bigint } | { readonly kind: 'written' } | { readonly kind: 'undefined' } | { readonly kind: 'unknown' };

/** Carries out an access; `value` is what a write writes. */
export function emulateSysReg(host: SysRegHost, { register, isRead }: SysRegAccess, value: bigint): SysRegOutcome {
  const emulation = EMULATIONS.find(({ covers }) => covers(register));
  if (emulation === undefined) return { kind: 'unknown' };
  if (isRead) return emulation.read === undefined ? { kind: 'undefined' } : { kind: 'read', value: emulation.read(host, register) };
  if (emulation.write === undefined) return { kind: 'undefined' };
  emulation.write(host, register, value);
  return { kind: 'written' };
}
