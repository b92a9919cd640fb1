/** The checks: each mistake is found, with file, line and key, and all mistakes at once. */
import { component as axerrno } from '@axvisor/axerrno';
import { link } from '@axvisor/axvisor_api';
import * as api from '@axvisor/axvisor_api/config';
import { describe, expect, test } from 'vitest';
import { component, checkFiles, configFiles, createVmConfig, parseVmConfig } from '../src/index.ts';

link([axerrno, component]);

const problems = (toml: string): string[] => {
  try {
    api.parseVmConfig(toml, 'vm.toml');
  } catch (e) {
    expect(e).toMatchObject({ name: 'AxError', kind: 'InvalidInput', errno: 22 });
    return (e as Error).message.split('\n');
  }
  return [];
};
const GOOD = ['[base]', 'id = 1', 'name = "vm"', 'cpu_num = 1', '[kernel]', 'kernel_path = "Image"', 'memory = "256M"'];
/** The good description with lines added to a table. */
const having = (extra: { base?: string; kernel?: string; rest?: string }): string =>
  [...GOOD.slice(0, 4), ...(extra.base === undefined ? [] : [extra.base]), ...GOOD.slice(4), ...(extra.kernel === undefined ? [] : [extra.kernel]), extra.rest ?? ''].join('\n');

describe('the new notation', () => {
  test('the shortest description', () => {
    expect(api.parseVmConfig(GOOD.join('\n'), 'f')).toEqual({
      ...createVmConfig({ id: 1, name: 'vm', kernel: { path: 'Image' } }),
      interruptMode: 'no_irq',
    });
  });

  test('memory where the architecture has it: the one named, or the one the hypervisor is started for', () => {
    const base = (arch: Parameters<typeof parseVmConfig>[2], extra?: string): bigint | undefined => parseVmConfig(having(extra === undefined ? {} : { base: extra }), 'f', arch).memoryRegions[0]?.gpa;
    expect([base(undefined), base('x86_64'), base('aarch64'), base('x86_64', 'arch = "riscv64"')]).toEqual([0x8000_0000n, 0n, 0x4000_0000n, 0x8000_0000n]);
  });

  test('devices as named tables or as an array, disks, board, architecture', () => {
    const config = parseVmConfig(
      having({
        base: 'board = "none"\narch = "aarch64"',
        rest: `
[device.serial1]
model = "ns16550a"
base = 0x1000_2000
size = 0x100
irq = 12
options = { shift = 2, big = 0xffff_ffff_ffff, huge = 0x7fff_ffff_ffff_ffff, deep = { a = [true, "x", 1.5] } }
[device."virtio console"]
model = "virtio-console"
base = 0x1000_3000
[[disks]]
path = "root.img"
[[disks]]
path = "data.img"
readonly = true`,
      }),
      'f',
    );
    expect(config).toMatchObject({
      board: 'none', arch: 'aarch64',
      memoryRegions: [{ gpa: 0x4000_0000n, size: 0x1000_0000n, flags: 7, mapType: 'alloc' }],
      disks: [{ path: 'root.img', readOnly: false }, { path: 'data.img', readOnly: true }],
    });
    expect(config.devices).toEqual([
      { name: 'serial1', model: 'ns16550a', base: 0x1000_2000n, size: 0x100n, irq: 12, options: { shift: 2, big: 0xffff_ffff_ffff, huge: 0x7fff_ffff_ffff_ffffn, deep: { a: [true, 'x', 1.5] } } },
      { name: 'virtio console', model: 'virtio-console', base: 0x1000_3000n, irq: 0 },
    ]);
    expect(parseVmConfig(having({ rest: '[[device]]\nmodel = "a"\nbase = 0\n[[device]]\nname = "n"\nmodel = "b"\nbase = 4096' }), 'f').devices).toEqual([
      { model: 'a', base: 0n, irq: 0 },
      { name: 'n', model: 'b', base: 4096n, irq: 0 },
    ]);
  });

  test('sizes with units', () => {
    for (const [text, size] of [['"4K"', 4096n], ['"256M"', 0x1000_0000n], ['"1G"', 1n << 30n], ['"2GiB"', 2n << 30n], ['"3mb"', 3n << 20n], ['8192', 8192n], ['"1t"', 1n << 40n]] as const)
      expect(parseVmConfig(GOOD.join('\n').replace('"256M"', text), 'f').memoryRegions[0]?.size).toBe(size);
    for (const [text, what] of [['"lots"', "'lots' is not a size; write a number or e.g. \"256M\""], ['0', '0 is not from 1 to 0xffffffffffffffff'], ['"0M"', '0 is not from 1 to 0xffffffffffffffff'], ['4097', '0x1001 is not a multiple of 4096'], ['true', 'an integer is expected, not true']] as const)
      expect(problems(GOOD.join('\n').replace('"256M"', text))).toEqual([`vm.toml:7: kernel.memory: ${what}`]);
  });
});

describe('each mistake', () => {
  test.each([
    ['an unknown key', { base: 'cpus = 2' }, ['vm.toml:5: base.cpus: unknown key; there are id, name, vm_type, cpu_num, arch, board, gic_version, virt, phys_cpu_ids, phys_cpu_sets']],
    ['a misspelt key', { kernel: 'cmd_line = ""' }, ['vm.toml:8: kernel.cmd_line: unknown key; did you mean cmdline?']],
    ['an unknown table', { rest: '[devcies]' }, ['vm.toml:8: devcies: unknown key; did you mean devices?']],
    ['a wrong type', { kernel: 'cmdline = 5' }, ['vm.toml:8: kernel.cmdline: a string is expected, not the number 5']],
    ['a table where an array is expected', { base: 'phys_cpu_ids = { a = 1 }' }, ['vm.toml:5: base.phys_cpu_ids: an array is expected, not a table']],
    ['an array where a table is expected', { rest: '[[devices]]' }, ['vm.toml:8: devices: a table is expected, not an array']],
    ['a date', { base: 'arch = 2024-01-01' }, ['vm.toml:5: base.arch: a date is not an architecture; there are "riscv64", "aarch64", "x86_64"']],
    ['a negative address', { kernel: 'entry_point = -1' }, ['vm.toml:8: kernel.entry_point: -1 is not from 0 to 0xffffffffffffffff']],
    ['an address beyond 64 bits', { kernel: 'entry_point = 0x1_0000_0000_0000_0000' }, ['vm.toml:8: kernel.entry_point: 18446744073709551616 is not from 0 to 0xffffffffffffffff']],
    ['fewer CPU ids than vCPUs', { base: 'phys_cpu_ids = []' }, ['vm.toml:5: base.phys_cpu_ids: it has 0 elements for 1 vCPUs']],
    ['more CPU sets than vCPUs', { base: 'phys_cpu_sets = [1, 2]' }, ['vm.toml:5: base.phys_cpu_sets: it has 2 elements for 1 vCPUs']],
    ['a CPU set without CPUs', { base: 'phys_cpu_sets = [0]' }, ['vm.toml:5: base.phys_cpu_sets[0]: 0 is not from 1 to 0xffffffffffffffff']],
    ['both ways to say the memory', { kernel: 'memory_regions = [[0, 4096]]' }, ['vm.toml:7: kernel.memory: memory_regions says what memory there is; write one of the two']],
    ['an address without its file', { kernel: 'ramdisk_load_addr = 0x8800_0000' }, ['vm.toml:8: kernel.ramdisk_load_addr: there is no ramdisk_path, whose file would go there']],
    ['devices that overlap', { rest: '[device.a]\nmodel = "x"\nbase = 0x1000\nsize = 0x2000\n[device.b]\nmodel = "x"\nbase = 0x2fff' }, ['vm.toml:12: device.b: 0x2fff..0x3000 overlaps device.a (0x1000..0x3000, line 8)']],
    ['a device in memory', { rest: '[devices]\nemu_devices = [\n["d", 0x8fff_f000, 0x1000, 0, 0, []],\n]' }, ['vm.toml:10: devices.emu_devices[0]: 0x8ffff000..0x90000000 overlaps kernel.memory (0x80000000..0x90000000, line 7)']],
    ['a passed-through device in memory', { rest: '[devices]\npassthrough_addresses = [[0x7fff_f000, 0x1001], [0x7fff_f000, 0x10]]' }, ['vm.toml:9: devices.passthrough_addresses[0]: 0x7ffff000..0x80000001 overlaps kernel.memory (0x80000000..0x90000000, line 7)']],
    ['a range that leaves the space', { rest: '[device.a]\nmodel = "x"\nbase = 0xffff_ffff_ffff_ffff\nsize = 2' }, ['vm.toml:8: device.a: 0xffffffffffffffff..0x10000000000000001 exceeds 64 bits']],
    ['two devices of one name', { rest: '[devices]\nemu_devices = [["d", 0, 1, 0, 0, []]]\n[device.d]\nmodel = "x"\nbase = 0x1000' }, ['vm.toml:10: device.d: the name "d" is taken by devices.emu_devices[0] (line 9)']],
    ['too few elements', { rest: '[devices]\nemu_devices = [["d", 0, 1]]' }, ['vm.toml:9: devices.emu_devices[0]: 5 to 6 elements are expected (name, base_gpa, length, irq_id, emu_type, cfg_list), not 3']],
    ['too many elements', { rest: '[devices]\npassthrough_addresses = [[1, 2, 3]]' }, ['vm.toml:9: devices.passthrough_addresses[0]: 2 elements are expected (base_gpa, length), not 3']],
    ['too many numbers of a device type', { rest: '[devices]\nemu_devices = [["d", 0, 1, 0, 0x22, [1, 2]]]' }, ['vm.toml:9: devices.emu_devices[0]: cfg_list has 2 numbers; GPPTITS knows host_gits_base']],
    ['a key by both its names', { rest: '[devices]\nemu_devices = [{ name = "d", base_gpa = 0, base_ipa = 0, length = 1, irq_id = 0, emu_type = 0 }]' }, ['vm.toml:9: devices.emu_devices[0].base_ipa: it is the same as base_gpa, which is given too']],
    ['a device without model', { rest: '[device.a]\nbase = 0' }, ['vm.toml:8: device.a: model is missing: device model, one of those that `axvisor devices` lists']],
    ['a device without name', { rest: '[device.""]\nmodel = "x"\nbase = 0' }, ['vm.toml:8: device."": its name is empty']],
    ['a date among options', { rest: '[device.a]\nmodel = "x"\nbase = 0\noptions.when = 2024-01-01' }, ['vm.toml:11: device.a.options.when: a date means nothing here']],
    ['options that are no table', { rest: '[device.a]\nmodel = "x"\nbase = 0\noptions = 1' }, ['vm.toml:11: device.a.options: a table is expected, not the number 1']],
    ['a device that is no table', { rest: '[device]\na = 1' }, ['vm.toml:9: device.a: a table is expected, not the number 1']],
    ['devices that are no table', { rest: 'x = 1' }, ['vm.toml:8: kernel.x: unknown key; there are kernel_path, kernel_load_addr, entry_point, bios_path, bios_load_addr, dtb_path, dtb_load_addr, ramdisk_path, ramdisk_load_addr, cmdline, memory, memory_regions, image_location, disk_path']],
    ['a GIC where there is none', { base: 'arch = "riscv64"\ngic_version = 3' }, ['vm.toml:6: base.gic_version: only aarch64 has a GIC; this VM is riscv64']],
    ['virtualization where there is one kind', { base: 'arch = "aarch64"\nvirt = "svm"' }, ['vm.toml:6: base.virt: only processors of x86_64 have a choice; this VM is aarch64']],
    ['virtualization of no known kind', { base: 'virt = "kvm"' }, ['vm.toml:5: base.virt: the string "kvm" is not a kind of virtualization; there are "vmx", "svm"']],
    ['a GIC of no known version', { base: 'gic_version = 4' }, ['vm.toml:5: base.gic_version: the number 4 is not a version of the GIC; there are "2"/2, "3"/3']],
    ['a disk without path', { rest: '[[disks]]\nreadonly = 1' }, ['vm.toml:8: disks[0]: path is missing: file of the disk', 'vm.toml:9: disks[0].readonly: true or false is expected, not the number 1']],
  ] as const)('%s', (_, extra, expected) => {
    expect(problems(having(extra))).toEqual(expected);
  });

  test('numbers of VMs and vCPUs', () => {
    const text = GOOD.join('\n');
    expect(problems(text.replace('id = 1', 'id = 0'))).toEqual(['vm.toml:2: base.id: 0 is not from 1 to 0x7fffffff']);
    for (const n of [0, 513, 1000]) expect(problems(text.replace('cpu_num = 1', `cpu_num = ${n}`))).toEqual([`vm.toml:4: base.cpu_num: ${n} is not from 1 to 0x200`]);
    expect(problems(text.replace('cpu_num = 1', 'cpu_num = 2\nphys_cpu_ids = [7, 7]'))).toEqual(['vm.toml:5: base.phys_cpu_ids[1]: 0x7 is the number of vCPU 0 already']);
    expect(problems(text.replace('"vm"', '" "'))).toEqual(['vm.toml:3: base.name: it is empty']);
  });

  test('what is missing', () => {
    expect(problems('')).toEqual(['vm.toml:1: base is missing: the table that says what the VM is', 'vm.toml:1: kernel is missing: the table that says what it boots']);
    expect(problems('\n[base]\n\n[kernel]\n')).toEqual([
      'vm.toml:2: base: id is missing: number of the VM, at least 1, different from every other VM',
      'vm.toml:2: base: name is missing: what people call it',
      'vm.toml:2: base: cpu_num is missing: number of vCPUs, 1 to 512',
      'vm.toml:4: kernel: memory is missing: write memory = "256M" or memory_regions',
    ]);
    expect(problems(GOOD.slice(0, 4).join('\n') + '\nkernel = 3')).toEqual(['vm.toml:5: base.kernel: unknown key; there are id, name, vm_type, cpu_num, arch, board, gic_version, virt, phys_cpu_ids, phys_cpu_sets', 'vm.toml:1: kernel is missing: the table that says what it boots'].toReversed());
    expect(problems('base = 1\nkernel = 2')).toEqual(['vm.toml:1: base: a table is expected, not the number 1', 'vm.toml:2: kernel: a table is expected, not the number 2']);
  });

  test('what is not TOML', () => {
    expect(problems('[base]\nid = \n')).toEqual([expect.stringMatching(/^vm\.toml:2: not TOML: /)]);
    expect(problems('[base]\nid = 1\nid = 2')).toEqual([expect.stringMatching(/^vm\.toml:3: not TOML: /)]);
    expect(problems('\0')).toHaveLength(1);
  });
});

test('all mistakes are reported at once, by line', () => {
  expect(
    problems(`[base]
id = 0
nam = "x"
cpu_num = "two"
phys_cpu_ids = [0, 1]

[kernel]
kernel_path = 1
memory_regions = [
  [0x8000_0000, 0x1000],
  [0x8000_0800, 0x1000, 7, 0],
  [0x8000_0000, 0x2000, 7, 0],
]
`),
  ).toEqual([
    'vm.toml:1: base: name is missing: what people call it',
    'vm.toml:2: base.id: 0 is not from 1 to 0x7fffffff',
    'vm.toml:3: base.nam: unknown key; did you mean name?',
    'vm.toml:4: base.cpu_num: an integer is expected, not the string "two"',
    'vm.toml:8: kernel.kernel_path: a string is expected, not the number 1',
    'vm.toml:11: kernel.memory_regions[1][0]: 0x80000800 is not a multiple of 4096',
    'vm.toml:12: kernel.memory_regions[2]: 0x80000000..0x80002000 overlaps kernel.memory_regions[0] (0x80000000..0x80001000, line 10)',
  ]);
});

describe('files', () => {
  const toml = having({ kernel: 'dtb_path = "x.dtb"\ndisk_path = "old.img"', rest: '[[disks]]\nreadonly = true\npath = "a.img"\n[[disks]]\npath = "b.img"' });
  const config = parseVmConfig(toml, 'vm.toml');

  test('are found with their keys', () => {
    expect(configFiles(config, toml)).toEqual([
      { key: ['kernel', 'kernel_path'], path: 'Image' },
      { key: ['kernel', 'dtb_path'], path: 'x.dtb' },
      { key: ['kernel', 'disk_path'], path: 'old.img' },
      { key: ['disks', 0, 'path'], path: 'a.img' },
      { key: ['disks', 1, 'path'], path: 'b.img' },
    ]);
  });

  test('that do not exist are reported with file, line and key', () => {
    expect(checkFiles(config, () => true, { toml, file: 'vm.toml' })).toEqual([]);
    expect(checkFiles(config, (p) => p === 'Image' || p === 'a.img', { toml, file: 'vm.toml' })).toEqual([
      'vm.toml:8: kernel.dtb_path: there is no file "x.dtb"',
      'vm.toml:9: kernel.disk_path: there is no file "old.img"',
      'vm.toml:14: disks[1].path: there is no file "b.img"',
    ]);
    expect(checkFiles(createVmConfig({ disks: [{ path: 'd', readOnly: true }] }), () => false)).toEqual(['guest:1: disks[0].path: there is no file "d"']);
  });
});
