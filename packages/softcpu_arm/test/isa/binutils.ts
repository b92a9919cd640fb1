/** GNU binutils for aarch64 as an oracle: what is not installed is not asked. */
import { writeFileSync } from 'node:fs';
import { Binutils, inDirectory } from '@axvisor/tooling/testing';

const gnu = new Binutils('aarch64-linux-gnu-');

export const haveBinutils: boolean = gnu.present;

/** The bytes GNU as and ld make of a source, linked at an address. */
export const gnuAssemble = (source: string, base: bigint): Uint8Array => gnu.assemble(source, { base, as: ['-march=armv8.2-a+crypto+fp16'] });

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
    return gnu.run('objdump', '-D', '-z', '-b', 'binary', '-m', 'aarch64', '-M', aliases, path('code.bin'))
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
