/** The transports that virtio devices come with: the option `transport`. */
import type { Device, DeviceContext, DeviceSpec } from '@axvisor/axvisor_api/device';
import { axError } from '@axvisor/axvisor_api/errors';
import type { VirtioDevice, VirtioPort } from './device.ts';
import { VirtioMmio } from './mmio.ts';
import { VirtioPci } from './pci.ts';

export const TRANSPORT_OPTION = { name: 'transport', summary: "'mmio' (default), or 'pci': then the base is the PCI device number" } as const;

/** @throws {AxError} InvalidInput */
export function virtio(spec: DeviceSpec, context: DeviceContext, make: (port: VirtioPort) => VirtioDevice): Device {
  const transport = spec.options?.['transport'] ?? 'mmio';
  if (transport === 'mmio') return new VirtioMmio(spec, context, make);
  if (transport === 'pci') return new VirtioPci(spec, context, make);
  throw axError('InvalidInput', `device ${spec.name ?? spec.model}: option transport is 'mmio' or 'pci', not ${JSON.stringify(transport)}`);
}
