/** RDTSC and RDTSCP that read a clock do what the service does, or leave it to that. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Execution } from '@axvisor/softcpu';
import type { Stored } from '../../src/priv/registers.ts';
import { Intercepts } from '../../src/state.ts';
import { Machine, TABLES, toLongMode, toProtectedMode } from './machine.ts';

const CODE = 0x4000;
const IDT = 0x2000;
const TSS = 0x3000;
const STACK = 0x9000;
const NOW = 0x1_2345_6789n;

/** In 64-bit mode, with handlers of exceptions. */
function prepared(instruction: string, execution: Execution, clock: boolean): Machine {
  const m = new Machine(execution, clock ? { clock: () => Number(NOW) } : {});
  m.now = NOW;
  m.load(0x4800, `${toProtectedMode()}
        ${toLongMode('wide', 24)}
wide:   hlt
${TABLES}`, 16);
  m.boot(0x4800);
  m.load(CODE, `${instruction}\nhlt`, 64);
  m.view.setBigUint64(TSS + 4, BigInt(STACK), true);
  for (let vector = 0; vector < 32; vector++) m.view.setBigUint64(IDT + 16 * vector, BigInt(0x5000 + vector) | (24n << 16n) | (0x8en << 40n), true);
  const { regs } = m.lp.priv;
  regs.set('idtrBase', IDT, 0);
  regs.idtrLimit = 0xfff;
  regs.setSegment(7, 48, TSS, 0, 0x67, 0x8b);
  regs.waiting = 0;
  return m;
}

const words = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

for (const instruction of ['rdtsc', 'rdtscp']) {
  test.each([Execution.interpreter, Execution.translator])(`${instruction}, %s`, (execution) => {
    const machines = [prepared(instruction, execution, true), prepared(instruction, execution, false)] as const;
    fc.assert(
      fc.property(words, words, words, fc.boolean(), fc.constantFrom(0, 3), fc.boolean(), (adjust, offset, aux, forbidden, cpl, intercepted) => {
        const run = (m: Machine, added: bigint): readonly unknown[] => {
          const { regs } = m.lp.priv;
          const set = (name: Stored, value: bigint): void => regs.set(name, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
          set('tscAdjust', adjust);
          set('tscOffset', added);
          set('tscAux', aux);
          set('cr4', forbidden ? 0x624n : 0x620n);
          regs.cpl = cpl;
          regs.intercepts = intercepted ? Intercepts.counter : 0;
          regs.modeChanged();
          for (let i = 0; i < 16; i++) m.lp.setGpr(i, BigInt(i) | (7n << 40n));
          regs.setRip(CODE, 0);
          m.lp.run(1);
          return [Array.from({ length: 16 }, (_, i) => m.lp.gpr(i)), m.lp.pc, m.lp.priv.exceptions];
        };
        expect(run(machines[0], 0n)).toEqual(run(machines[1], 0n));
        if (forbidden || intercepted) return;
        // As a guest has it.
        run(machines[0], offset);
        const { lp } = machines[0];
        expect(BigInt.asUintN(64, NOW + adjust + offset)).toBe((lp.gpr(2) << 32n) | lp.gpr(0));
      }),
      { numRuns: 100 },
    );
    const { exceptions } = machines[0].lp.priv;
    expect(exceptions).toBeGreaterThan(0);
    expect(exceptions).toBeLessThan(100);
  });
}
