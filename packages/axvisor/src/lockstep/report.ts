/** Says where two sides part. */
import type { GuestCode } from '../guest_code/index.ts';
import type { SearchResult } from './search.ts';
import type { MachineState } from './state.ts';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** The instruction a machine is about to execute. */
export function instructionText({ registers, code }: Pick<MachineState, 'registers' | 'code'>, { decode }: GuestCode): string {
  const pc = registers['pc'] ?? 0n;
  if (code.length === 0) return `${hex(pc)}: it cannot be fetched`;
  const instruction = decode(code, pc);
  if (instruction === undefined) return `${hex(pc)}: the rest of it is in the next page`;
  return `${hex(pc)}: ${instruction.bytes}  ${instruction.text}`;
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
