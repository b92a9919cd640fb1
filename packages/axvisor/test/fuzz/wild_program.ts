/** What programs that do everything wrong have in common, whatever the architecture: values, addresses and device registers that mean something, or not. */
import { Random } from './random.ts';

/** Where things are on a board. */
export interface Board {
  readonly ram: { readonly base: bigint; readonly size: bigint };
  /** Windows of devices, and where there is nothing. */
  readonly windows: readonly (readonly [base: bigint, size: number])[];
  /** What of a window is mostly used: its first bytes. */
  readonly registers: number;
  /** Where the architecture's addresses end. */
  readonly edges: readonly bigint[];
  /** Guest memory that steps use: virtqueues, page tables. */
  readonly queues: bigint;
  readonly tables: { readonly base: bigint; readonly size: number };
  /** Small values are below this. */
  readonly small: number;
}

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

export class WildProgram {
  readonly random: Random;
  readonly #board: Board;
  #label = 0;

  constructor(seed: number, board: Board) {
    this.random = new Random(seed);
    this.#board = board;
  }

  /** A value that means something, or not. */
  value(): bigint {
    const { random } = this;
    switch (random.below(8)) {
      case 0:
        return BigInt(random.below(this.#board.small));
      case 1:
        return 1n << BigInt(random.below(64));
      case 2:
        return (1n << BigInt(random.below(64))) - 1n;
      case 3:
        return u64(-BigInt(random.below(4096)));
      case 4:
      case 5:
        return this.address();
      default:
        return random.bits();
    }
  }

  /** An address where something begins or ends, or anywhere. */
  address(): bigint {
    const { random } = this;
    const { ram, windows, edges, queues, tables } = this.#board;
    const near = BigInt(random.below(64)) - 32n;
    switch (random.below(9)) {
      case 0:
        return ram.base + ram.size + near;
      case 1:
        return ram.base + BigInt(random.below(Number(ram.size)));
      case 2:
        return u64(random.pick(windows)[0] + near);
      case 3:
        return u64(random.pick(edges) + near);
      case 4:
        return ram.base + BigInt(random.below(0x1000)) * 0x1000n;
      case 5:
        return queues + BigInt(random.below(0x1_0000));
      case 6:
        return tables.base + BigInt(random.below(tables.size));
      case 7:
        return random.bits();
      default:
        return u64(ram.base + near);
    }
  }

  /** A place in a device, mostly one of its first registers. */
  register(): bigint {
    const { random } = this;
    const { windows, registers } = this.#board;
    const [base, size] = random.pick(windows);
    const offset = random.below(random.chance(3) ? size : Math.min(size, registers));
    return base + BigInt(random.chance(4) ? offset : offset & ~3);
  }

  label(): string {
    return `l${this.#label++}`;
  }
}
