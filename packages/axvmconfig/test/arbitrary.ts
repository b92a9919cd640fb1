/** Arbitrary guest descriptions that pass the checks. */
import type { VmConfig } from '@axvisor/axvisor_api/config';
import fc from 'fast-check';

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
/** Names with quotes, escapes, control characters and all of Unicode, but no lone surrogates, which TOML cannot express. */
const text = fc.string({ unit: 'grapheme-composite', maxLength: 12 });
const odd = fc.constantFrom('"', "'''", '\\', '\n', '\t', '\x00', '\x7f', '#', '[x]', '= 1', '\u2028', 'ü', '😀', 'a.b', '\r\n');
const words = fc.array(fc.oneof(text, odd), { maxLength: 3 }).map((parts) => parts.join(''));
const name = words.map((s) => `n${s}`);
const irq = fc.nat(0x7fff_ffff);
const maybe = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arb, { nil: undefined });

/** Drops properties that are `undefined`, as exact optional properties want it. */
const clean = <T extends object>(o: T): T => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as T;

const scalar = fc.oneof(words, fc.boolean(), fc.maxSafeInteger().map((n) => n + 0), fc.double({ noNaN: true }).filter((n) => !Object.is(n, -0)), fc.bigInt({ min: 1n << 60n, max: (1n << 63n) - 1n }));
const option = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), fc.dictionary(name, scalar, { maxKeys: 3, noNullPrototype: true }));
const options = fc.dictionary(name, option, { maxKeys: 3, noNullPrototype: true });

const image = fc.record({ path: name, loadAddr: maybe(u64) }).map(clean);

/** Sizes of disjoint ranges, laid out one after the other from 4 GiB. */
const PAGE = 0x1000n;

interface Parts {
  readonly regions: { pages: number; flags: number; mapType: 'alloc' | 'identical' | 'reserved' }[];
  readonly devices: { name: string | undefined; model: string; size: bigint | undefined; irq: number; options: Record<string, unknown> | undefined }[];
}

function layOut({ regions, devices }: Parts): Pick<VmConfig, 'memoryRegions' | 'devices'> {
  let next = 1n << 32n;
  const take = (size: bigint): bigint => {
    const at = next;
    next += ((size + PAGE - 1n) / PAGE) * PAGE;
    return at;
  };
  return {
    memoryRegions: regions.map(({ pages, flags, mapType }) => ({ gpa: take(BigInt(pages) * PAGE), size: BigInt(pages) * PAGE, flags, mapType })),
    devices: devices.map((d) => clean({ ...d, base: take(d.size ?? 1n) })) as VmConfig['devices'],
  };
}

const parts: fc.Arbitrary<Parts> = fc.record({
  regions: fc.array(fc.record({ pages: fc.integer({ min: 1, max: 0x10_0000 }), flags: fc.nat(0x3f), mapType: fc.constantFrom('alloc' as const, 'identical' as const, 'reserved' as const) }), { maxLength: 4 }),
  devices: fc.uniqueArray(fc.record({ name: maybe(name), model: name, size: maybe(fc.bigInt({ min: 1n, max: 1n << 40n })), irq, options: maybe(options) }), { maxLength: 4, selector: (d) => d.name ?? {} }),
});

export const vmConfig: fc.Arbitrary<VmConfig> = fc
  .record({
    id: fc.integer({ min: 1, max: 0x7fff_ffff }),
    name,
    vmType: fc.constantFrom('host' as const, 'rtos' as const, 'linux' as const),
    cpuNum: fc.integer({ min: 1, max: 4 }),
    ids: maybe(fc.uniqueArray(u64, { minLength: 4, maxLength: 4 })),
    sets: maybe(fc.array(fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }), { minLength: 4, maxLength: 4 })),
    kernel: maybe(image), bios: maybe(image), dtb: maybe(image), ramdisk: maybe(image),
    dtbLoadAddr: maybe(u64), entryPoint: maybe(u64), cmdline: maybe(words),
    parts,
    board: fc.constantFrom('virt' as const, 'none' as const),
    arch: maybe(fc.constantFrom('riscv64' as const, 'aarch64' as const, 'x86_64' as const)),
    gicVersion: maybe(fc.constantFrom(2 as const, 3 as const)),
    virtualization: maybe(fc.constantFrom('vmx' as const, 'svm' as const)),
    disks: fc.array(fc.record({ path: name, readOnly: fc.boolean() }), { maxLength: 3 }),
    // Below and beyond everything else.
    passthroughDevices: fc.array(fc.record({ name, baseGpa: fc.bigInt({ min: 0n, max: 1n << 31n }), baseHpa: u64, length: fc.bigInt({ min: 0n, max: 1n << 30n }), irq }), { maxLength: 3 }),
    passthroughAddresses: fc.array(fc.record({ baseGpa: fc.bigInt({ min: 1n << 60n, max: 1n << 61n }), length: fc.bigInt({ min: 1n, max: 1n << 40n }) }), { maxLength: 3 }),
    excludedDevices: fc.array(fc.array(words, { maxLength: 3 }), { maxLength: 3 }),
    interruptMode: fc.constantFrom('no_irq' as const, 'emulated' as const, 'passthrough' as const),
  })
  .map(({ ids, sets, parts: p, dtb, dtbLoadAddr, gicVersion, virtualization, ...rest }) =>
    clean({
      ...rest,
      gicVersion: rest.arch === undefined || rest.arch === 'aarch64' ? gicVersion : undefined,
      virtualization: rest.arch === undefined || rest.arch === 'x86_64' ? virtualization : undefined,
      ...layOut(p),
      physCpuIds: ids?.slice(0, rest.cpuNum),
      physCpuSets: sets?.slice(0, rest.cpuNum),
      dtb,
      dtbLoadAddr: dtb === undefined ? dtbLoadAddr : undefined,
    }),
  ) as fc.Arbitrary<VmConfig>;
