import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeviceBus } from '@axvisor/axvisor_api/device';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cells64, isFdt, node, writeFdt, type DeviceTreeNode } from '../src/index.ts';
import { virtAarch64 } from '../src/board/virt_aarch64.ts';
import { linkAarch64 } from './machine_aarch64.ts';

type Parsed = { properties: Record<string, number[]>; children: Record<string, Parsed> };

/** Reads a tree by the specification, independently of the writer. */
function parse(blob: Uint8Array): Parsed {
  const view = new DataView(blob.buffer, blob.byteOffset);
  const u32 = (at: number) => view.getUint32(at);
  expect(u32(0)).toBe(0xd00dfeed);
  expect(u32(4)).toBe(blob.length);
  const strings = u32(12);
  let at = u32(8);
  const text = (from: number) => { let s = ''; for (let i = from; blob[i] !== 0; i++) s += String.fromCharCode(blob[i] as number); return s; };
  const readNode = (): Parsed => {
    const n: Parsed = { properties: {}, children: {} };
    for (;;) {
      const token = u32(at);
      at += 4;
      if (token === 3) {
        const length = u32(at);
        n.properties[text(strings + u32(at + 4))] = [...blob.subarray(at + 8, at + 8 + length)];
        at = (at + 8 + length + 3) & ~3;
      } else if (token === 1) {
        const name = text(at);
        at = (at + name.length + 4) & ~3;
        n.children[name] = readNode();
      } else {
        expect(token).toBe(2);
        return n;
      }
    }
  };
  expect(u32(at)).toBe(1);
  at += 8;
  const root = readNode();
  expect(u32(at)).toBe(9);
  return root;
}

test('properties of every kind are written as the specification says', () => {
  const { properties, children } = parse(writeFdt(node(
    { cells: [1, 0xffff_ffff], text: 'ok', list: ['a', 'bc'], empty: true, raw: Uint8Array.of(1, 2, 3), addr: cells64(0x1_2345_6789n) },
    { 'cpu@0': node({ reg: [0] }, { 'interrupt-controller': node({}) }) },
  )));
  expect(properties).toEqual({
    cells: [0, 0, 0, 1, 255, 255, 255, 255], text: [111, 107, 0], list: [97, 0, 98, 99, 0], empty: [], raw: [1, 2, 3],
    addr: [0, 0, 0, 1, 0x23, 0x45, 0x67, 0x89],
  });
  expect(Object.keys(children)).toEqual(['cpu@0']);
  expect(Object.keys(children['cpu@0']?.children ?? {})).toEqual(['interrupt-controller']);
});

test('a tree may be larger than the buffer it is first written to, wherever it ends', () => {
  for (let length = 4000; length < 4120; length++) {
    const { properties } = parse(writeFdt(node({ bootargs: 'x'.repeat(length), last: [1] })));
    expect([properties['bootargs']?.length, properties['last']]).toEqual([length + 1, [0, 0, 0, 1]]);
  }
});

test('names the specification forbids are refused', () => {
  expect(() => writeFdt(node({ 'a b': true }))).toThrow("bad property name 'a b'");
  expect(() => writeFdt(node({}, { 'x/y': node({}) }))).toThrow("bad node name 'x/y'");
});

const name = fc.stringMatching(/^[a-z][a-z0-9,._+-]{0,10}$/);
const tree: fc.Arbitrary<DeviceTreeNode> = fc.letrec((tie) => ({
  node: fc.record({
    properties: fc.dictionary(name, fc.oneof(fc.array(fc.nat(), { maxLength: 4 }), fc.constant(true as const), fc.stringMatching(/^[ -~]*$/))),
    children: fc.oneof({ depthSize: 'small' }, fc.constant({}), fc.dictionary(name, tie('node') as fc.Arbitrary<DeviceTreeNode>, { maxKeys: 3 })),
  }),
})).node as fc.Arbitrary<DeviceTreeNode>;

test('any tree can be read back, and is recognized', () => {
  const shape = (n: DeviceTreeNode): unknown => [Object.keys(n.properties), Object.entries(n.children).map(([k, c]) => [k, shape(c)])];
  const parsedShape = (n: Parsed): unknown => [Object.keys(n.properties), Object.entries(n.children).map(([k, c]) => [k, parsedShape(c)])];
  fc.assert(fc.property(tree, (t) => {
    const blob = writeFdt(t);
    expect(isFdt(blob)).toBe(true);
    expect(isFdt(blob.subarray(0, blob.length - 1))).toBe(false);
    expect(parsedShape(parse(blob))).toEqual(shape(t));
  }));
});

test.runIf(spawnSync('dtc', ['--version']).status === 0)('dtc accepts what is written', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'axvm-fdt-')), 'a.dtb');
  writeFileSync(file, writeFdt(node({ compatible: ['a,b', 'c'], '#address-cells': [2], '#size-cells': [2] }, { 'memory@80000000': node({ device_type: 'memory', reg: [...cells64(0x8000_0000n), ...cells64(0x1000_0000n)] }) })));
  expect(execFileSync('dtc', ['-I', 'dtb', '-O', 'dts', file], { encoding: 'utf8' })).toContain('memory@80000000');
});

test('a machine is given random bytes, under a virtual clock the same in every run', () => {
  linkAarch64();
  const bus = { devices: () => [] } as unknown as DeviceBus;
  const seed = () => {
    const tree = virtAarch64({ cpuNum: 1, memoryRegions: [] }).deviceTree?.({ cpuIds: [0n], memory: [], cmdline: undefined, initrd: undefined, bus, irqs: new Map() });
    return parse(tree as Uint8Array).children['chosen']?.properties['rng-seed'];
  };
  const first = seed();
  expect(new Set(first).size).toBeGreaterThan(8);
  expect(first).toHaveLength(32);
  expect(seed()).toEqual(first);
});
