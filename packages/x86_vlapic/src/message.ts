/** Interrupt messages between I/O APIC, devices and local APICs, and who is meant by a destination (Intel SDM volume 3, 11.6 and 11.11). */

/** Delivery modes, as ICR, LVT, redirection entries and MSI data encode them. */
export const Delivery = { fixed: 0, lowestPriority: 1, smi: 2, nmi: 4, init: 5, startUp: 6, extInt: 7 } as const;

export interface Message {
  readonly vector: number;
  readonly delivery: number;
  /** Trigger mode level: the end of the interrupt is announced to I/O APICs. */
  readonly level: boolean;
  readonly logical: boolean;
  readonly destination: number;
  /** The destination has 32 bits (sent by an x2APIC), not 8. */
  readonly wide: boolean;
}

/** What a destination is compared with. */
export interface Addressee {
  /** The ID in the current mode. */
  readonly apicId: number;
  readonly x2apic: boolean;
  readonly ldr: number;
  readonly dfr: number;
}

/** Whether `message` is for `to`. */
export function isAddressed({ destination, logical, wide }: Message, to: Addressee): boolean {
  if (destination === (wide ? 0xffff_ffff : 0xff)) return true;
  if (!logical) return destination === to.apicId;
  // 11.12.9: cluster in the upper half, one bit for each of its 16 CPUs in the lower half.
  if (to.x2apic) return destination >>> 16 === to.ldr >>> 16 && (destination & to.ldr & 0xffff) !== 0;
  const id = to.ldr >>> 24;
  // 11.6.2.2: the flat model, or clusters of four.
  return to.dfr >>> 28 === 0xf ? (destination & id) !== 0 : destination >>> 4 === id >>> 4 && (destination & id & 0xf) !== 0;
}

/** The address range that devices write to (11.11.1). */
const MSI_ADDRESSES = 0xfee;

/** Decodes a message-signalled interrupt; `undefined` if `address` is no such address. */
export function decodeMsi(address: bigint, data: number): Message | undefined {
  if (address >> 20n !== BigInt(MSI_ADDRESSES)) return undefined;
  const low = Number(address & 0xfffffn);
  return {
    vector: data & 0xff,
    delivery: (data >>> 8) & 7,
    level: (data & 0x8000) !== 0,
    // Processors take the destination mode as it is, with or without the redirection hint.
    logical: (low & 4) !== 0,
    destination: (low >>> 12) & 0xff,
    wide: false,
  };
}
