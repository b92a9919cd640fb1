/** The store of generated interpreters: what it gives back, and when it gives nothing. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { folderStore } from '../../src/kept/interpreters.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'axvisor-interpreters-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (n: number): Uint8Array => Uint8Array.from({ length: 100 }, (_, i) => i * n);
const found = (key: string, sources = 'a'): number[] | undefined => {
  const kept = folderStore(folder, sources).find(key);
  return kept === undefined ? undefined : [...kept];
};

test('what was kept is found, by its key and by the code that made it', () => {
  const place = join(folder, 'not', 'there');
  const store = folderStore(place, 'a');
  expect(store.find('key')).toBeUndefined();
  store.keep('key', bytes(1));
  expect([...(folderStore(place, 'a').find('key') ?? [])]).toEqual([...bytes(1)]);
  expect(store.find('other')).toBeUndefined();
  expect(folderStore(place, 'b').find('key')).toBeUndefined();
  store.keep('key', bytes(2));
  expect([...(store.find('key') ?? [])]).toEqual([...bytes(2)]);
  expect(readdirSync(place)).toHaveLength(1);
});

test.each([
  ['one changed byte', (file: string) => writeFileSync(file, readFileSync(file).map((byte, i) => (i === 77 ? byte ^ 1 : byte)))],
  ['a cut off file', (file: string) => truncateSync(file, 90)],
  ['a file that ends in its header', (file: string) => truncateSync(file, 6)],
  ['an empty file', (file: string) => truncateSync(file, 0)],
])('%s is not found, and is replaced', (_, damage) => {
  const store = folderStore(folder, 'a');
  store.keep('key', bytes(1));
  damage(join(folder, readdirSync(folder)[0] ?? ''));
  expect(found('key')).toBeUndefined();
  store.keep('key', bytes(1));
  expect(found('key')).toEqual([...bytes(1)]);
});

test('the folder does not grow without bound, and keeps what is new', () => {
  const store = folderStore(folder, 'a');
  for (let n = 0; n < 130; n++) store.keep(`key ${n}`, bytes(n));
  expect(readdirSync(folder).length).toBeLessThan(110);
  expect(found('key 129')).toEqual([...bytes(129)]);
});

test('a folder that cannot be written does no harm', () => {
  writeFileSync(join(folder, 'file'), '');
  const store = folderStore(join(folder, 'file'), 'a');
  store.keep('key', bytes(1));
  expect(store.find('key')).toBeUndefined();
});
