/** The kernels: their names, and how they are compiled for the guest and for this machine. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toolchains, type BenchArchitecture } from './contenders.ts';
import { BenchError } from './process.ts';

/** Every kernel; each is a file below `kernels`. */
export const kernels = ['integer', 'stream', 'chase', 'sieve', 'recursion', 'indirect', 'matrix', 'strings', 'sort', 'crc'] as const;

export type Kernel = (typeof kernels)[number];

const SOURCES = fileURLToPath(new URL('../kernels', import.meta.url));

/**
 * Alike on both sides. Loops must stay what they are and not become calls of a C library, which would be another one on each side; and
 * a multiplication with an addition must round twice on both.
 */
const COMMON = ['-O2', '-std=gnu11', '-ffreestanding', '-fno-builtin', '-fno-tree-loop-distribute-patterns', '-ffp-contract=off'];

async function compile(compiler: string, args: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let said = '';
    const child = spawn(compiler, args, { cwd: SOURCES, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new BenchError(`${compiler} failed: ${said.trim().split('\n')[0] ?? ''}`))));
  });
}

/** Compiles a kernel, or another program below `kernels`, for the guest. @returns the path of the ELF file */
export async function compileGuest(kernel: string, arch: BenchArchitecture, scale: number, folder: string): Promise<string> {
  const { compiler, compilerArguments, sources } = toolchains[arch];
  const output = join(folder, `${kernel}-${arch}.elf`);
  const link = ['-T', `${arch}.ld`, '-Wl,--build-id=none,--no-warn-rwx-segments'];
  await compile(compiler, [...COMMON, `-DSCALE=${scale}u`, ...compilerArguments, ...link, ...sources, 'main.c', `${kernel}.c`, '-o', output]);
  return output;
}

/** Compiles a kernel for this machine. @returns the path of the program */
export async function compileNative(kernel: Kernel, scale: number, folder: string): Promise<string> {
  const output = join(folder, `${kernel}-native`);
  await compile('gcc', [...COMMON, `-DSCALE=${scale}u`, 'host.c', 'main.c', `${kernel}.c`, '-o', output]);
  return output;
}
