import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { axvisor } from './guests/session.ts';

const folder = mkdtempSync(join(tmpdir(), 'axvisor-cli-'));
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe('help and version', () => {
  test.each([['--help'], ['run', '--help'], ['images', '--help'], ['images', 'fetch', '--help'], ['config', '--help'], ['config', 'generate', '--help'], ['devices', '--help']])('%s %s', async (...args) => {
    const { status, output } = await axvisor(...args);
    expect(status).toBe(0);
    expect(output).toContain('Usage: axvisor');
  });

  test('--version', async () => {
    const { status, output } = await axvisor('--version');
    expect([status, output.trim()]).toEqual([0, (JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { version: string }).version]);
  });
});

/** No more than the header of a RISC-V Image. */
function riscvImage(): Uint8Array {
  const image = new Uint8Array(64);
  new DataView(image.buffer).setUint32(56, 0x0543_5352, true);
  return image;
}

describe('mistakes end with status 2 and one clear message', () => {
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    ['an unknown command', ['fly'], 'unknown command'],
    ['an unknown option', ['run', '--warp'], 'unknown option'],
    ['an unknown architecture', ['run', '--arch', 'vax'], "--arch: 'vax' is none of riscv64"],
    ['an unknown guest', ['run', '--guest', 'cp/m'], 'there is no image cp/m'],
    ['a guest where a configuration is expected', ['run', 'debian-arm64'], 'the guest of this name is --guest debian-arm64'],
    ['--virt for another architecture', ['run', '--virt', 'svm'], '--virt: processors of riscv64 have no choice'],
    ['an unknown virtualization', ['run', '--arch', 'x86_64', '--virt', 'xen'], "--virt: 'xen' is none of vmx, svm"],
    ['no such kernel', ['run', '--kernel', '/nonexistent/Image'], 'kernel /nonexistent/Image'],
    ['a kernel that is none', ['run', '--kernel', file('notes.txt', 'dear diary\n'.repeat(100))], 'not a kernel'],
    ['an empty kernel', ['run', '--kernel', file('empty', '')], 'empty'],
    ['0 CPUs', ['run', '--guest', 'embedded', '--cpus', '0'], "--cpus: '0' is not a number from 1 to 512"],
    ['1000 CPUs', ['run', '--guest', 'embedded', '--cpus', '1000'], "--cpus: '1000' is not"],
    ['a bad size', ['run', '--guest', 'embedded', '--memory', 'lots'], "--memory: 'lots' is not a size"],
    ['too much memory', ['run', '--guest', 'embedded', '--memory', '64G'], 'guest memory: 65536M do not fit; one run has 2 GiB in all'],
    ['an initrd larger than memory', ['run', '--guest', 'embedded', '--memory', '4M', '--initrd', file('initrd', new Uint8Array(8 << 20))], 'the initrd (8388608 bytes) does not fit'],
    ['a missing disk', ['run', '--guest', 'embedded', '--disk', '/nonexistent.img'], 'disk /nonexistent.img'],
    ['an odd disk', ['run', '--guest', 'embedded', '--disk', file('odd.img', new Uint8Array(700))], '700 bytes, not a whole number of 512-byte sectors'],
    ['a bad device tree', ['run', '--guest', 'embedded', '--dtb', file('bad.dtb', 'not a tree, but long enough to have a header of forty bytes')], 'not a flattened device tree'],
    ['a missing configuration', ['run', '/nonexistent.toml'], 'configuration /nonexistent.toml'],
    ['a bad configuration', ['run', file('bad.toml', '[base]\nid = 0\nnam = "x"\n')], 'bad.toml:'],
    ['a GIC where there is none', ['run', '--guest', 'embedded', '--gic', '2'], '--gic: guests of riscv64 have no GIC'],
    ['a GIC of no known version', ['run', '--arch', 'aarch64', '--guest', 'embedded', '--gic', '4'], "--gic: '4' is none of 2, 3"],
    ['more vCPUs than a GICv2 has room for', ['run', '--arch', 'aarch64', '--guest', 'embedded', '--gic', '2', '--cpus', '9'], 'for 1 to 8 vCPUs, not 9'],
    ['a kernel for another architecture', ['run', '--arch', 'aarch64', '--kernel', file('riscv.img', riscvImage())], 'RISC-V Image: made for riscv64, this machine is aarch64'],
    ['an engine that is not there', ['run', '--guest', 'embedded', '--engine', 'steam'], "--engine: 'steam' is none of auto, interpreter, translator"],
    ['an image nobody knows', ['images', 'path', 'multics'], 'there is no image multics'],
  ];
  test.each(cases)('%s', async (_name, args, message) => {
    const { status, output } = await axvisor(...args);
    expect(output).toContain(message);
    expect(status).toBe(2);
  });
});

test('a generated configuration checks, and its schema is JSON', async () => {
  const generated = await axvisor('config', 'generate', '--kernel', 'Image', '--cpus', '2', '--memory', '128M', '--append', 'console=ttyS0');
  expect(generated.status).toBe(0);
  const checked = await axvisor('config', 'check', file('generated.toml', generated.output));
  expect([checked.status, checked.output]).toEqual([0, expect.stringContaining('is well described')]);
  const json = await axvisor('config', 'check', '--json', join(folder, 'generated.toml'));
  expect([json.status, JSON.parse(json.output)]).toEqual([0, [{ file: join(folder, 'generated.toml'), vm: { id: 1, name: 'guest' }, problems: [] }]]);
  const arm = await axvisor('config', 'generate', '--kernel', 'Image', '--arch', 'aarch64', '--gic', '2');
  expect(arm.output).toMatch(/arch = "aarch64"[\s\S]*gic_version = 2[\s\S]*gpa = 0x4000_0000/);
  const svm = await axvisor('config', 'generate', '--kernel', 'bzImage', '--arch', 'x86_64', '--virt', 'svm');
  expect([svm.status, svm.output]).toEqual([0, expect.stringContaining('virt = "svm"')]);
  const rejected = await axvisor('config', 'generate', '--kernel', 'Image', '--gic', '2');
  expect([rejected.status, rejected.output]).toEqual([2, expect.stringContaining('--gic: guests of riscv64 have no GIC')]);
  const schema = await axvisor('config', 'schema');
  expect(JSON.parse(schema.output)).toHaveProperty('properties');
});

test('lists for machines are JSON', async () => {
  const models = JSON.parse((await axvisor('devices', '--json')).output) as { model: string }[];
  expect(models.map((m) => m.model)).toContain('virtio-blk');
  const images = JSON.parse((await axvisor('images', 'list', '--json')).output) as { name: string }[];
  expect(images.map((i) => i.name)).toEqual(expect.arrayContaining(['debian-riscv64', 'debian-arm64', 'u-boot-arm64']));
});

test.each(['riscv64', 'aarch64'])('the device tree of %s is dumped and can be given back', async (arch) => {
  const dtb = join(folder, `${arch}.dtb`);
  expect((await axvisor('run', '--arch', arch, '--guest', 'embedded', '--dump-dtb', dtb)).status).toBe(0);
  expect(readFileSync(dtb).readUInt32BE(0)).toBe(0xd00dfeed);
  expect((await axvisor('run', '--arch', arch, '--guest', 'embedded', '--dtb', dtb, '--expect', 'axvisor> ', '--timeout', '30')).status).toBe(0);
});

describe('how a guest ends is the exit status', () => {
  /** lui, addi: a7 = "SRST"; li a6, 0; li a0, 0 (shutdown); li a1, reason; ecall. */
  const shutdown = (reason: number): string =>
    file(`shutdown-${reason}`, new Uint8Array(Uint32Array.of(0x5352_58b7, 0x3548_8893, 0x0000_0813, 0x0000_0513, (reason << 20) | 0x593, 0x0000_0073).buffer));
  const run = (reason: number, ...more: readonly string[]): ReturnType<typeof axvisor> =>
    axvisor('run', '--kernel', shutdown(reason), '--load-addr', '0x80200000', '--memory', '8M', '--timeout', '30', ...more);

  test.each([[[]], [['--threads', '2']]])('power-off, and a failure that the guest states %s', async (more) => {
    expect((await run(0, ...more)).status).toBe(0);
    const failed = await run(1, ...more);
    expect([failed.status, failed.output]).toEqual([4, expect.stringContaining('the guest reported failure 1')]);
  });

  test('power-off without what was expected', async () => {
    const { status, output } = await run(0, '--expect', 'login:');
    expect([status, output]).toEqual([5, expect.stringContaining("the guest powered off and 'login:' had not appeared")]);
  });

  test('statistics count what the processors of threads did', async () => {
    const stats = join(folder, 'threads.json');
    await run(0, '--threads', '2', '--stats', stats);
    const { counters } = JSON.parse(readFileSync(stats, 'utf8')) as { counters: Record<string, number> };
    expect(counters).toMatchObject({ decoded_instructions: 6, exceptions: expect.any(Number) as number });
    expect(counters['exceptions']).toBeGreaterThan(0);
  });
});
