/** States in which boot protocols start a CPU, and the tables in low memory that they need: GDT and identity page tables. */
import { gpa } from '@axvisor/axvisor_api/addr';
import type { X86Gpr, X86Start } from '@axvisor/axvisor_api/vcpu';
import type { LoadPiece } from '../kernel.ts';

/** Low memory while a system starts; it is its own to use once it has read what is there. */
export const Low = { gdt: 0x500n, info: 0x6000n, zeroPage: 0x7000n, stack: 0x9000n, pageTables: 0x9000n, strings: 0x2_0000n } as const;

/** Selectors that Linux' boot protocol wants, and others do not mind. */
const Selector = { code: 0x10, data: 0x18 } as const;

const DESCRIPTORS = {
  /** Flat, 4 GiB, accessed: code of 64 bits, code of 32 bits, data. */
  code64: 0x00af_9b00_0000_ffffn, code32: 0x00cf_9b00_0000_ffffn, data: 0x00cf_9300_0000_ffffn,
} as const;
const GDT_ENTRIES = 4;
const GDT_LIMIT = 8 * GDT_ENTRIES - 1;

const piece = (address: bigint, bytes: Uint8Array): LoadPiece => ({ address, bytes, memorySize: BigInt(bytes.length) });

function gdt(code: bigint): LoadPiece {
  const view = new DataView(new ArrayBuffer(8 * GDT_ENTRIES));
  view.setBigUint64(Selector.code, code, true);
  view.setBigUint64(Selector.data, DESCRIPTORS.data, true);
  return piece(Low.gdt, new Uint8Array(view.buffer));
}

const Entry = { present: 1n, write: 2n, large: 0x80n } as const;
const PAGE = 0x1000n;
const GIBIBYTES = 4;

/** The first 4 GiB mapped to themselves by pages of 2 MiB (SDM volume 3, 4.5). */
function pageTables(): LoadPiece {
  const view = new DataView(new ArrayBuffer((2 + GIBIBYTES) * Number(PAGE)));
  const link = (at: number, to: bigint): void => view.setBigUint64(at, to | Entry.present | Entry.write, true);
  link(0, Low.pageTables + PAGE);
  for (let g = 0; g < GIBIBYTES; g++) {
    link(Number(PAGE) + 8 * g, Low.pageTables + BigInt(2 + g) * PAGE);
    for (let i = 0; i < 512; i++) link((2 + g) * Number(PAGE) + 8 * i, (BigInt(512 * g + i) << 21n) | Entry.large);
  }
  return piece(Low.pageTables, new Uint8Array(view.buffer));
}

/** A start and the tables for it. */
export interface StartPlan {
  readonly start: X86Start;
  readonly pieces: readonly LoadPiece[];
}

type Registers = Readonly<Partial<Record<X86Gpr, bigint>>>;

export const start64 = (rip: bigint, registers: Registers): StartPlan => ({
  start: {
    mode: 'long', rip, code: Selector.code, data: Selector.data, gdt: { base: gpa(Low.gdt), limit: GDT_LIMIT }, cr3: gpa(Low.pageTables),
    registers: { rsp: Low.stack, ...registers },
  },
  pieces: [gdt(DESCRIPTORS.code64), pageTables()],
});

export const start32 = (rip: bigint, registers: Registers): StartPlan => ({
  start: {
    mode: 'protected', rip, code: Selector.code, data: Selector.data, gdt: { base: gpa(Low.gdt), limit: GDT_LIMIT }, registers: { rsp: Low.stack, ...registers },
  },
  pieces: [gdt(DESCRIPTORS.code32)],
});

/** In real mode at an address below 1 MiB + 64 KiB, with a code segment based at 0 if it can reach it. */
export const startReal = (address: bigint): StartPlan => {
  const code = address < 0x1_0000n ? 0 : Number(address >> 4n) & 0xf000;
  return { start: { mode: 'real', rip: address - (BigInt(code) << 4n), code, data: 0, registers: {} }, pieces: [] };
};
