import { describe, expect, test } from 'vitest';
import { axvisor, Session } from './session.ts';

const PROMPT = 'axvisor> ';

describe.each([
  ['riscv64', ['--arch', 'riscv64'], /illegal/],
  ['aarch64 with a GICv3', ['--arch', 'aarch64'], /undefined/],
  ['aarch64 with a GICv2', ['--arch', 'aarch64', '--gic', '2'], /undefined/],
  ['x86_64 under VMX', ['--arch', 'x86_64'], /invalid opcode/],
  ['x86_64 under SVM', ['--arch', 'x86_64', '--virt', 'svm'], /invalid opcode/],
] as const)('%s', (_name, args, trap) => {
  const run = ['run', '--guest', 'embedded', ...args];

  test('every command of the embedded guest works, and poweroff ends with status 0', async () => {
    await using guest = new Session([...run, '--memory', '64M', '--cpus', '4']);
    await guest.expect(PROMPT);
    const say = async (line: string): Promise<string> => {
      guest.type(`${line}\r`);
      return guest.expect(PROMPT);
    };
    expect(await say('help')).toContain('poweroff');
    expect(await say('uptime')).toMatch(/\d+\.\d/);
    expect(await say('mem')).toMatch(/self-test: 64 pages/);
    const traps = await say('trap');
    expect(traps).toMatch(trap);
    expect(traps.match(/recovered/g)).toHaveLength(5);
    for (let round = 0; round < 2; round++) expect((await say('smp')).match(/took 100 interrupts/g)).toHaveLength(3);
    expect(await say('echo hello')).toContain('hello');
    expect(await say('nonsense')).toMatch(/nonsense|unknown/i);
    guest.type('poweroff\r');
    expect(await guest.exited()).toBe(0);
  });

  test('reboot comes back to the prompt', async () => {
    await using guest = new Session(run);
    await guest.expect(PROMPT);
    guest.type('reboot\r');
    await guest.expect(PROMPT);
    guest.type('poweroff\r');
    expect(await guest.exited()).toBe(0);
  });
});

test('--expect, --timeout and --stats', async () => {
  expect((await axvisor('run', '--guest', 'embedded', '--expect', PROMPT)).status).toBe(0);
  const late = await axvisor('run', '--guest', 'embedded', '--expect', 'never printed', '--timeout', '2');
  expect(late.status).toBe(3);
  expect(late.output).toContain('timeout after 2 s');
});
