/** A device with everything it needs: flat guest memory, a recorded wire, a console. */
import { component as memoryAddr } from '@axvisor/memory_addr';
import { apiImpl, component, resolve, type Image } from '@axvisor/axvisor_api';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import { axError } from '@axvisor/axvisor_api/errors';
import { createDevice, type Device, type DeviceContext, type DeviceSpec } from '@axvisor/axvisor_api/device';
import { time, type Time } from '@axvisor/axvisor_api/time';
import { component as axdevice } from '../src/index.ts';

export const RAM_BASE = 0x8000_0000n;
export const RAM_SIZE = 0x1_0000;

/** Guest memory of 64 KiB at RAM_BASE. */
export function flatMemory(): { readonly bytes: Uint8Array; readonly memory: GuestMemoryAccessor } {
  const bytes = new Uint8Array(RAM_SIZE);
  const view = new DataView(bytes.buffer);
  const at = (gpa: bigint, length: number): number => {
    const offset = gpa - RAM_BASE;
    if (offset < 0n || offset + BigInt(length) > BigInt(RAM_SIZE)) throw axError('BadAddress', `0x${gpa.toString(16)}`);
    return Number(offset);
  };
  return {
    bytes,
    memory: {
      readBuffer: (gpa, into) => into.set(bytes.subarray(at(gpa, into.length), at(gpa, into.length) + into.length)),
      writeBuffer: (gpa, from) => bytes.set(from, at(gpa, from.length)),
      readValue: (gpa, size) => {
        const offset = at(gpa, size);
        let value = 0n;
        for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[offset + i] as number);
        return value;
      },
      writeValue: (gpa, size, value) => {
        const offset = at(gpa, size);
        for (let i = 0; i < size; i++) view.setUint8(offset + i, Number((value >> BigInt(8 * i)) & 0xffn));
      },
    },
  };
}

/** A clock that tests set. 1 tick is 1 ns. */
export class FakeTime {
  now = 0n;
  wall = 1_700_000_000_000_000_000n;
  timers = new Map<number, { deadline: bigint; callback: (now: bigint) => void }>();
  #next = 1;

  readonly api: Time = {
    isVirtualClock: () => true,
    tickFrequency: () => 1_000_000_000n,
    currentTicks: () => this.now,
    ticksToNanos: (t) => t,
    nanosToTicks: (n) => n,
    wallClock: () => this.wall + this.now,
    registerTimer: (deadline, callback) => {
      this.timers.set(this.#next, { deadline, callback });
      return this.#next++ as never;
    },
    cancelTimer: (token) => void this.timers.delete(token),
    nextDeadline: () => undefined,
    expireTimers: () => {
      const due = [...this.timers].filter(([, t]) => t.deadline <= this.now);
      for (const [token, t] of due) {
        this.timers.delete(token);
        t.callback(this.now);
      }
      return due.length;
    },
    accountInstructions: () => {},
    instructionsUntil: () => 0,
    skipTo: (deadline) => void (this.now = deadline),
  };
}

export interface Bench {
  readonly device: Device;
  readonly image: Image;
  readonly time: FakeTime;
  readonly bytes: Uint8Array;
  readonly memory: GuestMemoryAccessor;
  /** What the guest printed. */
  readonly printed: number[];
  readonly power: { action: string; code: number }[];
  /** The interrupt wire. */
  irq: boolean;
  type(text: string): void;
  pressPowerButton(): void;
  /** Does deferred work. */
  settle(): void;
  read(offset: number, width?: 1 | 2 | 4 | 8): number;
  write(offset: number, value: number, width?: 1 | 2 | 4 | 8): void;
}

/** Makes the device `spec` on a bench. */
export function bench(spec: Partial<DeviceSpec> & { readonly model: string }, width: 1 | 4 = 4): Bench {
  const fake = new FakeTime();
  const { bytes, memory } = flatMemory();
  const image = resolve([axdevice, memoryAddr, component({ name: 'fake-time', provides: () => [apiImpl(time, fake.api)] })]);
  const deferred: (() => void)[] = [];
  const listeners: (() => void)[] = [];
  const buttons: ((pressed: boolean) => void)[] = [];
  let typed: number[] = [];
  const printed: number[] = [];
  const power: { action: string; code: number }[] = [];
  const context: DeviceContext = {
    vmId: 1,
    memory,
    irq: { irq: 1, set: (level) => void (b.irq = level) },
    console: {
      write: (out) => void printed.push(...out),
      read: (max) => Uint8Array.from(typed.splice(0, max)),
      onInput: (listener) => void listeners.push(listener),
    },
    requestPower: (action, code) => void power.push({ action, code }),
    defer: (work) => void deferred.push(work),
    onPowerButton: (listener) => void buttons.push(listener),
  };
  const b: Bench = {
    device: undefined as unknown as Device,
    image, time: fake, bytes, memory, printed, power,
    irq: false,
    type: (text) => {
      typed = [...typed, ...new TextEncoder().encode(text)];
      for (const l of listeners) image.run(() => void l());
    },
    pressPowerButton: () => [true, false].forEach((pressed) => buttons.forEach((press) => press(pressed))),
    settle: () => {
      while (deferred.length > 0) image.run(() => void deferred.shift()?.());
    },
    read: (offset, w = width) => Number(image.run(() => b.device.read(offset, w, 0))),
    write: (offset, value, w = width) => image.run(() => void b.device.write(offset, w, BigInt(value >>> 0), 0)),
  };
  (b as { device: Device }).device = image.run(() => createDevice({ base: 0x1000_0000n, irq: 1, ...spec }, context));
  return b;
}
