/** Bytes that are an instruction by chance, and the modes in which they may be decoded. */
import { rows } from '../../src/isa/index.ts';
import { CODE } from '../../src/state.ts';
import type { Random } from '../native/generate.ts';

export const MODES: readonly number[] = [CODE.code64, CODE.code32 | CODE.stack32, CODE.code32, CODE.code32 | CODE.stack32 | CODE.segmented, CODE.code16 | CODE.segmented | CODE.real, CODE.code16, CODE.code16 | CODE.stack32 | CODE.segmented];

/** AXVISOR_FUZZ_RUNS makes so many times more cases, AXVISOR_FUZZ_SEED others. */
export const FACTOR: number = Number(process.env['AXVISOR_FUZZ_RUNS'] ?? 1);
export const SEED: number = Number(process.env['AXVISOR_FUZZ_SEED'] ?? 0);
export const TIMEOUT = 600_000;

/** Bytes that begin as some row does, behind any prefixes. */
export function noise(random: Random): Uint8Array {
  const bytes = Uint8Array.from({ length: 24 }, () => random.below(256));
  let at = random.below(4);
  for (let i = 0; i < at; i++) bytes[i] = random.pick([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x48, 0x41, 0x4f]);
  const row = random.pick(rows);
  if (row.vex) {
    bytes[at++] = 0xc4;
    bytes[at] = ((bytes[at] as number) & 0xe0) | row.map;
    at += 2;
  } else {
    if (row.map > 0) bytes[at++] = 0x0f;
    if (row.map > 1) bytes[at++] = row.map === 2 ? 0x38 : 0x3a;
  }
  bytes[at] = row.opcode;
  return bytes;
}
