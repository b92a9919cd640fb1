/** Device accesses that are answered before the guest is left: the abort's syndrome describes them (Arm ARM, D24.2.40, "ISS encoding for an exception from a Data Abort"). */
import type { AbortVector, LiveRegisters } from '@axvisor/axvisor_api/arch/arm';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { thisCpuId } from '@axvisor/axvisor_api/host';
import { kickProcessor } from '@axvisor/axvisor_api/processor';
import type { QuickDevices } from '@axvisor/axvisor_api/vcpu';
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

/** Carries out the access that `iss` describes, at a guest physical address; false if it has to be an exit. */
function answer(devices: QuickDevices, iss: number, address: number, registers: LiveRegisters): boolean {
  const sas = (iss >>> SAS_SHIFT) & 3;
  if ((iss & FSC_TYPE) !== TRANSLATION || sas > SAS_WORD) return false;
  const width = (1 << sas) as AccessWidth;
  if ((address & (width - 1)) !== 0) return false;
  const register = (iss >>> SRT_SHIFT) & 31;
  // Bits of a word above the value.
  const above = 32 - 8 * width;
  if ((iss & WNR) !== 0) return devices.write(address, width, (registers.xLo(register) << above) >>> above);
  const value = devices.read(address, width);
  if (value === undefined) return false;
  const isSigned = (iss & SSE) !== 0;
  const lo = isSigned ? (value << above) >> above : value | 0;
  registers.setX(register, lo, isSigned && (iss & SF) !== 0 ? lo >> 31 : 0);
  return true;
}

export class QuickAccesses {
  /** For `setAbortVector`. */
  readonly vector: AbortVector;
  #thrown: { readonly error: unknown } | undefined;

  /** @param isDue - whether something came for the guest since it was entered. */
  constructor(devices: QuickDevices, isDue: () => boolean) {
    this.vector = (iss, address, registers) => {
      try {
        if (!answer(devices, iss, address, registers)) return false;
      } catch (error) {
        // Not through the guest: the run is over first.
        this.#thrown = { error };
      }
      if (this.#thrown !== undefined || isDue()) kickProcessor(thisCpuId());
      return true;
    };
  }

  /** After the run: throws what a device threw. */
  rethrow(): void {
    if (this.#thrown === undefined) return;
    const { error } = this.#thrown;
    this.#thrown = undefined;
    throw error;
  }
}
