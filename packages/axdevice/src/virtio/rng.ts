/** The virtio entropy device (virtio 1.2, 5.4). */
import type { DeviceContext, DeviceSpec } from '@axvisor/axvisor_api/device';
import { guestRandomBytes } from '@axvisor/axvisor_api/entropy';
import type { Model } from '../models/model.ts';
import { DeviceId } from './constants.ts';
import type { VirtioDevice } from './device.ts';
import type { VirtQueue } from './queue.ts';
import { SegmentStream } from './stream.ts';
import { TRANSPORT_OPTION, virtio } from './transport.ts';

/** What one request gets at most; drivers ask for less. */
const MAX_BYTES = 0x1000;

class VirtioRng implements VirtioDevice {
  readonly deviceId = DeviceId.entropy;
  readonly queueCount = 1;
  readonly features = 0n;
  readonly config = new Uint8Array(0);
  readonly #memory: DeviceContext['memory'];

  constructor(memory: DeviceContext['memory']) {
    this.#memory = memory;
  }

  reset(): void {
    // It has no state.
  }

  serve(_index: number, queue: VirtQueue): void {
    do {
      for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
        const into = new SegmentStream(this.#memory, chain.writable);
        const bytes = new Uint8Array(Math.min(into.remaining, MAX_BYTES));
        guestRandomBytes(bytes);
        into.write(bytes);
        queue.push(chain.head, bytes.length);
      }
    } while (queue.rearm());
  }
}

export const virtioRng: Model = {
  model: 'virtio-rng',
  summary: 'virtio entropy source',
  size: 0x1000n,
  options: [TRANSPORT_OPTION],
  create: (spec: DeviceSpec, context: DeviceContext) => virtio(spec, context, () => new VirtioRng(context.memory)),
};
