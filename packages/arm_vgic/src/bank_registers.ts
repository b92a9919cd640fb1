/**
 * The registers that distributors and redistributors have for each interrupt (GIC specification IHI 0069, 12.9 and 12.11): one bit, one byte or two
 * bits apiece, at the same offsets in both.
 */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { NOBODY, PRIORITY_MASK, type Bank } from './bank.ts';

/** Finds the interrupt of a register by INTID; `undefined`: reserved, reads as zero. */
export type FindInterrupt = (intid: number) => { readonly bank: Bank; readonly i: number } | undefined;

interface BitRegister {
  readonly get: (bank: Bank, i: number) => boolean;
  /** `bit`: as written. Registers that set or clear ignore zeros. */
  readonly set: (bank: Bank, i: number, bit: boolean) => void;
}

const isPending = (bank: Bank, i: number): boolean => bank.isPending(i) || bank.heldLatch[i] === 1;

/** SGIs of a GICv2 have their pending bits elsewhere: whoever has them passes this. */
export interface BankRegisterOptions {
  /** The first INTID whose pending bit can be written. */
  readonly firstPendable: number;
}

/** Registers with a bit for each interrupt, 0x80 bytes each, from offset 0x80 on. */
const bitRegisters = ({ firstPendable }: BankRegisterOptions): readonly BitRegister[] => {
  const enabled = (bank: Bank, i: number): boolean => bank.enabled[i] === 1;
  const active = (bank: Bank, i: number): boolean => bank.active[i] === 1;
  const pendable = (bank: Bank, i: number): boolean => bank.first + i >= firstPendable;
  return [
    { get: (bank, i) => bank.group[i] === 1, set: (bank, i, bit) => void (bank.group[i] = bit ? 1 : 0) },
    { get: enabled, set: (bank, i, bit) => void (bit && (bank.enabled[i] = 1)) },
    { get: enabled, set: (bank, i, bit) => void (bit && (bank.enabled[i] = 0)) },
    { get: isPending, set: (bank, i, bit) => void (bit && pendable(bank, i) && bank.setLatch(i, true)) },
    { get: isPending, set: (bank, i, bit) => void (bit && pendable(bank, i) && bank.setLatch(i, false)) },
    { get: active, set: (bank, i, bit) => void (bit && bank.active[i] === 0 && bank.setActive(i, true, NOBODY)) },
    { get: active, set: (bank, i, bit) => void (bit && bank.setActive(i, false, NOBODY)) },
  ];
};

const BITS = { first: 0x080, end: 0x400, stride: 0x80 } as const;
const PRIORITIES = { first: 0x400, end: 0x800 } as const;
const CONFIG = { first: 0xc00, end: 0xd00 } as const;

export class BankRegisters {
  readonly #find: FindInterrupt;
  readonly #bits: readonly BitRegister[];

  constructor(find: FindInterrupt, options: BankRegisterOptions = { firstPendable: 0 }) {
    this.#find = find;
    this.#bits = bitRegisters(options);
  }

  /** Whether one of them is at `offset`. */
  covers(offset: number): boolean {
    return (offset >= BITS.first && offset < PRIORITIES.end) || (offset >= CONFIG.first && offset < CONFIG.end);
  }

  /** 32-bit registers; priorities also byte by byte. Other accesses read 0. */
  read(offset: number, width: AccessWidth): number {
    if (offset >= PRIORITIES.first && offset < PRIORITIES.end) return this.#bytes(offset, width, ({ bank, i }) => bank.priority[i] as number);
    if (width !== 4 || (offset & 3) !== 0) return 0;
    if (offset >= CONFIG.first) return this.#each((offset - CONFIG.first) * 4, 16, (bank, i, n) => ((bank.edge[i] as number) << (2 * n + 1)) >>> 0);
    const { register, first } = this.#bitRegister(offset);
    return register === undefined ? 0 : this.#each(first, 32, (bank, i, n) => (register.get(bank, i) ? 2 ** n : 0));
  }

  write(offset: number, width: AccessWidth, value: number): void {
    if (offset >= PRIORITIES.first && offset < PRIORITIES.end) {
      for (let n = 0; n < Math.min(width, 4); n++) {
        const found = this.#find(offset - PRIORITIES.first + n);
        if (found !== undefined) found.bank.priority[found.i] = (value >>> (8 * n)) & PRIORITY_MASK;
      }
      return;
    }
    if (width !== 4 || (offset & 3) !== 0) return;
    if (offset >= CONFIG.first) {
      this.#each((offset - CONFIG.first) * 4, 16, (bank, i, n) => (bank.setEdge(i, ((value >>> (2 * n + 1)) & 1) === 1), 0));
      return;
    }
    const { register, first } = this.#bitRegister(offset);
    if (register !== undefined) this.#each(first, 32, (bank, i, n) => (register.set(bank, i, ((value >>> n) & 1) === 1), 0));
  }

  #bitRegister(offset: number): { readonly register: BitRegister | undefined; readonly first: number } {
    return { register: this.#bits[(offset - BITS.first) / BITS.stride | 0], first: (offset & (BITS.stride - 1)) * 8 };
  }

  /** Sums what `f` says of `count` interrupts from `first` on. */
  #each(first: number, count: number, f: (bank: Bank, i: number, n: number) => number): number {
    let sum = 0;
    for (let n = 0; n < count; n++) {
      const found = this.#find(first + n);
      if (found !== undefined) sum += f(found.bank, found.i, n);
    }
    return sum;
  }

  #bytes(offset: number, width: AccessWidth, f: (found: { readonly bank: Bank; readonly i: number }) => number): number {
    let value = 0;
    for (let n = 0; n < Math.min(width, 4); n++) {
      const found = this.#find(offset - PRIORITIES.first + n);
      if (found !== undefined) value += f(found) * 2 ** (8 * n);
    }
    return value;
  }
}
