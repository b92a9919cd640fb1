/** What generated code looks at that follows from control registers, segments, the privilege level and system flags: words of the state block. */
import {
  ALIGN_TRAP, AVX_TRAP, CODE, CS_LIMIT, FETCH, FETCH_IDX, FPU_TRAP, Flag, IF_ALLOWED, MMU, MMU_IDX, MODE, NON_ADDRESS_BITS, READ_HIGH, READ_LOW, SEG_BASE, SMAP, SSE_TRAP,
  WRITE_HIGH, WRITE_LOW,
} from '../state.ts';
import { AR, CR0, CR4, SEG, TYPE } from './fields.ts';
import type { Registers } from './registers.ts';

/** Size of code, by EFER.LMA and the code segment. */
export function codeSize(regs: Registers): number {
  const rights = regs.rights[SEG.cs]!;
  return regs.long && (rights & AR.L) !== 0 ? CODE.code64 : (rights & AR.DB) !== 0 ? CODE.code32 : CODE.code16;
}

/** Recomputes all of the words but for {@link Registers.code}, which is right already. @returns how bytes are decoded, as {@link CODE} says */
export function recompute(regs: Registers): number {
  const { words, base, rights, limits, cr0, cr4, cpl, code } = regs;
  const flags = regs.systemFlags;
  const real = (cr0 & CR0.PE) === 0;
  const v86 = (flags & Flag.VM) !== 0;
  const wide = code === CODE.code64;
  const segmented = !wide && !isFlat(regs);
  const stack32 = wide || (rights[SEG.ss]! & AR.DB) !== 0;
  const mode = code | (stack32 ? CODE.stack32 : 0) | (segmented ? CODE.segmented : 0) | (real || v86 ? CODE.real : 0);
  words[base + (MODE >> 2)] = mode;
  words[base + (FETCH_IDX >> 2)] = cpl === 3 ? FETCH.user : FETCH.supervisor;
  words[base + (MMU_IDX >> 2)] = cpl === 3 ? MMU.user : (cr4 & CR4.SMAP) !== 0 && (flags & Flag.AC) === 0 ? MMU.supervisorSmap : MMU.supervisor;
  words[base + (IF_ALLOWED >> 2)] = real || (!v86 && cpl <= ((flags >>> 12) & 3)) ? 1 : 0;
  const fpuOff = (cr0 & (CR0.EM | CR0.TS)) !== 0;
  words[base + (FPU_TRAP >> 2)] = fpuOff ? 1 : 0;
  words[base + (SSE_TRAP >> 2)] = fpuOff || (cr4 & CR4.OSFXSR) === 0 ? 1 : 0;
  words[base + (AVX_TRAP >> 2)] = (cr0 & CR0.TS) !== 0 || real || v86 || !regs.isAvxEnabled ? 1 : 0;
  const aligned = (cr0 & CR0.AM) !== 0 && (flags & Flag.AC) !== 0 && cpl === 3 ? 1 : 0;
  // From here on instructions are executed one by one.
  if (aligned !== words[base + (ALIGN_TRAP >> 2)]) regs.host.endSlice();
  words[base + (ALIGN_TRAP >> 2)] = aligned;
  words[base + (SMAP >> 2)] = cr4 & CR4.SMAP;
  words[base + (NON_ADDRESS_BITS >> 2)] = (cr4 & CR4.LA57) !== 0 ? 7 : 16;
  const csLimit = wide ? -1 : limits[SEG.cs]! | 0;
  if (words[base + (CS_LIMIT >> 2)] !== csLimit) {
    words[base + (CS_LIMIT >> 2)] = csLimit;
    regs.host.flushFetch();
  }
  // FS, GS and CS are looked at in flat modes too.
  if (!wide) for (let i = 0; i < 6; i++) setRange(regs, i, real || v86);
  return mode;
}

/** ES, CS, SS and DS span 4 GiB from 0 and permit what flat code does with them. */
function isFlat({ rights, limits, words, base }: Registers): boolean {
  for (let i = 0; i < 4; i++) {
    const r = rights[i]!;
    if (limits[i] !== 0xffff_ffff || words[base + (SEG_BASE >> 2) + 2 * i] !== 0 || (r & (AR.P | AR.unusable)) !== AR.P) return false;
    // A readable code segment, writable data segments that do not expand down.
    if ((r & (TYPE.code | TYPE.writable)) !== (i === SEG.cs ? TYPE.code | TYPE.readable : TYPE.writable)) return false;
    if (i !== SEG.cs && (r & TYPE.expandDown) !== 0) return false;
  }
  return true;
}

/** The offsets that may be read and written through a segment. */
function setRange({ rights, limits, words, base }: Registers, segment: number, real: boolean): void {
  const r = rights[segment]!;
  const limit = limits[segment]!;
  const code = (r & TYPE.code) !== 0;
  let low = 0;
  let high = limit;
  if (!code && (r & TYPE.expandDown) !== 0) {
    low = limit + 1;
    high = (r & AR.DB) !== 0 ? 0xffff_ffff : 0xffff;
    if (low > high) {
      low = 1;
      high = 0;
    }
  }
  const usable = (r & AR.unusable) === 0;
  const put = (lowAt: number, highAt: number, allowed: boolean): void => {
    words[base + (lowAt >> 2) + segment] = allowed ? low | 0 : 1;
    words[base + (highAt >> 2) + segment] = allowed ? high | 0 : 0;
  };
  put(READ_LOW, READ_HIGH, usable && (real || !code || (r & TYPE.readable) !== 0));
  put(WRITE_LOW, WRITE_HIGH, usable && (real || (!code && (r & TYPE.writable) !== 0)));
}
