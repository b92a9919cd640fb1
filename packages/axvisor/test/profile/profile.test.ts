import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble as assembleArm } from '@axvisor/softcpu_arm/asm';
import { assemble as assembleRiscv } from '@axvisor/softcpu_riscv/asm';
import { assemble as assembleX86 } from '@axvisor/softcpu_x86/asm';
import { describe, expect, test } from 'vitest';
import { readSymbols } from '../../src/profile/symbols.ts';
import { axvisor } from '../guests/session.ts';

const folder = mkdtempSync(join(tmpdir(), 'axvisor-profile-'));

/** Three quarters of the instructions are in `hot`, one in `cool`. */
const RISCV = assembleRiscv(
  `
  li s0, 20000
again:
  li s1, 30
hot:
  addi s1, s1, -1
  bnez s1, hot
  li s1, 10
cool:
  addi s1, s1, -1
  bnez s1, cool
  addi s0, s0, -1
  bnez s0, again
  li a7, 0x53525354
  li a6, 0
  li a0, 0
  li a1, 0
  ecall
`,
  { base: 0x8020_0000n },
);
const ARM = assembleArm(
  `
  mov x0, 20000
again:
  mov x1, 30
hot:
  sub x1, x1, 1
  cbnz x1, hot
  mov x1, 10
cool:
  sub x1, x1, 1
  cbnz x1, cool
  sub x0, x0, 1
  cbnz x0, again
  movz x0, 0x8400, lsl 16
  movk x0, 8
  hvc 0
`,
  { base: 0x4020_0000n },
);

function program(name: string, { bytes, symbols }: { readonly bytes: Uint8Array; readonly symbols: ReadonlyMap<string, bigint> }, loadAddr: string): { readonly options: readonly string[]; readonly map: string; readonly hot: string } {
  const kernel = join(folder, name);
  writeFileSync(kernel, bytes);
  const map = join(folder, `${name}.map`);
  writeFileSync(map, [...symbols].map(([symbol, address]) => `${address.toString(16).padStart(16, '0')} T ${symbol}\n`).join(''));
  return { options: ['--kernel', kernel, '--load-addr', loadAddr, '--memory', '16M'], map, hot: `0x${symbols.get('hot')?.toString(16)}` };
}

const X86 = assembleX86(
  `
.code32
  mov ebx, 20000
again:
  mov esi, 30
hot:
  sub esi, 1
  jnz hot
  mov esi, 10
cool:
  sub esi, 1
  jnz cool
  sub ebx, 1
  jnz again
  mov dx, 0x604
  mov ax, 0x2000
  out dx, ax
`,
  { base: 0x20_0000n, bits: 32 },
);

describe.each([
  { arch: 'riscv64', ...program('riscv', RISCV, '0x80200000'), body: 'addi s1,s1,-1', branch: /bnez s1,0x/, at: '0x802000' },
  { arch: 'aarch64', ...program('arm', ARM, '0x40200000'), body: 'sub x1, x1, #0x1', branch: /cbnz x1, 0x/, at: '0x402000' },
  // Code of every mode is listed as 64-bit code, which here is the same.
  { arch: 'x86_64', ...program('x86', X86, '0x200000'), body: 'sub esi,0x1', branch: /jne 0x/, at: '0x200[0-9a-f]' },
])('on $arch', ({ arch, options, map, hot, body, branch, at }) => {
  test('the hottest functions come first, with their instructions', async () => {
    const output = join(folder, 'profile.json');
    const run = ['profile', '--arch', arch, ...options, '--clock', 'virtual', '--period', '101', '--symbols', map, '--json', '--output', output];
    expect((await axvisor(...run)).status).toBe(0);
    const profile = JSON.parse(readFileSync(output, 'utf8')) as {
      samples: number;
      regions: { name: string; privilege: string; share: number; samples: number; code: { pc: string; samples: number; text: string }[] }[];
    };
    const [first, second] = profile.regions;
    expect([first?.name, second?.name]).toEqual(['hot', 'cool']);
    expect(first?.privilege).toBe('supervisor');
    // 60 of 84 instructions of each round, and 22.
    expect(first?.share).toBeCloseTo(61 / 84, 1);
    expect(second?.share).toBeCloseTo(22 / 84, 1);
    expect(profile.samples).toBe(profile.regions.reduce((sum, { samples }) => sum + samples, 0));
    expect(first?.code[0]).toMatchObject({ pc: hot, text: body });
    const again = await axvisor(...run);
    expect(again.status).toBe(0);
    const { regions } = JSON.parse(readFileSync(output, 'utf8')) as { regions: { samples: number }[] };
    expect(regions.map(({ samples }) => samples)).toEqual(profile.regions.map(({ samples }) => samples));
  });

  test('as text, without symbols, to standard error', async () => {
    const { output } = await axvisor('profile', '--arch', arch, ...options, '--top', '1');
    expect(output).toMatch(new RegExp(`\\d+ samples, one every 100003 instructions\\n\\n *\\d+\\.\\d % +\\d+\\.\\d+ s {2}${at}[0-9a-f]+ to ${at}[0-9a-f]+ {2}\\(supervisor\\)`));
    expect(output).toMatch(branch);
  });

  test('what the hottest were translated to', async () => {
    const run = ['profile', '--arch', arch, ...options, '--clock', 'virtual', '--period', '101', '--symbols', map];
    const output = join(folder, 'translated');
    expect((await axvisor(...run, '--wasm', '1', '--output', output)).status).toBe(0);
    const [, hottest = '', next] = readFileSync(output, 'utf8').split(/^.* % .*$/m);
    // The loop is one in WebAssembly too.
    expect(hottest).toMatch(/\n  \(func \$region\d+ [^]*\(loop [^]*\(br(_if)? \d/);
    expect(next).not.toContain('(func');
    expect((await axvisor(...run, '--wasm', '--engine', 'interpreter', '--json', '--output', output)).status).toBe(0);
    const { regions } = JSON.parse(readFileSync(output, 'utf8')) as { regions: { wasm: unknown }[] };
    expect(new Set(regions.map(({ wasm }) => wasm))).toEqual(new Set([null]));
  });
});

describe('symbols', () => {
  /** An ELF file with a symbol table and nothing else. */
  const elf = (list: readonly (readonly [name: string, value: bigint, size: bigint, info: number, section: number])[]): Uint8Array => {
    const strings = Buffer.from(`\0${list.map(([name]) => `${name}\0`).join('')}`, 'latin1');
    const table = Buffer.alloc(24 * list.length);
    let nameAt = 1;
    list.forEach(([name, value, size, info, section], i) => {
      table.writeUInt32LE(nameAt, 24 * i);
      table[24 * i + 4] = info;
      table.writeUInt16LE(section, 24 * i + 6);
      table.writeBigUInt64LE(value, 24 * i + 8);
      table.writeBigUInt64LE(size, 24 * i + 16);
      nameAt += name.length + 1;
    });
    const header = Buffer.alloc(64);
    header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    header.writeBigUInt64LE(64n, 40);
    header.writeUInt16LE(3, 60);
    const sections = Buffer.alloc(3 * 64);
    const section = (i: number, type: number, offset: number, size: number, link: number): void => {
      sections.writeUInt32LE(type, 64 * i + 4);
      sections.writeBigUInt64LE(BigInt(offset), 64 * i + 24);
      sections.writeBigUInt64LE(BigInt(size), 64 * i + 32);
      sections.writeUInt32LE(link, 64 * i + 40);
    };
    section(1, 2, 256, table.length, 2);
    section(2, 3, 256 + table.length, strings.length, 0);
    return Buffer.concat([header, sections, table, strings]);
  };

  test('of an ELF file: functions and labels that are defined', () => {
    const found = readSymbols(elf([['main', 0x1000n, 0x20n, 0x12, 1], ['data', 0x2000n, 8n, 0x11, 1], ['entry', 0x1040n, 0n, 0x10, 1], ['.Lx', 0x1050n, 0n, 0, 1], ['extern', 0n, 0n, 0x12, 0], ['last', 0x1060n, 4n, 0x12, 1]]), 'x');
    expect(found.count).toBe(3);
    expect([0xfffn, 0x1000n, 0x101fn, 0x1020n, 0x1040n, 0x105fn, 0x1063n, 0x1064n].map((at) => found.find(at)?.name)).toEqual([undefined, 'main', 'main', undefined, 'entry', 'entry', 'last', undefined]);
  });

  test('of a System.map: text only, each up to the next', () => {
    const found = readSymbols(Buffer.from('ffffffff80000000 T _start\nffffffff80000000 t $x\nffffffff80000010 t inner\nffffffff80001000 D data\n'), 'x');
    expect([0xffff_ffff_8000_000fn, 0xffff_ffff_8000_0010n].map((at) => found.find(at)?.name)).toEqual(['_start', 'inner']);
  });

  test('of something else are an error', () => {
    expect(() => readSymbols(Buffer.from('hello'), 'file')).toThrow(/file: it is neither/);
    expect(() => readSymbols(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]), 'file')).toThrow(/damaged ELF/);
  });
});
