/** The VMCS as it lies in its region (SDM vol. 3, 25.2): revision, abort indicator, launch state, then every field in 8 bytes. */
import { VMFAIL_INVALID, VmcsField, vmcsFieldType, vmcsFieldWidth, type VmxResult } from '@axvisor/axvisor_api/arch/x86';
import type { Moves } from '../control_area.ts';
import { toBigint, type Registers } from '../registers.ts';

/** Byte offsets in the region of what is no field. */
const LAUNCHED = 8;
const FIELDS = 64;

/** Fields of features that this processor lacks. */
const ABSENT: ReadonlySet<number> = new Set<number>([
  VmcsField.postedInterruptVector, VmcsField.eptpIndex, VmcsField.guestInterruptStatus, VmcsField.pmlIndex, VmcsField.pmlAddress,
  VmcsField.apicAccessAddress, VmcsField.postedInterruptDescriptorAddress, VmcsField.vmFunctionControls, VmcsField.eoiExitBitmap0,
  VmcsField.eoiExitBitmap1, VmcsField.eoiExitBitmap2, VmcsField.eoiExitBitmap3, VmcsField.eptpListAddress, VmcsField.vmreadBitmapAddress,
  VmcsField.vmwriteBitmapAddress, VmcsField.virtualizationExceptionInformationAddress, VmcsField.enclsExitingBitmap,
  VmcsField.subPagePermissionTablePointer, VmcsField.guestIa32PerfGlobalCtrl, VmcsField.guestIa32Bndcfgs, VmcsField.guestIa32RtitCtl,
  VmcsField.hostIa32PerfGlobalCtrl,
]);

const encodings = Object.values(VmcsField).filter((field) => !ABSENT.has(field));

/** Number of each field's low word, by encoding; -1 where there is none. */
const offsets: Int16Array = new Int16Array(0x7000).fill(-1);
encodings.forEach((field, i) => (offsets[field] = 2 * i));

/** A field by its encoding. */
export type Field = number;
export const F: typeof VmcsField = VmcsField;

/** Who wants to know what is written. */
export interface VmcsWatcher {
  /** Bits of a word changed, by its number among {@link Vmcs.words}. */
  written(word: number, bits: number): void;
  /** Another VMCS is the current one. */
  replaced(): void;
}

/** The current VMCS: its region in linear memory. */
export class Vmcs {
  /** Byte offset in linear memory, -1 if there is no current VMCS. */
  place = -1;
  /** Physical address. */
  address = -1n;
  watcher: VmcsWatcher | undefined;
  private readonly regs: Registers;
  /** Index of word 0 of the fields in linear memory. */
  base = 0;

  constructor(regs: Registers) {
    this.regs = regs;
  }

  /** Makes the VMCS at a place the current one; without arguments there is none. */
  use(place: number = -1, address: bigint = -1n): void {
    this.place = place;
    this.address = address;
    this.base = (place + FIELDS) >> 2;
    this.watcher?.replaced();
  }

  /** Sets the VM-instruction error, if there is a VMCS for it. */
  fail(error: number): VmxResult {
    if (this.place < 0) return VMFAIL_INVALID;
    this.set(F.vmInstructionError, error);
    return error;
  }

  /** Number of words that fields take. */
  readonly words: number = 2 * encodings.length;

  /** Number of the low word of a field. */
  word(field: Field): number {
    return offsets[field]!;
  }

  /** The same, without a VMCS. */
  static word(field: Field): number {
    return offsets[field]!;
  }

  /** Whether an encoding, possibly of a high half, names a field of this processor. */
  static has(field: number): boolean {
    return field >= 0 && field < 0x7000 && offsets[field & ~1]! >= 0 && ((field & 1) === 0 || ((field >>> 13) & 3) === 1);
  }

  /** All fields of this processor. */
  static readonly fields: readonly number[] = encodings;

  /** Low word; all of a 16- or 32-bit field. */
  lo(field: Field): number {
    return this.regs.words[this.base + offsets[field]!]!;
  }

  hi(field: Field): number {
    return this.regs.words[this.base + offsets[field]! + 1]!;
  }

  set(field: Field, lo: number, hi = 0): void {
    const word = offsets[field]!;
    this.setWord(word, lo);
    this.setWord(word + 1, hi);
  }

  /** A word by its number, for what every entry and exit look at. */
  wordAt(word: number): number {
    return this.regs.words[this.base + word]!;
  }

  /** Sets a field of at most 32 bits by the number of its word. */
  setWord(word: number, value: number): void {
    const { words } = this.regs;
    const at = this.base + word;
    const changed = words[at]! ^ value;
    if (changed === 0) return;
    words[at] = value;
    this.watcher?.written(word, changed);
  }

  /** A bit of a control word. */
  has(field: Field, bit: number): boolean {
    return (this.lo(field) & bit) !== 0;
  }

  /** Saves registers. */
  save({ state, area }: Moves): void {
    const { words, base } = this.regs;
    const first = this.base;
    for (let i = 0; i < state.length; i++) {
      const value = words[base + state[i]!]!;
      if (words[first + area[i]!] !== value) this.setWord(area[i]!, value);
    }
  }

  /** VMREAD of the low half, unsigned. */
  readLow(field: number): number {
    if ((field & 1) !== 0) return this.hi(field & ~1) >>> 0;
    return this.lo(field) >>> 0;
  }

  /** VMWRITE of the low half. */
  writeLow(field: number, value: number): void {
    if ((field & 1) !== 0) this.setWord(offsets[field & ~1]! + 1, value | 0);
    else this.setWord(offsets[field]!, vmcsFieldWidth(field) === 16 ? value & 0xffff : value | 0);
  }

  /** VMREAD. */
  read(field: number): bigint {
    if ((field & 1) !== 0) return BigInt(this.hi(field & ~1) >>> 0);
    const width = vmcsFieldWidth(field);
    return width === 64 ? toBigint(this.lo(field), this.hi(field)) : BigInt(width === 16 ? this.lo(field) & 0xffff : this.lo(field) >>> 0);
  }

  /** VMWRITE of a field that may be written. */
  write(field: number, value: bigint): void {
    const lo = Number(BigInt.asIntN(32, value));
    if ((field & 1) !== 0) {
      this.setWord(offsets[field & ~1]! + 1, lo);
      return;
    }
    const width = vmcsFieldWidth(field);
    this.set(field, width === 16 ? lo & 0xffff : lo, width === 64 ? Number(BigInt.asIntN(32, value >> 32n)) : 0);
  }

  static readOnly(field: number): boolean {
    return vmcsFieldType(field) === 'readOnly';
  }

  get launched(): boolean {
    return this.regs.words[(this.place + LAUNCHED) >> 2] !== 0;
  }

  set launched(value: boolean) {
    Vmcs.setLaunched(this.regs, this.place, value);
  }

  static setLaunched(regs: Registers, place: number, value: boolean): void {
    regs.words[(place + LAUNCHED) >> 2] = value ? 1 : 0;
  }
}
