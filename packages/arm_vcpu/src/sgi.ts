/** Software-generated interrupts: ICC_SGI1R_EL1, ICC_ASGI1R_EL1 and ICC_SGI0R_EL1 (GIC specification IHI 0069, 12.2). */
import { SYSREG, type SysReg } from '@axvisor/axvisor_api/arch/arm';
import type { SgiRequest } from '@axvisor/axvisor_api/intc';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';

/** The group of the interrupts that each register generates, in a system with one security state. */
export const SGI_GROUPS: ReadonlyMap<SysReg, 0 | 1> = new Map([
  [SYSREG.ICC_SGI1R_EL1, 1],
  [SYSREG.ICC_ASGI1R_EL1, 0],
  [SYSREG.ICC_SGI0R_EL1, 0],
]);

const field = (value: bigint, low: bigint, bits: bigint): bigint => (value >> low) & ((1n << bits) - 1n);

/** Decodes a value written to one of these registers: TargetList 15:0, Aff1 23:16, INTID 27:24, Aff2 39:32, IRM 40, RS 47:44, Aff3 55:48. */
export function decodeSgi(value: bigint, group: 0 | 1): SgiRequest {
  const intid = Number(field(value, 24n, 4n));
  if (field(value, 40n, 1n) === 1n) return { intid, group, targets: 'others' };
  // As in MPIDR_EL1.
  const affinity = (field(value, 48n, 8n) << 32n) | (field(value, 32n, 8n) << 16n) | (field(value, 16n, 8n) << 8n);
  return { intid, group, targets: { affinity, range: Number(field(value, 44n, 4n)), list: Number(field(value, 0n, 16n)) } };
}

/**
 * The exit that asks the hypervisor to deliver them. `targetCpu` is Aff3.Aff2.Aff1 in bits 31:8 and the range selector in 7:4, `targetCpuAux` the
 * target list. An empty list asks for nothing.
 */
export function sgiExit({ intid, targets }: SgiRequest): AxVCpuExitReason {
  const vector = BigInt(intid);
  if (targets === 'others') return { reason: 'SendIPI', targetCpu: 0n, targetCpuAux: 0n, sendToAll: true, sendToSelf: false, vector };
  const { affinity, range, list } = targets;
  if (list === 0) return { reason: 'Nothing' };
  const targetCpu = ((affinity >> 32n) << 24n) | (affinity & 0xff_ff00n) | BigInt(range << 4);
  return { reason: 'SendIPI', targetCpu, targetCpuAux: BigInt(list), sendToAll: false, sendToSelf: false, vector };
}
