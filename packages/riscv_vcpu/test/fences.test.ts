/** Fences that other threads ask of a vCPU. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Control, VCpuContext } from '../src/context.ts';
import { executeRequests, requestFence, type Fence } from '../src/fences.ts';
import { FakeMachine } from './support/fake.ts';

/** What a vCPU executes that was asked for `fences`. */
function executed(fences: readonly Fence[], before: (context: VCpuContext) => void = () => {}): string[] {
  const machine = new FakeMachine();
  let log: string[] = [];
  machine.run(() => {
    using context = new VCpuContext();
    for (const fence of fences) requestFence(context, fence);
    before(context);
    executeRequests(context);
    log = machine.takeLog().filter((line) => line.includes('fence'));
    executeRequests(context);
    expect(machine.takeLog()).toEqual([]);
  });
  return log;
}

const pages = (start: bigint, size: bigint, asid?: number): Fence => ({ kind: 'vma', range: { start, size }, ...(asid === undefined ? {} : { asid }) });

describe('requests', () => {
  test('keep their ranges and address spaces', () => {
    expect(executed([pages(0x4000n, 0x2000n, 7), pages(0xffff_ffff_ffff_f000n, 0x1000n), pages(0x8000n, 1n, 0)])).toEqual([
      'hfence.vvma 0x4000 7', 'hfence.vvma 0x5000 7', 'hfence.vvma 0xfffffffffffff000 all', 'hfence.vvma 0x8000 0',
    ]);
  });

  test('that are too many or too large become one for everything', () => {
    const five = Array.from({ length: 5 }, (_, i) => pages(BigInt(i) * 0x1000n, 0x1000n));
    expect(executed(five)).toContain('hfence.vvma all all');
    expect(executed([pages(0n, 65n * 0x1000n)])).toEqual(['hfence.vvma all all']);
    expect(executed([{ kind: 'vma' }])).toEqual(['hfence.vvma all all']);
  });

  test('do not wait for one another', () => {
    const hold = (context: VCpuContext): void => void Atomics.store(context.control, Control.rangesHeld, 1);
    expect(executed([pages(0x4000n, 0x1000n)], hold)).toEqual(['hfence.vvma all all']);
    const machine = new FakeMachine();
    machine.run(() => {
      using context = new VCpuContext();
      hold(context);
      requestFence(context, pages(0x4000n, 0x1000n));
      Atomics.store(context.control, Control.rangesHeld, 0);
      executeRequests(context);
      expect(machine.takeLog().filter((line) => line.includes('fence'))).toEqual(['hfence.vvma all all']);
    });
  });

  test('whatever they are, cover what was asked for', () => {
    const fence = fc.record({ start: fc.integer({ min: 0, max: 40 }), size: fc.integer({ min: 1, max: 30 }), asid: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(fence, { maxLength: 8 }), (fences) => {
        const done = new Set(executed(fences.map(({ start, size, asid }) => pages(BigInt(start) * 0x800n, BigInt(size) * 0x800n, asid))));
        if (done.has('hfence.vvma all all')) return;
        for (const { start, size, asid } of fences)
          for (let page = (start * 0x800) & ~0xfff; page < (start + size) * 0x800; page += 0x1000) expect(done).toContain(`hfence.vvma 0x${page.toString(16)} ${asid ?? 'all'}`);
      }),
      { numRuns: 60 },
    );
  });
});
