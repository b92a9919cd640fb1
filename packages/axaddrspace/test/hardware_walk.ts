/**
 * Walks of nested page tables as the manuals describe them, written for the tests alone: with `bigint`, without the package's
 * format descriptions, and with every check that makes a processor reject an entry.
 */
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { physMemory } from '@axvisor/axvisor_api/memory';

export interface Walked {
  readonly hpa: bigint;
  readonly size: bigint;
  readonly r: boolean;
  readonly w: boolean;
  readonly x: boolean;
  /** A write would leave the page marked as written without further ado. */
  readonly dirty: boolean;
  readonly type: string;
}

const field = (e: bigint, high: number, low: number): bigint => (e >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
const bit = (e: bigint, n: number): boolean => field(e, n, n) === 1n;
const entryAt = (table: bigint, index: bigint): bigint => physMemory().longs[Number(table / 8n + index)]!;
const reject = (what: string, e: bigint): never => {
  throw new Error(`${what}: 0x${e.toString(16)}`);
};

/** Privileged Architecture, "Virtual Address Translation Process" with the changes for Sv39x4 and Sv48x4. */
function riscv(root: NestedRoot, gpa: bigint): Walked | undefined {
  const levels = root.format === 'sv39x4' ? 3 : 4;
  if (root.address % 0x4000n !== 0n) reject('hgatp.PPN bits 1:0', root.address);
  let table: bigint = root.address;
  for (let i = levels - 1; i >= 0; i--) {
    const low = 12 + 9 * i;
    const e = entryAt(table, field(gpa, low + (i === levels - 1 ? 10 : 8), low));
    const [v, r, w, x, u] = [0, 1, 2, 3, 4].map((n) => bit(e, n));
    if (!v) return undefined;
    if (field(e, 63, 54) !== 0n) reject('reserved, PBMT or N', e);
    if (!r && w) reject('W without R', e);
    const base = field(e, 53, 10) << 12n;
    if (!r && !x) {
      if (u || bit(e, 6) || bit(e, 7) || i === 0) reject('D, A or U of a pointer', e);
      table = base;
      continue;
    }
    if (!u) reject('G-stage leaf without U', e);
    const size = 1n << BigInt(low);
    if (base % size !== 0n) reject('misaligned superpage', e);
    if (!bit(e, 6)) reject('A clear', e);
    const type = ['normal', 'device', 'uncached'][Number(field(e, 9, 8))]!;
    return { hpa: base + (gpa % size), size, r: r!, w: w!, x: x!, dirty: bit(e, 7), type };
  }
  return undefined;
}

/** Arm ARM, D8.2 and D8.3: stage 2, 4 KiB granule, VTCR_EL2.HA and HD set. */
function arm(root: NestedRoot, gpa: bigint): Walked | undefined {
  const first = root.levels === 3 ? 1 : 0;
  if (root.levels === 3 && root.address % 0x2000n !== 0n) reject('concatenated root', root.address);
  let table: bigint = root.address;
  for (let level = first; level <= 3; level++) {
    const low = 12 + 9 * (3 - level);
    const e = entryAt(table, field(gpa, low + (level === 1 && first === 1 ? 9 : 8), low));
    if (!bit(e, 0)) return undefined;
    const base = field(e, 47, 12) << 12n;
    if (field(e, 50, 48) !== 0n) reject('bits 50:48', e);
    if (bit(e, 1) && level < 3) {
      if (field(e, 63, 59) !== 0n || field(e, 11, 2) !== 0n) reject('attributes of a table', e);
      table = base;
      continue;
    }
    if (!bit(e, 1) && (level === 3 || level === 0)) reject('block at this level', e);
    const size = 1n << BigInt(low);
    if (base % size !== 0n) reject('misaligned block', e);
    if (!bit(e, 10)) reject('AF clear', e);
    const attr = field(e, 5, 2);
    const type = ({ 15: 'normal', 5: 'uncached', 0: 'device' } as Record<string, string>)[String(attr)];
    if (type === undefined) reject('MemAttr', e);
    if (field(e, 9, 8) !== (type === 'normal' ? 3n : 2n)) reject('SH', e);
    if (bit(e, 53)) reject('XN[0]', e);
    const [r, s2ap1, dbm] = [bit(e, 6), bit(e, 7), bit(e, 51)];
    if (s2ap1 && !dbm) reject('writable without DBM', e);
    return { hpa: base + (gpa % size), size, r, w: s2ap1 || dbm, x: r && !bit(e, 54), dirty: s2ap1, type: type! };
  }
  return undefined;
}

/** SDM volume 3, "EPT Translation Mechanism" and "EPT Misconfigurations", without execute-only pages. */
function ept(root: NestedRoot, gpa: bigint): Walked | undefined {
  let table: bigint = root.address;
  for (let level = root.levels; level >= 1; level--) {
    const low = 12 + 9 * (level - 1);
    const e = entryAt(table, field(gpa, low + 8, low));
    const [r, w, x] = [bit(e, 0), bit(e, 1), bit(e, 2)];
    if (!r && !w && !x) return undefined;
    if (!r) reject('write-only or execute-only', e);
    const base = field(e, 51, 12) << 12n;
    if (level > 1 && !bit(e, 7)) {
      if (field(e, 7, 3) !== 0n) reject('bits 7:3 of a pointer', e);
      table = base;
      continue;
    }
    if (level > 3) reject('large page at this level', e);
    const size = 1n << BigInt(low);
    if (base % size !== 0n) reject('bits of a large page address', e);
    const type = ({ 0: 'device', 1: 'uncached', 6: 'normal' } as Record<string, string>)[String(field(e, 5, 3))];
    if (type === undefined) reject('memory type', e);
    return { hpa: base + (gpa % size), size, r, w, x, dirty: bit(e, 9), type: type! };
  }
  return undefined;
}

/** APM volume 2, "Nested Paging" and "4-Kbyte, 2-Mbyte and 1-Gbyte Page Translation", with a PAT as after reset. */
function npt(root: NestedRoot, gpa: bigint): Walked | undefined {
  let table: bigint = root.address;
  let [w, x] = [true, true];
  for (let level = 4; level >= 1; level--) {
    const low = 12 + 9 * (level - 1);
    const e = entryAt(table, field(gpa, low + 8, low));
    if (!bit(e, 0)) return undefined;
    if (!bit(e, 2)) reject('supervisor entry', e);
    w &&= bit(e, 1);
    x &&= !bit(e, 63);
    const base = field(e, 51, 12) << 12n;
    if (level > 1 && !bit(e, 7)) {
      if (!bit(e, 5)) reject('accessed flag of a pointer', e);
      table = base;
      continue;
    }
    if (level > 3) reject('large page at this level', e);
    const size = 1n << BigInt(low);
    if (base % size !== 0n) reject('bits of a large page address, or PAT', e);
    if (level === 1 && bit(e, 7)) reject('PAT', e);
    const type = ({ 0: 'normal', 2: 'uncached', 3: 'device' } as Record<string, string>)[String(field(e, 4, 3))];
    if (type === undefined) reject('memory type', e);
    return { hpa: base + (gpa % size), size, r: true, w, x, dirty: bit(e, 6), type: type! };
  }
  return undefined;
}

/** What the processor makes of `gpa`; throws on an entry that it would reject. */
export function hardwareWalk(root: NestedRoot, gpa: bigint): Walked | undefined {
  switch (root.format) {
    case 'sv39x4':
    case 'sv48x4':
      return riscv(root, gpa);
    case 'arm-s2':
      return arm(root, gpa);
    case 'ept':
      return ept(root, gpa);
    case 'npt':
      return npt(root, gpa);
  }
}
