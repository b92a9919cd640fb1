/** A model of paging written from the manual (SDM vol. 3, chapter 4 and 29.3; of nested paging, APM vol. 2, 15.25), with bigint and without caches. */
export interface Mode {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  readonly cpl: number;
  /** EFLAGS.AC. */
  readonly ac: boolean;
  /** EPT pointer, if there is a second stage. */
  readonly eptp?: bigint;
  /** Nested CR3, if that is the second stage. */
  readonly nCr3?: bigint;
}

export type Outcome =
  | { readonly pa: bigint }
  | { readonly vector: number; readonly error: number }
  | { readonly ept: 'violation'; readonly gpa: bigint; readonly qualification: number }
  | { readonly ept: 'misconfiguration'; readonly gpa: bigint }
  | { readonly npf: bigint; readonly error: number; readonly walk: boolean };

class Stop {
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    this.outcome = outcome;
  }
}

const bit = (value: bigint, n: number): boolean => ((value >> BigInt(n)) & 1n) === 1n;
const field = (value: bigint, high: number, low: number): bigint => (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);

export class Model {
  private readonly memory: DataView;
  private readonly size: bigint;
  private readonly maxphyaddr: number;

  constructor(memory: DataView, size: number, maxphyaddr: number) {
    this.memory = memory;
    this.size = BigInt(size);
    this.maxphyaddr = maxphyaddr;
  }

  private get(pa: bigint, bytes: 4 | 8): bigint {
    if (pa + BigInt(bytes) > this.size) return bytes === 8 ? (1n << 64n) - 1n : 0xffff_ffffn;
    return bytes === 8 ? this.memory.getBigUint64(Number(pa), true) : BigInt(this.memory.getUint32(Number(pa), true));
  }

  private put(pa: bigint, bytes: 4 | 8, value: bigint): void {
    if (pa + BigInt(bytes) > this.size) return;
    if (bytes === 8) this.memory.setBigUint64(Number(pa), value, true);
    else this.memory.setUint32(Number(pa), Number(value), true);
  }

  /** The address bits of an entry. */
  private address(entry: bigint): bigint {
    return entry & ((1n << 52n) - 1n) & ~0xfffn;
  }

  private beyond(entry: bigint): boolean {
    return field(entry, 51, this.maxphyaddr) !== 0n;
  }

  translate(linear: bigint, access: 'read' | 'write' | 'fetch', m: Mode, pdptes: readonly bigint[]): Outcome {
    try {
      return { pa: this.run(linear, access, m, pdptes) };
    } catch (signal) {
      if (!(signal instanceof Stop)) throw signal;
      return signal.outcome;
    }
  }

  private run(linear: bigint, access: 'read' | 'write' | 'fetch', m: Mode, pdptes: readonly bigint[]): bigint {
    const long = bit(m.efer, 10);
    const pae = bit(m.cr4, 5);
    const user = m.cpl === 3;
    const nxe = bit(m.efer, 11);
    const final = (gpa: bigint, rights: { u: boolean; w: boolean; x: boolean }): bigint =>
      m.nCr3 !== undefined ? this.nested(gpa, access, m.nCr3, false) : m.eptp === undefined ? gpa : this.ept(gpa, access, m.eptp, false, rights);
    if (!bit(m.cr0, 31)) return final(linear & 0xffff_ffffn, { u: true, w: true, x: true });
    if (long) {
      const width = bit(m.cr4, 12) ? 57 : 48;
      if (BigInt.asUintN(64, BigInt.asIntN(width, linear)) !== linear) throw new Stop({ vector: 13, error: 0 });
    }
    const fault = (protection: boolean, reserved: boolean): never => {
      const smepOrNx = bit(m.cr4, 20) || (nxe && pae);
      throw new Stop({
        vector: 14,
        error: (protection ? 1 : 0) | (access === 'write' ? 2 : 0) | (user ? 4 : 0) | (reserved ? 8 : 0) | (access === 'fetch' && smepOrNx ? 16 : 0),
      });
    };
    // Shift and index width of each level, from the root.
    const levels: readonly { readonly shift: number; readonly bits: number }[] = long
      ? [...(bit(m.cr4, 12) ? [48] : []), 39, 30, 21, 12].map((shift) => ({ shift, bits: 9 }))
      : pae
        ? [21, 12].map((shift) => ({ shift, bits: 9 }))
        : [22, 12].map((shift) => ({ shift, bits: 10 }));
    const bytes = long || pae ? 8 : 4;
    let table = long ? this.address(m.cr3) : m.cr3 & 0xffff_f000n;
    if (pae && !long) {
      const pdpte = pdptes[Number(field(linear, 31, 30))] as bigint;
      if (!bit(pdpte, 0)) fault(false, false);
      table = this.address(pdpte);
    }
    let u = true;
    let w = true;
    let x = true;
    for (const { shift, bits } of levels) {
      const at = table + field(linear, shift + bits - 1, shift) * BigInt(bytes);
      const host = m.nCr3 !== undefined ? this.nested(at, 'write', m.nCr3, true) : m.eptp === undefined ? at : this.ept(at, 'read', m.eptp, true, undefined);
      const entry = this.get(host, bytes);
      if (!bit(entry, 0)) fault(false, false);
      const large = bit(entry, 7) && shift !== 12 && (bytes === 8 || bit(m.cr4, 4));
      let reserved = false;
      if (bytes === 8) {
        reserved = this.beyond(entry) || (bit(entry, 63) && !nxe) || (!long && field(entry, 62, 52) !== 0n);
        if (large) reserved ||= shift > 30 || field(entry, shift - 1, 13) !== 0n;
      } else if (large) reserved = bit(entry, 21) || (field(entry, 20, 13) << 32n) >> BigInt(this.maxphyaddr) !== 0n;
      if (reserved) fault(true, true);
      u &&= bit(entry, 2);
      w &&= bit(entry, 1);
      x &&= !(bytes === 8 && bit(entry, 63));
      if (shift !== 12 && !large) {
        this.put(host, bytes, entry | 0x20n);
        table = bytes === 8 ? this.address(entry) : entry & 0xffff_f000n;
        continue;
      }
      let permitted: boolean;
      if (user) permitted = u && (access === 'read' || (access === 'write' ? w : x));
      else if (access === 'fetch') permitted = x && !(u && bit(m.cr4, 20));
      else permitted = !(u && bit(m.cr4, 21) && !m.ac) && (access === 'read' || w || !bit(m.cr0, 16));
      if (!permitted) fault(true, false);
      this.put(host, bytes, entry | 0x20n | (access === 'write' ? 0x40n : 0n));
      const offset = linear & ((1n << BigInt(shift)) - 1n);
      if (bytes === 8) return final((this.address(entry) & ~((1n << BigInt(shift)) - 1n)) | offset, { u, w, x });
      const page = large ? (field(entry, 20, 13) << 32n) | (entry & 0xffc0_0000n) : entry & 0xffff_f000n;
      return final(page | offset, { u, w, x });
    }
    throw new Error('a walk ends at a leaf');
  }

  /** Guest physical to host physical. `rights` are those of the linear address, absent for accesses to paging structures. */
  private ept(gpa: bigint, kind: 'read' | 'write' | 'fetch', eptp: bigint, walk: boolean, rights: { u: boolean; w: boolean; x: boolean } | undefined): bigint {
    const dirty = bit(eptp, 6);
    const read = kind === 'read' || (walk && dirty);
    const write = kind === 'write' || (walk && dirty);
    const fetch = kind === 'fetch';
    const violation = (allowed: number): never => {
      let qualification = (read ? 1 : 0) | (write ? 2 : 0) | (fetch ? 4 : 0) | (allowed << 3) | 0x80;
      if (rights !== undefined) qualification |= 0x100 | (rights.u ? 0x200 : 0) | (rights.w ? 0x400 : 0) | (rights.x ? 0 : 0x800);
      throw new Stop({ ept: 'violation', gpa, qualification });
    };
    if (gpa >> 48n !== 0n) violation(0);
    let table = this.address(eptp);
    let allowed = 7;
    for (const shift of [39, 30, 21, 12]) {
      const at = table + field(gpa, shift + 8, shift) * 8n;
      const entry = this.get(at, 8);
      const rwx = Number(entry & 7n);
      if (rwx === 0) violation(0);
      const leaf = shift === 12 || (shift < 39 && bit(entry, 7));
      const type = Number(field(entry, 5, 3));
      let wrong = (rwx & 3) === 2 || this.beyond(entry);
      if (leaf) wrong ||= [2, 3, 7].includes(type) || (shift > 12 && field(entry, shift - 1, 12) !== 0n);
      else wrong ||= field(entry, shift === 39 ? 7 : 6, 3) !== 0n;
      if (wrong) throw new Stop({ ept: 'misconfiguration', gpa });
      allowed &= rwx;
      if (leaf) {
        if ((read && (allowed & 1) === 0) || (write && (allowed & 2) === 0) || (fetch && (allowed & 4) === 0)) violation(allowed);
        if (dirty) this.put(at, 8, entry | 0x100n | (write ? 0x200n : 0n));
        return (this.address(entry) & ~((1n << BigInt(shift)) - 1n)) | (gpa & ((1n << BigInt(shift)) - 1n));
      }
      if (dirty) this.put(at, 8, entry | 0x100n);
      table = this.address(entry);
    }
    throw new Error('a walk ends at a leaf');
  }

  /** Guest physical to host physical through tables of long mode, of a host with EFER.NXE: all accesses are a user's, those to paging structures writes. */
  private nested(gpa: bigint, kind: 'read' | 'write' | 'fetch', root: bigint, walk: boolean): bigint {
    const fault = (bits: number): never => {
      throw new Stop({ npf: gpa, error: bits | 4 | (kind === 'write' ? 2 : 0) | (kind === 'fetch' ? 16 : 0), walk });
    };
    if (gpa >> 48n !== 0n) fault(0);
    let table = this.address(root);
    let [w, x, u] = [true, true, true];
    for (const shift of [39, 30, 21, 12]) {
      const at = table + field(gpa, shift + 8, shift) * 8n;
      const entry = this.get(at, 8);
      if (!bit(entry, 0)) fault(0);
      const large = shift > 12 && bit(entry, 7);
      if (this.beyond(entry) || (large && (shift === 39 || field(entry, shift - 1, 13) !== 0n))) fault(9);
      w &&= bit(entry, 1);
      u &&= bit(entry, 2);
      x &&= !bit(entry, 63);
      if (shift > 12 && !large) {
        this.put(at, 8, entry | 0x20n);
        table = this.address(entry);
        continue;
      }
      if (!u || (kind === 'write' && !w) || (kind === 'fetch' && !x)) fault(1);
      this.put(at, 8, entry | 0x20n | (kind === 'write' ? 0x40n : 0n));
      return (this.address(entry) & ~((1n << BigInt(shift)) - 1n)) | (gpa & ((1n << BigInt(shift)) - 1n));
    }
    throw new Error('a walk ends at a leaf');
  }
}
