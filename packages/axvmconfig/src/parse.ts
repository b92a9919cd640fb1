/** Reads a guest description: TOML to `VmConfig`, with every problem in one error. */
import type { ImageConfig, MemoryRegionConfig, VmConfig } from '@axvisor/axvisor_api/config';
import type { DeviceSpec } from '@axvisor/axvisor_api/device';
import { axError } from '@axvisor/axvisor_api/errors';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import { parse, TomlError } from 'smol-toml';
import { checkCpuIds, checkCpuLists, checkNames, checkOverlaps, type Claim } from './check.ts';
import { type Cursor, decodeFields, type FieldsOf, isTable, type Located, needed, optional, type Partially, type Type } from './decode.ts';
import {
  BASE, DEVICES, KERNEL, RAM_FLAGS, TABLES,
  type BaseTable, type DevicesTable, type EmuDeviceTable, type KernelTable, type MoreTables, type NamedDevice,
} from './description.ts';
import { locate } from './toml/locate.ts';
import { Problems } from './toml/problems.ts';

/** Where the first RAM of the `virt` boards is. */
export const RAM_BASE: Readonly<Record<NonNullable<VmConfig['arch']>, bigint>> = { riscv64: 0x8000_0000n, aarch64: 0x4000_0000n, x86_64: 0n };

const DEFAULT_ARCH: Architecture = 'riscv64';

/** The first three tables, each to be decoded field by field, so that as much as possible is checked of a bad file. */
interface Document extends MoreTables {
  readonly base: Cursor;
  readonly kernel: Cursor;
  readonly devices: Cursor | undefined;
}

const section: Type<Cursor> = { decode: (at) => at, schema: {} };
const SECTIONS: Pick<FieldsOf<Document>, 'base' | 'kernel' | 'devices'> = {
  base: needed(section, 'the table that says what the VM is'),
  kernel: needed(section, 'the table that says what it boots'),
  devices: optional(section, 'the table of devices'),
};

/** A value as an object's property, if there is one: exact optional properties cannot be `undefined`. */
const property = <K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } => (value === undefined ? {} : ({ [key]: value } as { [P in K]: T }));

/** `undefined` for an empty path: samples leave keys there that they do not use. */
const given = (path: string | undefined): string | undefined => (path?.trim() === '' ? undefined : path);

/**
 * Reads a guest description.
 *
 * @param toml - the text
 * @param file - its name, for messages
 * @param hostArch - of guests whose description names none
 * @throws {AxError} InvalidInput with one line `file:line: key: what` for every problem
 */
export function parseVmConfig(toml: string, file: string, hostArch: Architecture = DEFAULT_ARCH): VmConfig {
  const root = document(toml, file);
  const problems = new Problems(file, locate(toml));
  const at: Cursor = { value: root, path: [], problems };
  const tables = decodeFields<Document>(at, { ...SECTIONS, ...TABLES });
  const absent = (name: string): Cursor => ({ value: {}, path: [name], problems: new Problems(file, new Map()) });
  const base = decodeFields<BaseTable>(tables.base ?? absent('base'), BASE);
  const kernel = decodeFields<KernelTable>(tables.kernel ?? absent('kernel'), KERNEL);
  const devices = decodeFields<DevicesTable>(tables.devices ?? absent('devices'), DEVICES);

  const emulated = (devices.emu_devices ?? []).flatMap(({ value, path }) => emulatedDevice(value, path, problems));
  const specs = [...emulated, ...(tables.device ?? []).map(({ value, path }) => ({ value: deviceSpec(value), path }))];
  const passed = devices.passthrough_devices ?? [];
  const addresses = devices.passthrough_addresses ?? [];
  const regions = memory(kernel, base.arch ?? hostArch, tables.kernel?.value, problems);

  const { arch, gic_version: gicVersion, virt } = base;
  if (gicVersion !== undefined && arch !== undefined && arch !== 'aarch64') problems.add(['base', 'gic_version'], `only aarch64 has a GIC; this VM is ${arch}`);
  if (virt !== undefined && arch !== undefined && arch !== 'x86_64') problems.add(['base', 'virt'], `only processors of x86_64 have a choice; this VM is ${arch}`);
  checkCpuLists(base.cpu_num, { phys_cpu_ids: base.phys_cpu_ids, phys_cpu_sets: base.phys_cpu_sets }, problems);
  checkCpuIds(base.phys_cpu_ids, problems);
  checkNames(specs.map(({ value, path }) => ({ value: value.name, path })), problems);
  checkOverlaps(
    [
      // Identity-mapped memory is wherever the host has some.
      ...regions.filter((r) => r.value.mapType !== 'identical').map((r): Claim => ({ kind: 'memory', start: r.value.gpa, size: r.value.size, path: r.path })),
      ...specs.map((d): Claim => ({ kind: 'device', start: d.value.base, size: d.value.size ?? 1n, path: d.path })),
      ...passed.map((p): Claim => ({ kind: 'passthrough', start: p.value.base_gpa, size: p.value.length, path: p.path })),
      ...addresses.map((p): Claim => ({ kind: 'passthrough', start: p.value.base_gpa, size: p.value.length, path: p.path })),
    ],
    problems,
  );
  const images = {
    ...image('kernel', kernel.kernel_path, kernel.kernel_load_addr, problems),
    ...image('bios', kernel.bios_path, kernel.bios_load_addr, problems),
    ...image('ramdisk', kernel.ramdisk_path, kernel.ramdisk_load_addr, problems),
    // Without a file it is the address of the generated tree.
    ...(given(kernel.dtb_path) === undefined ? property('dtbLoadAddr', kernel.dtb_load_addr) : image('dtb', kernel.dtb_path, kernel.dtb_load_addr, problems)),
  };
  if (problems.count > 0) throw problems.toError();

  const disk = given(kernel.disk_path);
  return {
    id: base.id as number,
    name: base.name as string,
    vmType: base.vm_type as VmConfig['vmType'],
    cpuNum: base.cpu_num as number,
    ...property('physCpuIds', base.phys_cpu_ids),
    ...property('physCpuSets', base.phys_cpu_sets),
    ...images,
    ...property('entryPoint', kernel.entry_point),
    ...property('cmdline', kernel.cmdline),
    memoryRegions: regions.map((r) => r.value),
    devices: specs.map((d) => d.value),
    board: base.board as VmConfig['board'],
    ...property('gicVersion', base.gic_version),
    ...property('virtualization', base.virt),
    ...property('arch', base.arch),
    disks: [...(disk === undefined ? [] : [{ path: disk, readOnly: false }]), ...(tables.disks ?? []).map((d) => ({ path: d.value.path, readOnly: d.value.readonly }))],
    passthroughDevices: passed.map(({ value: v }) => ({ name: v.name, baseGpa: v.base_gpa, baseHpa: v.base_hpa, length: v.length, irq: v.irq_id })),
    passthroughAddresses: addresses.map(({ value: v }) => ({ baseGpa: v.base_gpa, length: v.length })),
    excludedDevices: devices.excluded_devices ?? [],
    interruptMode: devices.interrupt_mode as VmConfig['interruptMode'],
  };
}

function document(toml: string, file: string): unknown {
  try {
    return parse(toml, { integersAsBigInt: true });
  } catch (e) {
    if (!(e instanceof TomlError)) throw e;
    const [what = ''] = e.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw axError('InvalidInput', `${file}:${e.line}: not TOML: ${what}`, { cause: e });
  }
}

function image<K extends 'kernel' | 'bios' | 'dtb' | 'ramdisk'>(key: K, path: string | undefined, loadAddr: bigint | undefined, problems: Problems): { readonly [P in K]?: ImageConfig } {
  const file = given(path);
  if (file !== undefined) return property(key, { path: file, ...property('loadAddr', loadAddr) });
  if (loadAddr !== undefined && loadAddr !== 0n) problems.add(['kernel', `${key}_load_addr`], `there is no ${key}_path, whose file would go there`);
  return {};
}

function memory(kernel: Partially<KernelTable>, arch: keyof typeof RAM_BASE, table: unknown, problems: Problems): readonly Located<MemoryRegionConfig>[] {
  const { memory: size, memory_regions: regions } = kernel;
  if (size !== undefined && regions !== undefined) problems.add(['kernel', 'memory'], 'memory_regions says what memory there is; write one of the two');
  if (size !== undefined) return [{ value: { gpa: RAM_BASE[arch], size, flags: RAM_FLAGS, mapType: 'alloc' }, path: ['kernel', 'memory'] }];
  if (regions !== undefined) {
    // An empty list is no mistake: such a VM lives in what is passed through.
    return regions.map(({ value: { gpa, size, flags, map_type }, path }) => ({ value: { gpa, size, flags, mapType: map_type }, path }));
  }
  const isSaid = !isTable(table) || 'memory' in table || 'memory_regions' in table;
  if (!isSaid) problems.add(['kernel'], 'memory is missing: write memory = "256M" or memory_regions');
  return [];
}

function emulatedDevice(device: EmuDeviceTable, path: Located<unknown>['path'], problems: Problems): Located<DeviceSpec>[] {
  const { emu_type: type, cfg_list: list, length } = device;
  if (type.options.length > 0 && list.length > type.options.length) {
    problems.add(path, `cfg_list has ${list.length} numbers; ${type.name} knows ${type.options.join(', ')}`);
    return [];
  }
  const entries = type.options.length > 0 ? list.map((n, i) => [type.options[i] as string, number(n)]) : [['cfg', list.map(number)]];
  const value: DeviceSpec = {
    model: type.model,
    name: device.name,
    base: device.base_gpa,
    ...property('size', length === 0n ? undefined : length),
    irq: device.irq_id,
    ...property('options', list.length === 0 ? undefined : (Object.fromEntries(entries) as Record<string, unknown>)),
  };
  return [{ value, path }];
}

const number = (n: bigint): number | bigint => (n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n);

function deviceSpec({ name, device: { model, base, size, irq, options } }: NamedDevice): DeviceSpec {
  return { model, ...property('name', name), base, ...property('size', size), irq, ...property('options', options) };
}
