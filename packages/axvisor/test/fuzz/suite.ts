/**
 * Whole virtual machines with guests that do everything wrong (`program_riscv.ts`, `program_arm.ts`, `program_x86.ts`). The hypervisor must stay alive and whole, the
 * other VM untouched, the disk within its bounds. AXVISOR_FUZZ_RUNS makes more guests than the few of each test run,
 * AXVISOR_FUZZ_SEED starts elsewhere, AXVISOR_ENGINE chooses the engine.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Campaign, type TargetName } from './campaign.ts';

const FIRST = Number(process.env['AXVISOR_FUZZ_SEED'] ?? 1);
const engine = (['interpreter', 'auto', 'translator'] as const).find((e) => e === process.env['AXVISOR_ENGINE']) ?? 'auto';

/** The tests of a hypervisor; each has a thread of its own. @param count - guests, if nobody says otherwise. @param known - and others that once found something. */
export function fuzz(target: TargetName, count: number, known: readonly number[] = []): void {
  const runs = Number(process.env['AXVISOR_FUZZ_RUNS'] ?? count);
  let campaign: Campaign;
  beforeAll(async () => {
    campaign = new Campaign(target, engine);
    await campaign.warmUp();
  });
  afterAll(() => campaign[Symbol.dispose]());

  test.each([...Array.from({ length: runs }, (_, i) => FIRST + i), ...known])('seed %i', async (seed) => {
    expect((await campaign.run(seed)).problems).toEqual([]);
  });

  test('the same guest does the same again', async () => {
    expect(await campaign.run(FIRST)).toEqual(await campaign.run(FIRST));
  });
}
