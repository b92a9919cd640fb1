/** The table of device models. */
import { PC_MODELS } from '../pc/index.ts';
import { pciHostBridge } from '../pci/host.ts';
import { virtioBlk } from '../virtio/blk.ts';
import { virtioConsole } from '../virtio/console.ts';
import { virtioRng } from '../virtio/rng.ts';
import type { Model } from './model.ts';
import { cfiFlash } from './cfi_flash.ts';
import { goldfishRtc } from './goldfish_rtc.ts';
import { ns16550a } from './ns16550a.ts';
import { pl011 } from './pl011.ts';
import { pl031 } from './pl031.ts';
import { pl061 } from './pl061.ts';
import { sifiveTest } from './sifive_test.ts';

export const MODELS: readonly Model[] = [ns16550a, pl011, goldfishRtc, pl031, pl061, cfiFlash, sifiveTest, virtioBlk, virtioConsole, virtioRng, pciHostBridge, ...PC_MODELS];
