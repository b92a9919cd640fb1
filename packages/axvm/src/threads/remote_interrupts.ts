/** A vCPU's part of an interrupt controller that is on the monitor's thread, which drives the pins of the vCPU. */
import type { CpuInterrupts, SgiRequest } from '@axvisor/axvisor_api/intc';
import { Call } from './protocol.ts';

/** Bits of the first value of {@link Call.sendSgi}: INTID, group, and that all others are meant. */
const Sgi = { intid: 0xffn, group: 0x100n, others: 0x200n } as const;

function encodeSgi({ intid, group, targets }: SgiRequest): bigint[] {
  const first = BigInt(intid) | (group === 1 ? Sgi.group : 0n);
  return targets === 'others' ? [first | Sgi.others] : [first, targets.affinity, BigInt(targets.range), BigInt(targets.list)];
}

/** The arguments of {@link Call.sendSgi}. */
export function decodeSgi([first = 0n, affinity = 0n, range = 0n, list = 0n]: readonly bigint[]): SgiRequest {
  return {
    intid: Number(first & Sgi.intid),
    group: (first & Sgi.group) === 0n ? 0 : 1,
    targets: (first & Sgi.others) === 0n ? { affinity, range: Number(range), list: Number(list) } : 'others',
  };
}

export class RemoteCpuInterrupts implements CpuInterrupts {
  readonly systemRegisters: boolean;
  readonly changed = false;
  readonly #call: (operation: number, ...args: bigint[]) => void;
  /** Levels of private wires as the monitor knows them. */
  readonly #lines = new Map<number, boolean>();

  constructor(systemRegisters: boolean, call: (operation: number, ...args: bigint[]) => void) {
    this.systemRegisters = systemRegisters;
    this.#call = call;
  }

  useListRegisters(): boolean {
    return false;
  }

  setPrivateLine(intid: number, level: boolean): void {
    if (this.#lines.get(intid) === level) return;
    this.#call(Call.privateLine, BigInt(intid), level ? 1n : 0n);
    this.#lines.set(intid, level);
  }

  setPending(intid: number, pending: boolean): void {
    this.#call(Call.setPending, BigInt(intid), pending ? 1n : 0n);
  }

  sendSgi(request: SgiRequest): void {
    this.#call(Call.sendSgi, ...encodeSgi(request));
  }

  /** The monitor may have reset the controller. */
  forget(): void {
    this.#lines.clear();
  }

  // The controller fills no list registers.

  flush(): { readonly interrupts: readonly []; readonly more: false } {
    return { interrupts: [], more: false };
  }

  sync(): void {}

  highestPending(): undefined {}
}
