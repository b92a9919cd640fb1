/**
 * Whole virtual machines with guests that do everything wrong (`program.ts`). The hypervisor must stay alive and whole, the
 * other VM untouched, the disk within its bounds. AXVISOR_FUZZ_RUNS makes more guests than the few of each test run,
 * AXVISOR_FUZZ_SEED starts elsewhere, AXVISOR_ENGINE chooses the engine.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Campaign } from './campaign.ts';

const RUNS = Number(process.env['AXVISOR_FUZZ_RUNS'] ?? 40);
const FIRST = Number(process.env['AXVISOR_FUZZ_SEED'] ?? 1);
const engine = (['interpreter', 'auto', 'translator'] as const).find((e) => e === process.env['AXVISOR_ENGINE']) ?? 'auto';

let campaign: Campaign;
beforeAll(() => {
  campaign = new Campaign(engine);
});
afterAll(() => campaign[Symbol.dispose]());

test.each(Array.from({ length: RUNS }, (_, i) => FIRST + i))('seed %i', { timeout: 20_000 }, async (seed) => {
  expect((await campaign.run(seed)).problems).toEqual([]);
});

test('the same guest does the same again', async () => {
  expect(await campaign.run(FIRST)).toEqual(await campaign.run(FIRST));
});
