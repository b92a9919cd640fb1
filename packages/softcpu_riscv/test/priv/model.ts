/**
 * Address translation and PMP once more, in bigint and as plainly as the manual puts them: the judge of the fast version.
 */

export type Kind = 'load' | 'store' | 'fetch' | 'hlvx';

export interface PmpEntry {
  readonly cfg: number;
  readonly addr: bigint;
}

/** PMP: the lowest-numbered entry matching any byte decides; it must match all. */
export function pmpAllows(entries: readonly PmpEntry[], pa: bigint, size: number, prv: number, need: readonly ('R' | 'W' | 'X')[]): boolean {
  const matches = (i: number, byte: bigint): boolean => {
    const { cfg, addr } = entries[i]!;
    switch ((cfg >> 3) & 3) {
      case 1:
        return byte >= (i === 0 ? 0n : entries[i - 1]!.addr << 2n) && byte < addr << 2n;
      case 2:
        return byte >> 2n === addr;
      case 3: {
        let ones = 0n;
        while (((addr >> ones) & 1n) === 1n) ones++;
        return byte >> (ones + 3n) === addr >> (ones + 1n);
      }
      default:
        return false;
    }
  };
  const bytes = Array.from({ length: size }, (_, i) => pa + BigInt(i));
  for (let i = 0; i < entries.length; i++) {
    const matched = bytes.filter((byte) => matches(i, byte)).length;
    if (matched === 0) continue;
    if (matched !== size) return false;
    const { cfg } = entries[i]!;
    if (prv === 3 && (cfg & 0x80) === 0) return true;
    return need.every((right) => (cfg & { R: 1, W: 2, X: 4 }[right]) !== 0);
  }
  return prv === 3 || entries.length === 0;
}

export interface Registers {
  readonly satp: bigint;
  readonly vsatp: bigint;
  readonly hgatp: bigint;
  /** HS-level and VS-level fields. */
  readonly sum: boolean;
  readonly mxr: boolean;
  readonly vsSum: boolean;
  readonly vsMxr: boolean;
  readonly menvcfg: { readonly adue: boolean; readonly pbmte: boolean };
  readonly henvcfg: { readonly adue: boolean; readonly pbmte: boolean };
  readonly pmp: readonly PmpEntry[];
}

/** RAM of the model; reads and writes outside are access faults. */
export interface Ram {
  has(pa: bigint): boolean;
  read64(pa: bigint): bigint;
  write64(pa: bigint, value: bigint): void;
}

export interface Fault {
  readonly type: 'page' | 'guest' | 'access';
  readonly gpa: bigint;
  readonly tinst: number;
}

export type Result = { readonly pa: bigint; readonly size: bigint } | Fault;

class Raise extends Error {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.type);
    this.fault = fault;
  }
}

const raise = (type: Fault['type'], gpa = 0n, tinst = 0): never => {
  throw new Raise({ type, gpa, tinst });
};

interface Stage {
  readonly atp: bigint;
  /** Extra bits of the root index: 2 for the x4 modes. */
  readonly wide: bigint;
  readonly prv: number;
  readonly kind: Kind;
  readonly sum: boolean;
  readonly mxr: boolean;
  readonly adue: boolean;
  readonly pbmte: boolean;
  readonly fault: () => never;
  /** From the address of a PTE to its physical address. */
  readonly locate: (address: bigint, write: boolean) => bigint;
}

/** The algorithm of "Virtual Address Translation Process", step by step. */
function walk(ram: Ram, pmp: readonly PmpEntry[], va: bigint, stage: Stage): { address: bigint; size: bigint } {
  const levels = { 8: 3n, 9: 4n, 10: 5n }[Number(stage.atp >> 60n)]!;
  let a = (stage.atp & ((1n << 44n) - 1n)) << 12n;
  for (let i = levels - 1n; ; ) {
    const indexBits = i === levels - 1n ? 9n + stage.wide : 9n;
    const vpn = (va >> (12n + 9n * i)) & ((1n << indexBits) - 1n);
    const address = a + vpn * 8n;
    const pa = stage.locate(address, false);
    if (!ram.has(pa) || !pmpAllows(pmp, pa, 8, 1, ['R'])) return raise('access');
    const pte = ram.read64(pa);
    const bit = (n: bigint): boolean => ((pte >> n) & 1n) === 1n;
    const [v, r, w, x, u, accessed, dirty] = [bit(0n), bit(1n), bit(2n), bit(3n), bit(4n), bit(6n), bit(7n)];
    const pbmt = (pte >> 61n) & 3n;
    if (!v || (!r && w)) stage.fault();
    if ((pte >> 54n) & 0x7fn || bit(63n)) stage.fault();
    if (!r && !x) {
      if (accessed || dirty || u || pbmt !== 0n) stage.fault();
      i--;
      if (i < 0n) stage.fault();
      a = ((pte >> 10n) & ((1n << 44n) - 1n)) << 12n;
      continue;
    }
    if (pbmt !== 0n && (!stage.pbmte || pbmt === 3n)) stage.fault();
    const ppn = (pte >> 10n) & ((1n << 44n) - 1n);
    const size = 1n << (12n + 9n * i);
    if ((ppn << 12n) % size !== 0n) stage.fault();
    if (stage.prv === 0 ? !u : u && (stage.kind === 'fetch' || !stage.sum)) stage.fault();
    const permitted = { load: r || (stage.mxr && x), store: w, fetch: x, hlvx: x }[stage.kind];
    if (!permitted) stage.fault();
    if (!accessed || (stage.kind === 'store' && !dirty)) {
      if (!stage.adue) stage.fault();
      const target = stage.locate(address, true);
      if (!ram.has(target) || !pmpAllows(pmp, target, 8, 1, ['W'])) return raise('access');
      ram.write64(target, pte | 0x40n | (stage.kind === 'store' ? 0x80n : 0n));
    }
    return { address: (ppn << 12n) + (va % size), size };
  }
}

const modeOf = (atp: bigint): bigint => atp >> 60n;

/** Translates one access of `size` bytes within a page by mode `prv`, `v`. */
export function translate(ram: Ram, regs: Registers, va: bigint, kind: Kind, size: number, prv: number, v: number): Result {
  const guest = (gpa: bigint, access: Kind, tinst: number): { address: bigint; size: bigint } => {
    if (modeOf(regs.hgatp) === 0n) return { address: gpa, size: 1n << 64n };
    const fault = (): never => raise('guest', gpa, tinst);
    const bits = { 8: 41n, 9: 50n, 10: 59n }[Number(modeOf(regs.hgatp))]!;
    if (gpa >> bits !== 0n) fault();
    return walk(ram, regs.pmp, gpa, {
      atp: regs.hgatp, wide: 2n, prv: 0, kind: access, sum: false, mxr: tinst === 0 && regs.mxr, ...regs.menvcfg, fault, locate: (address) => address,
    });
  };
  try {
    let address = va;
    let block = 1n << 64n;
    if (prv !== 3) {
      const atp = v === 1 ? regs.vsatp : regs.satp;
      if (modeOf(atp) !== 0n) {
        const fault = (): never => raise('page');
        const bits = { 8: 39, 9: 48, 10: 57 }[Number(modeOf(atp))]!;
        if (BigInt.asUintN(64, BigInt.asIntN(bits, va)) !== va) fault();
        const envcfg = v === 1 ? { adue: regs.henvcfg.adue && regs.menvcfg.adue, pbmte: regs.henvcfg.pbmte && regs.menvcfg.pbmte } : regs.menvcfg;
        const first = walk(ram, regs.pmp, va, {
          atp, wide: 0n, prv, kind, ...envcfg, fault,
          sum: v === 1 ? regs.vsSum : regs.sum,
          mxr: regs.mxr || (v === 1 && regs.vsMxr),
          locate: (pte, write) => (v === 1 ? guest(pte, write ? 'store' : 'load', write ? 0x3020 : 0x3000).address : pte),
        });
        address = first.address;
        block = first.size;
      }
      if (v === 1) {
        const second = guest(address, kind, 0);
        address = second.address;
        if (second.size < block) block = second.size;
      }
    }
    const need = { load: ['R'], store: ['W'], fetch: ['X'], hlvx: ['R', 'X'] } as const;
    if (address >> 53n !== 0n || !pmpAllows(regs.pmp, address, size, prv, need[kind])) raise('access');
    return { pa: address, size: block };
  } catch (error) {
    if (error instanceof Raise) return error.fault;
    throw error;
  }
}
