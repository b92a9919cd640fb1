/** What devices on I/O ports have in common: registers of a byte, and accesses of several bytes that are as many accesses. */
import type { AccessWidth, Device, DeviceRegion, DeviceSpec } from '@axvisor/axvisor_api/device';
import { ensure } from '@axvisor/axvisor_api/errors';

/** `count` ports from `first`. */
export const ports = (first: number, count = 1): DeviceRegion => ({ space: 'port', first, last: first + count - 1 });

/** The port number of `spec`. @throws {AxError} InvalidInput */
export function portOf(spec: DeviceSpec, count: number): number {
  ensure(spec.base >= 0n && spec.base + BigInt(count) <= 0x1_0000n, 'InvalidInput', `device ${spec.name ?? spec.model}: there is no port 0x${spec.base.toString(16)}`);
  return Number(spec.base);
}

/** An option that is a number. @throws {AxError} InvalidInput */
export function numberOption(spec: DeviceSpec, name: string, fallback: number): number {
  const value = spec.options?.[name] ?? fallback;
  ensure(typeof value === 'number' && Number.isSafeInteger(value) && value >= 0, 'InvalidInput', `device ${spec.name ?? spec.model}: option ${name} is a number from 0, not ${JSON.stringify(value)}`);
  return value;
}

export abstract class PortDevice implements Device {
  readonly name: string;
  readonly model: string;
  readonly regions: readonly DeviceRegion[];

  constructor(spec: DeviceSpec, regions: readonly DeviceRegion[]) {
    const [first] = regions;
    this.name = spec.name ?? `${spec.model}@${first?.space === 'port' ? first.first.toString(16) : ''}`;
    this.model = spec.model;
    this.regions = regions;
  }

  abstract reset(): void;
  protected abstract readByte(offset: number, region: number): number;
  protected abstract writeByte(offset: number, value: number, region: number): void;

  read(offset: number, width: AccessWidth, region: number): bigint {
    let value = 0n;
    for (let i = 0; i < width; i++) value |= BigInt(this.readByte(offset + i, region)) << BigInt(8 * i);
    return value;
  }

  write(offset: number, width: AccessWidth, value: bigint, region: number): void {
    for (let i = 0; i < width; i++) this.writeByte(offset + i, Number((value >> BigInt(8 * i)) & 0xffn), region);
  }
}
