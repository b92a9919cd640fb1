/** The I/O and MSR permission maps of SVM (APM vol. 2, 15.10.1, 15.11). */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { axError } from '@axvisor/axvisor_api/errors';
import { allocContiguousFrames, deallocContiguousFrames, physMemory } from '@axvisor/axvisor_api/memory';
import type { VCpuShare } from '@axvisor/axvisor_api/vcpu';

const FRAME = 4096;
/** One bit a port, and those behind the last one that wide accesses reach. */
const IO_FRAMES = 3;
/** Two bits an MSR, read and write: 2 KiB for each of three ranges. */
const MSR_FRAMES = 2;
const RANGES = [0, 0xc000_0000, 0xc001_0000] as const;
const RANGE_MSRS = 0x2000;
const RANGE_BYTES = 2048;

function frames(count: number): HostPhysAddr {
  const first = allocContiguousFrames(count);
  if (first === undefined) throw axError('NoMemory', `no ${count} contiguous frames for a permission map`);
  physMemory().bytes.fill(0xff, Number(first), Number(first) + count * FRAME);
  return first;
}

export class PermissionMaps implements Disposable {
  /** Every port is intercepted. */
  readonly io: HostPhysAddr;
  readonly msr: HostPhysAddr;

  /** @param share - of maps that another thread made, and disposes of. @throws {AxError} NoMemory */
  constructor(share: VCpuShare | undefined) {
    this.io = (share?.['ioMap'] as HostPhysAddr | undefined) ?? frames(IO_FRAMES);
    this.msr = (share?.['msrMap'] as HostPhysAddr | undefined) ?? frames(MSR_FRAMES);
  }

  share(): VCpuShare {
    return { ioMap: this.io, msrMap: this.msr };
  }

  interceptAllMsrs(): void {
    physMemory().bytes.fill(0xff, Number(this.msr), Number(this.msr) + MSR_FRAMES * FRAME);
  }

  /** Reads and writes of an MSR. Those in no range always leave the guest. */
  setMsr(msr: number, intercept: boolean): void {
    const range = RANGES.findIndex((first) => msr >= first && msr < first + RANGE_MSRS);
    if (range < 0) return;
    const index = msr - (RANGES[range] as number);
    const { bytes } = physMemory();
    const byte = Number(this.msr) + range * RANGE_BYTES + (index >>> 2);
    const bits = 3 << ((index & 3) * 2);
    bytes[byte] = intercept ? (bytes[byte] as number) | bits : (bytes[byte] as number) & ~bits;
  }

  [Symbol.dispose](): void {
    deallocContiguousFrames(this.io, IO_FRAMES);
    deallocContiguousFrames(this.msr, MSR_FRAMES);
  }
}
