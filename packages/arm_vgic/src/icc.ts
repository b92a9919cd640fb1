/**
 * The CPU interface's system registers, ICC_*_EL1 (GIC specification IHI 0069, 12.2), for vCPUs whose accesses trap: where a processor has list
 * registers, it has these registers too and they never come here.
 */
import type { AccessWidth, DeviceRegion } from '@axvisor/axvisor_api/device';
import { SYSREG, sysRegFields, type SysReg } from '@axvisor/axvisor_api/arch/arm';
import type { GicCore, RegisterFile } from './core.ts';
import type { CpuInterface } from './cpu_interface.ts';

/** ICC_CTLR_EL1: CBPR, EOImode; five bits of priority, 16 bits of INTIDs, A3V, RSS. */
const CTLR = { cbpr: 1, eoiMode: 2, fixed: (4 << 8) | (1 << 15) | (1 << 18) } as const;
/** ICC_SRE_EL1: system registers are all there is. */
const SRE = 7;

interface Register {
  readonly read?: (cpu: CpuInterface) => number;
  readonly write?: (cpu: CpuInterface, value: number) => void;
}

const group = (n: 0 | 1): Register => ({ read: (c) => (c.groupEnabled(n) ? 1 : 0), write: (c, value) => c.enableGroup(n, (value & 1) !== 0) });
const binaryPoint = (n: 0 | 1): Register => ({ read: (c) => c.binaryPoint(n), write: (c, value) => c.setBinaryPoint(n, value) });
const activePriorities = (n: 0 | 1): Register => ({ read: (c) => c.activePriorities(n), write: (c, value) => c.setActivePriorities(n, value) });

const REGISTERS: readonly (readonly [SysReg, Register])[] = [
  [SYSREG.ICC_PMR_EL1, { read: (c) => c.priorityMask, write: (c, value) => void (c.priorityMask = value) }],
  [SYSREG.ICC_IAR0_EL1, { read: (c) => c.acknowledge(0) }],
  [SYSREG.ICC_IAR1_EL1, { read: (c) => c.acknowledge(1) }],
  [SYSREG.ICC_EOIR0_EL1, { write: (c, value) => c.end(0, value) }],
  [SYSREG.ICC_EOIR1_EL1, { write: (c, value) => c.end(1, value) }],
  [SYSREG.ICC_HPPIR0_EL1, { read: (c) => c.highestPending(0) }],
  [SYSREG.ICC_HPPIR1_EL1, { read: (c) => c.highestPending(1) }],
  [SYSREG.ICC_BPR0_EL1, binaryPoint(0)],
  [SYSREG.ICC_BPR1_EL1, binaryPoint(1)],
  [SYSREG.ICC_AP0R0_EL1, activePriorities(0)],
  [SYSREG.ICC_AP1R0_EL1, activePriorities(1)],
  [SYSREG.ICC_DIR_EL1, { write: (c, value) => (c.eoiMode ? c.deactivate(value) : undefined) }],
  [SYSREG.ICC_RPR_EL1, { read: (c) => c.runningPriority }],
  [SYSREG.ICC_CTLR_EL1, {
    read: (c) => CTLR.fixed | (c.commonBinaryPoint ? CTLR.cbpr : 0) | (c.eoiMode ? CTLR.eoiMode : 0),
    write: (c, value) => {
      c.commonBinaryPoint = (value & CTLR.cbpr) !== 0;
      c.eoiMode = (value & CTLR.eoiMode) !== 0;
    },
  }],
  [SYSREG.ICC_SRE_EL1, { read: () => SRE, write: () => {} }],
  [SYSREG.ICC_IGRPEN0_EL1, group(0)],
  [SYSREG.ICC_IGRPEN1_EL1, group(1)],
];

/** A register as exits name it: bits of the syndrome of a trapped access (Arm ARM, D24.2.40). */
function syndromeKey(register: SysReg): number {
  const { op0, op1, crn, crm, op2 } = sysRegFields(register);
  return (op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | (crm << 1);
}

export class Icc implements RegisterFile {
  readonly name = 'gicv3-cpu-interface';
  readonly model = 'gicv3-cpu-interface';
  readonly regions: readonly DeviceRegion[] = REGISTERS.map(([register]) => {
    const key = syndromeKey(register);
    return { space: 'sysreg', first: key, last: key };
  });
  readonly #core: GicCore;

  constructor(core: GicCore) {
    this.#core = core;
  }

  read(_offset: number, _width: AccessWidth, region: number): bigint {
    return BigInt((REGISTERS[region]?.[1].read?.(this.#core.currentCpu.cpuInterface) ?? 0) >>> 0);
  }

  write(_offset: number, _width: AccessWidth, value: bigint, region: number): void {
    const cpu = this.#core.currentCpu;
    REGISTERS[region]?.[1].write?.(cpu.cpuInterface, Number(BigInt.asUintN(32, value)));
    this.#core.updateOutput(cpu);
  }
}
