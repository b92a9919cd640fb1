/** GNU binutils for riscv64 as an oracle: what is not installed is not asked. */

import { readFileSync, writeFileSync } from 'node:fs';
import { Binutils, inDirectory } from '@axvisor/tooling/testing';

const march = 'rv64gc_zba_zbb_zbs_zbc_zicbom_zicboz_svinval_h_zihintpause';
const gnu = new Binutils('riscv64-linux-gnu-');

export const haveBinutils: boolean = gnu.present;

/** The bytes GNU as and ld make of a source, linked at an address. */
export const gnuAssemble = (source: string, base: bigint): Uint8Array =>
  gnu.assemble(source, { base, as: [`-march=${march.replace('gc_', 'g_')}`, '-mno-relax'], ld: ['--no-relax'] });

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
    gnu.run('as', `-march=${march}`, '-o', path('shell.o'), path('shell.s'));
    gnu.run('objcopy', '--update-section', `.text=${path('code.bin')}`, path('shell.o'), path('code.o'));
    return gnu.run('objdump', '-d', '-z', ...options, path('code.o'))
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
    gnu.run('objcopy', '-O', 'binary', '-j', '.text', file, path('text.bin'));
    return new Uint8Array(readFileSync(path('text.bin')));
  });
}
