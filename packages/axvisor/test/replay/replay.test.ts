import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Recorder, Replayer, type Tape } from '../../src/replay/tape.ts';
import { VarintReader, VarintWriter } from '../../src/replay/varint.ts';
import { axvisor, cachedImage, Session } from '../guests/session.ts';

const folder = mkdtempSync(join(tmpdir(), 'axvisor-replay-'));
const PROMPT = 'axvisor> ';
const GUEST = ['run', '--guest', 'embedded', '--memory', '32M', '--cpus', '2'];

/** Runs the embedded guest with somebody at the keyboard. */
async function record(file: string, run: readonly string[] = GUEST): Promise<string> {
  await using guest = new Session([...run, '--record', file]);
  for (const line of ['help', 'uptime', 'smp', 'echo recorded', 'poweroff']) {
    await guest.expect(PROMPT);
    guest.type(`${line}\r`);
  }
  expect(await guest.exited()).toBe(0);
  return guest.output;
}

test.each([['riscv64', []], ['aarch64', ['--gic', '3']], ['aarch64', ['--gic', '2']]])('a run of %s %s with input, several vCPUs and a real clock is replayed to the last bit, on either engine', async (arch, more) => {
  const file = join(folder, `embedded-${arch}`);
  const run = [...GUEST, '--arch', arch, ...more];
  const printed = await record(file, run);
  expect(printed).toContain('recorded');
  expect(statSync(file).size).toBeLessThan(100_000);
  // Instructions, console and memory are compared with the recording's end by the replay itself.
  for (const engine of ['interpreter', 'auto', 'translator']) expect(await axvisor(...run, '--replay', file, '--engine', engine)).toEqual({ status: 0, output: printed });
});

test.runIf((await cachedImage('debian-amd64')) !== undefined)('a session on Debian amd64 is replayed to the last bit', async () => {
  const file = join(folder, 'debian');
  const run = ['run', '--arch', 'x86_64', '--guest', 'debian-amd64', '--cpus', '2', '--append', 'console=ttyS0 quiet'];
  await using guest = new Session([...run, '--record', file]);
  await guest.expect('/root # ');
  guest.type('head -c 1000 /dev/urandom | sha256sum; date +%N; poweroff -f\r');
  expect(await guest.exited()).toBe(0);
  expect(await axvisor(...run, '--replay', file)).toEqual({ status: 0, output: guest.output });
});

test('a timeout comes where it came', async () => {
  const file = join(folder, 'timeout');
  const stats = ['a', 'b'].map((name) => join(folder, `${name}.json`));
  const args = [...GUEST, '--hash-memory', '--stats'];
  expect((await axvisor(...args, stats[0]!, '--timeout', '1', '--record', file)).status).toBe(3);
  expect((await axvisor(...args, stats[1]!, '--timeout', '30', '--replay', file)).status).toBe(3);
  const [recorded, replayed] = stats.map((name) => JSON.parse(readFileSync(name, 'utf8')) as { guest_instructions: number; vms: unknown });
  expect(replayed?.guest_instructions).toBe(recorded?.guest_instructions);
  expect(replayed?.vms).toEqual(recorded?.vms);
});

describe('what cannot be replayed is said', () => {
  const replay = async (file: string, ...args: string[]): Promise<string> => {
    const { status, output } = await axvisor(...GUEST, ...args, '--replay', file);
    expect(status).toBe(2);
    return output;
  };
  const changed = (name: string, bytes: Uint8Array): string => {
    const file = join(folder, name);
    writeFileSync(file, bytes);
    return file;
  };

  test('files that are none, of another version, cut off, damaged, or of other guests', async () => {
    const file = join(folder, 'whole');
    await record(file);
    const whole = readFileSync(file);
    expect(await replay(join(folder, 'absent'))).toMatch(/--replay .*absent: .*ENOENT/);
    expect(await replay(changed('foreign', Buffer.from('#!/bin/sh\necho\n')))).toContain('it is not a recording of axvisor');
    expect(await replay(changed('empty', new Uint8Array(0)))).toContain('it is not a recording of axvisor');
    expect(await replay(changed('later', Buffer.from(whole.toString('latin1').replace('recording 2', 'recording 99'), 'latin1')))).toContain('version 99; this axvisor replays version 2');
    for (const part of [0.5, 0.99]) expect(await replay(changed('cut', whole.subarray(0, Math.floor(part * whole.length))))).toContain('damaged or cut off');
    expect(await replay(changed('longer', Buffer.concat([whole, Buffer.from([0])])))).toContain('something follows its end');
    expect(await replay(file, '--append', 'other')).toContain('recorded with other guests');
    expect(await replay(file, '--clock', 'virtual')).toContain('virtual clock');
    expect(await replay(file, '--record', join(folder, 'x'))).toContain('exclude each other');
  });
});

describe('the tape', () => {
  const question = fc.oneof(
    fc.record({ kind: fc.constant('time' as const), ticks: fc.nat(1 << 20) }),
    fc.record({ kind: fc.constant('wall' as const), nanos: fc.bigInt(0n, 1n << 62n) }),
    fc.record({ kind: fc.constant('input' as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
    fc.record({ kind: fc.constant('random' as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
  );

  test('answers every question as the host did', async () => {
    const file = join(folder, 'tape');
    await fc.assert(
      fc.asyncProperty(fc.array(question, { maxLength: 3000 }), fc.option(fc.nat(100), { nil: undefined }), async (questions, quit) => {
        const ask = (tape: Tape): unknown[] => {
          let now = 0n;
          const answers: unknown[] = questions.map((q) => {
            switch (q.kind) {
              case 'time':
                return tape.time(() => (now += BigInt(q.ticks)));
              case 'wall':
                return tape.wall(() => q.nanos);
              case 'input':
                // The time is asked for between two turns, and so tells where input came.
                return [tape.time(() => now), tape.input(() => q.bytes).slice()];
              case 'random': {
                const into = new Uint8Array(q.bytes.length);
                tape.random(into, (at) => at.set(q.bytes));
                return into;
              }
            }
          });
          return [...answers, tape.time(() => now), tape.quit(() => quit)];
        };
        let instructions = 0;
        const recorder = new Recorder(file, { guests: 'g', escapes: true }, () => (instructions += 1000));
        const recorded = ask(recorder);
        const end = { instructions: 7, console: 'c', memory: 'm' };
        recorder.end(end);
        instructions = 0;
        const replayer = await Replayer.open(file, () => (instructions += 1000));
        expect(ask(replayer)).toEqual(recorded);
        expect([replayer.header, replayer.end]).toEqual([{ guests: 'g', escapes: true }, end]);
      }),
      { numRuns: 50 },
    );
  });

  test('says when the run goes another way', async () => {
    const file = join(folder, 'other');
    let instructions = 0;
    const recorder = new Recorder(file, { guests: '', escapes: false }, () => instructions);
    for (let i = 0; i < 2000; i++) recorder.time(() => BigInt(i));
    recorder.end({ instructions: 0, console: '', memory: '' });
    const first = await Replayer.open(file, () => instructions);
    expect(() => first.wall()).toThrow(/asks for wall, the recording has time/);
    const second = await Replayer.open(file, () => instructions);
    instructions = 5;
    expect(() => {
      for (let i = 0; i < 2000; i++) second.time();
    }).toThrow(/5 instructions are retired where 0 were/);
  });
});

test('varints come back as they were, and what is cut off is an error', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat()), (numbers) => {
      const pieces: Uint8Array[] = [];
      const writer = new VarintWriter((bytes) => pieces.push(bytes));
      for (const n of numbers) writer.number(n);
      writer.flush();
      const bytes = Buffer.concat(pieces);
      const reader = new VarintReader(bytes, 0);
      expect(numbers.map(() => reader.number())).toEqual(numbers);
      expect(reader.isAtEnd).toBe(true);
      expect(() => reader.number()).toThrow(RangeError);
    }),
  );
  expect(() => new VarintReader(new Uint8Array(20).fill(0xff), 0).number()).toThrow(RangeError);
});
