/** An XSAVE area in standard form, and moving x87, SSE and AVX state between it and the state block (SDM vol. 1, 10.5 and 13.4). */
import { FCS, FCW, FDP, FDS, FIP, FOP, FPR, FSW, FTW, MXCSR, YMM } from '../state.ts';
import type { Registers } from './registers.ts';

/** Byte offsets in an area: behind the legacy region, of the upper halves of the vectors, and of its end. */
export const HEADER = 512;
export const AVX_AT = 576;
export const SIZE = 832;
/** MXCSR bits that exist; also what MXCSR_MASK tells. */
export const MXCSR_MASK = 0xffff;
export const MXCSR_RESET = 0x1f80;
/** Components: x87, SSE, AVX. */
export const X87 = 1;
export const SSE = 2;
export const AVX = 4;

/** Words of what INIT clears of x87, beside the control and tag words and the registers. */
const X87_WORDS: readonly number[] = [FSW, FOP, FIP, FIP + 4, FDP, FDP + 4, FCS, FDS].map((field) => field >> 2);
/** Words of the area. */
const XMM_WORD = 160 >> 2;
const AVX_WORD = AVX_AT >> 2;

export class XsaveImage {
  readonly bytes: Uint8Array = new Uint8Array(SIZE);
  readonly words: Int32Array = new Int32Array(this.bytes.buffer);
  private readonly view = new DataView(this.bytes.buffer);
  private readonly regs: Registers;

  constructor(regs: Registers) {
    this.regs = regs;
  }

  get mxcsr(): number {
    return this.words[6]!;
  }

  /** Puts components in their initial state. */
  initialize(components: number): void {
    const { words, base } = this.regs;
    if ((components & X87) !== 0) {
      words[base + (FCW >> 2)] = 0x37f;
      for (let i = 0; i < X87_WORDS.length; i++) words[base + X87_WORDS[i]!] = 0;
      words[base + (FTW >> 2)] = 0xffff;
      words.fill(0, base + (FPR >> 2), base + (FPR >> 2) + 32);
    }
    if ((components & (SSE | AVX)) === 0) return;
    const vectors = base + (YMM >> 2);
    for (let at = vectors; at < vectors + 128; at += 8) {
      if ((components & SSE) !== 0) words[at] = words[at + 1] = words[at + 2] = words[at + 3] = 0;
      if ((components & AVX) !== 0) words[at + 4] = words[at + 5] = words[at + 6] = words[at + 7] = 0;
    }
  }

  /** Fills the image with components, and MXCSR. `wide`: 64-bit FIP and FDP. */
  gather(components: number, wide: boolean): void {
    const image = this.words;
    const { words, base } = this.regs;
    if ((components & X87) !== 0) this.gatherX87(wide);
    image[6] = words[base + (MXCSR >> 2)]!;
    image[7] = MXCSR_MASK;
    if ((components & (SSE | AVX)) === 0) return;
    const vectors = base + (YMM >> 2);
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 4; j++) {
        image[XMM_WORD + 4 * i + j] = words[vectors + 8 * i + j]!;
        image[AVX_WORD + 4 * i + j] = words[vectors + 8 * i + 4 + j]!;
      }
    }
  }

  private gatherX87(wide: boolean): void {
    const image = this.words;
    const { words, base } = this.regs;
    const word = (field: number): number => words[base + (field >> 2)]!;
    const fsw = word(FSW);
    image[0] = (word(FCW) & 0xffff) | (fsw << 16);
    const tags = word(FTW);
    let abridged = 0;
    for (let i = 0; i < 8; i++) if (((tags >>> (2 * i)) & 3) !== 3) abridged |= 1 << i;
    image[1] = abridged | (word(FOP) << 16);
    image[2] = word(FIP);
    image[3] = wide ? word(FIP + 4) : word(FCS) & 0xffff;
    image[4] = word(FDP);
    image[5] = wide ? word(FDP + 4) : word(FDS) & 0xffff;
    const top = (fsw >>> 11) & 7;
    for (let i = 0; i < 8; i++) {
      const from = base + (FPR >> 2) + 4 * ((top + i) & 7);
      const to = 8 + 4 * i;
      image[to] = words[from]!;
      image[to + 1] = words[from + 1]!;
      image[to + 2] = words[from + 2]! & 0xffff;
      image[to + 3] = 0;
    }
  }

  /** Takes components from the image; those not in `present` get their initial state. */
  scatter(components: number, present: number, wide: boolean): void {
    const image = this.words;
    const { words, base } = this.regs;
    this.initialize(components & ~present);
    const load = components & present;
    if ((load & X87) !== 0) this.scatterX87(wide);
    if ((load & (SSE | AVX)) === 0) return;
    const vectors = base + (YMM >> 2);
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 4; j++) {
        if ((load & SSE) !== 0) words[vectors + 8 * i + j] = image[XMM_WORD + 4 * i + j]!;
        if ((load & AVX) !== 0) words[vectors + 8 * i + 4 + j] = image[AVX_WORD + 4 * i + j]!;
      }
    }
  }

  private scatterX87(wide: boolean): void {
    const image = this.words;
    const { words, base } = this.regs;
    const put = (field: number, value: number): void => {
      words[base + (field >> 2)] = value;
    };
    const fsw = image[0]! >>> 16;
    put(FCW, (image[0]! & 0xffff) | 0x40);
    put(FSW, fsw);
    put(FOP, (image[1]! >>> 16) & 0x7ff);
    put(FIP, image[2]!);
    put(FIP + 4, wide ? image[3]! : 0);
    put(FCS, wide ? 0 : image[3]! & 0xffff);
    put(FDP, image[4]!);
    put(FDP + 4, wide ? image[5]! : 0);
    put(FDS, wide ? 0 : image[5]! & 0xffff);
    const top = (fsw >>> 11) & 7;
    let tags = 0;
    for (let i = 0; i < 8; i++) {
      const register = (top + i) & 7;
      const to = base + (FPR >> 2) + 4 * register;
      const from = 8 + 4 * i;
      words[to] = image[from]!;
      words[to + 1] = image[from + 1]!;
      words[to + 2] = (words[to + 2]! & ~0xffff) | (image[from + 2]! & 0xffff);
      const used = ((image[1]! >>> register) & 1) !== 0;
      tags |= (used ? this.tag(4 * from) : 3) << (2 * register);
    }
    put(FTW, tags);
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
}
