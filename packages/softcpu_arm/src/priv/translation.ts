/**
 * Address translation: stage 1 of the EL1&0 and EL2 regimes and stage 2, with 4, 16 and 64 KiB granules, hierarchical
 * permissions, hardware-managed Access flag and dirty state, PAN (Arm ARM, chapter D8, and the pseudocode it refers to).
 *
 * Addresses of 64 bits are pairs of words; physical addresses, which are below 2^48, are numbers.
 */

import { toNumber } from '@axvisor/softcpu';
import { permits, Purpose, stage1Permissions, Stages } from './access_rights.ts';
import { AF, AP2, DBM, DEVICE, NG, NORMAL, S2_NORMAL, TABLE, VALID, addressExceeds, combined, leafIsLegal, shifted } from './descriptors.ts';
import type { ExceptionRecord } from './exception_record.ts';
import { Fsc, Hcr, Sctlr } from './fields.ts';
import { Access, Permission } from './interface.ts';
import type { State } from './registers.ts';
import { Stage2 } from './stage2.ts';
import { slot } from './stored.ts';
import { paBits } from './walk_config.ts';
import { MMU } from '../state.ts';

const { SCTLR_EL1, SCTLR_EL2, HCR_EL2, MAIR_EL1, MAIR_EL2 } = slot;
const { read: R, write: W, execute: X, global: GLOBAL } = Permission;

/** Translates for one processing element. */
export class Translation extends Stage2 {
  /** Of the last successful translation, see the interface. */
  permissions = 0;
  pageSize = 4096;
  /** Of the last successful translation: MAIR byte and SH of stage 1. */
  attributes: number = NORMAL;
  shareability = 0;
  private index = 0;
  private hasStage2 = false;
  /** The stage 1 leaf is that of all address spaces: nG = 0. */
  private isGlobal = false;
  private readonly paBits: number;

  constructor(state: State, exception: ExceptionRecord) {
    super(state, exception);
    this.paBits = paBits(state);
  }

  /**
   * Translates an access as MMU mode `index` makes it.
   *
   * @returns the physical address (for {@link Stages.first}, what stage 1 gives), or -1 with the exception recorded
   */
  translate(vaLo: number, vaHi: number, access: Access, size: number, offset: number, index: number, purpose: Purpose = Purpose.access, stages = 0): number {
    this.vaLo = vaLo;
    this.vaHi = vaHi;
    this.access = access;
    this.purpose = purpose;
    this.index = index;
    const { sys } = this.state;
    const hcr = sys[HCR_EL2]!;
    const el2 = index === MMU.el2;
    const sctlr = sys[el2 ? SCTLR_EL2 : SCTLR_EL1]!;
    this.hasStage2 = !el2 && (hcr & (Hcr.VM | Hcr.DC)) !== 0;
    this.configs.update();
    const misaligned = purpose === Purpose.access && (offset !== 0 || ((vaLo | size) & (size - 1)) !== 0);
    if (misaligned && access !== Access.fetch && (sctlr & Sctlr.A) !== 0) return this.misaligned(offset);

    do {
      this.raced = false;
      const enabled = (sctlr & Sctlr.M) !== 0 && (el2 || (hcr & (Hcr.DC | Hcr.TGE)) === 0);
      if (!(enabled ? this.stage1(sctlr, el2) : this.flat(hcr, el2)) && !this.raced) return -1;
    } while (this.raced);
    let permissions = this.leafPermissions;
    let pageSize = this.size;
    this.stage2Attributes = S2_NORMAL;
    if (misaligned && access !== Access.fetch && this.attributes >>> 4 === 0) return this.misaligned(offset);
    if (this.hasStage2 && stages === Stages.all) {
      do {
        this.raced = false;
        if (!this.stage2(this.outLo, this.outHi, access, false) && !this.raced) return -1;
      } while (this.raced);
      permissions &= this.leafPermissions;
      if (this.size < pageSize) pageSize = this.size;
      if (misaligned && access !== Access.fetch && this.stage2Attributes >>> 2 === 0) {
        this.misaligned(offset);
        this.exception.stage2 = true;
        return -1;
      }
    }
    this.permissions = permissions | (this.isGlobal ? GLOBAL : 0);
    this.pageSize = pageSize;
    this.state.cached = true;
    if (!this.state.walks.isReady) this.state.walks.start(this.configs);
    return toNumber(this.outLo, this.outHi);
  }

  /** The last translation was to Device memory. */
  get isDevice(): boolean {
    return this.attributes >>> 4 === 0 || (this.stage2Attributes >>> 2 === 0);
  }

  /** Attributes of the last translation as a MAIR byte: the stronger of both stages, with the allocation hints of stage 1. */
  combinedAttributes(stages: number): number {
    const { attributes, stage2Attributes } = this;
    return stages !== Stages.all || !this.hasStage2 ? attributes : combined(attributes, stage2Attributes);
  }

  private misaligned(offset: number): -1 {
    const lo = this.vaLo >>> 0;
    this.vaLo = (lo - offset) | 0;
    if (lo < offset) this.vaHi = (this.vaHi - 1) | 0;
    return this.fail(Fsc.alignment);
  }

  /** Stage 1 is off: the address is the output, if it is one ("AArch64.S1DisabledOutput"). */
  private flat(hcr: number, el2: boolean): boolean {
    const { vaLo, vaHi, configs } = this;
    const tbi = el2 ? configs.el2.tbi : ((vaHi >>> 23) & 1) !== 0 ? configs.upper.tbi : configs.lower.tbi;
    const hi = tbi ? vaHi & 0xff_ffff : vaHi;
    if (hi >>> (this.paBits - 32) !== 0) return this.fault(Fsc.addressSize);
    this.outLo = vaLo;
    this.outHi = hi;
    this.leafPermissions = R | W | X;
    this.isGlobal = true;
    this.size = 2 ** 48;
    const cached = (hcr & Hcr.DC) !== 0 && !el2;
    this.attributes = cached || this.access === Access.fetch ? NORMAL : DEVICE;
    this.shareability = cached ? 0 : 2;
    return true;
  }

  /** The walk of stage 1; on success `out` is its output. */
  private stage1(sctlr: number, el2: boolean): boolean {
    const { vaLo, vaHi, configs, access, hasStage2 } = this;
    const high = !el2 && ((vaHi >>> 23) & 1) !== 0;
    const config = el2 ? configs.el2 : high ? configs.upper : configs.lower;
    const { granule, stride, inputBits, ha, hd } = config;
    if (config.disabled) return this.fault(Fsc.translation);
    // All bits above the input size, up to 63 or with TBI 55, equal bit 55, which chose the range.
    const top = config.tbi ? (vaHi << 8) >> 8 : vaHi;
    const sign = high ? -1 : 0;
    if (inputBits >= 32 ? top >> (inputBits - 32) !== sign : top !== sign || vaLo >> inputBits !== sign) return this.fault(Fsc.translation);
    if (config.baseFault) return this.fault(Fsc.addressSize);

    let table = config.base;
    let mask = config.rootMask;
    let hierarchy = 0;
    for (let level = config.startLevel; ; level++, mask = (1 << stride) - 1) {
      const shift = granule + stride * (3 - level);
      const address = table + (shifted(vaLo, vaHi, shift) & mask) * 8;
      let pa = address;
      if (hasStage2) {
        if (!this.stage2(address | 0, Math.floor(address / 0x1_0000_0000), Access.load, true)) return false;
        pa = toNumber(this.outLo, this.outHi);
      }
      if (!this.readDescriptor(pa)) return this.fault(Fsc.externalOnWalk + level);
      let { dLo } = this;
      const { dHi } = this;
      if ((dLo & VALID) === 0) return this.fault(Fsc.translation + level);
      if (level < 3 && (dLo & TABLE) !== 0) {
        if (addressExceeds(dHi, config)) return this.fault(Fsc.addressSize + level);
        table = (dHi & 0xffff) * 0x1_0000_0000 + ((dLo & ~((1 << granule) - 1)) >>> 0);
        hierarchy |= dHi;
        continue;
      }
      if (!leafIsLegal(dLo, level, granule)) return this.fault(Fsc.translation + level);
      if (addressExceeds(dHi, config)) return this.fault(Fsc.addressSize + level);
      if ((dLo & AF) === 0 && !ha) return this.fault(Fsc.accessFlag + level);
      // With hardware dirty state, read-only with DBM means writable and clean.
      const clean = hd && (dHi & DBM) !== 0 && (dLo & AP2) !== 0;
      let permissions = stage1Permissions(this.index, clean ? dLo & ~AP2 : dLo, dHi, hierarchy, sctlr);
      if (!permits(permissions, this.access, this.purpose)) return this.fault(Fsc.permission + level);

      if (this.purpose !== Purpose.at) {
        const update = (dLo | AF) & (clean && access === Access.store && this.purpose === Purpose.access ? ~AP2 : -1);
        if (update !== dLo) {
          if (hasStage2) {
            if (!this.stage2(address | 0, Math.floor(address / 0x1_0000_0000), Access.store, true)) return false;
            pa = toNumber(this.outLo, this.outHi);
          }
          if (!this.writeDescriptor(pa, dLo, update)) return this.raced ? false : this.fault(Fsc.externalOnWalk + level);
          dLo = update;
        }
      }
      if (clean && (dLo & AP2) !== 0) permissions &= ~W;
      this.leafPermissions = permissions;
      this.isGlobal = (dLo & NG) === 0;
      this.leaf(dLo, dHi, shift, vaLo);
      const attribute = (dLo >>> 2) & 7;
      this.attributes = (this.state.sys[(el2 ? MAIR_EL2 : MAIR_EL1) + (attribute >>> 2)]! >>> ((attribute & 3) * 8)) & 0xff;
      this.shareability = (dLo >>> 8) & 3;
      // Of a contiguous range nothing is cached but the page: who changes it cannot count on more being dropped than was named.
      if (this.size > 4096) {
        this.state.blocks.add(vaLo, vaHi, this.size);
        this.state.walks.noted(vaLo, vaHi, this.size);
      }
      return true;
    }
  }
}
