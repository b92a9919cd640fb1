import { createAddrSpace, type AddrSpace, type GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import { allocContiguousFrames, deallocContiguousFrames, physMemory } from '@axvisor/axvisor_api/memory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { guestMemoryAccessor } from '../src/index.ts';
import { gpa, hpa, kindOf, linked, R, RW, RWX, told, usedFrames, VARIANTS, withFrames } from './fixture.ts';

/** One linear region of `size` bytes from guest address `base`, at host address `at`. */
const region = (base: bigint, size: bigint, at: bigint): GuestMemoryAccessor =>
  guestMemoryAccessor((a) => (a >= base && a < base + size ? { hpa: hpa(at + a - base), limit: base + size - a } : undefined));

describe('an accessor over any translation', () => {
  test('values and buffers', () =>
    linked(() => {
      const memory = region(0n, 0x1_0000n, 0x2_0000n);
      memory.writeValue(gpa(0x100n), 4, 0x1234_5678n);
      expect([memory.readValue(gpa(0x100n), 4), physMemory().words[0x2_0100 / 4]]).toEqual([0x1234_5678n, 0x1234_5678]);
      const data = Uint8Array.of(0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88);
      memory.writeBuffer(gpa(0x200n), data);
      const into = new Uint8Array(8);
      memory.readBuffer(gpa(0x200n), into);
      expect([...into]).toEqual([...data]);
      expect(memory.readValue(gpa(0x200n), 8)).toBe(0x8877_6655_4433_2211n);
      for (const f of [
        () => memory.readValue(gpa(0x1_1000n), 4), () => memory.writeValue(gpa(0x1_1000n), 4, 0n), () => memory.readBuffer(gpa(0x1_1000n), into),
        () => memory.writeBuffer(gpa(0xffffn), data), () => memory.readValue(gpa(1n << 63n), 1), () => memory.readValue(gpa(-1n), 1),
      ])
        expect(kindOf(f)).toBe('BadAddress');
    }));

  test('two guests stay apart', () =>
    linked(() => {
      const one = region(0n, 0x8000n, 0x10_0000n);
      const two = region(0x8000n, 0x1_0000n, 0x20_0000n);
      one.writeValue(gpa(0x100n), 8, 0xdead_beef_cafe_baben);
      two.writeValue(gpa(0x8100n), 8, 0x1234_5678_90ab_cdefn);
      one.writeBuffer(gpa(0x200n), new Uint8Array(16).fill(0xaa));
      two.writeBuffer(gpa(0x8200n), new Uint8Array(16).fill(0x55));
      expect([one.readValue(gpa(0x100n), 8), two.readValue(gpa(0x8100n), 8)]).toEqual([0xdead_beef_cafe_baben, 0x1234_5678_90ab_cdefn]);
      expect([one.readValue(gpa(0x208n), 8), two.readValue(gpa(0x8208n), 8)]).toEqual([0xaaaa_aaaa_aaaa_aaaan, 0x5555_5555_5555_5555n]);
      expect(kindOf(() => one.readValue(gpa(0x8100n), 8))).toBe('BadAddress');
    }));

  test('16 bytes across a page border, single bytes, nothing at all', () =>
    linked(() => {
      const memory = region(0n, 0x1_0000n, 0x2_0000n);
      const data = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
      memory.writeBuffer(gpa(0xff8n), data);
      expect(data.map((_, i) => Number(memory.readValue(gpa(0xff8n + BigInt(i)), 1)))).toEqual(data);
      memory.writeBuffer(gpa(0x1000n), Uint8Array.of(0xab, 0xcd, 0xef, 0x12));
      expect(memory.readValue(gpa(0x1000n), 4)).toBe(0x12ef_cdabn);
      memory.writeValue(gpa(0x3000n), 1, 0x42n);
      expect(memory.readValue(gpa(0x3000n), 1)).toBe(0x42n);
      told.written = [];
      memory.readBuffer(gpa(1n << 40n), new Uint8Array(0));
      memory.writeBuffer(gpa(1n << 40n), new Uint8Array(0));
      expect(told.written).toEqual([]);
    }));

  test('a translation of limit 0, or beyond physical memory, is no translation', () =>
    linked(() => {
      const zero = guestMemoryAccessor(() => ({ hpa: hpa(0x1000n), limit: 0n }));
      expect(kindOf(() => zero.readBuffer(gpa(0n), new Uint8Array(1)))).toBe('BadAddress');
      const end = BigInt(physMemory().bytes.length);
      const beyond = guestMemoryAccessor((a) => ({ hpa: hpa(end - 4n + a), limit: 8n }));
      expect(kindOf(() => beyond.readBuffer(gpa(0n), new Uint8Array(8)))).toBe('BadAddress');
      expect(beyond.readValue(gpa(0n), 4)).toBe(0n);
    }));
});

describe('the accessor of a space', () => {
  test('validates the whole range, then copies', () =>
    linked(() => {
      using space = createAddrSpace({ format: 'sv39x4', vmid: 1 });
      space.mapAlloc(gpa(0x1000n), 0x1000n, RW);
      space.mapAlloc(gpa(0x2000n), 0x1000n, R);
      space.mapAlloc(gpa(0x4000n), 0x1000n, RW);
      space.writeBuffer(gpa(0x1000n), new Uint8Array(0x1000).fill(1));
      told.written = [];
      expect(kindOf(() => space.writeBuffer(gpa(0x1800n), new Uint8Array(0x1000)))).toBe('BadAddress');
      expect(kindOf(() => space.writeValue(gpa(0x1ffcn), 8, 0n))).toBe('BadAddress');
      expect([space.readValue(gpa(0x1ffcn), 4), told.written]).toEqual([0x0101_0101n, []]);
      const into = new Uint8Array(0x1800).fill(7);
      expect(kindOf(() => space.readBuffer(gpa(0x1900n), into))).toBe('BadAddress');
      expect(into.every((b) => b === 7)).toBe(true);
      expect(kindOf(() => space.readValue(gpa(0x2ffdn), 4))).toBe('BadAddress');
      space.readBuffer(gpa(0x1800n), into);
      expect([into[0x7ff], into[0x800]]).toEqual([1, 0]);
    }));

  test('tells the processor what the host wrote, piece by piece', () =>
    linked(() => {
      using space = createAddrSpace({ format: 'sv39x4', vmid: 1 });
      space.mapLinear(gpa(0x1000n), hpa(0x8_0000n), 0x1000n, RWX);
      space.mapLinear(gpa(0x2000n), hpa(0x4_0000n), 0x1000n, RWX);
      space.writeBuffer(gpa(0x1ff0n), new Uint8Array(0x20));
      space.writeValue(gpa(0x1ffen), 4, 0x0403_0201n);
      space.writeValue(gpa(0x2008n), 2, 0xffff_ffffn);
      expect(told.written).toEqual([
        { address: 0x8_0ff0n, size: 0x10 }, { address: 0x4_0000n, size: 0x10 }, { address: 0x8_0ffen, size: 2 }, { address: 0x4_0000n, size: 2 }, { address: 0x4_0008n, size: 2 },
      ]);
      expect([space.readValue(gpa(0x1ffen), 4), space.readValue(gpa(0x2008n), 4)]).toEqual([0x0403_0201n, 0xffffn]);
      expect(kindOf(() => space.readValue(gpa(0x1000n), 3 as 4))).toBe('InvalidInput');
      expect(kindOf(() => space.writeValue(gpa(0x1000n), 16 as 8, 0n))).toBe('InvalidInput');
    }));

  test('without a frame for lazy memory nothing is transferred', () =>
    linked(() => {
      using space = createAddrSpace({ format: 'sv39x4', vmid: 1 });
      space.mapAlloc(gpa(0x1000n), 0x3000n, RW);
      space.writeValue(gpa(0x1000n), 1, 5n);
      withFrames(1, () => expect(kindOf(() => space.writeBuffer(gpa(0x1000n), new Uint8Array(0x3000)))).toBe('NoMemory'));
      expect(space.readValue(gpa(0x1000n), 1)).toBe(5n);
    }));

  const SPACE = 0x2_0000;
  const operation = fc.record({
    op: fc.constantFrom('read' as const, 'write' as const, 'get' as const, 'set' as const, 'buffer' as const),
    at: fc.oneof(fc.integer({ min: -16, max: SPACE + 16 }), fc.tuple(fc.integer({ min: 0, max: 32 }), fc.integer({ min: -9, max: 9 })).map(([p, d]) => p * 0x1000 + d)),
    length: fc.oneof(fc.integer({ min: 0, max: 80 }), fc.integer({ min: 0, max: 0x3000 })),
    size: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
    value: fc.bigInt(0n, (1n << 64n) - 1n),
  });
  /** What each of the 32 pages is. */
  const pages = fc.array(fc.constantFrom('hole', 'lazy', 'eager', 'linear', 'read only'), { minLength: 32, maxLength: 32 });

  test('against a flat model, in every format', () => {
    fc.assert(
      fc.property(fc.constantFrom(...VARIANTS), pages, fc.array(operation, { maxLength: 60 }), (variant, kinds, operations) =>
        linked(() => {
          const base = 0x1f_0000;
          const host = Number(allocContiguousFrames(32));
          {
            using space: AddrSpace = createAddrSpace({ vmid: 1, ...variant });
            const model = new Uint8Array(SPACE);
            physMemory().bytes.fill(0, host, host + SPACE);
            kinds.forEach((kind, p) => {
              const at = gpa(BigInt(base + p * 0x1000));
              // Linear pages lie in reverse, so that neighbours are apart in host memory.
              if (kind === 'linear') space.mapLinear(at, hpa(BigInt(host + (31 - p) * 0x1000)), 0x1000n, RW);
              else if (kind !== 'hole') space.mapAlloc(at, 0x1000n, kind === 'read only' ? R : RW, { populate: kind === 'eager' });
            });
            const permitted = (at: number, n: number, write: boolean): boolean => {
              for (let p = Math.floor(at / 0x1000); p * 0x1000 < at + n; p++) {
                const kind = kinds[p] ?? 'hole';
                if (kind === 'hole' || (write && kind === 'read only')) return false;
              }
              return true;
            };
            for (const { op, at, length, size, value } of operations) {
              const a = gpa(BigInt(base + at));
              const n = op === 'read' || op === 'write' || op === 'buffer' ? length : size;
              const write = op === 'write' || op === 'set';
              const ok = n === 0 || permitted(at, n, write);
              const expected = ok ? undefined : 'BadAddress';
              if (op === 'read') {
                const into = new Uint8Array(n).fill(0x99);
                expect(kindOf(() => space.readBuffer(a, into))).toBe(expected);
                if (ok) expect(Buffer.compare(into, model.subarray(at, at + n))).toBe(0);
                else expect(into.every((b) => b === 0x99)).toBe(true);
              } else if (op === 'write') {
                const from = Uint8Array.from({ length: n }, (_, i) => Number(value & 0xffn) + i);
                expect(kindOf(() => space.writeBuffer(a, from))).toBe(expected);
                // Nothing at all may be written anywhere.
                if (ok && n > 0) model.set(from, at);
              } else if (op === 'get') {
                let got: bigint | undefined;
                expect(kindOf(() => (got = space.readValue(a, size)))).toBe(expected);
                if (ok) expect(got).toBe(BigInt(`0x${Buffer.from(model.subarray(at, at + n)).reverse().toString('hex')}`));
              } else if (op === 'set') {
                expect(kindOf(() => space.writeValue(a, size, value))).toBe(expected);
                if (ok) for (let i = 0; i < n; i++) model[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
              } else {
                const views = space.translatedByteBuffer(a, n);
                expect(views !== undefined).toBe(ok);
                if (views !== undefined) expect(Buffer.compare(Buffer.concat(views), model.subarray(at, at + n))).toBe(0);
              }
            }
            for (let p = 0; p < 32; p++)
              if (kinds[p] !== 'hole') {
                const into = new Uint8Array(0x1000);
                space.readBuffer(gpa(BigInt(base + p * 0x1000)), into);
                expect(Buffer.compare(into, model.subarray(p * 0x1000, (p + 1) * 0x1000))).toBe(0);
              }
          }
          expect(usedFrames()).toBe(32);
          deallocContiguousFrames(hpa(BigInt(host)), 32);
        }),
      ),
      { numRuns: 120 },
    );
  });
});
