/** Device accesses that are answered before the guest is left: the abort's syndrome describes them (Arm ARM, D24.2.40, "ISS encoding for an exception from a Data Abort"). */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { LiveRegisters, QuickDevices } from '@axvisor/axvisor_api/vcpu';
import { Esr, Fsc } from '../fields.ts';

const FSC_TYPE = Number(Esr.FSC_TYPE);
const TRANSLATION = Number(Fsc.translation);
const WNR = Number(Esr.WNR);
const SSE = Number(Esr.SSE);
const SF = Number(Esr.SF);
const SRT_SHIFT = Number(Esr.SRT_SHIFT);
const SAS_SHIFT = Number(Esr.SAS_SHIFT);
/** Above: 64 bits. */
const SAS_WORD = 2;

/** For `setAbortVector`: carries out the access that ESR_EL2.ISS describes; false if it has to be an exit. */
export function answerAbort(devices: QuickDevices, iss: number, address: number, registers: LiveRegisters): boolean {
  const sas = (iss >>> SAS_SHIFT) & 3;
  if ((iss & FSC_TYPE) !== TRANSLATION || sas > SAS_WORD) return false;
  const width = (1 << sas) as AccessWidth;
  if ((address & (width - 1)) !== 0) return false;
  const register = (iss >>> SRT_SHIFT) & 31;
  // Bits of a word above the value.
  const above = 32 - 8 * width;
  if ((iss & WNR) !== 0) return devices.write('mmio', address, width, (registers.xLo(register) << above) >>> above);
  const value = devices.read('mmio', address, width);
  if (value === undefined) return false;
  const isSigned = (iss & SSE) !== 0;
  const lo = isSigned ? (value << above) >> above : value | 0;
  registers.setX(register, lo, isSigned && (iss & SF) !== 0 ? lo >> 31 : 0);
  return true;
}
