/** Messages through shared memory: all of them arrive, in order and whole, however they were cut to fit. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PipeReader, PipeWriter, pipeWords } from '../../src/translate/pipe.ts';

const RING = 16;
const lengths = fc.array(fc.integer({ min: 0, max: 3 * RING }), { maxLength: 20 });
/** Whether the writer or the reader is next. */
const turns = fc.array(fc.constantFrom('write', 'flush', 'read'), { maxLength: 200 });

test('messages of any length come through a short ring, whoever is next', () => {
  fc.assert(
    fc.property(lengths, turns, fc.integer(), (sizes, order, start) => {
      const words = new Int32Array(pipeWords(RING));
      let freed = 0;
      const writer = new PipeWriter(words);
      const reader = new PipeReader(words, () => freed++);
      const messages = sizes.map((size, i) => Int32Array.from({ length: size }, (_, j) => (start + 1000 * i + j) | 0));
      const waiting = [...messages];
      const received: Int32Array[] = [];
      const read = (): void => {
        const message = reader.read();
        if (message !== undefined) received.push(message);
      };
      for (const turn of order) {
        if (turn === 'read') read();
        else if (turn === 'flush') writer.flush();
        else if (waiting.length > 0) writer.write(waiting.shift() as Int32Array);
      }
      for (const message of waiting) writer.write(message);
      // Each round moves something until all of it has arrived.
      for (let rounds = 0; received.length < messages.length; rounds++) {
        if (rounds > 1000) throw new Error('it does not arrive');
        read();
        writer.flush();
      }
      expect(received).toEqual(messages);
      expect(reader.read()).toBeUndefined();
      expect(writer.flush()).toBe(false);
      expect(freed > 0).toBe(messages.length > 0);
    }),
  );
});

test('the ring is used over and over', () => {
  const words = new Int32Array(pipeWords(RING));
  const writer = new PipeWriter(words);
  const reader = new PipeReader(words);
  for (let i = 0; i < 1000; i++) {
    writer.write(Int32Array.of(i, -i));
    expect(reader.read()).toEqual(Int32Array.of(i, -i));
  }
});
