/** The regions that are kept: what is found, what is not, and how little of them is. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checksum } from '../../src/checksum.ts';
import { marksIn, readMarks, regionFiles, regionsIn, type RegionFiles } from '../../src/kept/marks.ts';
import { KeptRegions, openRegions } from '../../src/kept/regions.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'axvisor-regions-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const filesOf = (sources = 'a', key = 'layout'): RegionFiles => regionFiles({ folder: join(folder, 'regions'), sources }, 'x86_64', key);
const bytes = (n: number, length = 100): Uint8Array => Uint8Array.from({ length }, (_, i) => i * n);

/** What one command does with the files. */
function use<T>(does: (regions: KeptRegions) => T, files = filesOf(), maxBytes?: number): T {
  using regions = new KeptRegions(files, maxBytes);
  return does(regions);
}
const found = (content: Uint8Array, files = filesOf()): number[] | undefined =>
  use((regions) => {
    const code = regions.find(content);
    return code === undefined ? undefined : [...code];
  }, files);

test('what was kept is found by what it was made of, and its entry is known', () => {
  expect(found(bytes(1))).toBeUndefined();
  use((regions) => {
    regions.keep(bytes(1), bytes(2, 77), 11);
    regions.keep(bytes(3), bytes(4), -12);
    expect([...(regions.find(bytes(3)) ?? [])]).toEqual([...bytes(4)]);
  });
  expect(found(bytes(1))).toEqual([...bytes(2, 77)]);
  expect(found(bytes(3))).toEqual([...bytes(4)]);
  expect(found(bytes(5))).toBeUndefined();
  expect([...readMarks(filesOf())]).toEqual([11, -12]);
});

test('it is not found by other code, for another layout, or by chance under the same file name', () => {
  use((regions) => regions.keep(bytes(1), bytes(2), 11));
  expect(found(bytes(1), filesOf('b'))).toBeUndefined();
  expect(found(bytes(1), filesOf('a', 'other'))).toBeUndefined();
  const { young, old } = filesOf();
  expect(found(bytes(1), { name: 'other', young, old })).toBeUndefined();
});

test('content with the hash of another one is not taken for it', () => {
  const content = bytes(1);
  const other = content.slice();
  const words = new Int32Array(other.buffer);
  // The last word is chosen so that the sums are the same.
  words[3] = 0x1234_5678;
  const before = (data: Uint8Array): number => checksumBefore(data);
  words[24] = before(content) ^ (new Int32Array(content.buffer)[24] as number) ^ before(other);
  expect(checksum(other)).toBe(checksum(content));
  use((regions) => regions.keep(content, bytes(2), 1));
  expect(found(other)).toBeUndefined();
});

/** The sum of 100 bytes, the last word of which comes to nothing. */
function checksumBefore(data: Uint8Array): number {
  let sum = 0x811c_9dc5 ^ data.length;
  for (const word of new Int32Array(data.buffer, 0, 24)) sum = Math.imul(sum ^ word, 0x0100_0193);
  return sum;
}

test.each([
  ['one changed byte of the code', (file: string) => writeFileSync(file, readFileSync(file).map((byte, i, all) => (i === all.length - 3 ? byte ^ 1 : byte)))],
  ['a cut off file', (file: string) => truncateSync(file, statSync(file).size - 20)],
  ['a file that ends in a head', (file: string) => truncateSync(file, statSync(file).size - 195)],
  ['an empty file', (file: string) => truncateSync(file, 0)],
  ['another file', (file: string) => writeFileSync(file, bytes(7, 3000))],
])('%s: it is not found, others are, and it can be kept again', (_, damage) => {
  use((regions) => regions.keep(bytes(1), bytes(2), 11));
  damage(regionsIn(filesOf().young));
  expect(found(bytes(1))).toBeUndefined();
  use((regions) => {
    regions.keep(bytes(3), bytes(4), 12);
    regions.keep(bytes(1), bytes(2), 11);
  });
  expect(found(bytes(3))).toEqual([...bytes(4)]);
  expect(found(bytes(1))).toEqual([...bytes(2)]);
});

test('garbage behind what is whole is taken away', () => {
  use((regions) => regions.keep(bytes(1), bytes(2), 11));
  appendFileSync(regionsIn(filesOf().young), bytes(200, 999));
  appendFileSync(marksIn(filesOf().young), bytes(1, 3));
  use((regions) => regions.keep(bytes(3), bytes(4), 12));
  expect(found(bytes(1))).toEqual([...bytes(2)]);
  expect(found(bytes(3))).toEqual([...bytes(4)]);
  expect([...readMarks(filesOf())]).toEqual([11, 12]);
});

test('two commands may keep at the same time', () => {
  use((one) =>
    use((other) => {
      for (let n = 1; n < 50; n++) (n % 2 === 0 ? one : other).keep(bytes(n), bytes(n + 100), n);
    }),
  );
  for (let n = 1; n < 50; n++) expect(found(bytes(n))).toEqual([...bytes(n + 100)]);
  expect(readMarks(filesOf())).toHaveLength(49);
});

test('what is used stays, what is not goes, and files end', () => {
  const big = 1 << 14;
  const max = 25 * big;
  const keepMany = (from: number, count: number): void => use((regions) => {
    if (from > 1) expect(regions.find(bytes(1, 64))?.length).toBe(big);
    for (let n = from; n < from + count; n++) regions.keep(bytes(n, 64), new Uint8Array(big).fill(n), n);
  }, filesOf(), max);
  const sizes = (): number => readdirSync(join(folder, 'regions')).reduce((sum, name) => sum + statSync(join(folder, 'regions', name)).size, 0);
  keepMany(1, 40);
  const bound = 27 * big;
  expect(sizes()).toBeLessThan(bound);
  keepMany(41, 40);
  keepMany(81, 40);
  expect(sizes()).toBeLessThan(2 * bound);
  expect(use((regions) => [1, 2, 85].map((n) => regions.find(bytes(n, 64))?.[9]), filesOf(), max)).toEqual([1, undefined, 85]);
  expect([...readMarks(filesOf())]).toContain(1);
});

test('the folder does not grow without bound', () => {
  for (let n = 0; n < 40; n++) use((regions) => regions.keep(bytes(1), bytes(2), 1), filesOf('a', `layout ${n}`));
  expect(readdirSync(join(folder, 'regions')).length).toBeLessThan(40);
});

test('a folder that cannot be written does no harm', () => {
  writeFileSync(join(folder, 'regions'), '');
  expect(openRegions(filesOf())).toBeUndefined();
  expect(readMarks(filesOf())).toHaveLength(0);
});
