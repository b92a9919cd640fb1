/** Runs static x86-64 Linux programs on the testing processor: the ELF file, a stack, and the few system calls that such programs make. */
import type { Execution } from '@axvisor/softcpu';
import { CODE, FETCH_IDX, GPR, MMU, MMU_IDX, MXCSR, PC, SEG_BASE } from '../../src/state.ts';
import { systemRow } from '../../src/emit/system.ts';
import { rows } from '../../src/isa/index.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';

const IMAGE = { base: 0x40_0000, size: 0x40_0000 };
const HEAP = { base: 0x100_0000, size: 0x30_0000 };
const MAPPED = { base: 0x200_0000, size: 0x20_0000 };
const STACK = { base: 0x300_0000, size: 0x10_0000 };
const AT = { null: 0n, phdr: 3n, phent: 4n, phnum: 5n, pagesz: 6n, entry: 9n, random: 25n } as const;
const ENOSYS = -38n;
const FS = SEG_BASE + 8 * 4;
const SLICE = 100_000;

/** Features: SSE4.2, AES, POPCNT, MOVBE, XSAVE is missing so that nothing wider is used. */
const CPUID: Readonly<Record<number, readonly [number, number, number, number]>> = {
  0: [7, 0x756e6547, 0x6c65746e, 0x49656e69],
  1: [0x306c1, 0x800, 0x00982203, 0x0f8bfbff],
  7: [0, 0x00000008, 0, 0],
  0x8000_0000: [0x8000_0001, 0, 0, 0],
  0x8000_0001: [0, 0, 0x21, 0x2810_0800],
};

export interface ProgramResult {
  readonly output: string;
  readonly status: number;
  readonly instructions: number;
}

export class LinuxUser {
  readonly #p: FlatProcessor;
  readonly #view: DataView;
  #output = '';
  #status = -1;
  #break = BigInt(HEAP.base);
  #map = BigInt(MAPPED.base);

  constructor(execution: Execution) {
    this.#p = new FlatProcessor([IMAGE, HEAP, MAPPED, STACK], execution, CODE.code64);
    this.#view = new DataView(this.#p.bytes.buffer);
    this.#p.word(MMU_IDX, MMU.user);
    this.#p.word(FETCH_IDX, 0);
    this.#p.word(MXCSR, 0x1f80);
  }

  /** Loads the segments and puts the arguments on the stack; the entry point. */
  #load(elf: Uint8Array): number {
    const header = new DataView(elf.buffer, elf.byteOffset, elf.length);
    const first = Number(header.getBigUint64(32, true));
    const count = header.getUint16(56, true);
    for (let i = 0; i < count; i++) {
      const at = first + i * 56;
      if (header.getUint32(at, true) !== 1) continue;
      const offset = Number(header.getBigUint64(at + 8, true));
      const address = Number(header.getBigUint64(at + 16, true));
      const size = Number(header.getBigUint64(at + 32, true));
      if (address < IMAGE.base || address + size > IMAGE.base + IMAGE.size) throw new RangeError('the program does not lie where it should');
      this.#p.load(address, elf.subarray(offset, offset + size));
    }
    const entry = Number(header.getBigUint64(24, true));
    const top = STACK.base + STACK.size - 0x100;
    this.#p.load(top, new TextEncoder().encode('program\0'));
    const words = [1n, BigInt(top), 0n, 0n];
    const auxiliary = [[AT.phdr, BigInt(IMAGE.base + first)], [AT.phent, 56n], [AT.phnum, BigInt(count)], [AT.pagesz, 4096n], [AT.entry, BigInt(entry)], [AT.random, BigInt(top)], [AT.null, 0n]] as const;
    words.push(...auxiliary.flat());
    const sp = (top - 8 * words.length) & -16;
    words.forEach((word, i) => this.#view.setBigUint64(this.#p.placeOf(sp + 8 * i), word, true));
    this.#p.put(GPR + 32, BigInt(sp));
    return entry;
  }

  /** Runs a program to its end. */
  run(elf: Uint8Array, limit = 400_000_000): ProgramResult {
    const p = this.#p;
    let pc = this.#load(elf);
    let instructions = 0;
    while (this.#status < 0) {
      instructions += p.run(pc, SLICE);
      if (instructions > limit) throw new Error('the program does not end');
      pc = Number(p.get(PC));
      if (p.stopped === '') continue;
      if (p.stopped !== 'system') throw new Error(`${p.stopped} at ${pc.toString(16)}`);
      const name = rows[systemRow(p.words, p.record)]?.name ?? '';
      const length = ((p.words[p.record >>> 2] as number) >>> 16) & 0xff;
      if (name === 'syscall') this.#call(BigInt(pc + length));
      else if (name === 'cpuid') this.#cpuid();
      else if (name === 'rdtsc') this.#pair(BigInt(instructions));
      else throw new Error(`${name} at ${pc.toString(16)}`);
      pc += length;
    }
    return { output: this.#output, status: this.#status, instructions };
  }

  #set(number: number, value: bigint): void {
    this.#p.put(GPR + 8 * number, BigInt.asUintN(64, value));
  }

  #pair(value: bigint): void {
    this.#set(0, value & 0xffff_ffffn);
    this.#set(2, value >> 32n);
  }

  #cpuid(): void {
    const leaf = Number(BigInt.asUintN(32, this.#p.gpr(0)));
    const [a, b, c, d] = CPUID[leaf] ?? [0, 0, 0, 0];
    [a, b, c, d].forEach((value, i) => this.#set([0, 3, 1, 2][i] as number, BigInt(value >>> 0)));
  }

  /** Linux' system calls, by number; their arguments are in rdi rsi rdx r10. */
  #call(next: bigint): void {
    const p = this.#p;
    const [a, b, c] = [p.gpr(7), p.gpr(6), p.gpr(2)] as const;
    const result = ((): bigint => {
      switch (p.gpr(0)) {
        case 1n: // write
          this.#output += Buffer.from(p.memory(Number(b), Number(c))).toString('latin1');
          return c;
        case 20n: { // writev
          let total = 0n;
          for (let i = 0n; i < c; i++) {
            const at = p.placeOf(Number(b + 16n * i));
            const [base, length] = [this.#view.getBigUint64(at, true), this.#view.getBigUint64(at + 8, true)];
            this.#output += Buffer.from(p.memory(Number(base), Number(length))).toString('latin1');
            total += length;
          }
          return total;
        }
        case 9n: { // mmap
          const at = this.#map;
          this.#map += (b + 4095n) & ~4095n;
          return this.#map > BigInt(MAPPED.base + MAPPED.size) ? -12n : at;
        }
        case 12n: // brk
          if (a >= BigInt(HEAP.base) && a <= BigInt(HEAP.base + HEAP.size)) this.#break = a;
          return this.#break;
        case 158n: // arch_prctl(ARCH_SET_FS)
          if (a !== 0x1002n) return -22n;
          p.put(FS, b);
          return 0n;
        case 5n: // fstat: a character device
          p.memory(Number(b), 144).fill(0);
          this.#view.setUint32(p.placeOf(Number(b)) + 24, 0o20620, true);
          return 0n;
        case 60n:
        case 231n: // exit, exit_group
          this.#status = Number(a & 0xffn);
          return 0n;
        case 10n: // mprotect
        case 11n: // munmap
        case 218n: // set_tid_address
        case 273n: // set_robust_list
        case 13n: // rt_sigaction
        case 14n: // rt_sigprocmask
          return 0n;
        default:
          return ENOSYS;
      }
    })();
    this.#set(0, result);
    this.#set(1, next);
    this.#set(11, BigInt(p.eflags));
  }
}
