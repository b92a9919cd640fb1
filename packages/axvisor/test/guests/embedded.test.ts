import { expect, test } from 'vitest';
import { axvisor, Session } from './session.ts';

const PROMPT = 'axvisor> ';

test('every command of the embedded guest works, and poweroff ends with status 0', { timeout: 60_000 }, async () => {
  await using guest = new Session(['run', '--guest', 'embedded', '--memory', '64M', '--cpus', '4']);
  await guest.expect(PROMPT);
  const say = async (line: string): Promise<string> => {
    guest.type(`${line}\r`);
    return guest.expect(PROMPT);
  };
  expect(await say('help')).toContain('poweroff');
  expect(await say('uptime')).toMatch(/\d+\.\d/);
  expect(await say('mem')).toMatch(/free/i);
  expect(await say('trap')).toMatch(/illegal/i);
  expect(await say('smp')).toMatch(/3/);
  expect(await say('echo hello')).toContain('hello');
  expect(await say('nonsense')).toMatch(/nonsense|unknown/i);
  guest.type('poweroff\r');
  expect(await guest.exited()).toBe(0);
});

test('reboot comes back to the prompt', { timeout: 60_000 }, async () => {
  await using guest = new Session(['run', '--guest', 'embedded']);
  await guest.expect(PROMPT);
  guest.type('reboot\r');
  await guest.expect(PROMPT);
  guest.type('poweroff\r');
  expect(await guest.exited()).toBe(0);
});

test('--expect, --timeout and --stats', { timeout: 60_000 }, async () => {
  expect((await axvisor('run', '--guest', 'embedded', '--expect', PROMPT)).status).toBe(0);
  const late = await axvisor('run', '--guest', 'embedded', '--expect', 'never printed', '--timeout', '2');
  expect(late.status).toBe(3);
  expect(late.output).toContain('timeout after 2 s');
});
