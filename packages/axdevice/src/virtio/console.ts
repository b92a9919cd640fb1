/** The virtio console (virtio 1.2, 5.3) with one port, connected to the console of the VM. */
import type { ConsolePort, DeviceContext, DeviceSpec } from '@axvisor/axvisor_api/device';
import type { Model } from '../models/model.ts';
import { DeviceId } from './constants.ts';
import type { VirtioDevice, VirtioPort } from './device.ts';
import type { VirtQueue } from './queue.ts';
import { SegmentStream } from './stream.ts';
import { TRANSPORT_OPTION, virtio } from './transport.ts';

const QUEUE_RECEIVE = 0;
const QUEUE_TRANSMIT = 1;
const CHUNK = 0x1000;

class VirtioConsole implements VirtioDevice {
  readonly deviceId = DeviceId.console;
  readonly queueCount = 2;
  readonly features = 0n;
  readonly config = new Uint8Array(12);
  readonly #memory: DeviceContext['memory'];
  readonly #console: ConsolePort;

  constructor({ memory, console }: DeviceContext, port: VirtioPort) {
    this.#memory = memory;
    this.#console = console;
    console.onInput(() => port.schedule(QUEUE_RECEIVE));
  }

  reset(): void {
    // What was typed waits in the console.
  }

  serve(index: number, queue: VirtQueue): void {
    if (index === QUEUE_TRANSMIT) this.#transmit(queue);
    else if (index === QUEUE_RECEIVE) this.#receive(queue);
  }

  #transmit(queue: VirtQueue): void {
    do {
      for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
        const out = new SegmentStream(this.#memory, chain.readable);
        while (out.remaining > 0) {
          const bytes = new Uint8Array(Math.min(out.remaining, CHUNK));
          out.read(bytes);
          this.#console.write(bytes);
        }
        queue.push(chain.head, 0);
      }
    } while (queue.rearm());
  }

  /** Takes a buffer only when there is something to put in it. */
  #receive(queue: VirtQueue): void {
    for (let typed = this.#pending(); typed.length > 0; typed = this.#pending()) {
      const chain = queue.pop();
      if (chain === undefined) {
        this.#held = typed;
        queue.rearm();
        return;
      }
      const into = new SegmentStream(this.#memory, chain.writable);
      const fits = Math.min(into.remaining, typed.length);
      into.write(typed.subarray(0, fits));
      queue.push(chain.head, fits);
      this.#held = typed.subarray(fits);
    }
    queue.rearm();
  }

  /** Typed bytes for which the driver had no buffer yet. */
  #held: Uint8Array = new Uint8Array(0);

  #pending(): Uint8Array {
    const held = this.#held;
    this.#held = new Uint8Array(0);
    return held.length > 0 ? held : this.#console.read(CHUNK);
  }
}

export const virtioConsole: Model = {
  model: 'virtio-console',
  summary: 'virtio console, connected to the console of the VM',
  size: 0x1000n,
  options: [TRANSPORT_OPTION],
  create: (spec: DeviceSpec, context: DeviceContext) => virtio(spec, context, (port) => new VirtioConsole(context, port)),
};
