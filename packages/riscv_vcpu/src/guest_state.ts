/**
 * Where the CSRs of a vCPU are: in its context, or on the hart it is bound to. A vCPU that is bound again where it was,
 * with nobody in between, finds its values there and loads nothing.
 */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { CSR, csrRead, csrWrite, hfenceGvma, hfenceVvma } from '@axvisor/axvisor_api/arch/riscv';
import { SAVED, VCpuContext, type SavedCsr } from './context.ts';
import { ALL_ONES, Hstatus, Sstatus } from './fields.ts';
import type { Hart } from './harts.ts';
import type { GuestTranslation } from './stage2.ts';

/** Bits of sstatus and hstatus that belong to the guest: its privilege. */
const GUEST_PRIVILEGE = { sstatus: Sstatus.SPP, hstatus: Hstatus.SPVP } as const;
/** hstatus while a guest runs, beside its privilege. */
const GUEST_HSTATUS = Hstatus.SPV | Hstatus.VTW | Hstatus.VSXL_64;

let states = 0;

export class GuestState implements Disposable {
  readonly context: VCpuContext;
  /** Tells it from others, also those that are gone. */
  readonly serial: number = ++states;
  /** The hart whose CSRs are this vCPU's current values; the context's are old. */
  #live: Hart | undefined;
  /** The hart whose CSRs equal the context's. */
  #copy: Hart | undefined;
  #translation: GuestTranslation | undefined;
  /** CPUs on which the TLB holds nothing of an earlier use of the VMID. */
  #fenced = 0n;
  #lastCpu: number | undefined;

  /** @param context - address of a context that another thread made */
  constructor(context?: HostPhysAddr) {
    this.context = new VCpuContext(context);
  }

  get translation(): GuestTranslation | undefined {
    return this.#translation;
  }

  /** Sets the nested page table; earlier translations of its VMID are dropped at the next entry on each hart. */
  set translation(translation: GuestTranslation) {
    this.evict();
    this.#translation = translation;
    this.#fenced = 0n;
  }

  get isLive(): boolean {
    return this.#live !== undefined;
  }

  csr(name: SavedCsr): bigint {
    return this.#live === undefined ? this.context.csr(name) : csrRead(CSR[name]);
  }

  setCsr(name: SavedCsr, value: bigint): void {
    if (this.#live !== undefined) csrWrite(CSR[name], value);
    else {
      this.#copy = undefined;
      this.context.setCsr(name, value);
    }
  }

  /** Moves sepc on by `bytes`. */
  advance(bytes: number): void {
    if (this.#live !== undefined) csrWrite(CSR.sepc, BigInt.asUintN(64, csrRead(CSR.sepc) + BigInt(bytes)));
    else this.setCsr('sepc', BigInt.asUintN(64, this.context.csr('sepc') + BigInt(bytes)));
  }

  /** Makes the CSRs of `hart` (the calling thread's) this vCPU's. */
  load(hart: Hart): void {
    if (this.#live === hart) return;
    const { loaded } = hart;
    if (loaded !== this || this.#copy !== hart) {
      if (loaded !== undefined && loaded !== this) loaded.save();
      this.#write(hart);
      hart.loaded = this;
    }
    this.#copy = undefined;
    this.#live = hart;
    this.#fence(hart);
  }

  /** Copies the CSRs to the context, which holds the current values from now on. The hart keeps its copy. */
  save(): void {
    const hart = this.#live;
    if (hart === undefined) return;
    const { sstc } = hart.features;
    for (const name of SAVED) {
      if (name === 'vstimecmp' && !sstc) continue;
      const value = csrRead(CSR[name]);
      this.context.setCsr(name, name === 'sstatus' || name === 'hstatus' ? value & GUEST_PRIVILEGE[name] : value);
    }
    this.#live = undefined;
    this.#copy = hart;
  }

  /** Saves, and leaves nothing on the hart. */
  evict(): void {
    const hart = this.#live ?? this.#copy;
    this.save();
    this.#copy = undefined;
    if (hart?.loaded === this) hart.loaded = undefined;
  }

  /** Forgets what is on the hart: the context is about to be overwritten. */
  discard(): void {
    const hart = this.#live ?? this.#copy;
    this.#live = undefined;
    this.#copy = undefined;
    if (hart?.loaded === this) hart.loaded = undefined;
  }

  [Symbol.dispose](): void {
    this.discard();
    this.context[Symbol.dispose]();
  }

  #write({ features }: Hart): void {
    const { context } = this;
    for (const name of SAVED) {
      const value = context.csr(name);
      if (name === 'sstatus') csrWrite(CSR.sstatus, (csrRead(CSR.sstatus) & ~(Sstatus.SIE | Sstatus.SPIE | Sstatus.SPP)) | Sstatus.FS | value);
      else if (name === 'hstatus') csrWrite(CSR.hstatus, GUEST_HSTATUS | value);
      else if (name !== 'vstimecmp' || features.sstc) csrWrite(CSR[name], value);
    }
    csrWrite(CSR.hgatp, this.#translation?.hgatp ?? 0n);
  }

  /** Drops the translations that must not be seen: an earlier owner's of the VMID, and those of another vCPU with the same one. */
  #fence(hart: Hart): void {
    const translation = this.#translation;
    if (translation === undefined) return;
    const { vmid } = translation;
    const bit = 1n << BigInt(hart.cpu);
    const last = hart.lastOfVmid.get(vmid);
    const isNew = (this.#fenced & bit) === 0n;
    if (isNew) hfenceGvma(undefined, vmid);
    if (isNew || last !== this.serial || this.#lastCpu !== hart.cpu) hfenceVvma();
    this.#fenced |= bit;
    hart.lastOfVmid.set(vmid, this.serial);
    this.#lastCpu = hart.cpu;
  }
}

/** The CSRs of a vCPU after power-on. */
export function powerOnCsrs(context: VCpuContext, entry: bigint, timeDelta: bigint): void {
  context.setCsr('sepc', entry);
  context.setCsr('sstatus', Sstatus.SPP);
  context.setCsr('hstatus', Hstatus.SPVP);
  context.setCsr('vsstatus', Sstatus.UXL_64);
  context.setCsr('vstimecmp', ALL_ONES);
  context.setCsr('htimedelta', timeDelta);
  context.setCsr('hcounteren', 0xffff_ffffn);
}
