/** Compares the disassembler with objdump over the code of ELF files: `real_code.ts file…`. */
import { execFileSync } from 'node:child_process';
import { Decoder } from '../../src/isa/decode.ts';
import { format } from '../../src/isa/disasm.ts';
import { normalize } from './binutils.ts';
import { MODES } from './encodings.ts';

const decoder = new Decoder();
let total = 0;
let wrong = 0;
const shown = new Map<string, number>();
for (const file of process.argv.slice(2)) {
  const text = execFileSync('objdump', ['-d', '-w', '--insn-width=16', '-M', 'intel', file], { maxBuffer: 1 << 30 }).toString();
  for (const line of text.split('\n')) {
    const match = /^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t(.*)$/.exec(line);
    if (match === null) continue;
    // The address of a jump is followed by a name.
    const expected = normalize(match[3]!.replace(/\s*(#.*|<.*>)$/, ''));
    // Padding and prefixes that say nothing, and extensions that are not known here.
    if (/^(cs |ds |data16|rex|repz ret|notrack|bnd|\{|\(bad\)|nop|v?cmp\w*[ps][sd]|v?pclmul|xacquire|xrelease|.*zmm|.*\{|.*[xy]mm[123]\d)|^v?(fn?m(add|sub))|gf2p8|vaes\w+ ymm/.test(expected)) continue;
    const code = Uint8Array.from(match[2]!.trim().split(' '), (byte) => Number.parseInt(byte, 16));
    decoder.decode(code, 0, code.length, MODES[64]);
    const ours = normalize(format(decoder.insn, BigInt(`0x${match[1]!}`))).replace(/^(j\w+|call|loop\w*) 0x/, '$1 ');
    total++;
    if (ours === expected && decoder.insn.length === code.length) continue;
    wrong++;
    const name = expected.split(' ')[0]!;
    const seen = (shown.get(name) ?? 0) + 1;
    shown.set(name, seen);
    if (seen < 3) console.log(Buffer.from(code).toString('hex'), ours, '|', expected);
  }
}
console.log(`${total} instructions, ${wrong} differ`);
