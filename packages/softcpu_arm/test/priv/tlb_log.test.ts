import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TlbRequest } from '../../src/priv/interface.ts';
import { TlbLog } from '../../src/tlb_log.ts';

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const pair = fc.record({ lo: word, hi: word });
const request: fc.Arbitrary<TlbRequest> = fc.oneof(
  fc.record({ stage2: fc.boolean(), va: fc.constant(undefined), machine: pair }),
  fc.record({ stage2: fc.constant(false), va: pair, machine: pair }),
  fc.record({ stage2: fc.constant(false), va: fc.constant(undefined), asid: fc.nat(0xffff), machine: pair }),
);

test('every processing element reads what the others have appended, once and in order, or that it was too much', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof({ weight: 9, arbitrary: fc.record({ by: fc.nat(3), request, times: fc.oneof(fc.constant(1), fc.nat(140)) }) }, { weight: 4, arbitrary: fc.record({ reader: fc.nat(3) }) }), { maxLength: 60 }), (steps) => {
      const shared = new ArrayBuffer(TlbLog.bytes + 64);
      const logs = [0, 1, 2, 3].map((self) => new TlbLog(shared, 64, self));
      const expected = logs.map((): TlbRequest[] => []);
      const appended = logs.map(() => 0);
      for (const step of steps) {
        if ('reader' in step) {
          const read = (logs[step.reader] as TlbLog).read();
          if ((appended[step.reader] as number) > 128) expect(read).toBe(undefined);
          else expect(read?.map(({ stage2, va, asid, machine }) => ({ stage2, va, asid, machine }))).toEqual((expected[step.reader] as TlbRequest[]).map(({ stage2, va, asid, machine }) => ({ stage2, va, asid, machine })));
          expected[step.reader] = [];
          appended[step.reader] = 0;
          continue;
        }
        for (let i = 0; i < step.times; i++) {
          (logs[step.by] as TlbLog).append(step.request);
          logs.forEach((_, other) => {
            appended[other] = (appended[other] as number) + 1;
            if (other !== step.by) (expected[other] as TlbRequest[]).push(step.request);
          });
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('an entry that was begun and never ended is taken for anything', () => {
  const shared = new ArrayBuffer(TlbLog.bytes);
  const [one, other] = [new TlbLog(shared, 0, 0), new TlbLog(shared, 0, 1)];
  one.append({ stage2: false, va: undefined });
  Atomics.add(new Int32Array(shared), 0, 1);
  expect(other.read()).toBe(undefined);
  one.append({ stage2: true, va: undefined });
  expect(other.read()).toMatchObject([{ stage2: true, va: undefined }]);
});
