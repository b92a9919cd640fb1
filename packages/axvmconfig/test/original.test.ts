/** The notation of the original: positional arrays, numbers for types, three-element regions. */
import { describe, expect, test } from 'vitest';
import { EMU_DEVICE_TYPES, emuDeviceType, parseVmConfig } from '../src/index.ts';

const parse = (toml: string) => parseVmConfig(toml, 'guest.toml');

const FULL = `
[base]
id = 12
name = "test_vm"
vm_type = 1
cpu_num = 2
phys_cpu_ids = [0x500, 0x501]
phys_cpu_sets = [3, 0xffff_ffff_ffff_fffe]

[kernel]
entry_point = 0xdeadbeef
image_location = "memory"
kernel_path = "amazing-kernel.bin"
kernel_load_addr = 0xdeadbeef
dtb_path = "impressive-board.dtb"
dtb_load_addr = 0xa0000000
ramdisk_path = ""
# ramdisk_load_addr = 0
disk_path = "disk.img"
cmdline = "console=ttyS0"
memory_regions = [
    [0x8000_0000, 0x8000_0000, 0x7, 1],
    [0xdead_0000, 0x1000, 0x17, 2],   # devices
    [0x4000_0000, 0x100_0000, 0xf],
]

[devices]
emu_devices = [
    ["gppt-gicd", 0x0800_0000, 0x1_0000, 0, 0x21, []],
    ["gppt-gicr", 0x080a_0000, 0x2_0000, 0, 0x20, [1, 0x2_0000, 0]],
    ["gppt-gits", 0x0808_0000, 0x2_0000, 0, 0x22, [0x8_0000_0000_0000]],
    ["disk", 0x1000_1000, 0x1000, 33, 0xe1, []],
    ["dev2", 0xdead_d000, 0x1000, 5, 0, [1, 0xffff_ffff_ffff_ffff]],
]
passthrough_devices = [
    ["dev0", 0x0, 0x0, 0x0800_0000, 0x1],
    ["dev1", 0x0900_0000, 0x0a00_0000, 0x2000],
    ["/"],
]
passthrough_addresses = [[0x2804_1000, 0x100_0000]]
excluded_devices = [["/gic-v3"], ["/timer", "/cpus"]]
interrupt_mode = "passthrough"
`;

test('everything at once', () => {
  expect(parse(FULL)).toEqual({
    id: 12,
    name: 'test_vm',
    vmType: 'rtos',
    cpuNum: 2,
    physCpuIds: [0x500n, 0x501n],
    physCpuSets: [3n, 0xffff_ffff_ffff_fffen],
    kernel: { path: 'amazing-kernel.bin', loadAddr: 0xdead_beefn },
    entryPoint: 0xdead_beefn,
    dtb: { path: 'impressive-board.dtb', loadAddr: 0xa000_0000n },
    cmdline: 'console=ttyS0',
    memoryRegions: [
      { gpa: 0x8000_0000n, size: 0x8000_0000n, flags: 7, mapType: 'identical' },
      { gpa: 0xdead_0000n, size: 0x1000n, flags: 0x17, mapType: 'reserved' },
      { gpa: 0x4000_0000n, size: 0x100_0000n, flags: 0xf, mapType: 'alloc' },
    ],
    devices: [
      { name: 'gppt-gicd', model: 'gic-distributor', base: 0x800_0000n, size: 0x1_0000n, irq: 0 },
      { name: 'gppt-gicr', model: 'gic-redistributor', base: 0x80a_0000n, size: 0x2_0000n, irq: 0, options: { cpu_num: 1, stride: 0x2_0000, first_pcpu: 0 } },
      { name: 'gppt-gits', model: 'gic-its', base: 0x808_0000n, size: 0x2_0000n, irq: 0, options: { host_gits_base: 0x8_0000_0000_0000 } },
      { name: 'disk', model: 'virtio-blk', base: 0x1000_1000n, size: 0x1000n, irq: 33 },
      { name: 'dev2', model: 'dummy', base: 0xdead_d000n, size: 0x1000n, irq: 5, options: { cfg: [1, 0xffff_ffff_ffff_ffffn] } },
    ],
    board: 'virt',
    disks: [{ path: 'disk.img', readOnly: false }],
    passthroughDevices: [
      { name: 'dev0', baseGpa: 0n, baseHpa: 0n, length: 0x800_0000n, irq: 1 },
      { name: 'dev1', baseGpa: 0x900_0000n, baseHpa: 0xa00_0000n, length: 0x2000n, irq: 0 },
      { name: '/', baseGpa: 0n, baseHpa: 0n, length: 0n, irq: 0 },
    ],
    passthroughAddresses: [{ baseGpa: 0x2804_1000n, length: 0x100_0000n }],
    excludedDevices: [['/gic-v3'], ['/timer', '/cpus']],
    interruptMode: 'passthrough',
  });
});

const base = (extra = ''): string => `[base]\nid = 1\nname = "vm"\nvm_type = 2\ncpu_num = 1\n${extra}`;
const kernel = (regions = '[[0x8000_0000, 0x100_0000, 7, 0]]', extra = ''): string => `[kernel]\nentry_point = 0x8020_0000\nkernel_path = "k"\nkernel_load_addr = 0x8020_0000\nmemory_regions = ${regions}\n${extra}`;
const devices = (emu = '[]', extra = ''): string => `[devices]\nemu_devices = ${emu}\npassthrough_devices = []\n${extra}`;

describe('details', () => {
  test('inline tables stand for positional arrays', () => {
    const { memoryRegions, devices: found, passthroughDevices, passthroughAddresses } = parse(
      base() +
        kernel('[{ gpa = 0x8000_0000, size = 0x1000, flags = 0x7, map_type = 0 }, { gpa = 0, size = "2M" }]') +
        `[devices]
         emu_devices = [{ name = "d", base_ipa = 0x100_0000, length = 0, irq_id = 3, emu_type = 0x30, cfg_list = [2] }]
         passthrough_devices = [{ name = "p", length = 4096, base_gpa = 0x900_0000 }]
         passthrough_addresses = [{ base_gpa = 0xa00_0000, length = 1 }]`,
    );
    expect(memoryRegions).toEqual([{ gpa: 0x8000_0000n, size: 0x1000n, flags: 7, mapType: 'alloc' }, { gpa: 0n, size: 0x20_0000n, flags: 7, mapType: 'alloc' }]);
    expect(found).toEqual([{ name: 'd', model: 'plic', base: 0x100_0000n, irq: 3, options: { contexts: 2 } }]);
    expect(passthroughDevices).toEqual([{ name: 'p', baseGpa: 0x900_0000n, baseHpa: 0n, length: 4096n, irq: 0 }]);
    expect(passthroughAddresses).toEqual([{ baseGpa: 0xa00_0000n, length: 1n }]);
  });

  test('each type of emulated devices by number, name and label', () => {
    expect(EMU_DEVICE_TYPES.map((t) => t.number)).toEqual([0, 1, 2, 0xa, 0x20, 0x21, 0x22, 0x30, 0xe1, 0xe2, 0xe3]);
    expect(EMU_DEVICE_TYPES.filter((t) => t.removable).map((t) => t.name)).toEqual(['InterruptController', 'GPPTRedistributor', 'VirtioBlk', 'VirtioNet', 'VirtioConsole']);
    expect(EMU_DEVICE_TYPES.map((t) => t.label)).toEqual([
      'meta device', 'interrupt controller', 'console', 'ivc channel', 'gic partial passthrough redistributor', 'gic partial passthrough distributor',
      'gic partial passthrough its', 'plic partial passthrough global', 'virtio block', 'virtio net', 'virtio console',
    ]);
    for (const type of EMU_DEVICE_TYPES) {
      expect(emuDeviceType(type.number)).toBe(type);
      const snake = type.name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase();
      for (const spelling of [String(type.number), `0x${type.number.toString(16)}`, `"${type.name}"`, `"${snake}"`, `"${type.label}"`])
        expect(parse(base() + kernel() + devices(`[["d", 0x1000, 0x1000, 0, ${spelling}, []]]`)).devices).toEqual([{ name: 'd', model: type.model, base: 0x1000n, size: 0x1000n, irq: 0 }]);
    }
    expect(emuDeviceType(0x7f)).toBeUndefined();
    expect(() => parse(base() + kernel() + devices('[["d", 0, 0, 0, 0x7f, []]]'))).toThrow('guest.toml:12: devices.emu_devices[0][4]: the number 127 is not a type of emulated devices; there are "Dummy"/0');
  });

  test('aliases of interrupt modes, VM types and ways to map memory', () => {
    for (const [spelling, mode] of [['no_irq', 'no_irq'], ['no', 'no_irq'], ['none', 'no_irq'], ['emu', 'emulated'], ['emulated', 'emulated'], ['passthrough', 'passthrough'], ['pt', 'passthrough']])
      expect(parse(base() + kernel() + devices('[]', `interrupt_mode = "${spelling}"`)).interruptMode).toBe(mode);
    expect(parse(base() + kernel() + devices()).interruptMode).toBe('no_irq');
    expect(() => parse(base() + kernel() + devices('[]', 'interrupt_mode = "maybe"'))).toThrow('guest.toml:14: devices.interrupt_mode: the string "maybe" is not an interrupt mode; there are "no_irq"/"no"/"none", "emulated"/"emu", "passthrough"/"pt"');
    for (const [spelling, type] of [['0', 'host'], ['1', 'rtos'], ['2', 'linux'], ['"Linux"', 'linux']])
      expect(parse(base().replace('vm_type = 2', `vm_type = ${spelling}`) + kernel()).vmType).toBe(type);
    for (const [spelling, type] of [['0', 'alloc'], ['1', 'identical'], ['2', 'reserved'], ['"reserved"', 'reserved']])
      expect(parse(base() + kernel(`[[0, 0x1000, 7, ${spelling}]]`)).memoryRegions[0]?.mapType).toBe(type);
    expect(() => parse(base() + kernel('[[0, 0x1000, 7, 3]]'))).toThrow('guest.toml:10: kernel.memory_regions[0][3]: the number 3 is not a way to map memory');
  });

  test('what the original leaves unused is no error', () => {
    const { dtbLoadAddr, dtb, ramdisk, disks } = parse(base() + kernel(undefined, 'dtb_load_addr = 0x8220_0000\nramdisk_path = ""\nramdisk_load_addr = 0\nbios_path = ""\ndisk_path = ""\nimage_location = "fs"\n'));
    expect([dtbLoadAddr, dtb, ramdisk, disks]).toEqual([0x8220_0000n, undefined, undefined, []]);
    expect(parse(base() + kernel('[]')).memoryRegions).toEqual([]);
  });
});
