import { resolve, type Image } from '@axvisor/axvisor_api';
import { consoleRead, consoleWrite, getHostCpuNum, idle, log, thisCpuId, wake } from '@axvisor/axvisor_api/host';
import { currentTicks } from '@axvisor/axvisor_api/time';
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createComponent, memoryConsole, type HostOptions } from '../src/index.ts';
import { nodeConsole } from '../src/node/index.ts';

const image = (options: HostOptions): Image => resolve([createComponent({ memory: 65536, ...options })]);
/** Calls idle() with the image bound; promises themselves cannot pass through a scoped linking. */
const idling = (linked: Image, until?: bigint | 'forever'): Promise<void> => linked.run(() => [idle(until)] as const)[0];
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('CPUs and log', () => {
  test('CPU numbers', () => {
    image({ cpus: 4, cpu: 2 }).run(() => expect([getHostCpuNum(), thisCpuId()]).toEqual([4, 2]));
    for (const options of [{ cpus: 0 }, { cpus: 1.5 }, { cpu: 1 }, { cpu: -1 }]) expect(() => image(options)).toThrow('CPU');
    expect(() => image({ clock: 'sundial' as never })).toThrow('sundial');
    expect(() => image({ tickFrequency: 0n })).toThrow('ticks');
  });

  test('log lines below the level are dropped', () => {
    const lines: string[] = [];
    const sink = (level: string, source: string, message: string): void => void lines.push(`${level} ${source} ${message}`);
    image({ logLevel: 'info', logSink: sink }).run(() => {
      log('error', 'a', '1');
      log('info', 'b', '2');
      log('debug', 'c', '3');
    });
    expect(lines).toEqual(['error a 1', 'info b 2']);
  });
});

describe('idle', () => {
  test('without deadline: one turn of the event loop', async () => {
    const linked = image({});
    let turned = false;
    setImmediate(() => (turned = true));
    await idling(linked);
    await idling(linked);
    expect(turned).toBe(true);
  });

  test('until a deadline, without spinning', async () => {
    const linked = image({});
    const cpu = process.cpuUsage();
    const from = linked.run(() => currentTicks());
    await idling(linked, from + 500_000n);
    expect(linked.run(() => currentTicks()) - from).toBeGreaterThanOrEqual(495_000n);
    expect(process.cpuUsage(cpu).user).toBeLessThan(40_000);
  });

  test('a deadline in the past is a turn', () => idling(image({}), 0n));

  test('input and wake() end it; a wake() in advance is not lost', async () => {
    const console = memoryConsole();
    const linked = image({ console });
    const first = idling(linked, 'forever');
    console.type('x');
    await first;
    const second = idling(linked, 10n ** 12n);
    const third = idling(linked, 'forever');
    linked.run(() => wake());
    await Promise.all([second, third]);
    linked.run(() => wake());
    await idling(linked, 'forever');
  });

  test('on a virtual clock it jumps to the deadline', async () => {
    const linked = image({ clock: 'virtual' });
    await idling(linked, 10n ** 12n);
    expect(linked.run(() => currentTicks())).toBe(10n ** 12n);
  });

  test('without setImmediate, as in browsers, a message makes the turn', async () => {
    const { Idler } = await (async () => {
      const saved = globalThis.setImmediate;
      Reflect.deleteProperty(globalThis, 'setImmediate');
      try {
        return (await import(`../src/host/idler.ts${'?browser'}`)) as typeof import('../src/host/idler.ts');
      } finally {
        globalThis.setImmediate = saved;
      }
    })();
    await new Idler().turn();
  });
});

describe('console', () => {
  test('in memory', () => {
    const console = memoryConsole();
    image({ console }).run(() => {
      const buffer = Uint8Array.of(104, 105);
      consoleWrite(buffer);
      buffer.fill(0);
      consoleWrite(Uint8Array.of(33));
      expect(text(console.output())).toBe('hi!');
      expect(console.output().length).toBe(0);
      console.type('é');
      console.type(Uint8Array.of(3));
      expect(consoleRead()).toEqual(Uint8Array.of(0xc3, 0xa9, 3));
      expect(consoleRead().length).toBe(0);
    });
  });

  class Stream extends EventEmitter {
    isTTY: boolean;
    raw: boolean[] = [];
    paused = false;
    constructor(isTTY: boolean) {
      super();
      this.isTTY = isTTY;
    }
    setRawMode(raw: boolean): void {
      this.raw.push(raw);
    }
    pause(): void {
      this.paused = true;
    }
    resume(): void {
      this.paused = false;
    }
  }

  test('on a terminal: raw until disposed of', () => {
    const input = new Stream(true);
    const written: string[] = [];
    {
      using console = nodeConsole({ input, output: { write: (b) => written.push(text(b)) } });
      expect([console.isTerminal, input.raw]).toEqual([true, [true]]);
      console.write(Uint8Array.of(65));
      let told = 0;
      console.onInput(() => told++);
      input.emit('data', Uint8Array.of(3));
      expect([told, ...console.read()]).toEqual([1, 3]);
    }
    expect([input.raw, input.paused, input.listenerCount('data'), written]).toEqual([[true, false], true, 0, ['A']]);
  });

  test('an exit of the process restores the terminal', () => {
    const before = new Set(process.listeners('exit'));
    const input = new Stream(true);
    nodeConsole({ input, output: { write: () => true } });
    const [added] = process.listeners('exit').filter((l) => !before.has(l));
    added?.(0);
    expect(input.raw).toEqual([true, false]);
    expect(process.listeners('exit').length).toBe(before.size);
  });

  test('on a pipe: plain, held back when nobody reads, and with an end', () => {
    const input = new Stream(false);
    using console = nodeConsole({ input, output: { write: () => true } });
    input.emit('data', new Uint8Array(65536));
    expect([console.isTerminal, input.raw, input.paused]).toEqual([false, [], true]);
    expect([console.read().length, input.paused, console.ended]).toEqual([65536, false, false]);
    let told = 0;
    console.onInput(() => told++);
    input.emit('end');
    expect([console.ended, told]).toEqual([true, 1]);
  });

  test('while a slow reader is behind, idle() waits for it, or for a wake-up', async () => {
    const output = Object.assign(new EventEmitter(), { writableLength: 0, write: () => true });
    using console = nodeConsole({ input: new Stream(false), output });
    const linked = image({ console });
    let turns = 0;
    const idleOnce = async (): Promise<void> => {
      await idling(linked);
      turns++;
    };
    await idleOnce();
    output.writableLength = 1 << 20;
    const waiting = idleOnce();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(turns).toBe(1);
    output.writableLength = 0;
    output.emit('drain');
    await waiting;
    output.writableLength = 1 << 20;
    const woken = idleOnce();
    linked.run(() => wake());
    await woken;
    expect(turns).toBe(3);
  });
});
