/** x86-64 code. What a processor executes in another mode is listed as 64-bit code too. */
import { BAD, MAX_LENGTH, disassemble } from '@axvisor/softcpu_x86/isa';
import type { GuestCode } from './guest_code.ts';

export const x86Code: GuestCode = {
  decode: (code, pc) => {
    const [line] = disassemble(code.subarray(0, MAX_LENGTH), pc);
    if (line === undefined || (line.text === BAD && code.length < MAX_LENGTH)) return undefined;
    const bytes = [...code.subarray(0, line.length)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return { length: line.length, bytes, text: line.text };
  },
  addressSpace: 'cr3',
};
