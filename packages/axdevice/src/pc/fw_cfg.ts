/** QEMU's firmware configuration device (QEMU, docs/specs/fw_cfg): items by number and files by name, byte for byte or by DMA. */
import type { AccessWidth, Device, DeviceContext, DeviceRegion, DeviceSpec } from '@axvisor/axvisor_api/device';
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import { ensure } from '@axvisor/axvisor_api/errors';
import type { Model } from '../models/model.ts';
import { numberOption, portOf, ports } from './port_device.ts';

/** Ports from the base: selector, data, and the address of a DMA request, most significant byte first. */
const Port = { selector: 0, data: 1, dmaHigh: 4, dmaLow: 8 } as const;
const PORTS = 12;

const Key = { signature: 0x00, features: 0x01, ramSize: 0x03, noGraphic: 0x04, cpus: 0x05, maxCpus: 0x0f, files: 0x19, firstFile: 0x20 } as const;
const SIGNATURE = 'QEMU';
/** Read from the DMA address register. */
const DMA_SIGNATURE = 'QEMU CFG';
/** The traditional interface and DMA. */
const FEATURES = 3;

const NAME_SIZE = 56;
const FILE_ENTRY = 64;

/** A DMA request, all fields most significant byte first (FWCfgDmaAccess). */
const Dma = { error: 1, read: 2, skip: 4, select: 8 } as const;
/** Pieces that a request is served in. */
const CHUNK = 0x1000;
const REQUEST_MAX = 0x100_0000;

const bytesOf = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
const littleEndian = (n: number, size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => Math.floor(n / 256 ** i) & 0xff);

class FwCfg implements Device {
  readonly name: string;
  readonly model: string;
  readonly regions: readonly DeviceRegion[];
  readonly #memory: DeviceContext['memory'];
  readonly #items = new Map<number, Uint8Array>();
  #selected = 0;
  #offset = 0;
  #dmaHigh = 0;

  constructor(spec: DeviceSpec, { memory }: DeviceContext) {
    this.name = spec.name ?? spec.model;
    this.model = spec.model;
    this.regions = [ports(portOf(spec, PORTS), PORTS)];
    this.#memory = memory;
    const cpus = numberOption(spec, 'cpus', 1);
    this.#items.set(Key.signature, Uint8Array.from(bytesOf(SIGNATURE)));
    this.#items.set(Key.features, littleEndian(FEATURES, 4));
    this.#items.set(Key.ramSize, littleEndian(numberOption(spec, 'memory', 0), 8));
    // There is a serial port and no display.
    this.#items.set(Key.noGraphic, littleEndian(1, 2));
    this.#items.set(Key.cpus, littleEndian(cpus, 2));
    this.#items.set(Key.maxCpus, littleEndian(cpus, 2));
    this.#addFiles(filesOption(spec));
  }

  #addFiles(files: readonly (readonly [string, Uint8Array])[]): void {
    const directory = new Uint8Array(4 + FILE_ENTRY * files.length);
    const view = new DataView(directory.buffer);
    view.setUint32(0, files.length);
    for (const [i, [name, content]] of files.entries()) {
      const at = 4 + FILE_ENTRY * i;
      view.setUint32(at, content.length);
      view.setUint16(at + 4, Key.firstFile + i);
      directory.set(bytesOf(name), at + 8);
      this.#items.set(Key.firstFile + i, content);
    }
    this.#items.set(Key.files, directory);
  }

  reset(): void {
    this.#selected = this.#offset = this.#dmaHigh = 0;
  }

  read(offset: number, width: AccessWidth): bigint {
    if (offset >= Port.dmaHigh) {
      const signature = bytesOf(DMA_SIGNATURE);
      let value = 0n;
      for (let i = 0; i < width; i++) value |= BigInt(signature[offset - Port.dmaHigh + i] ?? 0) << BigInt(8 * i);
      return value;
    }
    return offset === Port.data ? BigInt(this.#next()) : 0n;
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    if (offset === Port.selector && width === 2) this.#select(Number(value));
    else if (offset === Port.dmaHigh && width === 4) this.#dmaHigh = swap32(Number(value));
    else if (offset === Port.dmaLow && width === 4) this.#dma((BigInt(this.#dmaHigh) << 32n) | BigInt(swap32(Number(value))));
  }

  #select(key: number): void {
    this.#selected = key;
    this.#offset = 0;
  }

  /** Behind the end of an item there are zeros. */
  #next(): number {
    return this.#items.get(this.#selected)?.[this.#offset++] ?? 0;
  }

  #dma(request: bigint): void {
    this.#dmaHigh = 0;
    const at = (offset: number): GuestPhysAddr => BigInt.asUintN(64, request + BigInt(offset)) as GuestPhysAddr;
    const big = (offset: number): number => swap32(Number(this.#memory.readValue(at(offset), 4)));
    try {
      const control = big(0);
      const length = big(4);
      const address = (BigInt(big(8)) << 32n) | BigInt(big(12));
      let result = 0;
      try {
        result = this.#perform(control, length, address);
      } catch {
        // The buffer is not memory.
        result = Dma.error;
      }
      this.#memory.writeValue(at(0), 4, BigInt(swap32(result)));
    } catch {
      // The request itself is not memory: there is no place for an answer.
    }
  }

  /** Reads or skips; nothing can be written. */
  #perform(control: number, length: number, address: bigint): number {
    if ((control & Dma.select) !== 0) this.#select(control >>> 16);
    if ((control & Dma.read) !== 0) {
      if (length > REQUEST_MAX) return Dma.error;
      for (let done = 0; done < length; done += CHUNK) {
        const piece = Uint8Array.from({ length: Math.min(CHUNK, length - done) }, () => this.#next());
        this.#memory.writeBuffer(BigInt.asUintN(64, address + BigInt(done)) as GuestPhysAddr, piece);
      }
    } else if ((control & Dma.skip) !== 0) this.#offset = Math.min(0xffff_ffff, this.#offset + length);
    return 0;
  }
}

const swap32 = (n: number): number => (((n & 0xff) << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)) >>> 0;

/** The option `files`: contents by name. @throws {AxError} InvalidInput */
function filesOption(spec: DeviceSpec): (readonly [string, Uint8Array])[] {
  const files = spec.options?.['files'] ?? {};
  ensure(typeof files === 'object', 'InvalidInput', `device ${spec.model}: option files is an object of names and contents`);
  return Object.entries(files).map(([name, content]: [string, unknown]) => {
    ensure(name.length < NAME_SIZE && content instanceof Uint8Array, 'InvalidInput', `device ${spec.model}: file ${name} has no content, or a name of more than ${NAME_SIZE - 1} bytes`);
    return [name, content] as const;
  });
}

export const fwCfg: Model = {
  model: 'fw-cfg',
  summary: "QEMU's firmware configuration device",
  size: BigInt(PORTS),
  options: [
    { name: 'cpus', summary: 'number of CPUs' },
    { name: 'memory', summary: 'bytes of RAM' },
    { name: 'files', summary: 'contents by name' },
  ],
  create: (spec, context) => new FwCfg(spec, context),
};
