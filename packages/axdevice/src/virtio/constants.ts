/** Numbers of the virtio specification 1.2: device ids, feature bits, status bits, split-queue layout. */

export const DeviceId = { block: 2, console: 3, entropy: 4 } as const;

/** Device status (2.1). */
export const Status = { acknowledge: 1, driver: 2, driverOk: 4, featuresOk: 8, needsReset: 64, failed: 128 } as const;

/** Reserved feature bits (6). */
export const Feature: { readonly indirectDesc: bigint; readonly eventIdx: bigint; readonly version1: bigint } = {
  indirectDesc: 1n << 28n, eventIdx: 1n << 29n, version1: 1n << 32n,
};

/** Interrupt status of virtio-mmio (4.2.2). */
export const InterruptStatus = { usedBuffer: 1, configChange: 2 } as const;

/** Split queue (2.7): flags of a descriptor and of the two rings. */
export const DescFlag = { next: 1, write: 2, indirect: 4 } as const;
export const AVAIL_NO_INTERRUPT = 1;
export const DESC_SIZE = 16;
/** The largest queue the format allows is 32768; ours is what drivers use. */
export const QUEUE_SIZE_MAX = 256;
/** Bytes of a request in one direction; more than drivers ask for, and little enough to serve without a pause. */
export const REQUEST_BYTES_MAX = 0x100_0000;
