/** Loaders of x86: what is where, and in which state the CPU starts, by the protocols' own words. */
import { component as memoryAddr } from '@axvisor/memory_addr';
import { resolve } from '@axvisor/axvisor_api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PC_RESERVED, pcMemory } from '../src/board/pc_x86_64.ts';
import { readElf } from '../src/image/elf.ts';
import type { LoadPiece } from '../src/image/kernel.ts';
import { bootStub, planFirmware } from '../src/image/x86/firmware.ts';
import { memoryMap } from '../src/image/x86/memory_map.ts';
import { planPcBoot as planned } from '../src/image/x86/plan.ts';
import type { PcBootPlan, PcBootRequest } from '../src/image/x86/request.ts';

const pcRam = (size: bigint) => pcMemory([{ gpa: 0n, size }]).map((r) => ({ base: r.gpa, size: r.size }));
const image = resolve([memoryAddr]);
const planPcBoot = (r: PcBootRequest): PcBootPlan => image.run(() => planned(r));

const RSDP = 0xe_0000n;
const request = (kernel: Uint8Array, options: Partial<PcBootRequest> = {}): PcBootRequest => ({
  kernel, initrd: undefined, cmdline: 'console=ttyS0', ram: pcRam(256n << 20n), reserved: PC_RESERVED, rsdp: RSDP, ...options,
});

/** Memory as the plan leaves it. */
class Memory {
  readonly #pieces: readonly LoadPiece[];

  constructor({ pieces }: { readonly pieces: readonly LoadPiece[] }) {
    this.#pieces = pieces;
    const sorted = [...pieces].sort((a, b) => (a.address < b.address ? -1 : 1));
    for (const [i, p] of sorted.entries()) if (i > 0) expect(sorted[i - 1]!.address + sorted[i - 1]!.memorySize <= p.address).toBe(true);
  }

  u8(at: bigint): number {
    const p = this.#pieces.find((q) => at >= q.address && at < q.address + q.memorySize);
    if (p === undefined) throw new Error(`nothing at 0x${at.toString(16)}`);
    return p.bytes[Number(at - p.address)] ?? 0;
  }

  value(at: bigint, width: number): bigint {
    let n = 0n;
    for (let i = width - 1; i >= 0; i--) n = (n << 8n) | BigInt(this.u8(at + BigInt(i)));
    return n;
  }

  u32(at: bigint): number {
    return Number(this.value(at, 4));
  }

  text(at: bigint): string {
    const bytes: number[] = [];
    for (let i = at; this.u8(i) !== 0; i++) bytes.push(this.u8(i));
    return new TextDecoder().decode(Uint8Array.from(bytes));
  }

  /** Where a linear address is by 4-level page tables (SDM volume 3, 4.5). */
  translate(cr3: bigint, linear: bigint): bigint {
    let table = cr3;
    for (const shift of [39n, 30n, 21n]) {
      const entry = this.value(table + 8n * ((linear >> shift) & 511n), 8);
      expect(entry & 1n).toBe(1n);
      if (shift === 21n) {
        expect(entry & 0x82n).toBe(0x82n);
        return (entry & ~0x1f_ffffn) | (linear & 0x1f_ffffn);
      }
      table = entry & ~0xfffn;
    }
    return -1n;
  }
}

const initrd = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff);

/** Descriptors that the state's selectors name: code and data. */
const descriptors = (plan: PcBootPlan): bigint[] => {
  const m = new Memory(plan);
  return [plan.start.code, plan.start.data].map((s) => m.value(plan.start.gdt!.base + BigInt(s), 8));
};

describe('bzImage', () => {
  interface Options { version?: number; xloadflags?: number; relocatable?: number; pref?: bigint; initSize?: number; setupSects?: number; cmdlineSize?: number; initrdMax?: number; payload?: number }
  function bzImage(o: Options = {}): Uint8Array {
    const sects = o.setupSects ?? 2;
    const file = new Uint8Array(512 * ((sects || 4) + 1) + (o.payload ?? 4096));
    const view = new DataView(file.buffer);
    file[0x1f1] = sects;
    view.setUint16(0x1fe, 0xaa55, true);
    file.set([0xeb, 0x66], 0x200);
    view.setUint32(0x202, 0x5372_6448, true);
    view.setUint16(0x206, o.version ?? 0x20f, true);
    view.setUint32(0x214, 0x10_0000, true);
    view.setUint32(0x22c, o.initrdMax ?? 0x7fff_ffff, true);
    view.setUint32(0x230, 0x20_0000, true);
    file[0x234] = o.relocatable ?? 1;
    view.setUint16(0x236, o.xloadflags ?? 1, true);
    view.setUint32(0x238, o.cmdlineSize ?? 2047, true);
    view.setBigUint64(0x258, o.pref ?? 0x100_0000n, true);
    view.setUint32(0x260, o.initSize ?? 0x200_0000, true);
    file.fill(0x90, 512 * ((sects || 4) + 1));
    return file;
  }

  test('64-bit protocol: entry, RSI, paging of all it needs, GDT with the selectors that Linux names', () => {
    const plan = planPcBoot(request(bzImage(), { initrd }));
    expect(plan).toMatchObject({ kind: 'bzImage', start: { mode: 'long', rip: 0x100_0200n, code: 0x10, data: 0x18, registers: { rsi: 0x7000n } } });
    expect(descriptors(plan)).toEqual([0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn]);
    const m = new Memory(plan);
    for (const linear of [0n, 0x7000n, 0x2_0000n, 0x100_0200n, 0xfee0_0000n, 0xffff_ffffn]) expect(m.translate(plan.start.cr3!, linear)).toBe(linear);
    expect(m.u8(0x100_0000n)).toBe(0x90);
  });

  test('the zero page: header, command line, initrd, memory map, ACPI', () => {
    const m = new Memory(planPcBoot(request(bzImage(), { initrd, cmdline: 'root=/dev/vda ä' })));
    const zp = 0x7000n;
    expect([m.u32(zp + 0x202n), m.u8(zp + 0x210n), m.u8(zp + 0x211n) & 1, m.value(zp + 0x258n, 8), m.value(zp + 0x70n, 8)]).toEqual([0x5372_6448, 0xff, 1, 0x100_0000n, RSDP]);
    expect(m.text(BigInt(m.u32(zp + 0x228n)))).toBe('root=/dev/vda ä');
    const [at, size] = [BigInt(m.u32(zp + 0x218n)), m.u32(zp + 0x21cn)];
    expect([size, at % 0x1000n, m.u8(at), m.u8(at + 4999n)]).toEqual([5000, 0n, 0, 4999 & 0xff]);
    const map = Array.from({ length: m.u8(zp + 0x1e8n) }, (_, i) => [m.value(zp + 0x2d0n + 20n * BigInt(i), 8), m.value(zp + 0x2d8n + 20n * BigInt(i), 8), m.u32(zp + 0x2e0n + 20n * BigInt(i))]);
    expect(map).toEqual([
      [0n, 0x9_fc00n, 1], [0x9_fc00n, 0x6_0400n, 2], [0x10_0000n, 0xff0_0000n, 1], [0xc000_0000n, 0x10_0000n, 2], [0xfec0_0000n, 0x1000n, 2], [0xfed0_0000n, 0x1000n, 2], [0xfee0_0000n, 0x1000n, 2], [0xfffc_0000n, 0x4_0000n, 2],
    ]);
  });

  test('a kernel of 32 bits starts at its first byte in protected mode', () => {
    const plan = planPcBoot(request(bzImage({ xloadflags: 0, relocatable: 0, pref: 0x10_0000n })));
    expect(plan.start).toMatchObject({ mode: 'protected', rip: 0x10_0000n, code: 0x10, data: 0x18, registers: { rsi: 0x7000n } });
    expect(descriptors(plan)[0]).toBe(0x00cf_9b00_0000_ffffn);
  });

  test('places: as asked, aligned; lower in small memory; initrd below its limit; setup of 0 sectors is 4', () => {
    expect(planPcBoot(request(bzImage(), { loadAddr: 0x234_5678n })).start.rip).toBe(0x240_0200n);
    expect(planPcBoot(request(bzImage({ initSize: 0x80_0000 }), { ram: pcRam(16n << 20n) })).start.rip).toBe(0x20_0200n);
    const limited = planPcBoot(request(bzImage({ initrdMax: 0x7ff_ffff }), { initrd }));
    expect(limited.placed.find((p) => p.what === 'initrd')).toMatchObject({ start: 0x7ff_e000n });
    expect(planPcBoot(request(bzImage({ setupSects: 0 }))).pieces[0]?.bytes.length).toBe(4096);
  });

  test.each([
    ['an old protocol', bzImage({ version: 0x209 }), {}, 'boot protocol 2.9 is older'],
    ['setup alone', bzImage({ payload: 0 }), {}, 'truncated'],
    ['a long command line', bzImage({ cmdlineSize: 5 }), {}, 'a command line of 13 bytes; this kernel takes 5'],
    ['little memory', bzImage(), { ram: pcRam(16n << 20n) }, 'does not fit'],
    ['next to no memory', bzImage(), { ram: pcRam(1n << 20n) }, 'needs more than 1 MiB'],
    ['a large initrd', bzImage(), { initrd: new Uint8Array(250 << 20) }, 'does not fit'],
  ])('refused: %s', (_name, kernel, options, message) => expect(() => planPcBoot(request(kernel, options))).toThrow(message));
});

interface ElfOptions { is64?: boolean; machine?: number; entry?: number; paddr?: number; note?: { owner: string; type: number; description: readonly number[] }; head?: readonly number[]; memsz?: number }
/** An ELF file with one segment and perhaps a note; `head` is put at the start of the segment. */
function elf({ is64 = true, machine = 62, entry = 0x20_0010, paddr = 0x20_0000, note, head = [], memsz = 0x2000 }: ElfOptions = {}): Uint8Array {
  const file = new Uint8Array(0x1200);
  const view = new DataView(file.buffer);
  const word = (at: number, n: number): void => (is64 ? view.setBigUint64(at, BigInt(n), true) : view.setUint32(at, n, true));
  file.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1, 1]);
  view.setUint16(18, machine, true);
  word(24, entry);
  const [phoff, header, size] = is64 ? [32, 64, 56] : [28, 52, 32];
  word(phoff, header);
  view.setUint16(is64 ? 54 : 42, size, true);
  view.setUint16(is64 ? 56 : 44, note === undefined ? 1 : 2, true);
  const fields = is64 ? [8, 16, 24, 32, 40] : [4, 8, 12, 16, 20];
  const program = (n: number, type: number, values: readonly number[]): void => {
    view.setUint32(header + n * size, type, true);
    fields.forEach((f, i) => word(header + n * size + f, values[i]!));
  };
  program(0, 1, [0x200, paddr, paddr, 0x1000, memsz]);
  file.set(head, 0x200);
  if (note !== undefined) {
    view.setUint32(0x180, note.owner.length + 1, true);
    view.setUint32(0x184, note.description.length, true);
    view.setUint32(0x188, note.type, true);
    file.set([...note.owner].map((c) => c.charCodeAt(0)), 0x18c);
    const at = 0x18c + ((note.owner.length + 4) & ~3);
    file.set(note.description, at);
    program(1, 4, [0x180, 0, 0, at + ((note.description.length + 3) & ~3) - 0x180, 0]);
  }
  return file;
}

describe('PVH', () => {
  const note = { owner: 'Xen', type: 18, description: [0x40, 0, 0x20, 0] };

  test.each([[true, note], [false, note], [true, { ...note, description: [0x40, 0, 0x20, 0, 0, 0, 0, 0] }]])('ELF64 %s: entry from the note, EBX is hvm_start_info', (is64, n) => {
    const plan = planPcBoot(request(elf({ is64, machine: is64 ? 62 : 3, note: n }), { initrd }));
    expect(plan).toMatchObject({ kind: 'PVH', start: { mode: 'protected', rip: 0x20_0040n, registers: { rbx: 0x6000n } } });
    expect(descriptors(plan)).toEqual([0x00cf_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn]);
    const m = new Memory(plan);
    const info = 0x6000n;
    expect([m.u32(info), m.u32(info + 4n), m.u32(info + 8n), m.u32(info + 12n), m.value(info + 32n, 8), m.u32(info + 48n)]).toEqual([0x336e_c578, 1, 0, 1, RSDP, 8]);
    expect(m.text(m.value(info + 24n, 8))).toBe('console=ttyS0');
    const mod = m.value(info + 16n, 8);
    expect([m.value(mod + 8n, 8), m.u8(m.value(mod, 8) + 4999n)]).toEqual([5000n, 4999 & 0xff]);
    const map = m.value(info + 40n, 8);
    expect([m.value(map, 8), m.value(map + 8n, 8), m.u32(map + 16n), m.value(map + 24n, 8)]).toEqual([0n, 0x9_fc00n, 1, 0x9_fc00n]);
  });

  test.each([['another owner', { ...note, owner: 'GNU' }], ['another type', { ...note, type: 1 }], ['cut short', { ...note, description: [1, 2] }]])('not with a note of %s', (_name, n) => {
    expect(planPcBoot(request(elf({ note: n }))).kind).toBe('ELF');
  });
});

describe('multiboot', () => {
  const header = (flags: number, ...more: readonly number[]): number[] => [0x1bad_b002, flags, -(0x1bad_b002 + flags), ...more].flatMap((n) => [n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, n >>> 24]);

  test('an ELF file: magic in EAX, information in EBX', () => {
    const plan = planPcBoot(request(elf({ is64: false, machine: 3, head: header(3) }), { initrd }));
    expect(plan).toMatchObject({ kind: 'multiboot', start: { mode: 'protected', rip: 0x20_0010n, registers: { rax: 0x2bad_b002n, rbx: 0x6000n } } });
    const m = new Memory(plan);
    const info = 0x6000n;
    expect([m.u32(info), m.u32(info + 4n), m.u32(info + 8n), m.u32(info + 20n)]).toEqual([0x24d, 639, 255 * 1024, 1]);
    expect([m.text(BigInt(m.u32(info + 16n))), m.text(BigInt(m.u32(info + 64n)))]).toEqual(['console=ttyS0', 'axvisor']);
    const mod = BigInt(m.u32(info + 24n));
    expect([m.u32(mod + 4n) - m.u32(mod), m.u8(BigInt(m.u32(mod)) + 4999n), m.text(BigInt(m.u32(mod + 8n)))]).toEqual([5000, 4999 & 0xff, '']);
    const map = BigInt(m.u32(info + 48n));
    expect([m.u32(info + 44n), m.u32(map), m.value(map + 4n, 8), m.value(map + 12n, 8), m.u32(map + 20n), m.value(map + 28n, 8)]).toEqual([8 * 24, 20, 0n, 0x9_fc00n, 1, 0x9_fc00n]);
  });

  test('addresses in the header instead of ELF', () => {
    const file = new Uint8Array(0x400);
    file.set(header(0x1_0000, 0x10_0040, 0x10_0000, 0x10_0200, 0x10_4000, 0x10_0080), 0x140);
    file[0x100] = 0xaa;
    const plan = planPcBoot(request(file));
    expect(plan.start.rip).toBe(0x10_0080n);
    expect(plan.pieces[0]).toMatchObject({ address: 0x10_0000n, memorySize: 0x4000n });
    expect([plan.pieces[0]?.bytes.length, plan.pieces[0]?.bytes[0]]).toEqual([0x200, 0xaa]);
    const whole = new Uint8Array(0x400);
    whole.set(header(0x1_0000, 0x10_0000, 0x10_0000, 0, 0, 0x10_0020));
    expect(planPcBoot(request(whole)).pieces[0]).toMatchObject({ memorySize: 0x400n });
  });

  test.each([
    ['addresses outside the file', header(0x1_0000, 0x10_0000, 0x10_0000, 0x20_0000, 0, 0), 'do not fit the file'],
    ['an end before the data', header(0x1_0000, 0x10_0000, 0x10_0000, 0x10_0100, 0x10_0010, 0), 'ends before its data'],
    ['unknown requirements', header(0x1_0008, 0x10_0000, 0x10_0000, 0x10_0100, 0, 0), 'requires features 0x8'],
  ])('refused: %s', (_name, bytes, message) => {
    const file = new Uint8Array(0x400);
    file.set(bytes);
    expect(() => planPcBoot(request(file))).toThrow(message);
  });
});

test("an ELF file without a protocol starts by Linux' 64-bit one", () => {
  const plan = planPcBoot(request(elf()));
  expect(plan).toMatchObject({ kind: 'ELF', start: { mode: 'long', rip: 0x20_0010n, registers: { rsi: 0x7000n } } });
  const m = new Memory(plan);
  expect([m.u32(0x7202n), m.u8(0x71e8n), m.text(BigInt(m.u32(0x7228n)))]).toEqual([0x5372_6448, 8, 'console=ttyS0']);
  expect(() => planPcBoot(request(elf({ machine: 243 })))).toThrow('made for riscv64, this machine is x86_64');
  expect(() => planPcBoot(request(elf({ paddr: 0x8000, entry: 0x8000, memsz: 0x1000_0000 })))).toThrow('does not fit');
  expect(() => planPcBoot(request(new Uint8Array(100)))).toThrow('neither bzImage nor ELF nor multiboot');
  expect(() => planPcBoot(request(elf(), { cmdline: 'x'.repeat(0x1_0000) }))).toThrow('the command line is longer');
});

describe('firmware', () => {
  test('at the reset vector, and its end below 1 MiB', () => {
    const file = Uint8Array.from({ length: 0x4_0000 }, (_, i) => i >> 16);
    const { start, rom, shadow } = planFirmware(file);
    expect(start).toMatchObject({ mode: 'real', code: 0xf000, codeBase: 0xffff_0000n, rip: 0xfff0n });
    expect([rom.address, shadow.address, shadow.bytes.length, shadow.bytes[0]]).toEqual([0xfffc_0000n, 0xe_0000n, 0x2_0000, 2]);
    expect(planFirmware(new Uint8Array(0x1_0000)).shadow.address).toBe(0xf_0000n);
    for (const size of [0, 1000, 0x200_0000]) expect(() => planFirmware(new Uint8Array(size))).toThrow('multiple of 64 KiB');
  });

  test("the stub at 0x8000, as objdump shows it", () => {
    const { start, piece } = bootStub();
    expect(start).toMatchObject({ mode: 'real', code: 0, rip: 0x8000n });
    expect(piece.address).toBe(0x8000n);
    expect(Buffer.from(piece.bytes.subarray(0, 0x40)).toString('hex')).toBe(
      'fafc31c08ed88ec08ed00f011660800f20c06683c8010f22c066ea21800000080066b810008ed88ec08ed08ee08ee8bc00700000b802b0ad2b31dbe9c07f1f00',
    );
    const view = new DataView(piece.bytes.buffer);
    expect([view.getBigUint64(0x50, true), view.getBigUint64(0x58, true), view.getUint16(0x60, true), view.getUint32(0x62, true)]).toEqual([0x00cf_9a00_0000_ffffn, 0x00cf_9200_0000_ffffn, 23, 0x8048]);
  });
});

test('the memory map has every byte of RAM once, and no other as RAM', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 0x1000n }), (mib) => {
      const ram = pcRam(mib << 20n);
      const map = memoryMap(ram, PC_RESERVED);
      expect(ram.reduce((n, r) => n + r.size, 0n)).toBe(mib << 20n);
      expect(map.filter((r) => r.type === 1).reduce((n, r) => n + r.size, 0n)).toBe((mib << 20n) - 0x6_0400n);
      for (const [i, r] of map.entries()) if (i > 0) expect(map[i - 1]!.base + map[i - 1]!.size <= r.base).toBe(true);
    }),
  );
});

test('whatever the file is, it is planned or refused with an error of ours', () => {
  const seeds = [elf(), elf({ is64: false, machine: 3 }), elf({ note: { owner: 'Xen', type: 18, description: [0, 0, 0x20, 0] } })];
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(0x240), fc.nat(255)), { maxLength: 12 }), fc.nat(0x1200), (seed, changes, length) => {
      const file = seed.slice(0, length < 0x240 ? length : undefined);
      for (const [at, value] of changes) if (at < file.length) file[at] = value;
      try {
        planPcBoot(request(file));
        readElf(file);
      } catch (e) {
        expect((e as Error).name).toBe('AxError');
      }
    }),
    { numRuns: 2000 },
  );
});
