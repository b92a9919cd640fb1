/** What is generated reads back as the same description, and is legible; the schema agrees with the reader. */
import { vmConfigSchema as apiSchema, generateVmConfig as apiGenerate, type VmConfig } from '@axvisor/axvisor_api/config';
import { withLinked } from '@axvisor/axvisor_api';
import fc from 'fast-check';
import { parse, stringify } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { component, createVmConfig, generateVmConfig, parseVmConfig, vmConfigSchema } from '../src/index.ts';
import { locate } from '../src/toml/locate.ts';
import { pathText, type Path } from '../src/toml/path.ts';
import { tomlInteger } from '../src/toml/write.ts';
import { vmConfig } from './arbitrary.ts';
import { schemaProblems } from './json_schema.ts';

/** The document as JSON sees it. */
const json = (toml: string): unknown => JSON.parse(JSON.stringify(parse(toml, { integersAsBigInt: true }), (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : v)));

describe('generate', () => {
  test('reads back as the same description (property)', () => {
    fc.assert(fc.property(vmConfig, (config) => {
      const toml = generateVmConfig(config);
      expect(parseVmConfig(toml, 'f')).toEqual(config);
      expect(schemaProblems(vmConfigSchema(), json(toml))).toEqual([]);
    }), { numRuns: 300 });
  });

  test('comments every key', () => {
    const config: VmConfig = createVmConfig({
      name: 'debian "sid"', cpuNum: 2, kernel: { path: 'Image', loadAddr: 0x8020_0000n }, cmdline: 'console=ttyS0', disks: [{ path: 'root.img', readOnly: false }],
      devices: [{ model: 'ns16550a', name: 'serial 1', base: 0x1000_9000n, irq: 20, options: { shift: 2 } }],
    });
    const toml = withLinked([component], () => apiGenerate(config));
    expect(toml).toMatchInlineSnapshot(`
      "# A virtual machine: what it consists of and what it boots.

      [base]
      # number of the VM, at least 1, different from every other VM
      id = 1
      # what people call it
      name = "debian \\"sid\\""
      # kind of guest: "linux" (2), "rtos" (1) or "host" (0)
      vm_type = "linux"
      # number of vCPUs, 1 to 512
      cpu_num = 2
      # "virt": console, clock, interrupt controller and power button are there; "none": only the devices below
      board = "virt"

      [kernel]
      # file of the kernel: Linux Image, ELF or raw binary
      kernel_path = "Image"
      # where the kernel goes; default: where its header says
      kernel_load_addr = 0x8020_0000
      # kernel command line
      cmdline = "console=ttyS0"
      # memory: [gpa, size, flags, map_type] or tables of these
      memory_regions = [
        { gpa = 0x8000_0000, size = 0x1000_0000, flags = 0x7, map_type = "alloc" }, # 256M
      ]

      [devices]
      # "no_irq", "emulated" or "passthrough"
      interrupt_mode = "emulated"
      # devices of the host: [name, base_gpa, base_hpa, length, irq_id]
      passthrough_devices = []
      # host addresses the guest may use as they are: [base_gpa, length]
      passthrough_addresses = []
      # lists of device-tree paths that are kept from the guest
      excluded_devices = []

      [device."serial 1"]
      # device model, one of those that \`axvisor devices\` lists
      model = "ns16550a"
      # guest physical address of its registers
      base = 0x1000_9000
      # interrupt, 0 for none
      irq = 20
      # options of the model
      options = { shift = 2 }

      [[disks]]
      # file of the disk
      path = "root.img"
      # whether the guest can only read it
      readonly = false
      "
    `);
    expect(parseVmConfig(toml, 'f')).toEqual(config);
  });

  test('integers are grouped by four digits', () => {
    expect([0n, 9n, 10n, 0x1000n, 0x1_0000n, 0x8000_0000n, (1n << 64n) - 1n].map(tomlInteger)).toEqual(['0', '9', '0xa', '0x1000', '0x1_0000', '0x8000_0000', '0xffff_ffff_ffff_ffff']);
  });
});

describe('schema', () => {
  const good = '[base]\nid = 1\nname = "vm"\ncpu_num = 1\n[kernel]\nmemory = "256M"\n';

  test('accepts what the reader accepts', () => {
    withLinked([component], () => expect(apiSchema()).toEqual(vmConfigSchema()));
    for (const toml of [
      good,
      good.replace('memory = "256M"', 'memory_regions = [[0, 4096], [4096, 4096, 7, 1], { gpa = 0x10_0000, size = "1M" }]'),
      `${good}[devices]\nemu_devices = [["d", 0, 0, 0, 0x21, []], ["e", 4096, 1, 0, "VirtioBlk"]]\npassthrough_devices = [["/"]]`,
      `${good}[device.a]\nmodel = "x"\nbase = 0`, `${good}[[device]]\nmodel = "x"\nbase = 0`,
    ]) {
      expect(() => parseVmConfig(toml, 'f')).not.toThrow();
      expect(schemaProblems(vmConfigSchema(), json(toml))).toEqual([]);
    }
  });

  test('refuses what the reader refuses for its form', () => {
    for (const toml of [
      good.replace('id = 1', 'id = 0'), good.replace('id = 1\n', ''), good.replace('"vm"', '" "'), good.replace('"256M"', '"lots"'), good.replace('memory', 'memroy'),
      good.replace('cpu_num = 1', 'cpu_num = 513'), good.replace('memory = "256M"', 'memory_regions = [[0]]'), good.replace('memory = "256M"', 'memory_regions = [[0, 1, 2, 3, 4]]'),
      `${good}memory_regions = []`, `${good}[devices]\ninterrupt_mode = "x"`, `${good}[device.a]\nmodel = "x"`, `${good}[[disks]]`, `${good}[more]`, '',
    ]) {
      expect(() => parseVmConfig(toml, 'f')).toThrow();
      expect(schemaProblems(vmConfigSchema(), json(toml))).not.toEqual([]);
    }
  });
});

describe('lines', () => {
  const paths = (value: unknown, path: Path = []): Path[] => [
    ...(path.length === 0 ? [] : [path]),
    ...(Array.isArray(value) ? value.flatMap((v: unknown, i) => paths(v, [...path, i])) : typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([k, v]) => paths(v, [...path, k])) : []),
  ];

  test('of everything in a document', () => {
    const toml = `# comment [not.a.table]
a = 1 # x = 2
"b c".d = "x # ] = 1"
'e' = '''
multi ' ''
line'''
f = """
\\""" "" ["""" # four quotes end in one
g = [ # comment ]
  1, [2,
  3], { h = 4,
        i = [5] },
  "]",
]
[t.u]
v = { w.x = true, y = '}' }
[[z]]
n = 1
[z.sub]
m = 2979-05-27 07:32:00
[[z]]
n = inf\r
[[z.list]]
k = "\\u0041"
`;
    const lines = locate(toml);
    const expected: Record<string, number> = {
      a: 2, '"b c"': 3, '"b c".d': 3, e: 4, f: 7, g: 9, 'g[0]': 10, 'g[1]': 10, 'g[1][0]': 10, 'g[1][1]': 11, 'g[2]': 11, 'g[2].h': 11, 'g[2].i': 12, 'g[2].i[0]': 12, 'g[3]': 13,
      t: 15, 't.u': 15, 't.u.v': 16, 't.u.v.w': 16, 't.u.v.w.x': 16, 't.u.v.y': 16, z: 17, 'z[0]': 17, 'z[0].n': 18, 'z[0].sub': 19, 'z[0].sub.m': 20,
      'z[1]': 21, 'z[1].n': 22, 'z[1].list': 23, 'z[1].list[0]': 23, 'z[1].list[0].k': 24,
    };
    expect(Object.fromEntries(lines)).toEqual(expected);
    expect(paths(parse(toml)).map(pathText).toSorted()).toEqual(Object.keys(expected).filter((k) => !k.includes('sub.m.')).toSorted());
  });

  test('of whatever another writer writes (property)', () => {
    const key = fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom('a', 'b', 'a.b', '"', "'", '', '[', '#', '\n')).filter((k) => k !== '__proto__');
    const leaf = fc.oneof(fc.string({ maxLength: 8 }), fc.integer(), fc.boolean(), fc.constantFrom('"""', "'''", '\\', '\n[x]\n'));
    const { tree } = fc.letrec<{ tree: unknown; table: object }>((tie) => ({
      tree: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('tree'), { maxLength: 3 }), tie('table')),
      table: fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    }));
    fc.assert(fc.property(fc.dictionary(key, tree, { maxKeys: 5, noNullPrototype: true }), (value) => {
      const toml = stringify(value);
      const lines = locate(toml);
      const text = toml.split('\n');
      for (const path of paths(parse(toml))) {
        const line = lines.get(pathText(path));
        expect(line).toBeDefined();
        const last = path.at(-1);
        if (typeof last === 'string' && /^[a-z]+$/.test(last)) expect(text[(line as number) - 1]).toContain(last);
      }
    }), { numRuns: 300 });
  });
});
