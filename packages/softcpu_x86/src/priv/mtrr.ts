/** Memory type range registers (SDM vol. 3, 12.11). They are kept and checked; memory types do not change what software can see. */

const VARIABLE = 8;
const FIXED: readonly number[] = [0x250, 0x258, 0x259, ...Array.from({ length: 8 }, (_, i) => 0x268 + i)];
/** IA32_MTRRCAP: 8 variable ranges, fixed ranges, write combining. */
const CAPABILITIES = 0x508n;
const DEF_TYPE = 0x2ff;

const isType = (type: bigint): boolean => type === 0n || type === 1n || (type >= 4n && type <= 6n);

export class Mtrrs {
  private readonly values = new Map<number, bigint>();
  private readonly reserved: bigint;

  constructor(physicalBits: number) {
    this.reserved = ~((1n << BigInt(physicalBits)) - 1n);
    for (let i = 0; i < 2 * VARIABLE; i++) this.values.set(0x200 + i, 0n);
    for (const msr of [...FIXED, DEF_TYPE]) this.values.set(msr, 0n);
  }

  /** Undefined: no MTRR. */
  read(msr: number): bigint | undefined {
    return msr === 0xfe ? CAPABILITIES : this.values.get(msr);
  }

  /** Undefined: no MTRR; false: #GP. */
  write(msr: number, value: bigint): boolean | undefined {
    if (msr === 0xfe) return false;
    if (!this.values.has(msr)) return undefined;
    if (!this.valid(msr, value)) return false;
    this.values.set(msr, value);
    return true;
  }

  private valid(msr: number, value: bigint): boolean {
    if (msr === DEF_TYPE) return (value & ~0xcffn) === 0n && isType(value & 0xffn);
    if (msr < 0x250) return (msr & 1) === 0 ? (value & (this.reserved | 0xf00n)) === 0n && isType(value & 0xffn) : (value & (this.reserved | 0x7ffn)) === 0n;
    for (let i = 0n; i < 8n; i++) if (!isType((value >> (8n * i)) & 0xffn)) return false;
    return true;
  }
}

/** Whether each byte of a PAT value is a memory type (0, 1, 4 … 7), by words. */
export function validPat(lo: number, hi: number): boolean {
  for (const word of [lo, hi]) {
    for (let i = 0; i < 32; i += 8) {
      const type = (word >>> i) & 0xff;
      if (type > 7 || type === 2 || type === 3) return false;
    }
  }
  return true;
}
