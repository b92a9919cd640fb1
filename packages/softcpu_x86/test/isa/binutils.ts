/** GNU binutils as an oracle: what is not installed is not asked. */
import { writeFileSync } from 'node:fs';
import { Binutils, inDirectory } from '@axvisor/tooling/testing';

const gnu = new Binutils('');

/** Of this architecture. */
export const haveBinutils: boolean = gnu.knows('objdump', /i386:x86-64/) && gnu.knows('as', /--64/);

/** Bytes that every chunk is followed by, so that what is not understood ends there. */
const CHUNK = 32;

/** The text of the instruction at the start of each of several byte strings, in code of 64, 32 or 16 bits, and its length. */
export function gnuDisassemble(codes: readonly Uint8Array[], bits: 64 | 32 | 16): { readonly text: string; readonly length: number }[] {
  const all = new Uint8Array(codes.length * CHUNK).fill(0x90);
  codes.forEach((code, i) => all.set(code, i * CHUNK));
  const machine = { 64: 'i386:x86-64', 32: 'i386', 16: 'i8086' }[bits];
  const found = new Map<number, { text: string; length: number }>();
  inDirectory((path) => {
    writeFileSync(path('code.bin'), all);
    const text = gnu.run('objdump', '-D', '-z', '-w', '--insn-width=16', '-b', 'binary', '-m', machine, '-M', bits === 64 ? 'intel,intel64' : 'intel', path('code.bin'));
    for (const line of text.split('\n')) {
      const match = /^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$/.exec(line);
      if (match === null) continue;
      found.set(Number.parseInt(match[1]!, 16), { text: normalize(match[3]!), length: match[2]!.trim().split(' ').length });
    }
  });
  return codes.map((_, i) => found.get(i * CHUNK) ?? { text: '', length: 0 });
}

/** One space, no comments, no index register that is none. */
export const normalize = (text: string): string => text.replace(/\s*(#.*|<.*>)$/, '').replace(/\s+/g, ' ').replace(/\+[re]iz\*\d/g, '').trim();

/** The bytes GNU as makes of a source in Intel syntax. */
export const gnuAssemble = (source: string): Uint8Array => gnu.assemble(`.intel_syntax noprefix\n${source}\n`, { as: ['--64'] });
