/** The programs in a folder: ELF files, with NAME.reference beside NAME.elf where a signature is expected. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Execution } from '@axvisor/softcpu';
import type { SuiteProgram } from '../../src/testing/index.ts';

const ELF_MAGIC = 0x464c457f;

/** Names of the files in `folder` that are programs, sorted. */
export function programNames(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => {
      if (!entry.isFile() || entry.name.endsWith('.reference')) return false;
      const file = readFileSync(join(folder, entry.name));
      return file.length > 4 && file.readUInt32LE(0) === ELF_MAGIC;
    })
    .map((entry) => entry.name)
    .sort();
}

export function readProgram(folder: string, file: string): SuiteProgram {
  const name = file.replace(/\.elf$/, '');
  const reference = join(folder, `${name}.reference`);
  return { name, file: readFileSync(join(folder, file)), ...(existsSync(reference) ? { reference: readFileSync(reference, 'utf8') } : {}) };
}

/** The engine that AXVISOR_ENGINE names. @throws {RangeError} it names none */
export function engineFromEnvironment(): Execution {
  const name = process.env['AXVISOR_ENGINE'] ?? Execution.interpreter;
  const found = Object.values(Execution).find((e) => e === name);
  if (found === undefined) throw new RangeError(`AXVISOR_ENGINE is '${name}', not one of ${Object.values(Execution).join(', ')}`);
  return found;
}
