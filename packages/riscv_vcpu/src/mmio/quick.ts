/** Device accesses that are answered before the guest is left: integer loads and stores that htinst has (privileged specification 1.13, "Transformed Instruction or Pseudoinstruction"). */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { LiveRegisters, QuickDevices } from '@axvisor/axvisor_api/vcpu';

/** Opcodes without bit 1, which says how long the instruction was. */
const LOAD = 0x01;
const STORE = 0x21;
const OPCODE = 0x7d;
/** funct3: log2 of the width, and whether a load is extended with zeros. */
const WIDTH_DOUBLE = 3;
const UNSIGNED = 4;

/** For `setFaultVector`; false if it has to be an exit. */
export function answerFault(devices: QuickDevices, htinst: number, address: number, registers: LiveRegisters): boolean {
  const opcode = htinst & OPCODE;
  const funct3 = (htinst >>> 12) & 7;
  const size = funct3 & 3;
  // In place of rs1 is the distance from the start of the access.
  if ((opcode !== LOAD && opcode !== STORE) || size === WIDTH_DOUBLE || ((htinst >>> 15) & 31) !== 0) return false;
  const width = (1 << size) as AccessWidth;
  if ((address & (width - 1)) !== 0) return false;
  // Bits of a word above the value.
  const above = 32 - 8 * width;
  if (opcode === STORE) return devices.write('mmio', address, width, (registers.xLo((htinst >>> 20) & 31) << above) >>> above);
  const value = devices.read('mmio', address, width);
  if (value === undefined) return false;
  const isSigned = (funct3 & UNSIGNED) === 0;
  const lo = isSigned ? (value << above) >> above : value | 0;
  registers.setX((htinst >>> 7) & 31, lo, isSigned ? lo >> 31 : 0);
  return true;
}
