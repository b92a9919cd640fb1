/** Translations that one CPU tells the others to forget, by each kind of TLBI alone, with both on threads of their own and in turn on one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { axvisor } from './session.ts';
import { tlbiGuest } from './tlbi_arm.ts';

/** Of each kind: one that is dropped is noticed at the first. */
const ROUNDS = process.env['AXVISOR_NIGHTLY'] === '1' ? 2000 : 10;
const folder = mkdtempSync(join(tmpdir(), 'axvisor-tlbi-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([['2', 'interpreter'], ['2', 'translator'], ['1', 'interpreter']])('with --threads %s in the %s', { timeout: 180_000 }, async (threads, engine) => {
  const kernel = join(folder, 'tlbi.bin');
  writeFileSync(kernel, tlbiGuest(ROUNDS));
  const { status, output } = await axvisor('run', '--arch', 'aarch64', '--kernel', kernel, '--memory', '64M', '--cpus', '2', '--threads', threads, '--engine', engine);
  expect([output, status]).toEqual(['every change was seen\n', 0]);
});
