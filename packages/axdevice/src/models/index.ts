/** The table of device models. */
import { virtioBlk } from '../virtio/blk.ts';
import { virtioConsole } from '../virtio/console.ts';
import { virtioRng } from '../virtio/rng.ts';
import type { Model } from './model.ts';
import { goldfishRtc } from './goldfish_rtc.ts';
import { ns16550a } from './ns16550a.ts';
import { sifiveTest } from './sifive_test.ts';

export const MODELS: readonly Model[] = [ns16550a, goldfishRtc, sifiveTest, virtioBlk, virtioConsole, virtioRng];
