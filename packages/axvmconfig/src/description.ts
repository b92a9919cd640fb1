/** The tables of a guest description: their fields, types, defaults and meaning. Reading, the schema and generated comments come from here. */
import type { MapType, VmConfig } from '@axvisor/axvisor_api/config';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import {
  address, bytes, choice, flag, integer, list, map, named, needed, nonEmpty, optional, options, plainList, positional, preset, record, refine, small, text,
  type FieldsOf, type Located, type Schema, type Type,
} from './decode.ts';
import { EMU_DEVICE_TYPES, type EmuDeviceType } from './emu_types.ts';

/** More vCPUs than this are a typing error. */
export const MAX_CPUS = 512;
const MAX_I32 = 0x7fff_ffff;
/** All bits of MappingFlags: read 1, write 2, execute 4, user 8, device 16, uncached 32. */
const ALL_FLAGS = 0x3f;
/** Read, write, execute. */
export const RAM_FLAGS = 7;

const vmType: Type<VmConfig['vmType']> = choice('a VM type', [['linux', 'linux', 2], ['rtos', 'rtos', 1], ['host', 'host', 0]]);
const board: Type<VmConfig['board']> = choice('a board', [['virt', 'virt'], ['none', 'none']]);
const arch: Type<Architecture> = choice('an architecture', [['riscv64', 'riscv64'], ['aarch64', 'aarch64'], ['x86_64', 'x86_64']]);
const gicVersion: Type<2 | 3> = choice('a version of the GIC', [[2, '2', 2], [3, '3', 3]]);
const virtualization: Type<'vmx' | 'svm'> = choice('a kind of virtualization', [['vmx', 'vmx'], ['svm', 'svm']]);
const mapType: Type<MapType> = choice('a way to map memory', [['alloc', 'alloc', 0], ['identical', 'identical', 1], ['reserved', 'reserved', 2]]);
const interruptMode: Type<VmConfig['interruptMode']> = choice('an interrupt mode', [
  ['no_irq', 'no_irq', 'no', 'none'],
  ['emulated', 'emulated', 'emu'],
  ['passthrough', 'passthrough', 'pt'],
]);
const imageLocation: Type<string> = choice('an image location', [['fs', 'fs'], ['memory', 'memory']]);
const emuType: Type<EmuDeviceType> = choice('a type of emulated devices', EMU_DEVICE_TYPES.map((t) => [t, t.name, t.number, t.label] as const));

/** `[base]`. */
export interface BaseTable {
  readonly id: number;
  readonly name: string;
  readonly vm_type: VmConfig['vmType'];
  readonly cpu_num: number;
  readonly arch: Architecture | undefined;
  readonly board: VmConfig['board'];
  readonly gic_version: 2 | 3 | undefined;
  readonly virt: 'vmx' | 'svm' | undefined;
  readonly phys_cpu_ids: readonly bigint[] | undefined;
  readonly phys_cpu_sets: readonly bigint[] | undefined;
}

export const BASE: FieldsOf<BaseTable> = {
  id: needed(small(1, MAX_I32), 'number of the VM, at least 1, different from every other VM'),
  name: needed(nonEmpty, 'what people call it'),
  vm_type: preset(vmType, 'linux', 'kind of guest: "linux" (2), "rtos" (1) or "host" (0)'),
  cpu_num: needed(small(1, MAX_CPUS), `number of vCPUs, 1 to ${MAX_CPUS}`),
  arch: optional(arch, 'architecture; default: the one the hypervisor is started for'),
  board: preset(board, 'virt', '"virt": console, clock, interrupt controller and power button are there; "none": only the devices below'),
  gic_version: optional(gicVersion, 'aarch64: version of the interrupt controller, 2 (up to 8 vCPUs) or 3; default 3'),
  virt: optional(virtualization, 'x86_64: virtualization of the processors it runs on, "vmx" or "svm"; default: what the hypervisor is started with'),
  phys_cpu_ids: optional(plainList(address), 'number of each vCPU as the guest sees it (hart, MPIDR, APIC id); default 0, 1, 2 …'),
  phys_cpu_sets: optional(plainList(integer(1n)), 'physical CPUs that each vCPU may run on, a bit mask; default: any'),
};

/** A memory region. */
export interface RegionTable {
  readonly gpa: bigint;
  readonly size: bigint;
  readonly flags: number;
  readonly map_type: MapType;
}

const REGION: FieldsOf<RegionTable> = {
  gpa: needed(refine(address, pageAligned), 'guest physical address'),
  size: needed(refine(bytes, pageAligned), 'bytes, or a string such as "256M"'),
  flags: preset(small(0, ALL_FLAGS), RAM_FLAGS, 'read 1, write 2, execute 4, user 8, device 16, uncached 32'),
  map_type: preset(mapType, 'alloc', '"alloc" (0): fresh memory; "identical" (1): fresh memory at its host address, gpa is ignored; "reserved" (2): the host memory at gpa'),
};

/** `[kernel]`. */
export interface KernelTable {
  readonly kernel_path: string | undefined;
  readonly kernel_load_addr: bigint | undefined;
  readonly entry_point: bigint | undefined;
  readonly bios_path: string | undefined;
  readonly bios_load_addr: bigint | undefined;
  readonly dtb_path: string | undefined;
  readonly dtb_load_addr: bigint | undefined;
  readonly ramdisk_path: string | undefined;
  readonly ramdisk_load_addr: bigint | undefined;
  readonly cmdline: string | undefined;
  readonly memory: bigint | undefined;
  readonly memory_regions: readonly Located<RegionTable>[] | undefined;
  readonly image_location: string | undefined;
  readonly disk_path: string | undefined;
}

export const KERNEL: FieldsOf<KernelTable> = {
  kernel_path: optional(text, 'file of the kernel: Linux Image, ELF or raw binary'),
  kernel_load_addr: optional(address, 'where the kernel goes; default: where its header says'),
  entry_point: optional(address, 'where the first vCPU starts; default: where the kernel says'),
  bios_path: optional(text, 'file of the firmware'),
  bios_load_addr: optional(address, 'where the firmware goes'),
  dtb_path: optional(text, 'file of the device tree; default: one is generated'),
  dtb_load_addr: optional(address, 'where the device tree goes, given or generated; default: chosen'),
  ramdisk_path: optional(text, 'file of the initial RAM disk'),
  ramdisk_load_addr: optional(address, 'where the initial RAM disk goes; default: chosen'),
  cmdline: optional(text, 'kernel command line'),
  memory: optional(refine(bytes, pageAligned), 'size of the memory at the usual address of the board, instead of memory_regions'),
  memory_regions: optional(list(positional<RegionTable>(REGION)), 'memory: [gpa, size, flags, map_type] or tables of these'),
  image_location: optional(imageLocation, 'no effect: files are read by whoever starts the VM'),
  disk_path: optional(text, 'file of a disk; the same as a [[disks]] table'),
};

/** An element of `emu_devices`. */
export interface EmuDeviceTable {
  readonly name: string;
  readonly base_gpa: bigint;
  readonly length: bigint;
  readonly irq_id: number;
  readonly emu_type: EmuDeviceType;
  readonly cfg_list: readonly bigint[];
}

const EMU_DEVICE: FieldsOf<EmuDeviceTable> = {
  name: needed(nonEmpty, 'name, different from every other device of the VM'),
  base_gpa: needed(address, 'guest physical address of its registers', ['base_ipa']),
  length: needed(address, 'bytes of its registers'),
  irq_id: needed(small(0, MAX_I32), 'interrupt, 0 for none'),
  emu_type: needed(emuType, 'type, by number or name'),
  cfg_list: preset(plainList(address), [], 'numbers whose meaning depends on the type'),
};

/** An element of `passthrough_devices`. */
export interface PassthroughTable {
  readonly name: string;
  readonly base_gpa: bigint;
  readonly base_hpa: bigint;
  readonly length: bigint;
  readonly irq_id: number;
}

const PASSTHROUGH: FieldsOf<PassthroughTable> = {
  name: needed(nonEmpty, 'name or path in the device tree of the host'),
  base_gpa: preset(address, 0n, 'guest physical address'),
  base_hpa: preset(address, 0n, 'host physical address'),
  length: preset(address, 0n, 'bytes'),
  irq_id: preset(small(0, MAX_I32), 0, 'interrupt, 0 for none'),
};

/** An element of `passthrough_addresses`. */
export interface PassthroughAddressTable {
  readonly base_gpa: bigint;
  readonly length: bigint;
}

const PASSTHROUGH_ADDRESS: FieldsOf<PassthroughAddressTable> = {
  base_gpa: needed(address, 'first address, the same for guest and host'),
  length: needed(integer(1n), 'bytes'),
};

/** `[devices]`. */
export interface DevicesTable {
  readonly interrupt_mode: VmConfig['interruptMode'];
  readonly emu_devices: readonly Located<EmuDeviceTable>[];
  readonly passthrough_devices: readonly Located<PassthroughTable>[];
  readonly passthrough_addresses: readonly Located<PassthroughAddressTable>[];
  readonly excluded_devices: readonly (readonly string[])[];
}

export const DEVICES: FieldsOf<DevicesTable> = {
  interrupt_mode: preset(interruptMode, 'no_irq', '"no_irq", "emulated" or "passthrough"'),
  emu_devices: preset(list(positional<EmuDeviceTable>(EMU_DEVICE)), [], 'emulated devices: [name, base_gpa, length, irq_id, emu_type, cfg_list]; [device.NAME] tables say more'),
  passthrough_devices: preset(list(positional<PassthroughTable>(PASSTHROUGH)), [], 'devices of the host: [name, base_gpa, base_hpa, length, irq_id]'),
  passthrough_addresses: preset(list(positional<PassthroughAddressTable>(PASSTHROUGH_ADDRESS)), [], 'host addresses the guest may use as they are: [base_gpa, length]'),
  excluded_devices: preset(plainList(plainList(text)), [], 'lists of device-tree paths that are kept from the guest'),
};

/** `[device.NAME]`. */
export interface DeviceTable {
  readonly model: string;
  readonly base: bigint;
  readonly size: bigint | undefined;
  readonly irq: number;
  readonly options: Readonly<Record<string, unknown>> | undefined;
}

export const DEVICE: FieldsOf<DeviceTable> = {
  model: needed(nonEmpty, 'device model, one of those that `axvisor devices` lists'),
  base: needed(address, 'guest physical address of its registers'),
  size: optional(bytes, 'bytes of its registers; default: as the model needs'),
  irq: preset(small(0, MAX_I32), 0, 'interrupt, 0 for none'),
  options: optional(options, 'options of the model'),
};

const LISTED_DEVICE: FieldsOf<DeviceTable & { readonly name: string | undefined }> = { name: optional(nonEmpty, 'name; default: made from model and address'), ...DEVICE };

/** `[[disks]]`. */
export interface DiskTable {
  readonly path: string;
  readonly readonly: boolean;
}

export const DISK: FieldsOf<DiskTable> = {
  path: needed(nonEmpty, 'file of the disk'),
  readonly: preset(flag, false, 'whether the guest can only read it'),
};

/** A device, with its name if it has one. */
export interface NamedDevice {
  readonly name: string | undefined;
  readonly device: DeviceTable;
}

const listedDevices = map(list(record<DeviceTable & { readonly name: string | undefined }>(LISTED_DEVICE)), (devices) => devices.map(({ value: { name, ...device }, path }) => ({ value: { name, device }, path })));
const namedDevices = map(named(record<DeviceTable>(DEVICE)), (devices) => devices.map(({ name, value, path }) => ({ value: { name, device: value }, path })));

/** `[device.NAME]` tables, or `[[device]]` ones. */
const devices: Type<readonly Located<NamedDevice>[]> = {
  decode: (at) => (Array.isArray(at.value) ? listedDevices : namedDevices).decode(at),
  schema: { anyOf: [namedDevices.schema, listedDevices.schema] },
};

/** The tables beside the first three. */
export interface MoreTables {
  readonly device: readonly Located<NamedDevice>[];
  readonly disks: readonly Located<DiskTable>[];
}

export const TABLES: FieldsOf<MoreTables> = {
  device: preset(devices, [], 'devices beyond those of the board'),
  disks: preset(list(record<DiskTable>(DISK)), [], 'disks, in the order of vda, vdb …'),
};

function pageAligned(n: bigint): string | undefined {
  return n % 0x1000n === 0n ? undefined : `0x${n.toString(16)} is not a multiple of 4096`;
}

/** JSON schema of the whole document. */
export function documentSchema(): Schema {
  const [base, kernel, devicesTable] = [record<BaseTable>(BASE), record<KernelTable>(KERNEL), record<DevicesTable>(DEVICES)];
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Guest description',
    description: 'A virtual machine: what it consists of and what it boots.',
    type: 'object',
    properties: {
      base: { ...base.schema, description: 'the VM itself' },
      kernel: { ...kernel.schema, description: 'what it boots, and its memory', oneOf: [{ required: ['memory'] }, { required: ['memory_regions'] }] },
      devices: { ...devicesTable.schema, description: 'devices in the original notation, and what is passed through' },
      ...Object.fromEntries(Object.entries(TABLES).map(([name, field]) => [name, { ...field.type.schema, description: field.doc }])),
    },
    required: ['base', 'kernel'],
    additionalProperties: false,
  };
}
