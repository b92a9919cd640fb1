/** Random encodings and operands of SIMD instructions. */
import type { Row } from '../../src/isa/table.ts';

let seed = 1;
export const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8;
export const below = (limit: number): number => random() % limit;

const SINGLES = [0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0001, 0x7f80_0001, 1, 0x8000_0001, 0x007f_ffff, 0x0080_0000, 0x7f7f_ffff, 0x4f00_0000, 0x4b00_0001];
const DOUBLES = [0n, 1n << 63n, 0x3ff0_0000_0000_0000n, 0xbff8_0000_0000_0000n, 0x7ff0_0000_0000_0000n, 0xfff0_0000_0000_0000n, 0x7ff8_0000_0000_0001n, 0x7ff0_0000_0000_0001n, 1n, 0x000f_ffff_ffff_ffffn, 0x0010_0000_0000_0000n, 0x7fef_ffff_ffff_ffffn, 0x41e0_0000_0000_0000n, 0x43e0_0000_0000_0000n];
/** A word of vectors. */
export function word(): bigint {
  switch (below(8)) {
    case 6: // whose sums and products are exact
      return new BigUint64Array(Float64Array.of((below(4096) - 2048) / 8).buffer)[0] as bigint;
    case 7:
      return new BigUint64Array(Float32Array.of((below(64) - 32) / 8, below(4096)).buffer)[0] as bigint;
    case 0:
      return DOUBLES[below(DOUBLES.length)] as bigint;
    case 1:
      return (BigInt(SINGLES[below(SINGLES.length)] as number) << 32n) | BigInt(SINGLES[below(SINGLES.length)] as number);
    case 2: // numbers of ordinary size
      return (BigInt(0x3f00_0000 + below(0x100_0000) * 2) << 32n) | BigInt(0x3f00_0000 + below(0x100_0000));
    case 3:
      return (BigInt(0x3fe0_0000 + below(0x40_0000)) << 32n) | BigInt(below(1 << 24));
    default:
      return (BigInt(random()) << 44n) ^ (BigInt(random()) << 22n) ^ BigInt(random());
  }
}

/** Whether general registers are operands, by ModRM.reg and ModRM.rm. */
export const has = (row: Row, letter: string): boolean => row.operands.some(({ kind }) => kind === letter);

/** One encoding of a row: registers or memory at [RBX], of gathers with an index. */
export function encode(row: Row, mode: 64 | 32): Uint8Array {
  const wide = row.operands.some(({ kind, size }) => 'EG'.includes(kind) && size === 'y');
  const memory = row.memory ?? below(3) === 0;
  // RSP and RBX keep their values: results go to RAX, RCX, RDX.
  const general = has(row, 'G');
  const reg = row.reg ?? (general ? below(3) : below(8));
  const rm = has(row, 'E') ? below(3) : below(8);
  const isLong = mode === 64;
  const w = row.w ?? (wide && isLong && below(2) === 0 ? 1 : 0);
  const r = general || !isLong ? 0 : below(2);
  const b = memory || has(row, 'E') || !isLong ? 0 : below(2);
  const bytes: number[] = [];
  if (row.vex) {
    const vvvv = has(row, 'H') ? below(isLong ? 16 : 8) : 0;
    const x = isLong ? below(2) : 0;
    const l = row.l ?? below(2);
    bytes.push(0xc4, ((1 - r) << 7) | ((1 - x) << 6) | ((1 - b) << 5) | row.map);
    bytes.push((w << 7) | ((15 - vvvv) << 3) | (l << 2) | { np: 0, 66: 1, F3: 2, F2: 3 }[row.prefix as 'np'], row.opcode);
  } else {
    if (row.prefix === '66' || row.prefix === 'F3' || row.prefix === 'F2') bytes.push(Number.parseInt(row.prefix, 16));
    if (isLong) bytes.push(0x40 | (w << 3) | (r << 2) | b);
    bytes.push(0x0f);
    if (row.map === 2) bytes.push(0x38);
    if (row.map === 3) bytes.push(0x3a);
    bytes.push(row.opcode);
  }
  if (!row.hasModrm) return Uint8Array.from(bytes);
  const isGather = has(row, 'MX') || has(row, 'MH');
  bytes.push((memory ? 0 : 0xc0) | (reg << 3) | (isGather ? 4 : memory ? 3 : rm));
  if (isGather) bytes.push((below(4) << 6) | (below(8) << 3) | 3);
  if (has(row, 'I') || has(row, 'L')) bytes.push(below(256));
  return Uint8Array.from(bytes);
}
