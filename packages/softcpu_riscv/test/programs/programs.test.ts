/**
 * Runs our own bare-metal programs (`*.s` here) on every engine, and where QEMU is installed on its `virt` machine too, which
 * must agree that they are right. A program starts in M-mode at the base of RAM, between `prelude.s` and what follows; where
 * something is not as it should be, it ends with the number of its source line.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Execution } from '@axvisor/softcpu';
import { describe, expect, test } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';

const PRELUDE = 'prelude.s';
const QEMU = ['qemu-system-riscv64', '-M', 'virt', '-cpu', 'rv64,h=true,sstc=true', '-m', '16M', '-nographic', '-monitor', 'none', '-serial', 'none'] as const;

const text = (file: string): string => readFileSync(join(import.meta.dirname, file), 'utf8');

/**
 * Two statements that no assembler has: `check REGISTER, VALUE` and `check_address REGISTER, SYMBOL` end the program unless the
 * register holds the value.
 */
function expand(source: string): string {
  return source.replaceAll(/^(.*?)\bcheck(_address)? (\w+), (.*?)(#.*)?$/gm, (_, before: string, address: string | undefined, register: string, value: string, _comment, offset: number) => {
    const line = source.slice(0, offset).split('\n').length;
    return `${before}${address === undefined ? 'li' : 'la'} t6, ${value}; li gp, ${line}; beq ${register}, t6, . + 8; j fail`;
  });
}

const prelude = expand(text(PRELUDE));
const names = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.s') && file !== PRELUDE);
const build = (file: string): Uint8Array => assemble(`j start\n${prelude}\nstart: ${expand(text(file))}`, { base: BigInt(RAM_BASE) }).bytes;

describe.each(Object.values(Execution))('on the %s engine', (engine) => {
  const machine = new BareMachine({ ramBytes: 1 << 20, poolPages: 64, engine });
  test.each(names)('%s', (file) => {
    machine.clear();
    machine.ram.set(build(file));
    machine.hart.reset(BigInt(RAM_BASE));
    expect(machine.run(2_000_000)).toMatchObject({ code: 0 });
  });
});

describe.runIf(spawnSync(QEMU[0], ['--version']).status === 0)('on QEMU', () => {
  test.each(names)('%s', (file) => {
    const program = join(mkdtempSync(join(tmpdir(), 'axvisor-program-')), 'program.bin');
    writeFileSync(program, build(file));
    expect(spawnSync(QEMU[0], [...QEMU.slice(1), '-bios', program], { timeout: 20_000, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });
});
