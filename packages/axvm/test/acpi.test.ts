/** ACPI tables: by their own checksums and links, and by ACPICA's disassembler and compiler where they are installed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eisaId, integer, method, name, path, pkg } from '../src/acpi/aml.ts';
import { acpiLoaderFiles } from '../src/acpi/loader.ts';
import { pcAcpi, pcAcpiMachine } from '../src/board/pc_x86_64.ts';

const ids = (n: number, first = 0): bigint[] => Array.from({ length: n }, (_, i) => BigInt(first + i));
const sum = (bytes: Uint8Array): number => bytes.reduce((a, b) => (a + b) & 0xff, 0);
const signature = (bytes: Uint8Array): string => String.fromCharCode(...bytes.subarray(0, 4));
const u32 = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
const u64 = (bytes: Uint8Array, at: number): bigint => new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true);

/** The tables by signature, found as a system finds them. */
function tables(cpus: readonly bigint[]): { readonly root: Uint8Array; readonly found: Map<string, Uint8Array>; readonly end: bigint } {
  const { rsdp, pieces, end } = pcAcpi(cpus);
  const at = (address: bigint | number): Uint8Array => pieces.find((p) => p.address === BigInt(address))!.bytes;
  const root = at(rsdp);
  const found = new Map<string, Uint8Array>();
  const xsdt = at(u64(root, 24));
  const add = (bytes: Uint8Array): void => void found.set(signature(bytes), bytes);
  add(xsdt);
  add(at(u32(root, 16)));
  for (let i = 36; i < xsdt.length; i += 8) add(at(u64(xsdt, i)));
  add(at(u64(found.get('FACP')!, 140)));
  add(at(u32(found.get('FACP')!, 36)));
  return { root, found, end };
}

test('encodings of the specification', () => {
  expect(path('\\')).toEqual([0x5c, 0]);
  expect(path('_SB.PCI0')).toEqual([0x2e, 0x5f, 0x53, 0x42, 0x5f, 0x50, 0x43, 0x49, 0x30]);
  expect(path('\\A.B.C').slice(0, 3)).toEqual([0x5c, 0x2f, 3]);
  expect([integer(0), integer(1), integer(2), integer(0x100), integer(0x1_0000)]).toEqual([[0], [1], [0x0a, 2], [0x0b, 0, 1], [0x0c, 0, 0, 1, 0]]);
  expect(eisaId('PNP0A03')).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x03]);
  expect(name('X', pkg(integer(0)))).toEqual([0x08, 0x58, 0x5f, 0x5f, 0x5f, 0x12, 3, 1, 0]);
  // Package lengths of one, two and three bytes, which they count.
  for (const [n, bytes] of [[10, 1], [100, 2], [5000, 3]] as const) {
    const m = method('M', 0, Array.from({ length: n }, () => 0xa3));
    const [first = 0, second = 0, third = 0] = m.slice(1);
    expect([first >> 6, bytes === 1 ? first : (first & 15) | (second << 4) | (bytes === 3 ? third << 12 : 0)]).toEqual([bytes - 1, m.length - 1]);
  }
});

test('the root pointer leads to all tables, and all add up to 0', () => {
  const { root, found, end } = tables(ids(4));
  expect([sum(root.subarray(0, 20)), sum(root)]).toEqual([0, 0]);
  expect([...found.keys()].sort()).toEqual(['APIC', 'DSDT', 'FACP', 'FACS', 'HPET', 'MCFG', 'RSDT', 'XSDT']);
  for (const [s, bytes] of found) {
    expect(u32(bytes, 4), s).toBe(bytes.length);
    if (s !== 'FACS') expect(sum(bytes), s).toBe(0);
  }
  expect(end <= 0xf_0000n).toBe(true);
});

test('MADT: a local APIC for each CPU, x2APICs beyond 254, the overrides', () => {
  const entries = (cpus: readonly bigint[]): number[][] => {
    const madt = tables(cpus).found.get('APIC')!;
    const list: number[][] = [];
    for (let i = 44; i < madt.length; i += madt[i + 1] as number) list.push([...madt.subarray(i, i + (madt[i + 1] as number))]);
    return list;
  };
  expect(entries([0n, 2n]).slice(0, 4)).toEqual([[0, 8, 0, 0, 1, 0, 0, 0], [0, 8, 1, 2, 1, 0, 0, 0], [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0], [2, 10, 0, 0, 2, 0, 0, 0, 0, 0]]);
  const many = entries(ids(300));
  expect([0, 9, 1, 2, 4, 10].map((type) => many.filter((e) => e[0] === type).length)).toEqual([255, 45, 1, 4, 1, 1]);
  expect(many.find((e) => e[0] === 9)).toEqual([9, 16, 0, 0, 255, 0, 0, 0, 1, 0, 0, 0, 255, 0, 0, 0]);
});

test('as files for firmware: whoever follows the script has the same tables at other addresses', () => {
  const files = acpiLoaderFiles(pcAcpiMachine([0n, 1n]));
  const script = files['etc/table-loader']!;
  const memory = new Uint8Array(0x1_0000);
  const view = new DataView(memory.buffer);
  const script32 = (at: number): number => u32(script, at);
  const text = (at: number): string => new TextDecoder().decode(script.subarray(at, at + 56)).replaceAll('\0', '');
  const places = new Map<string, number>();
  let next = 0x1230;
  for (let at = 0; at < script.length; at += 128) {
    const file = text(at + 4);
    switch (script32(at)) {
      case 1: {
        const align = script32(at + 60);
        next = (next + align - 1) & -align;
        places.set(file, next);
        memory.set(files[file]!, next);
        next += files[file]!.length;
        break;
      }
      case 2: {
        const field = places.get(file)! + script32(at + 116);
        const source = places.get(text(at + 60))!;
        if (script[at + 120] === 8) view.setBigUint64(field, view.getBigUint64(field, true) + BigInt(source), true);
        else view.setUint32(field, view.getUint32(field, true) + source, true);
        break;
      }
      default: {
        const [field, start, length] = [60, 64, 68].map((o) => script32(at + o)) as [number, number, number];
        const base = places.get(file)!;
        memory[base + field] = (memory[base + field]! - sum(memory.subarray(base + start, base + start + length))) & 0xff;
      }
    }
  }
  const root = memory.subarray(places.get('etc/acpi/rsdp')!);
  expect([signature(root), sum(root.subarray(0, 20)), sum(root.subarray(0, 36))]).toEqual(['RSD ', 0, 0]);
  const table = (at: number): Uint8Array => memory.subarray(at, at + u32(memory, at + 4));
  const xsdt = table(Number(u64(root, 24)));
  const listed = [0, 1, 2, 3].map((i) => table(Number(u64(xsdt, 36 + 8 * i))));
  const fadt = listed[0]!;
  const all = [xsdt, table(u32(root, 16)), ...listed, table(Number(u64(fadt, 140)))];
  expect(all.map((t) => [signature(t), sum(t)])).toEqual(['XSDT', 'RSDT', 'FACP', 'APIC', 'MCFG', 'HPET', 'DSDT'].map((s) => [s, 0]));
  expect([u32(fadt, 40), signature(table(u32(fadt, 36)))]).toEqual([Number(u64(fadt, 140)), 'FACS']);
});

const IASL = spawnSync('iasl', ['-v']).status === 0;

describe.runIf(IASL)("ACPICA's compiler", () => {
  const run = (cpus: readonly bigint[]): Map<string, string> => {
    const folder = mkdtempSync(join(tmpdir(), 'acpi-'));
    try {
      const texts = new Map<string, string>();
      const { found } = tables(cpus);
      for (const [s, bytes] of found) {
        writeFileSync(join(folder, `${s}.aml`), bytes);
        const out = spawnSync('iasl', ['-d', `${s}.aml`], { cwd: folder, encoding: 'utf8' });
        expect(`${out.stdout}${out.stderr}`, s).not.toMatch(/error|warning|invalid|truncated|corrupt/i);
        texts.set(s, readFileSync(join(folder, `${s}.dsl`), 'utf8'));
      }
      const out = spawnSync('iasl', ['-p', 'again', 'DSDT.dsl'], { cwd: folder, encoding: 'utf8' });
      expect(out.stdout, out.stdout + out.stderr).toMatch(/0 Errors, 0 Warnings/);
      // What it compiles from its own text is what we wrote, header aside.
      expect(readFileSync(join(folder, 'again.aml')).subarray(36).equals(found.get('DSDT')!.subarray(36))).toBe(true);
      return texts;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test('reads every table without complaint, and means what we mean', () => {
    const texts = run(ids(2));
    const dsdt = texts.get('DSDT') as string;
    for (const expected of [/Device \(PCI0\)/, /EisaId \("PNP0A03"\)/, /EisaId \("PNP0501"\)/, /Name \(_S5, Package \(0x04\)/, /Method \(_PRT/, /IRQNoFlags \(\)\s+\{4\}/, /DWordMemory/]) expect(dsdt).toMatch(expected);
    expect(texts.get('FACP')).toMatch(/PM1A Event Block Address : 00000600/);
    expect(texts.get('FACP')).toMatch(/PM1A Control Block Address : 00000604/);
    expect(texts.get('FACP')).toMatch(/PM Timer Block Address : 00000608/);
    expect(texts.get('FACP')).toMatch(/Reset Register Supported \(V2\) : 1/);
    expect(texts.get('FACP')).toMatch(/Value to cause reset : 06/);
    expect(texts.get('MCFG')).toMatch(/Base Address : 00000000C0000000/);
    expect(texts.get('HPET')).toMatch(/Hardware Block ID : 8086A201/);
    expect(texts.get('HPET')).toMatch(/Address : 00000000FED00000/);
    expect(texts.get('APIC')).toMatch(/Local Apic Address : FEE00000/);
  });

  test('with 300 CPUs', () => void run(ids(300)));
});
