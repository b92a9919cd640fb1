/**
 * Where the system registers of a vCPU are: in its context, or on the processing element it is bound to. A vCPU that is bound again where
 * it was, with nobody in between, finds its values there and loads nothing.
 */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { SYSREG, sysRegRead, sysRegWrite, tlbiStage1, tlbiStage2, type SysReg } from '@axvisor/axvisor_api/arch/arm';
import { VCpuContext } from './context.ts';
import { ALL_ONES } from './fields.ts';
import type { Pe } from './pes.ts';
import type { SavedKey } from './saved.ts';
import type { GuestTranslation } from './stage2.ts';

let states = 0;

export class GuestState implements Disposable {
  readonly context: VCpuContext;
  /** Tells it from others, also those that are gone. */
  readonly serial: number = ++states;
  /** The processing element whose registers are this vCPU's current values; the context's are old. */
  #live: Pe | undefined;
  /** The processing element whose registers equal the context's. */
  #copy: Pe | undefined;
  #translation: GuestTranslation | undefined;
  /** CPUs on which the TLB holds nothing of an earlier use of the VMID. */
  #flushed = 0n;
  #lastCpu: number | undefined;

  /** @param shared - the context that another thread made. @throws {AxError} NoMemory */
  constructor(shared?: HostPhysAddr) {
    this.context = new VCpuContext(shared);
  }

  get translation(): GuestTranslation | undefined {
    return this.#translation;
  }

  /** Sets the nested page table; earlier translations of its VMID are dropped at the next entry on each processing element. */
  set translation(translation: GuestTranslation) {
    this.evict();
    this.#translation = translation;
    this.#flushed = 0n;
  }

  reg(key: SavedKey): bigint {
    const encoding = this.#encodingOf(key);
    return encoding === undefined ? this.context.reg(key) : sysRegRead(encoding);
  }

  setReg(key: SavedKey, value: bigint): void {
    const encoding = this.#encodingOf(key);
    if (encoding !== undefined) sysRegWrite(encoding, value);
    else {
      this.#copy = undefined;
      this.context.setReg(key, value);
    }
  }

  /** The register on the processing element, if that holds it: the vCPU is loaded there, and it has one. */
  #encodingOf(key: SavedKey): SysReg | undefined {
    return this.#live?.features.encodings.get(key);
  }

  /** Makes the registers of `pe` (the calling thread's) this vCPU's, and returns whether they had to be written. */
  load(pe: Pe): boolean {
    if (this.#live === pe) return false;
    const { loaded } = pe;
    const writes = loaded !== this || this.#copy !== pe;
    if (writes) {
      if (loaded !== undefined && loaded !== this) loaded.save();
      this.#write(pe);
      pe.loaded = this;
    }
    this.#copy = undefined;
    this.#live = pe;
    this.#flush(pe);
    return writes;
  }

  /** Copies the registers to the context, which holds the current values from now on. The processing element keeps its copy. */
  save(): void {
    const pe = this.#live;
    if (pe === undefined) return;
    for (const { key, encoding } of pe.features.saved) this.context.setReg(key, sysRegRead(encoding));
    this.#live = undefined;
    this.#copy = pe;
  }

  /** Saves, and leaves nothing on the processing element. */
  evict(): void {
    const pe = this.#live ?? this.#copy;
    this.save();
    this.#copy = undefined;
    if (pe?.loaded === this) pe.loaded = undefined;
  }

  /** Forgets what is on the processing element: the context is about to be overwritten. */
  discard(): void {
    const pe = this.#live ?? this.#copy;
    this.#live = undefined;
    this.#copy = undefined;
    if (pe?.loaded === this) pe.loaded = undefined;
  }

  [Symbol.dispose](): void {
    this.discard();
    this.context[Symbol.dispose]();
  }

  #write({ features }: Pe): void {
    for (const { key, encoding, clear } of features.saved) {
      if (clear !== undefined) sysRegWrite(clear, ALL_ONES);
      sysRegWrite(encoding, this.context.reg(key));
    }
    const { vtcr = 0n, vttbr = 0n } = this.#translation ?? {};
    sysRegWrite(SYSREG.VTCR_EL2, vtcr);
    sysRegWrite(SYSREG.VTTBR_EL2, vttbr);
  }

  /** Drops the translations that must not be seen: an earlier owner's of the VMID, and those of another vCPU with the same one. */
  #flush(pe: Pe): void {
    const translation = this.#translation;
    if (translation === undefined) return;
    const { vmid } = translation;
    const bit = 1n << BigInt(pe.cpu);
    const last = pe.lastOfVmid.get(vmid);
    if ((this.#flushed & bit) === 0n) tlbiStage2(vmid);
    else if (last !== this.serial || this.#lastCpu !== pe.cpu) tlbiStage1();
    this.#flushed |= bit;
    pe.lastOfVmid.set(vmid, this.serial);
    this.#lastCpu = pe.cpu;
  }
}
