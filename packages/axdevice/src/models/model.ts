/** What a device model is: how it is described, and how one is made. */
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import type { Device, DeviceContext, DeviceModel, DeviceRegion, DeviceSpec } from '@axvisor/axvisor_api/device';

/** A model with its constructor. */
export interface Model extends DeviceModel {
  create(spec: DeviceSpec, context: DeviceContext): Device;
}

/** The MMIO region of `spec`. */
export const mmioRegion = (spec: DeviceSpec, size: bigint): DeviceRegion => ({ space: 'mmio', range: rangeFromStartSize(gpa(spec.base), spec.size ?? size) });

/** The name of `spec`: given, or node@address. */
export const deviceName = (spec: DeviceSpec, node: string): string => spec.name ?? `${node}@${spec.base.toString(16)}`;
