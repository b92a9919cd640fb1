/** Aborts from a lower exception level: which guest physical address, and what it means (Arm ARM, D8 "Stage 2 faults", D24.2 "HPFAR_EL2"). */
import { gpa, type GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import { MappingFlags } from '@axvisor/axvisor_api/addrspace';
import { addressTranslate, type AddressTranslation } from '@axvisor/axvisor_api/arch/arm';
import { physMemory } from '@axvisor/axvisor_api/memory';
import { isEl0 } from './exceptions.ts';
import { Esr, Fsc } from './fields.ts';

const PAGE_MASK = 0xfffn;
/** FIPA, bits 43:4, is bits 51:12 of the address. */
const HPFAR_FIPA = 0xfff_ffff_fff0n;

/** PAR_EL1: F, and PA in bits 51:12. */
const PAR_F = 1n;
const PAR_PA = 0xf_ffff_ffff_f000n;

/** The registers that describe an abort. */
export interface AbortRegisters {
  readonly esr: bigint;
  readonly far: bigint;
  readonly hpfar: bigint;
  /** SPSR_EL2, which few aborts need. */
  readonly pstate: () => bigint;
}

/** An abort at stage 2. */
export interface Stage2Fault {
  readonly gpa: GuestPhysAddr;
  readonly esr: bigint;
  readonly far: bigint;
  readonly accessFlags: number;
  /** The access of an instruction, not of a fetch, of address translation or of cache maintenance. */
  readonly isExplicit: boolean;
  readonly isWrite: boolean;
}

const flag = (esr: bigint, bit: bigint): boolean => (esr & bit) !== 0n;

/** The kind of fault, without its level. */
const faultType = (esr: bigint): bigint => esr & Esr.FSC_TYPE;

/** Whether stage 2 may repair it: translation, access flag, permission. */
export function isStage2Fault(esr: bigint): boolean {
  const type = faultType(esr);
  return type === Fsc.translation || type === Fsc.accessFlag || type === Fsc.permission;
}

/** Where the access goes to. HPFAR_EL2 does not say so for a permission fault of the access itself; the guest's stage 1 does, unless it changed. */
function faultAddress({ esr, far, hpfar, pstate }: AbortRegisters): bigint | undefined {
  const inPage = far & PAGE_MASK;
  if (faultType(esr) !== Fsc.permission || flag(esr, Esr.S1PTW)) {
    const page = (hpfar & HPFAR_FIPA) << 8n;
    // The table entry, not the access, is what was not there; FAR has nothing to do with it.
    return flag(esr, Esr.S1PTW) ? page : page | inPage;
  }
  const operation: AddressTranslation = isEl0(pstate()) ? 's1e0r' : 's1e1r';
  const par = addressTranslate(operation, far);
  return flag(par, PAR_F) ? undefined : (par & PAR_PA) | inPage;
}

/** The fault that the registers describe; `undefined`: the guest should just try again. */
export function stage2Fault(registers: AbortRegisters, isFetch: boolean): Stage2Fault | undefined {
  const { esr, far } = registers;
  const address = faultAddress(registers);
  if (address === undefined) return undefined;
  const isWalk = flag(esr, Esr.S1PTW);
  // Cache maintenance says that it writes, but needs no more than to read.
  const isWrite = !isFetch && flag(esr, Esr.WNR) && !flag(esr, Esr.CM);
  return {
    gpa: gpa(address),
    esr,
    far,
    accessFlags: isFetch && !isWalk ? MappingFlags.EXECUTE : isWrite ? MappingFlags.WRITE : MappingFlags.READ,
    isExplicit: !isFetch && !isWalk && !flag(esr, Esr.CM),
    isWrite,
  };
}

/** The syndrome of a synchronous external abort for the access of `esr`: what the guest sees where nothing answers. */
export const externalAbort = (esr: bigint): bigint => (esr & ~(Esr.ISS & ~(Esr.WNR | Esr.CM))) | Fsc.syncExternal;

/** The instruction at `pc`, read as the guest reads it; `undefined` if it is not mapped any more. */
export function fetchInstruction(pc: bigint): number | undefined {
  if ((pc & 3n) !== 0n) return undefined;
  const par = addressTranslate('s12e1r', pc);
  if (flag(par, PAR_F)) return undefined;
  const { words } = physMemory();
  const index = ((par & PAR_PA) | (pc & PAGE_MASK)) >> 2n;
  const word = index < BigInt(words.length) ? words[Number(index)] : undefined;
  return word === undefined ? undefined : word >>> 0;
}
