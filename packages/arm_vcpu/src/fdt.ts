/** What a guest is told about its CPU, in the terms of the device-tree bindings arm/cpus and arm/psci. */
import type { FdtProperties } from '@axvisor/axvisor_api/device';

/** Properties of a guest's cpu node. */
export const cpuProperties = (): FdtProperties => ({ compatible: 'arm,armv8', 'enable-method': 'psci' });
