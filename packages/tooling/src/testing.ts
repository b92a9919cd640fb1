/** What tests of several packages share: programs of the machine that are asked for a second opinion. What is not installed is not asked. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a program says, empty where it is not installed. */
function said(program: string, question: string): string {
  try {
    return execFileSync(program, [question], { stdio: 'pipe' }).toString();
  } catch {
    return '';
  }
}

/** Whether a program is installed and says its version. */
export const present = (program: string): boolean => said(program, '--version') !== '';

/** Runs `work` with a folder of its own, which is deleted afterwards. */
export function inDirectory<T>(work: (path: (name: string) => string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'axvisor-test-'));
  try {
    return work((name) => join(directory, name));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Where {@link Binutils.assemble} puts code, and options of its programs. */
export interface AssembleOptions {
  /** Linked at this address; only assembled when absent. */
  readonly base?: bigint;
  readonly as?: readonly string[];
  readonly ld?: readonly string[];
}

/** GNU binutils for an architecture. */
export class Binutils {
  readonly #prefix: string;

  /** @param prefix - of the names of its programs */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get present(): boolean {
    return ['as', 'ld', 'objcopy', 'objdump'].every((tool) => present(this.#prefix + tool));
  }

  /** Whether the help of a program mentions something. */
  knows(tool: string, sign: RegExp): boolean {
    return sign.test(said(this.#prefix + tool, '--help'));
  }

  /** What a program prints. */
  run(tool: string, ...args: string[]): string {
    return execFileSync(this.#prefix + tool, args, { stdio: 'pipe', maxBuffer: 1 << 30 }).toString();
  }

  /** The bytes that GNU as makes of a source. */
  assemble(source: string, { base, as = [], ld = [] }: AssembleOptions = {}): Uint8Array {
    return inDirectory((path) => {
      writeFileSync(path('in.s'), source);
      this.run('as', ...as, '-o', path('in.o'), path('in.s'));
      if (base !== undefined) this.run('ld', `-Ttext=0x${base.toString(16)}`, ...ld, '-e', '0', '-o', path('out.elf'), path('in.o'));
      this.run('objcopy', '-O', 'binary', '-j', '.text', path(base === undefined ? 'in.o' : 'out.elf'), path('out.bin'));
      return new Uint8Array(readFileSync(path('out.bin')));
    });
  }
}
