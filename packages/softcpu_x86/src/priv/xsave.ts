/** FXSAVE, FXRSTOR and the XSAVE family: x87, SSE and AVX state in memory (SDM vol. 1, 10.5 and chapter 13). */
import { FCS, FCW, FDP, FDS, FIP, FOP, FPR, FSW, FTW, MXCSR, YMM } from '../state.ts';
import { CR0, CR4, SEG, V } from './fields.ts';
import type { SystemInsn } from './interface.ts';
import type { Linear } from './linear.ts';
import { slot, type Registers } from './registers.ts';

/** Bytes of the legacy region, up to the header, and of all. */
const LEGACY = 512;
const AVX_AT = 576;
const SIZE = 832;
const HEADER = 512;
/** MXCSR bits that exist; also what MXCSR_MASK tells. */
const MXCSR_MASK = 0xffff;
/** Components: x87, SSE, AVX. */
const X87 = 1;
const SSE = 2;
const AVX = 4;
const MXCSR_RESET = 0x1f80;

const RAX = 0;

export class Xsave {
  private readonly regs: Registers;
  private readonly linear: Linear;
  /** An area, in standard form. */
  private readonly image = new Uint8Array(SIZE);
  private readonly view = new DataView(this.image.buffer);

  constructor(regs: Registers, linear: Linear) {
    this.regs = regs;
    this.linear = linear;
  }

  private get at(): number {
    return this.regs.stateBase;
  }

  /** x87 state after FNINIT, vectors zero. Power-on. */
  reset(): void {
    this.initialize(X87 | SSE | AVX);
    this.regs.view.setInt32(this.at + MXCSR, MXCSR_RESET, true);
  }

  private initialize(components: number): void {
    const { at } = this;
    const { view } = this.regs;
    if ((components & X87) !== 0) {
      view.setInt32(at + FCW, 0x37f, true);
      for (const field of [FSW, FOP, FIP, FIP + 4, FDP, FDP + 4, FCS, FDS]) view.setInt32(at + field, 0, true);
      view.setInt32(at + FTW, 0xffff, true);
      for (let i = 0; i < 128; i += 4) view.setInt32(at + FPR + i, 0, true);
    }
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 32; j += 4) if ((components & (j < 16 ? SSE : AVX)) !== 0) view.setInt32(at + YMM + 32 * i + j, 0, true);
    }
  }

  /** Fills the image with components. `wide`: 64-bit FIP and FDP. */
  private gather(components: number, wide: boolean): void {
    const { image, view, at } = this;
    const state = this.regs.view;
    if ((components & X87) !== 0) {
      const fsw = state.getInt32(at + FSW, true);
      view.setUint16(0, state.getInt32(at + FCW, true), true);
      view.setUint16(2, fsw, true);
      const tags = state.getInt32(at + FTW, true);
      let abridged = 0;
      for (let i = 0; i < 8; i++) if (((tags >>> (2 * i)) & 3) !== 3) abridged |= 1 << i;
      image[4] = abridged;
      image[5] = 0;
      view.setUint16(6, state.getInt32(at + FOP, true), true);
      for (const [field, selector, to] of [[FIP, FCS, 8], [FDP, FDS, 16]] as const) {
        view.setInt32(to, state.getInt32(at + field, true), true);
        view.setInt32(to + 4, wide ? state.getInt32(at + field + 4, true) : state.getInt32(at + selector, true) & 0xffff, true);
      }
      const top = (fsw >>> 11) & 7;
      for (let i = 0; i < 8; i++) {
        const from = at + FPR + 16 * ((top + i) & 7);
        for (let j = 0; j < 10; j++) image[32 + 16 * i + j] = state.getUint8(from + j);
        image.fill(0, 42 + 16 * i, 48 + 16 * i);
      }
    }
    view.setInt32(24, state.getInt32(at + MXCSR, true), true);
    view.setInt32(28, MXCSR_MASK, true);
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 16; j += 4) {
        view.setInt32(160 + 16 * i + j, state.getInt32(at + YMM + 32 * i + j, true), true);
        view.setInt32(AVX_AT + 16 * i + j, state.getInt32(at + YMM + 32 * i + 16 + j, true), true);
      }
    }
  }

  /** Takes components from the image; those not in `present` get their initial state. */
  private scatter(components: number, present: number, wide: boolean): void {
    const { image, view, at } = this;
    const state = this.regs.view;
    this.initialize(components & ~present);
    const load = components & present;
    if ((load & X87) !== 0) {
      const fsw = view.getUint16(2, true);
      state.setInt32(at + FCW, view.getUint16(0, true) | 0x40, true);
      state.setInt32(at + FSW, fsw, true);
      state.setInt32(at + FOP, view.getUint16(6, true) & 0x7ff, true);
      for (const [field, selector, from] of [[FIP, FCS, 8], [FDP, FDS, 16]] as const) {
        state.setInt32(at + field, view.getInt32(from, true), true);
        state.setInt32(at + field + 4, wide ? view.getInt32(from + 4, true) : 0, true);
        state.setInt32(at + selector, wide ? 0 : view.getUint16(from + 4, true), true);
      }
      const top = (fsw >>> 11) & 7;
      let tags = 0;
      for (let i = 0; i < 8; i++) {
        const register = (top + i) & 7;
        const to = at + FPR + 16 * register;
        for (let j = 0; j < 10; j++) state.setUint8(to + j, image[32 + 16 * i + j]!);
        const used = ((image[4]! >>> register) & 1) !== 0;
        tags |= (used ? this.tag(32 + 16 * i) : 3) << (2 * register);
      }
      state.setInt32(at + FTW, tags, true);
    }
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 16; j += 4) {
        if ((load & SSE) !== 0) state.setInt32(at + YMM + 32 * i + j, view.getInt32(160 + 16 * i + j, true), true);
        if ((load & AVX) !== 0) state.setInt32(at + YMM + 32 * i + 16 + j, view.getInt32(AVX_AT + 16 * i + j, true), true);
      }
    }
  }

  /** The full tag of a register that is not empty: valid 0, zero 1, special 2. */
  private tag(at: number): number {
    const exponent = this.view.getUint16(at + 8, true) & 0x7fff;
    const high = this.view.getUint32(at + 4, true);
    const low = this.view.getUint32(at, true);
    if (exponent === 0x7fff) return 2;
    if (exponent === 0) return low === 0 && high === 0 ? 1 : 2;
    return high >>> 31 !== 0 ? 0 : 2;
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

  private write(insn: SystemInsn, from: number, to: number): void {
    for (let i = from; i < to; i += 8) {
      const [lo, hi] = this.offset(insn, i);
      this.linear.store(insn.seg, lo, hi, 8, this.view.getInt32(i, true), this.view.getInt32(i + 4, true));
    }
  }

  private read(insn: SystemInsn, from: number, to: number): void {
    for (let i = from; i < to; i += 8) {
      const [lo, hi] = this.offset(insn, i);
      this.view.setInt32(i, this.linear.load(insn.seg, lo, hi, 8), true);
      this.view.setInt32(i + 4, this.linear.hi, true);
    }
  }

  private needFpu(): void {
    const { regs } = this;
    if ((regs.cr0 & (CR0.EM | CR0.TS)) !== 0) regs.fault.raise(V.NM);
  }

  fxsave(insn: SystemInsn): void {
    this.needFpu();
    this.address(insn, 16);
    this.gather(X87 | SSE, insn.opSize === 8);
    this.write(insn, 0, 160);
    if ((this.regs.cr4 & CR4.OSFXSR) !== 0) this.write(insn, 160, this.regs.code64 ? 416 : 288);
  }

  fxrstor(insn: SystemInsn): void {
    const { regs } = this;
    this.needFpu();
    this.address(insn, 16);
    this.read(insn, 0, LEGACY);
    if ((this.view.getInt32(24, true) & ~MXCSR_MASK) !== 0) regs.fault.raise(V.GP, 0);
    const osfxsr = (regs.cr4 & CR4.OSFXSR) !== 0;
    this.scatter(osfxsr ? X87 | SSE : X87, X87 | SSE, insn.opSize === 8);
    if (osfxsr) regs.view.setInt32(this.at + MXCSR, this.view.getInt32(24, true), true);
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
    const { view } = this;
    this.gather(components, insn.opSize === 8);
    if ((components & X87) !== 0) this.write(insn, 0, 24);
    if ((components & (SSE | AVX)) !== 0) this.write(insn, 24, 32);
    if ((components & X87) !== 0) this.write(insn, 32, 160);
    if ((components & SSE) !== 0) this.write(insn, 160, 416);
    if ((components & AVX) !== 0) this.write(insn, AVX_AT, SIZE);
    if (compact) {
      this.image.fill(0, HEADER, AVX_AT);
      view.setInt32(HEADER, components, true);
      view.setInt32(HEADER + 8, components, true);
      view.setInt32(HEADER + 12, 1 << 31, true);
      this.write(insn, HEADER, AVX_AT);
      return;
    }
    this.read(insn, HEADER, HEADER + 8);
    view.setInt32(HEADER, (view.getInt32(HEADER, true) & ~components) | components, true);
    this.write(insn, HEADER, HEADER + 8);
  }

  /** XRSTOR, or with `supervisor` XRSTORS, which takes the compacted form only. */
  xrstor(insn: SystemInsn, supervisor: boolean): void {
    const { regs, view, image } = this;
    const { fault } = regs;
    this.needXsave();
    this.address(insn, 64);
    const xcr0 = regs.sys[slot.xcr0]!;
    const components = this.requested();
    this.read(insn, HEADER, AVX_AT);
    const present = view.getInt32(HEADER, true);
    const layout = view.getInt32(HEADER + 8, true);
    const compact = view.getInt32(HEADER + 12, true) < 0;
    if (supervisor && !compact) fault.raise(V.GP, 0);
    const zeroFrom = HEADER + (compact ? 16 : 8);
    if (image.subarray(zeroFrom, AVX_AT).some((byte) => byte !== 0) || view.getInt32(HEADER + 4, true) !== 0) fault.raise(V.GP, 0);
    if (compact ? (layout & ~xcr0) !== 0 || (view.getInt32(HEADER + 12, true) & 0x7fff_ffff) !== 0 || (present & ~layout) !== 0 : (present & ~xcr0) !== 0) {
      fault.raise(V.GP, 0);
    }
    const load = components & present;
    this.read(insn, 0, 160);
    if ((load & SSE) !== 0) this.read(insn, 160, 416);
    if ((load & AVX) !== 0) this.read(insn, AVX_AT, SIZE);
    const mxcsr = (components & (SSE | AVX)) !== 0 && (!compact || (load & (SSE | AVX)) !== 0);
    if (mxcsr && (view.getInt32(24, true) & ~MXCSR_MASK) !== 0) fault.raise(V.GP, 0);
    this.scatter(components, present, insn.opSize === 8);
    if (mxcsr) regs.view.setInt32(this.at + MXCSR, view.getInt32(24, true), true);
    else if (compact && (components & SSE) !== 0) regs.view.setInt32(this.at + MXCSR, MXCSR_RESET, true);
  }

  // ── for native software ──

  /** All components to an area in linear memory. */
  save(place: number): void {
    this.gather(X87 | SSE | AVX, true);
    this.image.fill(0, HEADER, AVX_AT);
    this.view.setInt32(HEADER, X87 | SSE | AVX, true);
    const target = new Uint8Array(this.regs.view.buffer, place, SIZE);
    target.set(this.image);
    this.regs.host.stored(place, SIZE);
  }

  /** The reverse of {@link save}. */
  restore(place: number): void {
    this.image.set(new Uint8Array(this.regs.view.buffer, place, SIZE));
    const present = this.view.getInt32(HEADER, true);
    this.scatter(X87 | SSE | AVX, present, true);
    this.regs.view.setInt32(this.at + MXCSR, (present & SSE) !== 0 ? this.view.getInt32(24, true) & MXCSR_MASK : MXCSR_RESET, true);
  }
}
