/** `qemu-aarch64` as an oracle: what is not installed is not asked. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '@axvisor/tooling/testing';
import { RESULT_WORDS } from './cases.ts';

const source = new URL('runner.c', import.meta.url);

export const haveQemu: boolean = present('qemu-aarch64') && present('aarch64-linux-gnu-gcc');

/** Compiles the runner once and keeps it by the hash of its source. */
function runner(): string {
  const directory = join(tmpdir(), 'axvisor-arm-runner');
  const file = join(directory, createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16));
  if (!existsSync(file)) {
    mkdirSync(directory, { recursive: true });
    const fresh = `${file}.${process.pid}`;
    execFileSync('aarch64-linux-gnu-gcc', ['-O1', '-static', '-fno-stack-protector', '-o', fresh, source.pathname], { stdio: 'pipe' });
    renameSync(fresh, file);
  }
  return file;
}

/** One case: the seed of its state, and its code. */
export interface Case {
  readonly seed: number;
  readonly code: readonly number[];
}

/** What QEMU answers to cases. The model is one that has the extensions at hand and few others. */
export function ask(cases: readonly Case[]): Int32Array[] {
  const input = Int32Array.from(cases.flatMap(({ seed, code }) => [seed, code.length, ...code]));
  const output = execFileSync('qemu-aarch64', ['-cpu', 'cortex-a76', runner()], { input: new Uint8Array(input.buffer), maxBuffer: 1 << 30 });
  const words = new Int32Array(output.buffer.slice(output.byteOffset, output.byteOffset + output.length));
  return cases.map((_, i) => words.subarray(i * RESULT_WORDS, (i + 1) * RESULT_WORDS));
}
