/** The virtio entropy device (virtio 1.2, 5.4). */
import type { DeviceContext, DeviceSpec } from '@axvisor/axvisor_api/device';
import { randomBytes } from '@axvisor/axvisor_api/entropy';
import { currentTicks, isVirtualClock } from '@axvisor/axvisor_api/time';
import type { Model } from '../models/model.ts';
import { DeviceId } from './constants.ts';
import type { VirtioDevice } from './device.ts';
import type { VirtQueue } from './queue.ts';
import { SegmentStream } from './stream.ts';
import { TRANSPORT_OPTION, virtio } from './transport.ts';

/** What one request gets at most; drivers ask for less. */
const MAX_BYTES = 0x1000;

/** Under a virtual clock runs are reproducible, so bytes come from a generator (splitmix64) whose seed is virtual time. */
function reproducible(into: Uint8Array): void {
  let state = currentTicks();
  for (let i = 0; i < into.length; i += 8) {
    state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    z ^= z >> 31n;
    for (let j = i; j < Math.min(i + 8, into.length); j++, z >>= 8n) into[j] = Number(z & 0xffn);
  }
}

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
        if (isVirtualClock()) reproducible(bytes);
        else randomBytes(bytes);
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
