/** QEMU as an oracle: runs a bare program at EL2 of its `virt` machine and returns what it left in the result buffer. Where it is not installed it is not asked. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '@axvisor/tooling/testing';
import { msr, type RegName } from './harness.ts';

const QEMU = 'qemu-system-aarch64';
/** An Armv8.2 core with all granules, 48-bit physical addresses and PAN. */
const ARGUMENTS = ['-M', 'virt,virtualization=on,gic-version=3', '-cpu', 'neoverse-n1', '-m', '64', '-display', 'none', '-monitor', 'none', '-net', 'none', '-no-reboot'];

export const haveQemu: boolean = present(QEMU);

/** Where programs begin, where memory comes from before it is copied to its place, and where results go. */
export const CODE = 0x4080_0000;
const STAGING = 0x4040_0000;
const RESULTS = 0x4100_0000;
const MEMORY = 0x4000_0000;
const UART = 0x0900_0000n;
const PSCI_SYSTEM_OFF = 0x8400_0008n;
/** Holds the next place for results. */
const POINTER = 20;

/** Straight-line code, a word at a time. */
export class Program {
  readonly words: number[] = [];

  add(...words: number[]): this {
    this.words.push(...words);
    return this;
  }

  get pc(): number {
    return CODE + 4 * this.words.length;
  }

  /** MOVZ and MOVKs. */
  load(register: number, value: bigint): this {
    for (let shift = 0; shift < 4; shift++) {
      const part = Number((value >> BigInt(16 * shift)) & 0xffffn);
      if (shift === 0 || part !== 0) this.add((shift === 0 ? 0xd280_0000 : 0xf280_0000) | (shift << 21) | (part << 5) | register);
    }
    return this;
  }

  set(name: RegName, value: bigint): this {
    return this.load(0, value).add(msr(name, 0));
  }

  /** Appends a register to the results: STR Xt, [X20], #8. */
  result(register: number): this {
    return this.add((0xf800_8400 | (POINTER << 5) | register) | 0);
  }
}

/**
 * Copies `memory` to the beginning of RAM, runs the program from its first word at EL2, and returns the results.
 *
 * @param build - adds the program's code.
 */
export function runOnQemu(memory: Uint8Array, results: number, build: (program: Program) => void): bigint[] {
  const program = new Program();
  program.load(3, BigInt(STAGING)).load(4, BigInt(MEMORY)).load(7, BigInt(MEMORY + memory.length));
  // ldr x5, [x3], #8; str x5, [x4], #8; cmp x4, x7; b.ne .-12
  program.add(0xf840_8465, 0xf800_8485, 0xeb07_009f, 0x54ff_ffa1);
  program.load(POINTER, BigInt(RESULTS));
  build(program);
  program.load(3, BigInt(RESULTS)).load(7, BigInt(RESULTS + 8 * results)).load(6, UART);
  // ldrb w5, [x3], #1; strb w5, [x6]; cmp x3, x7; b.ne .-12
  program.add(0x3840_1465, 0x3900_00c5, 0xeb07_007f, 0x54ff_ffa1);
  program.load(0, PSCI_SYSTEM_OFF).add(0xd400_0003, 0x1400_0000);

  const directory = mkdtempSync(join(tmpdir(), 'qemu-'));
  const path = (name: string): string => join(directory, name);
  try {
    writeFileSync(path('memory'), memory);
    writeFileSync(path('code'), new Uint8Array(Int32Array.from(program.words).buffer));
    const loader = (file: string, address: number): string[] => ['-device', `loader,file=${path(file)},addr=${address},force-raw=on`];
    execFileSync(
      QEMU,
      [...ARGUMENTS, '-serial', `file:${path('out')}`, ...loader('memory', STAGING), ...loader('code', CODE), '-device', `loader,addr=${CODE},cpu-num=0`],
      { stdio: 'pipe', timeout: 60_000 },
    );
    const out = readFileSync(path('out'));
    if (out.length !== 8 * results) throw new Error(`${out.length} bytes of results instead of ${8 * results}`);
    return Array.from({ length: results }, (_, i) => out.readBigUInt64LE(8 * i));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
