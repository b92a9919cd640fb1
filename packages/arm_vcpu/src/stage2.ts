/** VTCR_EL2 and VTTBR_EL2 of a nested page table (Arm ARM, D8 "The AArch64 Virtual Memory System Architecture", stage 2). */
import type { NestedPageTableFormat, NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import type { PeFeatures } from './features.ts';
import { Vtcr, VTTBR_VMID_SHIFT } from './fields.ts';

/** Levels of a table, with the widest intermediate physical addresses it translates: 3 levels begin with two concatenated tables. */
const FORMATS = [
  { levels: 3, ipaBits: 40, sl0: 1n, rootAlign: 0x2000n },
  { levels: 4, ipaBits: 48, sl0: 2n, rootAlign: 0x1000n },
] as const;

/** SL0 = 2 needs this many bits of physical addresses. */
const FOUR_LEVEL_PA_BITS = 44;

/** PS by bits of physical addresses; a 4 KiB granule has no more than 48. */
const PS: ReadonlyMap<number, bigint> = new Map([[32, 0n], [36, 1n], [40, 2n], [42, 3n], [44, 4n], [48, 5n], [52, 5n]]);

type Features = Pick<PeFeatures, 'paBits' | 'vmidBits' | 'hardwareDirty'>;

const usable = ({ paBits }: Features, levels: number): boolean => levels === 3 || paBits >= FOUR_LEVEL_PA_BITS;

/** The most bits of intermediate physical addresses. */
export const ipaBits = (features: Features, levels: number): number =>
  Math.min(FORMATS.find((f) => f.levels === levels)?.ipaBits ?? 0, features.paBits);

/** The smallest format for `gpaBits`. @throws {AxError} Unsupported */
export function nestedFormat(features: Features, gpaBits: number): { format: NestedPageTableFormat; levels: number } {
  const found = FORMATS.find(({ levels }) => usable(features, levels) && gpaBits <= ipaBits(features, levels));
  if (found === undefined) throw axError('Unsupported', `the processing element cannot translate intermediate physical addresses of ${gpaBits} bits`);
  return { format: 'arm-s2', levels: found.levels };
}

/** Levels that the processing element can walk. */
export const maxLevels = (features: Features): 3 | 4 => (usable(features, 4) ? 4 : 3);

export function vtcrValue(features: Features, levels: number): bigint {
  const format = FORMATS.find((f) => f.levels === levels);
  if (format === undefined || !usable(features, levels)) throw axError('Unsupported', `the processing element cannot walk ${levels} levels at stage 2`);
  return (
    Vtcr.BASE |
    ((PS.get(features.paBits) ?? 0n) << Vtcr.PS_SHIFT) |
    (features.vmidBits === 16 ? Vtcr.VS : 0n) |
    (features.hardwareDirty ? Vtcr.HA | Vtcr.HD : 0n) |
    (format.sl0 << Vtcr.SL0_SHIFT) |
    BigInt(64 - ipaBits(features, levels))
  );
}

/** The translation that a vCPU runs with. */
export interface GuestTranslation {
  readonly vmid: number;
  readonly levels: number;
  readonly vtcr: bigint;
  readonly vttbr: bigint;
}

/** @throws {AxError} Unsupported for a format that is not Arm's or too deep, InvalidInput for a misaligned root or a VMID too wide */
export function guestTranslation(features: Features, { format, levels, address }: NestedRoot, vmid: number): GuestTranslation {
  if (format !== 'arm-s2') throw axError('Unsupported', `a processing element cannot translate with ${format}`);
  const vtcr = vtcrValue(features, levels);
  const align = FORMATS.find((f) => f.levels === levels)?.rootAlign ?? 0x1000n;
  ensure((address & (align - 1n)) === 0n, 'InvalidInput', `the root of a table of ${levels} levels is aligned to 0x${align.toString(16)}, not at 0x${address.toString(16)}`);
  const maxVmid = 2 ** features.vmidBits - 1;
  ensure(Number.isInteger(vmid) && vmid >= 0 && vmid <= maxVmid, 'InvalidInput', `VMID ${String(vmid)} is not in 0 … ${maxVmid}, which this processing element has`);
  return { vmid, levels, vtcr, vttbr: (BigInt(vmid) << VTTBR_VMID_SHIFT) | address };
}
