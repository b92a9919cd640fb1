/** FXSAVE, FXRSTOR and the XSAVE family: x87, SSE and AVX state in memory (SDM vol. 1, 10.5 and chapter 13). */
import { MXCSR } from '../state.ts';
import { CR0, CR4, SEG, V } from './fields.ts';
import type { SystemInsn } from './interface.ts';
import type { Linear } from './linear.ts';
import { slot, type Registers } from './registers.ts';
import { AVX, AVX_AT, HEADER, MXCSR_MASK, MXCSR_RESET, SIZE, SSE, X87, XsaveImage } from './xsave_image.ts';

/** Bytes of the legacy region. */
const LEGACY = 512;

/** XSTATE_BV; XCOMP_BV is behind it. */
const HEADER_WORD = HEADER >> 2;

const RAX = 0;

export class Xsave {
  private readonly regs: Registers;
  private readonly linear: Linear;
  private readonly image: XsaveImage;

  constructor(regs: Registers, linear: Linear) {
    this.regs = regs;
    this.linear = linear;
    this.image = new XsaveImage(regs);
  }

  private set mxcsr(value: number) {
    const { words, base } = this.regs;
    words[base + (MXCSR >> 2)] = value;
  }

  /** x87 state after FNINIT, vectors zero. Power-on. */
  reset(): void {
    this.image.initialize(X87 | SSE | AVX);
    this.mxcsr = MXCSR_RESET;
  }

  // ── to and from memory ──

  private address(insn: SystemInsn, align: number): void {
    const { linear, regs } = this;
    linear.address(insn.seg, insn.lo, insn.hi, 1, false);
    if ((linear.atLo & (align - 1)) !== 0) regs.fault.raise(insn.seg === SEG.ss && !regs.code64 ? V.SS : V.GP, 0);
  }

  private offset(insn: SystemInsn, distance: number): readonly [number, number] {
    const sum = (insn.lo >>> 0) + distance;
    return [insn.addrSize === 2 ? sum & 0xffff : sum | 0, insn.addrSize === 8 ? (insn.hi + (sum > 0xffff_ffff ? 1 : 0)) | 0 : 0];
  }

  /** Whether a part of the area lies in a row of linear addresses: elsewhere offsets may wrap, or end at a limit. */
  private isRow(insn: SystemInsn): boolean {
    return this.regs.code64 && insn.addrSize === 8;
  }

  private write(insn: SystemInsn, from: number, to: number): void {
    const { linear, regs } = this;
    const { words } = this.image;
    if (this.isRow(insn)) {
      this.locate(insn, from, true);
      linear.writeWords(linear.atLo, linear.atHi, linear.mmu(regs.cpl), words, from >> 2, (to - from) >> 2);
      return;
    }
    for (let i = from; i < to; i += 8) {
      const [lo, hi] = this.offset(insn, i);
      linear.store(insn.seg, lo, hi, 8, words[i >> 2]!, words[(i >> 2) + 1]!);
    }
  }

  private read(insn: SystemInsn, from: number, to: number): void {
    const { linear, regs } = this;
    const { words } = this.image;
    if (this.isRow(insn)) {
      this.locate(insn, from, false);
      linear.readWords(linear.atLo, linear.atHi, linear.mmu(regs.cpl), words, from >> 2, (to - from) >> 2);
      return;
    }
    for (let i = from; i < to; i += 8) {
      const [lo, hi] = this.offset(insn, i);
      words[i >> 2] = linear.load(insn.seg, lo, hi, 8);
      words[(i >> 2) + 1] = linear.hi;
    }
  }

  private locate(insn: SystemInsn, distance: number, write: boolean): void {
    const [lo, hi] = this.offset(insn, distance);
    this.linear.address(insn.seg, lo, hi, 8, write);
  }

  private needFpu(): void {
    const { regs } = this;
    if ((regs.cr0 & (CR0.EM | CR0.TS)) !== 0) regs.fault.raise(V.NM);
  }

  fxsave(insn: SystemInsn): void {
    this.needFpu();
    this.address(insn, 16);
    this.image.gather(X87 | SSE, insn.opSize === 8);
    this.write(insn, 0, 160);
    if ((this.regs.cr4 & CR4.OSFXSR) !== 0) this.write(insn, 160, this.regs.code64 ? 416 : 288);
  }

  fxrstor(insn: SystemInsn): void {
    const { regs } = this;
    this.needFpu();
    this.address(insn, 16);
    this.read(insn, 0, LEGACY);
    if ((this.image.mxcsr & ~MXCSR_MASK) !== 0) regs.fault.raise(V.GP, 0);
    const osfxsr = (regs.cr4 & CR4.OSFXSR) !== 0;
    this.image.scatter(osfxsr ? X87 | SSE : X87, X87 | SSE, insn.opSize === 8);
    if (osfxsr) this.mxcsr = this.image.mxcsr;
  }

  private needXsave(): void {
    const { regs } = this;
    if ((regs.cr4 & CR4.OSXSAVE) === 0) regs.fault.raise(V.UD);
    if ((regs.cr0 & CR0.TS) !== 0) regs.fault.raise(V.NM);
  }

  /** EDX:EAX and XCR0: what to save or restore. The high words have no components. */
  private requested(): number {
    return this.regs.lo(RAX) & this.regs.sys[slot.xcr0]!;
  }

  /** XSAVE and XSAVEOPT, or with `compact` XSAVEC and XSAVES. */
  xsave(insn: SystemInsn, compact: boolean): void {
    this.needXsave();
    this.address(insn, 64);
    const components = this.requested();
    const { words, bytes } = this.image;
    this.image.gather(components, insn.opSize === 8);
    if ((components & X87) !== 0) this.write(insn, 0, 24);
    if ((components & (SSE | AVX)) !== 0) this.write(insn, 24, 32);
    if ((components & X87) !== 0) this.write(insn, 32, 160);
    if ((components & SSE) !== 0) this.write(insn, 160, 416);
    if ((components & AVX) !== 0) this.write(insn, AVX_AT, SIZE);
    if (compact) {
      bytes.fill(0, HEADER, AVX_AT);
      words[HEADER_WORD] = words[HEADER_WORD + 2] = components;
      words[HEADER_WORD + 3] = 1 << 31;
      this.write(insn, HEADER, AVX_AT);
      return;
    }
    this.read(insn, HEADER, HEADER + 8);
    words[HEADER_WORD] = words[HEADER_WORD]! | components;
    this.write(insn, HEADER, HEADER + 8);
  }

  /** XRSTOR, or with `supervisor` XRSTORS, which takes the compacted form only. */
  xrstor(insn: SystemInsn, supervisor: boolean): void {
    const { regs, image } = this;
    const { words } = image;
    const { fault } = regs;
    this.needXsave();
    this.address(insn, 64);
    const xcr0 = regs.sys[slot.xcr0]!;
    const components = this.requested();
    this.read(insn, HEADER, AVX_AT);
    const present = words[HEADER_WORD]!;
    const layout = words[HEADER_WORD + 2]!;
    const compact = words[HEADER_WORD + 3]! < 0;
    if (supervisor && !compact) fault.raise(V.GP, 0);
    if (words[HEADER_WORD + 1] !== 0) fault.raise(V.GP, 0);
    for (let i = HEADER_WORD + (compact ? 4 : 2); i < AVX_AT >> 2; i++) if (words[i] !== 0) fault.raise(V.GP, 0);
    if (compact ? (layout & ~xcr0) !== 0 || (words[HEADER_WORD + 3]! & 0x7fff_ffff) !== 0 || (present & ~layout) !== 0 : (present & ~xcr0) !== 0) {
      fault.raise(V.GP, 0);
    }
    const load = components & present;
    this.read(insn, 0, 160);
    if ((load & SSE) !== 0) this.read(insn, 160, 416);
    if ((load & AVX) !== 0) this.read(insn, AVX_AT, SIZE);
    const mxcsr = (components & (SSE | AVX)) !== 0 && (!compact || (load & (SSE | AVX)) !== 0);
    if (mxcsr && (image.mxcsr & ~MXCSR_MASK) !== 0) fault.raise(V.GP, 0);
    this.image.scatter(components, present, insn.opSize === 8);
    if (mxcsr) this.mxcsr = image.mxcsr;
    else if (compact && (components & SSE) !== 0) this.mxcsr = MXCSR_RESET;
  }

  // ── for native software ──

  /** All components to an area in linear memory. */
  save(place: number): void {
    const { bytes, words } = this.image;
    this.image.gather(X87 | SSE | AVX, true);
    bytes.fill(0, HEADER, AVX_AT);
    words[HEADER_WORD] = X87 | SSE | AVX;
    const target = new Uint8Array(this.regs.view.buffer, place, SIZE);
    target.set(bytes);
    this.regs.host.stored(place, SIZE);
  }

  /** The reverse of {@link save}. */
  restore(place: number): void {
    const { image } = this;
    image.bytes.set(new Uint8Array(this.regs.view.buffer, place, SIZE));
    const present = image.words[HEADER_WORD]!;
    image.scatter(X87 | SSE | AVX, present, true);
    this.mxcsr = (present & SSE) !== 0 ? image.mxcsr & MXCSR_MASK : MXCSR_RESET;
  }
}
