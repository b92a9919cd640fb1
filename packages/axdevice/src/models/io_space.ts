/** Devices that some machines have in memory and others at I/O ports: the option `space`. */
import type { DeviceRegion, DeviceSpec } from '@axvisor/axvisor_api/device';
import { ensure } from '@axvisor/axvisor_api/errors';
import { mmioRegion } from './model.ts';

export const SPACE_OPTION = { name: 'space', summary: "'mmio' (default) or 'port'" } as const;

/** The region of `spec`: `size` bytes of memory or `portCount` ports. @throws {AxError} InvalidInput */
export function ioRegion(spec: DeviceSpec, size: bigint, portCount: number): DeviceRegion {
  const space = spec.options?.['space'] ?? 'mmio';
  ensure(space === 'mmio' || space === 'port', 'InvalidInput', `device ${spec.name ?? spec.model}: option space is 'mmio' or 'port', not ${JSON.stringify(space)}`);
  if (space === 'mmio') return mmioRegion(spec, size);
  ensure(spec.base >= 0n && spec.base + BigInt(portCount) <= 0x1_0000n, 'InvalidInput', `device ${spec.name ?? spec.model}: there is no port 0x${spec.base.toString(16)}`);
  return { space, first: Number(spec.base), last: Number(spec.base) + portCount - 1 };
}
