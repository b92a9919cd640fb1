export type { ImageConfig, MapType, MemoryRegionConfig, PassthroughConfig, VmConfig } from '@axvisor/axvisor_api/config';
export { parseVmConfig, RAM_BASE } from './parse.ts';
export { generateVmConfig } from './generate.ts';
export { createVmConfig, type VmConfigInit } from './defaults.ts';
export { documentSchema as vmConfigSchema, MAX_CPUS } from './description.ts';
export { type Schema } from './decode.ts';
export { checkFiles, configFiles, type ConfigFile } from './files.ts';
export { EMU_DEVICE_TYPES, emuDeviceType, type EmuDeviceType } from './emu_types.ts';
export { component } from './component.ts';
