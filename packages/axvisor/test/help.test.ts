/** What READMEs and `--help` say of the command line agrees with it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { build } from '../src/program.ts';

const ROOT = join(import.meta.dirname, '../../..');
const program = build(() => {}, '0.0.0');
const every = (command: Command): Command[] => [command, ...command.commands.flatMap(every)];
const nameOf = (command: Command): string => (command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`);

/** Command lines in the shell examples of a README, without prompts and comments. */
const commandLines = (text: string): string[] =>
  Array.from(text.matchAll(/^```sh\n(.*?)^```/gms), ([, block = '']) => block.split('\n'))
    .flat()
    .flatMap((line) => line.replace(/ #.*/, '').split(/ && | \| |; /))
    .map((line) => line.replace(/^(pnpm (--silent |-s )?|npx |\.\/)/, '').trim())
    .filter((line) => /^axvisor( |$)/.test(line));

/** What a command line says that the program does not have. */
function unknownTo(line: string): string[] {
  const words = line.match(/'[^']*'|"[^"]*"|\S+/g)?.slice(1) ?? [];
  let command = program;
  for (let next = command.commands.find((c) => c.name() === words[0]); next !== undefined; next = command.commands.find((c) => c.name() === words[0])) {
    command = next;
    words.shift();
  }
  const known = ['--help', '--version', '-h', '-V', ...command.options.flatMap(({ long, short }) => [long, short])];
  const wrong = words.filter((word) => word.startsWith('-') && !known.includes(word.split('=')[0]));
  return command.commands.length > 0 && words.some((word) => !word.startsWith('-')) ? [...wrong, words[0] as string] : wrong;
}

test('READMEs show commands and options that there are', () => {
  const files = ['README.md', ...readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}/README.md`)];
  const lines = files.flatMap((file) => commandLines(readFileSync(join(ROOT, file), 'utf8')).map((line) => [file, line] as const));
  expect(lines.length).toBeGreaterThan(10);
  expect(lines.flatMap(([file, line]) => unknownTo(line).map((word) => `${file}: ${line}: ${word}`))).toEqual([]);
});

test('the README of the command names every command', () => {
  const text = readFileSync(join(ROOT, 'packages/axvisor/README.md'), 'utf8');
  const leaves = every(program).filter((command) => command.commands.length === 0);
  expect(leaves.map(nameOf).filter((name) => !text.includes(name))).toEqual([]);
});

test('--help says what each command, argument and option is for', () => {
  for (const command of every(program)) {
    const name = nameOf(command);
    expect(command.description(), name).not.toBe('');
    for (const argument of command.registeredArguments) expect(argument.description, `${name} ${argument.name()}`).not.toBe('');
    for (const option of command.options) expect(option.description, `${name} ${option.flags}`).not.toBe('');
    // Defaults are written as one would type them.
    expect(command.helpInformation(), name).not.toMatch(/default: ("|\[)/);
  }
});
