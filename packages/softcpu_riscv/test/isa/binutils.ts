/** GNU binutils for riscv64 as an oracle: what is not installed is not asked. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const march = 'rv64gc_zba_zbb_zbs_zbc_zicbom_zicboz_svinval_h_zihintpause';
const prefix = 'riscv64-linux-gnu-';

function present(tool: string): boolean {
  try {
    return execFileSync(prefix + tool, ['--version'], { stdio: 'pipe' }).length > 0;
  } catch {
    return false;
  }
}

export const haveBinutils: boolean = ['as', 'ld', 'objcopy', 'objdump'].every(present);

function inDirectory<T>(work: (path: (name: string) => string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'binutils-'));
  try {
    return work((name) => join(directory, name));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const run = (tool: string, ...args: string[]): string => execFileSync(prefix + tool, args, { stdio: 'pipe', maxBuffer: 1 << 28 }).toString();

/** The bytes GNU as and ld make of a source, linked at an address. */
export function gnuAssemble(source: string, base: bigint): Uint8Array {
  return inDirectory((path) => {
    writeFileSync(path('in.s'), source);
    run('as', `-march=${march.replace('gc_', 'g_')}`, '-mno-relax', '-o', path('in.o'), path('in.s'));
    run('ld', `-Ttext=0x${base.toString(16)}`, '--no-relax', '-e', '0', '-o', path('out.elf'), path('in.o'));
    run('objcopy', '-O', 'binary', '-j', '.text', path('out.elf'), path('out.bin'));
    return new Uint8Array(readFileSync(path('out.bin')));
  });
}

/** One line of a disassembly. */
export interface Line {
  readonly address: bigint;
  readonly bits: number;
  readonly text: string;
}

/** What objdump says to a stretch of code at address 0. */
export function gnuDisassemble(code: Uint8Array, options: readonly string[]): Line[] {
  return inDirectory((path) => {
    writeFileSync(path('code.bin'), code);
    writeFileSync(path('shell.s'), '.text\nnop\n');
    run('as', `-march=${march}`, '-o', path('shell.o'), path('shell.s'));
    run('objcopy', '--update-section', `.text=${path('code.bin')}`, path('shell.o'), path('code.o'));
    return run('objdump', '-d', '-z', ...options, path('code.o'))
      .split('\n')
      .map((line) => /^\s*([0-9a-f]+):\s+([0-9a-f]+)\s+(\S.*)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, address, bits, text]) => ({
        address: BigInt(`0x${address!}`),
        bits: Number(`0x${bits!}`) | 0,
        text: text!.replace(/\s+#.*$/, '').replace(/\s*<.*>$/, '').replace('\t', ' ').trim(),
      }));
  });
}

/** The code section of an ELF file. */
export function textSection(file: string): Uint8Array {
  return inDirectory((path) => {
    run('objcopy', '-O', 'binary', '-j', '.text', file, path('text.bin'));
    return new Uint8Array(readFileSync(path('text.bin')));
  });
}
