/** The local APIC of a processor on a thread of its own, and the controller that resets it from another. */
import { ApicPin, type LocalApic } from '@axvisor/axvisor_api/intc';
import { expect, test } from 'vitest';
import { APIC_WORDS, Word } from '../src/apic_words.ts';
import { attachApics } from '../src/attached.ts';
import { Bench } from './support.ts';

test('what a timer requests while the controller is reset is forgotten before the processor starts', () => {
  const state = new Int32Array(new SharedArrayBuffer(4 * APIC_WORDS));
  const b = new Bench(1, {}, undefined, state);
  const pins = new Set<number>();
  const here = b.run(() =>
    attachApics(state, {
      vcpuCount: 1, cpuIds: [0n], currentVcpu: () => 0,
      isHere: () => true,
      setVcpuInterrupt: (_, pin, level) => void (level ? pins.add(pin) : pins.delete(pin)),
      controller: () => {
        throw new Error('nobody asks the controller');
      },
    }),
  );
  const apic = here.localApic?.(0) as LocalApic;
  b.run(() => {
    apic.write(0xf0, 4, 0x1ffn);
    apic.write(0x320, 4, 0x40n);
    apic.write(0x380, 4, 1000n);
  });
  const entry = state[Word.lvt] as number;
  b.run(() => b.controller.reset());
  // The thread of the processor had looked at the timer's entry before.
  state[Word.lvt] = entry;
  state[Word.svr] = 0x1ff;
  b.advance(1_000_000n);
  expect([apic.highestRequest(), pins]).toEqual([0x40, new Set([ApicPin.intr])]);
  b.run(() => here.forget?.(0));
  expect([b.run(() => apic.highestRequest()), pins]).toEqual([undefined, new Set()]);
});
