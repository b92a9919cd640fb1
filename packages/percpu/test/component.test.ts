import { Worker } from 'node:worker_threads';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as createHost } from '@axvisor/axhost';
import { withLinked } from '@axvisor/axvisor_api';
import { frameCounts } from '@axvisor/axvisor_api/memory';
import { perCpuObject, perCpuU64 } from '@axvisor/axvisor_api/percpu';
import { describe, expect, test } from 'vitest';
import { component, createComponent, Preemption, PerCpuAreas, u32, u64, usize, type PerCpuShare } from '../src/index.ts';
import { createMachine } from './machine.ts';

const error = (kind: string): unknown => expect.objectContaining({ name: 'AxError', kind });

describe('preemption', () => {
  test('the hook sees the outermost guard only; a guard is disposed once', () => {
    const calls: string[] = [];
    const preemption = new Preemption({ disablePreempt: () => calls.push('disable'), enablePreempt: () => calls.push('enable') });
    {
      using outer = preemption.guard();
      preemption.run(() => expect(preemption.depth).toBe(2));
      expect([outer.held, preemption.enabled]).toEqual([true, false]);
    }
    expect(preemption.enabled).toBe(true);
    expect(() => preemption.run(() => { throw new Error('inside'); })).toThrow('inside');
    expect(calls).toEqual(['disable', 'enable', 'disable', 'enable']);
    const guard = preemption.guard();
    guard[Symbol.dispose]();
    expect(guard.held).toBe(false);
    expect(() => guard[Symbol.dispose]()).toThrow(expect.objectContaining({ kind: 'BadState' }));
    expect(preemption.depth).toBe(0);
  });
});

describe('component', () => {
  test('provides the percpu API: variables are defined before areas exist, and initialised on first use', () => {
    const machine = createMachine();
    withLinked([axerrno, machine.component, component], () => {
      const counter = perCpuU64('counter', 5n);
      const current = perCpuObject<string | undefined>('current', () => undefined);
      expect(machine.frames.size).toBe(0);
      expect([counter.name, counter.updateCurrent((n) => n + 1n), counter.readRemote(0), counter.readRemote(3)]).toEqual(['counter', 6n, 6n, 5n]);
      expect(machine.frames.size).toBe(1);
      machine.cpu = 2;
      current.writeCurrent('vcpu');
      counter.writeRemote(0, 1n);
      expect([current.readCurrent(), current.readRemote(0), counter.readCurrent()]).toEqual(['vcpu', undefined, 5n]);
      expect(current.updateCurrent((v) => `${v}!`)).toBe('vcpu!');
      current.writeRemote(0, 'other');
      machine.cpu = 0;
      expect(current.readCurrent()).toBe('other');
      current.resetToInit();
      counter.resetToInit();
      expect([current.readCurrent(), current.readRemote(2), counter.readCurrent()]).toEqual([undefined, 'vcpu!', 5n]);
      expect(() => counter.readRemote(4)).toThrow(error('InvalidInput'));
      expect(() => counter.writeCurrent(-1n)).toThrow(error('InvalidInput'));
      expect(() => perCpuU64('counter', 0n)).toThrow(error('AlreadyExists'));
    });
  });

  test('can leave initialisation to the embedder; until then access is an error', () => {
    const machine = createMachine(2);
    let areas: PerCpuAreas | undefined;
    const explicit = createComponent({ onCreate: (a) => { areas = a; } });
    withLinked([axerrno, machine.component, explicit], () => {
      const counter = perCpuU64('counter', 5n);
      expect(() => counter.readCurrent()).toThrow(error('BadState'));
      expect(areas?.initInPlace()).toBe(2);
      expect(counter.readCurrent()).toBe(5n);
      areas?.[Symbol.dispose]();
      expect(() => counter.readCurrent()).toThrow(error('BadState'));
    });
  });

  test('works on the real host, and gives its frames back', () => {
    let areas: PerCpuAreas | undefined;
    const onHost = createComponent({ init: 'first-use', onCreate: (a) => { areas = a; } });
    withLinked([axerrno, createHost({ memory: 1 << 24, cpus: 3, cpu: 1 }), onHost], () => {
      const { free } = frameCounts();
      const counter = perCpuU64('counter', 5n);
      expect(counter.updateCurrent((n) => n * 2n)).toBe(10n);
      expect([0, 1, 2].map((cpu) => counter.readRemote(cpu))).toEqual([5n, 10n, 5n]);
      expect(areas?.areaBase(1)).toBe((areas?.areaBase(0) ?? 0n) + 4096n);
      expect(frameCounts().free).toBe(free - 3);
      areas?.[Symbol.dispose]();
      expect(frameCounts().free).toBe(free);
      expect(() => counter.readCurrent()).toThrow(error('BadState'));
    });
  });

  test('each linking has its own variables', () => {
    const machine = createMachine();
    const read = (): bigint => withLinked([axerrno, machine.component, component], () => perCpuU64('x', 1n).updateCurrent((n) => n + 1n));
    expect([read(), read()]).toEqual([2n, 2n]);
  });

  test('updateCurrent holds the guard, and stays with the CPU it began on', () => {
    const machine = createMachine();
    const areas = new PerCpuAreas();
    withLinked([axerrno, machine.component], () => {
      const v = areas.define('v', u32, 1);
      const o = areas.defineObject('o', () => 1);
      areas.initInPlace();
      for (const variable of [v, o]) {
        machine.cpu = 0;
        variable.updateCurrent((n) => {
          expect(areas.preemption.depth).toBe(1);
          machine.cpu = 1;
          return n + 1;
        });
        expect([variable.readRemote(0), variable.readRemote(1)]).toEqual([2, 1]);
      }
      expect(v.withCurrent((ref) => (ref.value += 5))).toBe(6);
      expect(areas.preemption.enabled).toBe(true);
    });
  });
});

describe('threads', () => {
  const share = (machine = createMachine()): { machine: typeof machine; areas: PerCpuAreas; info: PerCpuShare } => {
    const areas = new PerCpuAreas();
    const info = withLinked([axerrno, machine.component], () => {
      areas.define('hits', u64, 0n);
      areas.define('owner', usize, 7n);
      areas.initInPlace();
      return areas.share();
    });
    return { machine, areas, info };
  };

  test('attach in any order of definition, by name and type', () => {
    const { machine, areas, info } = share();
    const other = new PerCpuAreas();
    withLinked([axerrno, createMachine(4, machine.buffer).component], () => {
      const owner = other.define('owner', usize, 0n);
      other.attach(structuredClone(info));
      const hits = other.define('hits', u64, 5n);
      expect([owner.readRemote(1), hits.readRemote(1)]).toEqual([7n, 0n]);
      hits.writeRemote(1, 3n);
      expect(() => other.define('new', u32, 0)).toThrow("the shared per-CPU areas have no variable 'new'");
      expect(() => other.attach(info)).toThrow(error('BadState'));
      expect(() => other.initInPlace()).toThrow(error('BadState'));
      const object = other.defineObject('object', () => 1);
      expect(object.readRemote(0)).toBe(1);
      expect(() => object.readRemote(1)).toThrow(error('Unsupported'));
    });
    withLinked([axerrno, machine.component], () => {
      expect(areas.inspect(1)).toEqual({ hits: 3n, owner: 7n });
      expect(() => areas.define('late', u32, 0)).toThrow(error('InvalidInput'));
      expect(() => areas.initInPlace()).toThrow(error('BadState'));
    });
  });

  test('attach only to what is there', () => {
    const { machine, info } = share();
    withLinked([axerrno, machine.component], () => {
      expect(() => new PerCpuAreas().attach({ ...info, base: info.base + 64n })).toThrow(error('InvalidInput'));
      expect(() => new PerCpuAreas().attach({ ...info, base: 1n << 40n })).toThrow(error('InvalidInput'));
      const wrongType = new PerCpuAreas();
      wrongType.define('hits', u32, 0);
      expect(() => wrongType.attach(info)).toThrow("'hits' is u32 here and u64 in the shared per-CPU areas");
      const unknown = new PerCpuAreas();
      unknown.define('unknown', u32, 0);
      expect(() => unknown.attach(info)).toThrow(error('InvalidInput'));
    });
  });

  test('run in parallel on the same areas', async () => {
    const { machine, areas, info } = share();
    const rounds = 2000;
    const workers = [1, 2, 3].map(
      (cpu) =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: { cpu, buffer: machine.buffer, info, rounds } });
          worker.on('error', reject).on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
        }),
    );
    await Promise.all(workers);
    withLinked([axerrno, machine.component], () => {
      // Each wrote its own; all added to CPU 0's by compare-and-exchange.
      expect([1, 2, 3].map((cpu) => areas.inspect(cpu))).toEqual([1, 2, 3].map((cpu) => ({ hits: BigInt(rounds), owner: BigInt(100 + cpu) })));
      expect(areas.inspect(0)).toEqual({ hits: BigInt(3 * rounds), owner: 7n });
    });
  });
});
