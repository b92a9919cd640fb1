/** GNU binutils for aarch64 as an oracle: what is not installed is not asked. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'aarch64-linux-gnu-';

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

const run = (tool: string, ...args: string[]): string => execFileSync(prefix + tool, args, { stdio: 'pipe', maxBuffer: 1 << 30 }).toString();

/** The bytes GNU as and ld make of a source, linked at an address. */
export function gnuAssemble(source: string, base: bigint): Uint8Array {
  return inDirectory((path) => {
    writeFileSync(path('in.s'), source);
    run('as', '-march=armv8.2-a+crypto+fp16', '-o', path('in.o'), path('in.s'));
    run('ld', `-Ttext=0x${base.toString(16)}`, '-e', '0', '-o', path('out.elf'), path('in.o'));
    run('objcopy', '-O', 'binary', '-j', '.text', path('out.elf'), path('out.bin'));
    return new Uint8Array(readFileSync(path('out.bin')));
  });
}

/** One line of a disassembly. */
export interface Line {
  readonly address: bigint;
  readonly word: number;
  readonly text: string;
}

/** What objdump says to words at address 0, with or without aliases. */
export function gnuDisassemble(words: readonly number[], aliases: 'aliases' | 'no-aliases'): Line[] {
  return inDirectory((path) => {
    writeFileSync(path('code.bin'), new Uint8Array(Int32Array.from(words).buffer));
    return run('objdump', '-D', '-z', '-b', 'binary', '-m', 'aarch64', '-M', aliases, path('code.bin'))
      .split('\n')
      .map((line) => /^\s*([0-9a-f]+):\s+([0-9a-f]{8})\s+(.*)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, address, bits, text]) => ({
        address: BigInt(`0x${address!}`),
        word: Number(`0x${bits!}`) | 0,
        text: text!.replace(/\s*\/\/.*$/, '').replace(/\s*<.*>$/, '').replace(/\s+/g, ' ').trim(),
      }));
  });
}
