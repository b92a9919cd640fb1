/**
 * Walks of translation tables: descriptors, the faults that a walk ends with, and stage 2, which the walks of stage 1 go through (Arm ARM, chapter D8, and
 * the pseudocode it refers to: "AArch64.S2Translate", "AArch64.FaultRecord").
 */

import { GUEST_BLOCK_SIZE, pageNumber, toNumber } from '@axvisor/softcpu';
import { permits, Purpose } from './access_rights.ts';
import { AF, AP1, AP2, DBM, S2_NORMAL, TABLE, VALID, XN, addressExceeds, leafIsLegal, shifted } from './descriptors.ts';
import type { ExceptionRecord } from './exception_record.ts';
import { AbortIss, Ec, Fsc, Hcr } from './fields.ts';
import { Access, Permission } from './interface.ts';
import type { State } from './registers.ts';
import { slot } from './stored.ts';
import { WalkConfigs } from './walk_config.ts';

const { HCR_EL2 } = slot;
const { read: R, write: W, execute: X } = Permission;

/** What both stages have in common, and the walk of stage 2. */
export abstract class Stage2 {
  /** MemAttr of the last walk of stage 2. */
  stage2Attributes: number = S2_NORMAL;

  // Results of the walks: the address they end at, what the leaf permits, and its size.
  protected outLo = 0;
  protected outHi = 0;
  protected leafPermissions = 0;
  protected size = 0;
  // The descriptor that was read last.
  protected dLo = 0;
  protected dHi = 0;
  // The access being translated.
  protected vaLo = 0;
  protected vaHi = 0;
  protected access: Access = Access.load;
  protected purpose: Purpose = Purpose.access;
  /** A descriptor changed while it was being updated. */
  protected raced = false;

  protected readonly state: State;
  protected readonly exception: ExceptionRecord;
  protected readonly configs: WalkConfigs;

  constructor(state: State, exception: ExceptionRecord) {
    this.state = state;
    this.exception = exception;
    this.configs = new WalkConfigs(state);
  }

  /** Records an abort with a fault status code. */
  fail(fsc: number): -1 {
    const { access, purpose, exception } = this;
    let iss = fsc;
    if (access !== Access.fetch) {
      if (purpose !== Purpose.access) iss |= AbortIss.CM | AbortIss.WnR;
      else if (access === Access.store) iss |= AbortIss.WnR;
    }
    exception.set(access === Access.fetch ? Ec.instructionAbort : Ec.dataAbort, iss, this.vaLo, this.vaHi);
    return -1;
  }

  protected fault(fsc: number): false {
    this.fail(fsc);
    return false;
  }

  /** A fault of stage 2; `implicit` if the address is that of a stage 1 descriptor. */
  protected fault2(fsc: number, ipaLo: number, ipaHi: number, implicit: boolean): false {
    this.fail(fsc);
    const { exception } = this;
    exception.stage2 = true;
    exception.ipaLo = ipaLo;
    exception.ipaHi = ipaHi;
    if (implicit) exception.iss |= AbortIss.S1PTW;
    return false;
  }

  /**
   * The walk of stage 2, from an intermediate physical address to `out`.
   *
   * @param implicit the access is to a stage 1 descriptor: faults are reported as the original access's
   */
  protected stage2(ipaLo: number, ipaHi: number, access: Access, implicit: boolean): boolean {
    const { state } = this;
    const config = this.configs.stage2;
    const { guestPages } = state;
    const ptw = implicit && (state.sys[HCR_EL2]! & Hcr.PTW) !== 0;
    const updates = implicit || this.purpose !== Purpose.at;
    const cacheable = implicit || this.purpose < Purpose.cacheRead;
    if (cacheable && guestPages.find(pageNumber(ipaLo, ipaHi)) && (guestPages.rights & (1 << access)) !== 0 && !(ptw && guestPages.rights >>> 6 === 0)) {
      // Permissions, and above them MemAttr.
      this.leafPermissions = guestPages.rights & 7;
      this.stage2Attributes = guestPages.rights >>> 4;
      this.size = guestPages.size;
      this.outLo = (guestPages.page | 0) | (ipaLo & 0xfff);
      this.outHi = Math.floor(guestPages.page / 0x1_0000_0000);
      return true;
    }
    const { granule, stride, inputBits, ha, hd } = config;
    if (config.disabled || (inputBits >= 32 ? ipaHi >>> (inputBits - 32) : ipaHi | (ipaLo >>> inputBits)) !== 0) {
      return this.fault2(Fsc.translation, ipaLo, ipaHi, implicit);
    }
    if (config.baseFault) return this.fault2(Fsc.addressSize, ipaLo, ipaHi, implicit);
    let table = config.base;
    let mask = config.rootMask;
    for (let level = config.startLevel; ; level++, mask = (1 << stride) - 1) {
      const shift = granule + stride * (3 - level);
      const pa = table + (shifted(ipaLo, ipaHi, shift) & mask) * 8;
      if (!this.readDescriptor(pa)) return this.fault2(Fsc.externalOnWalk + level, ipaLo, ipaHi, implicit);
      let { dLo } = this;
      const { dHi } = this;
      if ((dLo & VALID) === 0) return this.fault2(Fsc.translation + level, ipaLo, ipaHi, implicit);
      if (level < 3 && (dLo & TABLE) !== 0) {
        if (addressExceeds(dHi, config)) return this.fault2(Fsc.addressSize + level, ipaLo, ipaHi, implicit);
        table = (dHi & 0xffff) * 0x1_0000_0000 + ((dLo & ~((1 << granule) - 1)) >>> 0);
        continue;
      }
      if (!leafIsLegal(dLo, level, granule)) return this.fault2(Fsc.translation + level, ipaLo, ipaHi, implicit);
      if (addressExceeds(dHi, config)) return this.fault2(Fsc.addressSize + level, ipaLo, ipaHi, implicit);
      if ((dLo & AF) === 0 && !ha) return this.fault2(Fsc.accessFlag + level, ipaLo, ipaHi, implicit);
      const attributes = (dLo >>> 2) & 0xf;
      const clean = hd && (dHi & DBM) !== 0 && (dLo & AP2) === 0;
      // S2AP: bit 6 reads, bit 7 writes; execution needs reads too.
      const read = (dLo & AP1) !== 0;
      let permissions = (read ? R : 0) | (clean || (dLo & AP2) !== 0 ? W : 0) | (read && (dHi & XN) === 0 ? X : 0);
      const permitted = cacheable ? (permissions & (1 << access)) !== 0 : permits(permissions, this.access, this.purpose);
      if (!permitted || (ptw && attributes >>> 2 === 0)) return this.fault2(Fsc.permission + level, ipaLo, ipaHi, implicit);
      if (updates) {
        const dirties = clean && access === Access.store && (implicit || this.purpose === Purpose.access);
        const update = dLo | AF | (dirties ? AP2 : 0);
        if (update !== dLo) {
          if (!this.writeDescriptor(pa, dLo, update)) return this.raced ? false : this.fault2(Fsc.externalOnWalk + level, ipaLo, ipaHi, implicit);
          dLo = update;
        }
      }
      if (clean && (dLo & AP2) === 0) permissions &= ~W;
      this.leafPermissions = permissions;
      this.stage2Attributes = attributes;
      this.leaf(dLo, dHi, shift, ipaLo);
      if ((dLo & AF) !== 0) {
        const page = toNumber(this.outLo & ~0xfff, this.outHi);
        guestPages.add(pageNumber(ipaLo, ipaHi), page, permissions | (attributes << 4), this.size);
        if (this.size >= GUEST_BLOCK_SIZE && attributes >>> 2 !== 0) state.guestBlocks.add(pageNumber(ipaLo, ipaHi), page, permissions);
      }
      return true;
    }
  }

  /** Combines the output address of a leaf with the offset of an address in `out`. Blocks have at most 1 GiB. */
  protected leaf(dLo: number, dHi: number, shift: number, lo: number): void {
    const offset = (1 << shift) - 1;
    this.outLo = (dLo & ~offset) | (lo & offset);
    this.outHi = dHi & 0xffff;
    this.size = 2 ** shift;
  }

  /** Reads a descriptor; false if there is no RAM. */
  protected readDescriptor(pa: number): boolean {
    const { state } = this;
    const at = state.ramOffset(pa, 8);
    if (at < 0) return false;
    this.dLo = state.words[at >>> 2]!;
    this.dHi = state.words[(at >>> 2) + 1]!;
    return true;
  }

  /** Writes the low word of a descriptor if it is still `old`; else the walk is made again. */
  protected writeDescriptor(pa: number, old: number, lo: number): boolean {
    const { state } = this;
    const at = state.ramOffset(pa, 8);
    if (at < 0) return false;
    if (Atomics.compareExchange(state.words, at >>> 2, old, lo) !== old) {
      this.raced = true;
      return false;
    }
    state.host.stored(pa, 8);
    return true;
  }
}
