import { describe, expect, it } from 'vitest';
import { isInstalled, measure, type Command } from '../src/process.ts';

const script = (text: string): Command => ({ program: process.execPath, args: ['-e', text] });
const span = { from: /^begin$/m, to: /^checksum (\w+)$/m };

describe('measuring', () => {
  it('takes the time between the two texts, not that before, and ends the program', async () => {
    const command = script("setTimeout(() => { console.log('begin'); setTimeout(() => { console.log('checksum ab12'); setInterval(() => {}, 1000); }, 200); }, 300);");
    const start = performance.now();
    const [{ seconds, match } = { seconds: 0, match: '' }] = await measure('x', command, [span], 20);
    expect(match).toBe('ab12');
    expect(seconds).toBeGreaterThan(0.15);
    expect(seconds).toBeLessThan((performance.now() - start) / 1000 - 0.25);
  });

  it('takes the time from the start when no text says where it starts, and finds texts that come in pieces', async () => {
    const command = script("process.stdout.write('~ '); setTimeout(() => process.stdout.write('# '), 100);");
    const [{ seconds, match } = { seconds: 0, match: '' }] = await measure('x', command, [{ to: /~ # / }], 20);
    expect(match).toBe('~ # ');
    expect(seconds).toBeGreaterThan(0.1);
  });

  it('takes the times of several spans of one run', async () => {
    const lines = ['begin a', 'checksum a 1', 'begin b', 'checksum b 2'];
    const command = script(`const lines = ${JSON.stringify(lines)}; setInterval(() => { const line = lines.shift(); if (line) console.log(line); }, 100);`);
    const spans = ['a', 'b'].map((name) => ({ from: new RegExp(`^begin ${name}$`, 'm'), to: new RegExp(`^checksum ${name} (.)$`, 'm') }));
    const timings = await measure('x', command, [...spans, { to: /^begin b$/m }], 20);
    expect(timings.map(({ match }) => match)).toEqual(['1', '2', 'begin b']);
    expect(timings[0]?.seconds).toBeLessThan(0.25);
    expect(timings[2]?.seconds).toBeGreaterThan(0.25);
  });

  it('says in one line what went wrong', async () => {
    await expect(measure('name', script("console.log('begin'); console.error('broken'); process.exit(3);"), [span], 20)).rejects.toThrow(/^name: .* ended with 3; .*broken/);
    await expect(measure('name', script('setInterval(() => {}, 1000);'), [span], 0.3)).rejects.toThrow(/did not get there in 0.3 s/);
    await expect(measure('name', { program: '/absent/program', args: [] }, [span], 1)).rejects.toThrow(/does not start/);
  });

  it('knows what is installed', async () => {
    expect(await isInstalled(process.execPath)).toBe(true);
    expect(await isInstalled('no-such-program')).toBe(false);
  });
});
