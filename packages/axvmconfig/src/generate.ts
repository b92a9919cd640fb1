/** Writes a guest description: commented TOML that reads back as the same `VmConfig`. */
import type { ImageConfig, MemoryRegionConfig, PassthroughConfig, VmConfig } from '@axvisor/axvisor_api/config';
import type { DeviceSpec } from '@axvisor/axvisor_api/device';
import { BASE, DEVICE, DEVICES, DISK, KERNEL } from './description.ts';
import { tomlInteger, tomlKey, tomlString, tomlValue } from './toml/write.ts';

type Docs = Readonly<Record<string, { readonly doc: string }>>;

/** The lines of a table: each key with its comment; keys without value are left out. */
function table(header: string, docs: Docs, values: Readonly<Record<string, string | undefined>>): string[] {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return [header, ...given.flatMap(([key, value]) => [`# ${docs[key]?.doc}`, `${key} = ${value}`]), ''];
}

const maybe = <T>(value: T | undefined, write: (value: T) => string): string | undefined => (value === undefined ? undefined : write(value));
const integers = (list: readonly bigint[]): string => `[${list.map(tomlInteger).join(', ')}]`;
const multiline = (items: readonly string[]): string => (items.length === 0 ? '[]' : `[\n${items.map((item) => `  ${item},\n`).join('')}]`);

/** `256M` as a comment where a size is a round number. */
function readable(size: bigint): string {
  const unit = ([['T', 40n], ['G', 30n], ['M', 20n], ['K', 10n]] as const).find(([, shift]) => size >= 1n << shift && size % (1n << shift) === 0n);
  return unit === undefined ? '' : ` # ${size >> unit[1]}${unit[0]}`;
}

const region = ({ gpa, size, flags, mapType }: MemoryRegionConfig): string =>
  `  { gpa = ${tomlInteger(gpa)}, size = ${tomlInteger(size)}, flags = 0x${flags.toString(16)}, map_type = ${tomlString(mapType)} },${readable(size)}\n`;

const passthrough = ({ name, baseGpa, baseHpa, length, irq }: PassthroughConfig): string =>
  `{ name = ${tomlString(name)}, base_gpa = ${tomlInteger(baseGpa)}, base_hpa = ${tomlInteger(baseHpa)}, length = ${tomlInteger(length)}, irq_id = ${irq} }`;

const image = (key: string, file: ImageConfig | undefined, loadAddr = file?.loadAddr): Record<string, string | undefined> => ({
  [`${key}_path`]: maybe(file?.path, tomlString),
  [`${key}_load_addr`]: maybe(loadAddr, tomlInteger),
});

function deviceTables(devices: readonly DeviceSpec[]): string[] {
  const names = new Set(devices.map((d) => d.name));
  // A table needs a name of its own; where one is missing, all are elements of an array.
  const isNamed = names.size === devices.length && !names.has(undefined);
  return devices.flatMap(({ name, model, base, size, irq, options }) =>
    table(isNamed ? `[device.${tomlKey(name as string)}]` : '[[device]]', DEVICE_DOCS, {
      name: isNamed ? undefined : maybe(name, tomlString),
      model: tomlString(model),
      base: tomlInteger(base),
      size: maybe(size, tomlInteger),
      irq: String(irq),
      options: maybe(options, tomlValue),
    }),
  );
}

const DEVICE_DOCS: Docs = { name: { doc: 'name; default: made from model and address' }, ...DEVICE };

/**
 * A description as TOML, commented, that reads back as `config`. The host side of a device (`block`) is no part of it.
 */
export function generateVmConfig(config: VmConfig): string {
  const lines = [
    '# A virtual machine: what it consists of and what it boots.',
    '',
    ...table('[base]', BASE, {
      id: String(config.id),
      name: tomlString(config.name),
      vm_type: tomlString(config.vmType),
      cpu_num: String(config.cpuNum),
      arch: maybe(config.arch, tomlString),
      board: tomlString(config.board),
      gic_version: maybe(config.gicVersion, String),
      virt: maybe(config.virtualization, tomlString),
      phys_cpu_ids: maybe(config.physCpuIds, integers),
      phys_cpu_sets: maybe(config.physCpuSets, integers),
    }),
    ...table('[kernel]', KERNEL, {
      ...image('kernel', config.kernel),
      entry_point: maybe(config.entryPoint, tomlInteger),
      ...image('bios', config.bios),
      ...image('dtb', config.dtb, config.dtb === undefined ? config.dtbLoadAddr : config.dtb.loadAddr),
      ...image('ramdisk', config.ramdisk),
      cmdline: maybe(config.cmdline, tomlString),
      memory_regions: `[\n${config.memoryRegions.map(region).join('')}]`,
    }),
    ...table('[devices]', DEVICES, {
      interrupt_mode: tomlString(config.interruptMode),
      passthrough_devices: multiline(config.passthroughDevices.map(passthrough)),
      passthrough_addresses: multiline(config.passthroughAddresses.map((a) => `{ base_gpa = ${tomlInteger(a.baseGpa)}, length = ${tomlInteger(a.length)} }`)),
      excluded_devices: multiline(config.excludedDevices.map(tomlValue)),
    }),
    ...deviceTables(config.devices),
    ...config.disks.flatMap((disk) => table('[[disks]]', DISK, { path: tomlString(disk.path), readonly: String(disk.readOnly) })),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}
