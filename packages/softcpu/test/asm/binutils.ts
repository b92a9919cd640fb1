/** GNU as as an oracle of what is the same for all architectures: what is not installed is not asked. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'aarch64-linux-gnu-';

function present(tool: string): boolean {
  try {
    return execFileSync(prefix + tool, ['--version'], { stdio: 'pipe' }).length > 0;
  } catch {
    return false;
  }
}

export const haveBinutils: boolean = ['as', 'objcopy'].every(present);

/** The bytes GNU as makes of a source. */
export function gnuAssemble(source: string): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'binutils-'));
  const path = (name: string): string => join(directory, name);
  try {
    writeFileSync(path('in.s'), source);
    execFileSync(`${prefix}as`, ['-o', path('in.o'), path('in.s')], { stdio: 'pipe' });
    execFileSync(`${prefix}objcopy`, ['-O', 'binary', '-j', '.text', path('in.o'), path('out.bin')], { stdio: 'pipe' });
    return new Uint8Array(readFileSync(path('out.bin')));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
