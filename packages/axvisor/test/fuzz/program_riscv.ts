/**
 * Guests that do everything wrong: a program is a list of steps, each of which does one thing that no sane kernel does, to
 * devices, SBI, CSRs, page tables, virtqueues or the instruction decoder. Whatever trap that causes, the next step follows.
 */
import { assemble, csrNumbers } from '@axvisor/softcpu_riscv/asm';
import type { FuzzGuest } from './campaign.ts';
import { WildProgram, type Board } from './wild_program.ts';

export const RAM_BASE = 0x8000_0000n;
export const RAM_SIZE = 16n << 20n;
export const KERNEL = 0x8020_0000n;

/** Guest memory that the steps use: the number of the next step, page tables, virtqueues. */
const INDEX = 0x8060_0000n;
const TABLES = 0x8070_0000n;
const QUEUES = 0x8080_0000n;
/** Tables that map the code in modes with more levels. */
const KEPT = 0x8072_0000n;

/** Windows of the board, and where there is nothing. */
const WINDOWS: readonly (readonly [base: bigint, size: number])[] = [
  [0x10_0000n, 0x1000], [0x10_1000n, 0x1000], [0xc00_0000n, 0x60_0000], [0x1000_0000n, 0x100], [0x1000_1000n, 0x1000],
  [0x1000_2000n, 0x1000], [0x1000_3000n, 0x1000], [0x1000_4000n, 0x1000], [0x200_0000n, 0x1_0000], [0x3000_0000n, 0x1000],
];
/** virtio-mmio slots with devices, and one without. */
const VIRTIO = [0x1000_1000n, 0x1000_1000n, 0x1000_1000n, 0x1000_2000n, 0x1000_3000n, 0x1000_4000n];

const EXTENSIONS = [0x10, 0x54494d45, 0x735049, 0x52464e43, 0x48534d, 0x4442434e, 0x53555350, 0x504d55, 0x535441, 0x4e41434c, 0, 1, 2, 3, 4, 5, 6, 7].map(BigInt);
const SRST = 0x53525354n;
/** Steps that fill the code page behind the program with random instructions. */
const RANDOM_WORDS = 24;
/** CSRs without which no further step would follow. */
const NEEDED = new Set([0x105, 0x180]);
const CSRS = [...csrNumbers.values()].filter((n) => !NEEDED.has(n));
/** Major opcodes, with some that are reserved. */
const OPCODES = [0x03, 0x07, 0x0b, 0x0f, 0x13, 0x17, 0x1b, 0x23, 0x27, 0x2b, 0x2f, 0x33, 0x37, 0x3b, 0x43, 0x47, 0x4b, 0x4f, 0x53, 0x57, 0x5b, 0x63, 0x67, 0x6b, 0x6f, 0x73, 0x77, 0x7b];

const BOARD: Board = {
  ram: { base: RAM_BASE, size: RAM_SIZE },
  windows: WINDOWS, registers: 0x120,
  edges: [0n, 1n << 12n, 1n << 38n, 1n << 39n, 1n << 41n, 1n << 47n, 1n << 56n, 1n << 63n],
  queues: QUEUES, tables: { base: TABLES, size: 0x4000 },
  small: 64,
};

class Program extends WildProgram {
  readonly cpus: number;

  constructor(seed: number, cpus: number) {
    super(seed, BOARD);
    this.cpus = cpus;
  }

  /** Random arguments in a0 … a5. */
  #arguments(): string[] {
    return [10, 11, 12, 13, 14, 15].map((r) => `li x${r}, ${this.value()}`);
  }

  /** An access of any kind at the address in a1. */
  access(): string {
    const { random } = this;
    return random.pick([
      'lb a0, 0(a1)', 'lbu a0, 0(a1)', 'lh a0, 0(a1)', 'lhu a0, 0(a1)', 'lw a0, 0(a1)', 'lwu a0, 0(a1)', 'ld a0, 0(a1)',
      'sb a2, 0(a1)', 'sh a2, 0(a1)', 'sw a2, 0(a1)', 'sd a2, 0(a1)', 'sw a2, 0(a1)', 'sw a2, 0(a1)',
      'flw f1, 0(a1)', 'fld f1, 0(a1)', 'fsw f1, 0(a1)', 'fsd f1, 0(a1)', 'c.lw a0, 0(a1)', 'c.sw a2, 0(a1)', 'c.ld a0, 0(a1)', 'c.sd a2, 0(a1)',
      'c.fld f8, 0(a1)', 'c.fsd f8, 0(a1)', 'lr.w a0, (a1)', 'sc.w a0, a2, (a1)', 'lr.d a0, (a1)', 'amoadd.w a0, a2, (a1)', 'amoswap.d a0, a2, (a1)',
      'amomaxu.w a0, a2, (a1)', 'ld a1, 0(a1)', 'lw x0, 0(a1)', 'cbo.zero (a1)', 'cbo.flush (a1)', 'lw ra, 0(a1)', 'sw sp, 0(a1)',
    ]);
  }

  // ── steps ──

  device(): string[] {
    return Array.from({ length: 1 + this.random.below(6) }, () => [`li a1, ${this.register()}`, `li a2, ${this.value()}`, this.access()]).flat();
  }

  memory(): string[] {
    return [`li a1, ${this.address()}`, `li a2, ${this.value()}`, this.access()];
  }

  sbi(): string[] {
    const { random } = this;
    const extension = random.chance(10) ? this.value() : random.pick(EXTENSIONS);
    const fid = random.chance(5) ? this.value() : BigInt(random.below(12));
    const hartStart = extension === 0x48534dn && fid === 0n && !random.chance(3) ? [`li a0, ${random.below(this.cpus + 1)}`, 'la a1, dispatch'] : [];
    return [...this.#arguments(), ...hartStart, `li a7, ${extension}`, `li a6, ${extension === 0x48534dn && fid === 1n && !random.chance(8) ? 2 : fid}`, 'ecall'];
  }

  csr(): string[] {
    const { random } = this;
    const number = random.chance(4) ? random.below(4096) : random.pick(CSRS);
    if (NEEDED.has(number)) return [];
    const name = random.pick(['csrrw', 'csrrs', 'csrrc']);
    return random.chance(3) ? [`${name}i a0, ${number}, ${random.below(32)}`] : [`li a1, ${this.value()}`, `${name} a0, ${number}, a1`];
  }

  /** A request to a virtio device as a driver makes it, but for a few values. */
  virtio(): string[] {
    const { random } = this;
    const base = random.pick(VIRTIO);
    const at = QUEUES + BigInt(random.below(16)) * 0x1000n;
    const [driver, device, header] = [at + 0x800n, at + 0xa00n, at + 0xc00n];
    const length = random.pick([0n, 1n, 512n, 1024n, 0x8000n]);
    const queue = random.chance(3) ? random.below(3) : 0;
    const readable = random.below(2);
    const [HIGH, NEXT, WRITE] = [32n, 1n << 32n, 2n << 32n];
    const low = (value: bigint): bigint => value & 0xffff_ffffn;
    type Store = readonly [op: 'sh' | 'sw' | 'sd', address: bigint, value: bigint];
    const register = (offset: number, value: bigint | number): Store => ['sw', base + BigInt(offset), BigInt(value)];
    const stores: Store[] = [
      register(0x70, 0), register(0x70, 3), register(0x24, 1), register(0x20, 1), register(0x24, 0), register(0x20, random.pick([0, 0x200, 0x1000_0000, 0x2000_0000, 0x3000_0200])),
      register(0x70, 11), register(0x30, queue), register(0x38, 8),
      register(0x80, low(at)), register(0x84, at >> HIGH), register(0x90, low(driver)), register(0x94, driver >> HIGH), register(0xa0, low(device)), register(0xa4, device >> HIGH),
      register(0x44, 1), register(0x70, 15),
      // Header, data, status; then the same through a table of its own.
      ['sd', at, header], ['sd', at + 8n, 16n | NEXT | (1n << 48n)],
      ['sd', at + 16n, at + 0x1_0000n], ['sd', at + 24n, length | NEXT | (readable === 1 ? 0n : WRITE) | (2n << 48n)],
      ['sd', at + 32n, header + 16n], ['sd', at + 40n, 1n | WRITE],
      ['sd', at + 48n, at], ['sd', at + 56n, 48n | (4n << 32n)],
      ['sd', header, random.pick([0n, 1n, BigInt(readable), 4n, 8n, 11n])], ['sd', header + 8n, BigInt(random.below(66))],
      ['sh', driver, BigInt(random.below(2))], ['sh', driver + 4n, random.pick([0n, 0n, 0n, 1n, 2n, 3n])], ['sh', driver + 6n, 3n], ['sh', driver + 2n, BigInt(1 + random.below(2))],
      register(0x50, queue), register(0x64, 3),
    ];
    for (let i = random.below(4); i > 0; i--) {
      const at = random.below(stores.length);
      const [op, address] = stores[at] as Store;
      stores[at] = random.chance(10) ? [op, this.address(), this.value()] : [op, address, random.chance(3) ? this.address() : this.value()];
    }
    return stores.flatMap(([op, address, value]) => [`li a1, ${address}`, `li a2, ${value}`, `${op} a2, 0(a1)`]);
  }

  /** Wild page tables. The code is nearly always mapped, so that something can follow. */
  paging(): string[] {
    const { random } = this;
    const mode = random.pick([8n, 8n, 8n, 9n, 10n, BigInt(random.below(16))]);
    const steps: string[] = [];
    const root = TABLES + BigInt(random.below(4)) * 0x1000n;
    for (let i = 0; i < 6; i++) {
      const table = TABLES + BigInt(random.below(8)) * 0x1000n;
      const pte = random.chance(3) ? random.bits() : (((random.chance(3) ? this.address() : TABLES + BigInt(random.below(8)) * 0x1000n) >> 12n) << 10n) | BigInt(random.below(256));
      steps.push(`li a1, ${table + 8n * BigInt(random.below(4))}`, `li a2, ${pte}`, 'sd a2, 0(a1)');
    }
    if (!random.chance(40)) {
      // The code as it is, through as many levels as the mode has above 1 GiB.
      let table = root;
      for (let level = 8n; level < mode && level < 10n; level++) {
        const next = KEPT + (level - 8n) * 0x1000n;
        steps.push(`li a1, ${table}`, `li a2, ${((next >> 12n) << 10n) | 1n}`, 'sd a2, 0(a1)');
        table = next;
      }
      steps.push(`li a1, ${table + 16n}`, `li a2, ${((RAM_BASE >> 12n) << 10n) | 0xcfn}`, 'sd a2, 0(a1)');
    }
    const satp = (mode << 60n) | (BigInt(random.below(0x1_0000)) << 44n) | (random.chance(60) ? random.bits() & 0xfff_ffff_ffffn : root >> 12n);
    const va = random.chance(2) ? this.address() : (BigInt(random.below(4)) << 30n) | (BigInt(random.below(4)) << 21n) | BigInt(random.below(0x4000));
    return [...steps, `li a3, ${satp}`, `li a1, ${va}`, 'csrw satp, a3', random.pick(['sfence.vma', 'sfence.vma a1', 'nop', 'sinval.vma a1, a2']), random.chance(3) ? 'jr a1' : this.access()];
  }

  jump(): string[] {
    return [`li a1, ${this.random.chance(3) ? this.register() : this.address()}`, this.random.pick(['jr a1', 'jalr a1', 'jalr a0, 2(a1)'])];
  }

  /** In user mode too. */
  user(): string[] {
    const label = this.label();
    return ['li t0, 0x100', 'csrc sstatus, t0', `la t0, ${label}`, 'csrw sepc, t0', 'sret', `${label}: nop`, this.random.pick(['ecall', 'ebreak', 'csrr a0, sstatus', 'wfi', 'sret', 'rdtime a0', 'rdcycle a0']), ...this.memory()];
  }

  /** Random instructions, most of them encodings that exist. */
  instructions(): string[] {
    const { random } = this;
    return Array.from({ length: RANDOM_WORDS }, () => {
      const bits = Number(random.bits() & 0xffff_ffffn);
      return random.chance(4) ? `.half ${(bits & 0xfffc) | random.below(3)}, ${(bits >>> 16 & 0xfffc) | random.below(3)}` : `.word ${((bits & ~0x7f) | random.pick(OPCODES)) >>> 0}`;
    });
  }

  privileged(): string[] {
    return [
      `li a1, ${this.value()}`, `li a2, ${this.value()}`,
      this.random.pick([
        'hfence.gvma', 'hfence.vvma a1, a2', 'hlv.w a0, (a1)', 'hlvx.hu a0, (a1)', 'hsv.d a2, (a1)', 'mret', 'sret', 'sfence.vma a1, a2', 'sinval.vma a1, a2',
        'sfence.w.inval', 'sfence.inval.ir', 'hinval.gvma a1, a2', 'fence.i', 'cbo.inval (a1)', 'cbo.clean (a1)', 'ebreak', 'pause', 'fence',
      ]),
    ];
  }

  /** Interrupts soon, and a wait for them. */
  interrupts(): string[] {
    const { random } = this;
    return [
      'rdtime a0', `li a1, ${random.below(500)}`, 'add a0, a0, a1', 'csrw stimecmp, a0', `li a1, ${this.value() | 0x20n}`, 'csrw sie, a1',
      random.chance(2) ? 'csrsi sstatus, 2' : 'csrci sstatus, 2', random.chance(60) ? 'csrw sie, zero' : 'nop', 'wfi',
    ];
  }

  floats(): string[] {
    const { random } = this;
    const f = (): string => `f${random.below(32)}`;
    return [
      'li t0, 0x6000', 'csrs sstatus, t0', `li a1, ${this.value()}`, `fmv.d.x ${f()}, a1`, `fsrm x0, a1`,
      ...Array.from({ length: 4 }, () => `${random.pick(['fadd.d', 'fmul.d', 'fdiv.d', 'fdiv.s', 'fsub.s', 'fmin.d'])} ${f()}, ${f()}, ${f()}`),
      `fsqrt.d ${f()}, ${f()}`, `fcvt.w.d a0, ${f()}`, `fcvt.lu.s a0, ${f()}`, `fmadd.d ${f()}, ${f()}, ${f()}, ${f()}`, `fcvt.s.d ${f()}, ${f()}`,
    ];
  }

  step(): string[] {
    const kinds = [
      this.device, this.device, this.device, this.memory, this.sbi, this.sbi, this.csr, this.csr, this.virtio, this.virtio, this.paging, this.paging,
      this.jump, this.user, this.instructions, this.instructions, this.privileged, this.interrupts, this.floats,
    ];
    return this.random.pick(kinds).call(this);
  }

  /** The end: in order, or by what leaves nothing. */
  end(): string[] {
    return this.random.pick([
      ['li a0, 0', 'li a1, 0', 'li a6, 0', `li a7, ${SRST}`, 'ecall'],
      [...this.#arguments(), `li a6, ${this.value()}`, `li a7, ${SRST}`, 'ecall'],
      ['li a0, 0x5555', 'li a1, 0x100000', 'sw a0, 0(a1)'],
      [`li a0, ${this.value()}`, 'li a1, 0x100000', 'sw a0, 0(a1)'],
      [`li a0, ${this.value()}`, 'csrw stvec, a0', `li a0, ${this.value()}`, 'csrw satp, a0'],
      ['csrw sie, zero', 'wfi'],
      ['li a7, 0x48534d', 'li a6, 1', 'ecall'],
    ]);
  }
}

/** The guest of `seed` with this many steps. */
export function fuzzGuest(seed: number, steps: number): FuzzGuest {
  const cpus = 1 + (seed % 3);
  const program = new Program(seed, cpus);
  const bodies = Array.from({ length: steps }, (_, i) => `step${i}: ${[...program.step(), 'j dispatch'].join('\n')}\n.balign 4`);
  const source = `
    start: la t0, trap
    csrw stvec, t0
    li t0, 0x6000
    csrs sstatus, t0
    dispatch: li t0, ${INDEX}
    ld t1, 0(t0)
    addi t2, t1, 1
    sd t2, 0(t0)
    li t3, ${steps}
    bltu t1, t3, 1f
    j end
    1:
    la t0, table
    slli t1, t1, 3
    add t0, t0, t1
    ld t0, 0(t0)
    jr t0
    .balign 4
    trap: csrw satp, zero
    csrw sie, zero
    li t0, 0x6100
    csrs sstatus, t0
    j dispatch
    ${bodies.join('\n')}
    end: ${program.end().join('\n')}
    j end
    .balign 8
    table: .dword ${bodies.map((_, i) => `step${i}`).join(', ')}`;
  return { cpus, image: assemble(source, { base: KERNEL }).bytes };
}
