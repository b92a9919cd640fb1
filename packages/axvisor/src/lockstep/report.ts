/** Says where two sides part. */
import type { GuestCode } from '../guest_code/index.ts';
import type { SearchResult } from './search.ts';
import type { MachineState } from './state.ts';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** The instruction a machine is about to execute. */
export function instructionText({ registers, code }: Pick<MachineState, 'registers' | 'code'>, { length, text }: GuestCode): string {
  const pc = registers['pc'] ?? 0n;
  if (code.length < 2) return `${hex(pc)}: it cannot be fetched`;
  const view = new DataView(code.buffer, code.byteOffset, code.length);
  const half = view.getUint16(0, true);
  const bytes = length(half);
  if (code.length < bytes) return `${hex(pc)}: the second half of it is in the next page`;
  const bits = bytes === 4 ? view.getInt32(0, true) : half;
  return `${hex(pc)}: ${(bits >>> 0).toString(16).padStart(2 * bytes, '0')}  ${text(bits, pc)}`;
}

export function report({ agreed, divergence }: SearchResult, code: GuestCode): string {
  if (divergence === undefined) return `no difference in ${agreed} instructions\n`;
  const { names, before, after, differences } = divergence;
  const lines = [`the sides differ after instruction ${before.instructions + 1n}`];
  if (before.registers['pc'] !== undefined) lines.push(`  ${instructionText(before, code)}`);
  for (const i of [0, 1] as const) if (!after[i].ended) lines.push(`next on ${names[i]}`, `  ${instructionText(after[i], code)}`);
  const width = Math.max(...differences.map(({ what }) => what.length));
  for (const { what, a, b } of differences) lines.push(`${what.padEnd(width)}  ${names[0]} ${a}  ${names[1]} ${b}`);
  return `${lines.join('\n')}\n`;
}
