/**
 * Guests for the `virt` board of AArch64 that do everything wrong: a program is a list of steps, each of which does one thing that no sane
 * kernel does, to devices, the GIC and its ITS, PSCI, system registers, system instructions, page tables, virtqueues or the instruction
 * decoder. Whatever exception that causes, the next step follows, at EL1 without address translation again.
 */
import { assemble } from '@axvisor/softcpu_arm/asm';
import { insns } from '@axvisor/softcpu_arm/isa';
import type { FuzzGuest } from './campaign.ts';
import { WildProgram, type Board } from './wild_program.ts';

const RAM_BASE = 0x4000_0000n;
export const RAM_SIZE = 16n << 20n;
export const KERNEL = 0x4020_0000n;

/** Guest memory that the steps use: the number of the next step, page tables, virtqueues, tables and commands of the ITS. */
const INDEX = 0x4060_0000n;
const TABLES = 0x4070_0000n;
const QUEUES = 0x4080_0000n;
const ITS_MEMORY = 0x4090_0000n;

const ITS = 0x808_0000n;
const TRANSLATER = ITS + 0x1_0040n;
const VIRTIO = 0xa00_0000n;
const CONSOLE = 0xb00_0000n;
/** Windows of the board, and where there is nothing. */
const WINDOWS: readonly (readonly [base: bigint, size: number])[] = [
  [0x400_0000n, 0x1000], [0x800_0000n, 0x1_0000], [0x801_0000n, 0x2000], [ITS, 0x1_0000], [TRANSLATER & ~0xfffn, 0x1000], [0x80a_0000n, 0x2_0000], [0x80b_0000n, 0x1000], [0x80c_0000n, 0x2_0000],
  [0x900_0000n, 0x1000], [0x901_0000n, 0x1000], [0x903_0000n, 0x1000], [VIRTIO, 0x200], [VIRTIO, 0x600], [CONSOLE, 0x200], [0x3000_0000n, 0x1000],
];
/** virtio-mmio slots: mostly one with a disk, one without anything, and a device with a console. */
const SLOTS = [VIRTIO, VIRTIO, VIRTIO, CONSOLE, VIRTIO + 0x400n];

/** Function identifiers of SMCCC and PSCI. */
const FUNCTIONS = [
  0x8400_0000, 0x8400_0001, 0xc400_0001, 0xc400_0003, 0xc400_0004, 0x8400_0005, 0x8400_0006, 0x8400_000a, 0xc400_000c, 0xc400_000e, 0x8400_000f, 0xc400_0010, 0xc400_0011, 0xc400_0012, 0x8400_0014,
  0x8000_0000, 0x8000_0001, 0x8000_0002, 0x8000_7fff, 0x8000_8000, 0x8600_ff01, 0x8600_0000, 0xc600_0020,
];
const CPU_ON = 0xc400_0003;
const SYSTEM_OFF = 0x8400_0008;
const SYSTEM_RESET = 0x8400_0009;
/** Steps that fill the code behind them with random instructions. */
const RANDOM_WORDS = 24;

/** Encodings of MSR and MRS that most programs have something behind: op0 2 and 3, op1, CRn, CRm, op2 in bits 20:5. */
const place = (op0: number, op1: number, crn: number, crm: number, op2: number): number => ((op0 << 19) | (op1 << 16) | (crn << 12) | (crm << 8) | (op2 << 5)) >>> 0;
/** SCTLR, VBAR and TTBR0 of EL1, and SPSel, without which no further step would follow. */
const NEEDED: ReadonlySet<number> = new Set([place(3, 0, 1, 0, 0), place(3, 0, 12, 0, 0), place(3, 0, 2, 0, 0), place(3, 0, 2, 0, 2), place(3, 0, 4, 2, 0)]);

const BOARD: Board = {
  ram: { base: RAM_BASE, size: RAM_SIZE },
  windows: WINDOWS, registers: 0x400,
  edges: [0n, 1n << 12n, 1n << 32n, 1n << 39n, 1n << 40n, 1n << 47n, 1n << 48n, 1n << 55n, 1n << 63n],
  queues: QUEUES, tables: { base: TABLES, size: 0x8000 },
  small: 64,
};

class Program extends WildProgram {
  readonly cpus: number;

  constructor(seed: number, cpus: number) {
    super(seed, BOARD);
    this.cpus = cpus;
  }

  set(register: string, value: bigint | number): string[] {
    const bits = BigInt.asUintN(64, BigInt(value));
    const part = (at: number): bigint => (bits >> BigInt(16 * at)) & 0xffffn;
    return [`movz ${register}, #${part(0)}`, ...[1, 2, 3].filter((at) => part(at) !== 0n).map((at) => `movk ${register}, #${part(at)}, lsl #${16 * at}`)];
  }

  store(address: bigint, value: bigint | number, size: 'w' | 'x' | 'h' = 'x'): string[] {
    return [...this.set('x1', address), ...this.set('x2', value), size === 'h' ? 'strh w2, [x1]' : `str ${size}2, [x1]`];
  }

  /** An access of any kind at the address in x1. */
  access(): string {
    const { random } = this;
    return random.pick([
      'ldrb w0, [x1]', 'ldrsb x0, [x1]', 'ldrh w0, [x1]', 'ldrsh w0, [x1]', 'ldr w0, [x1]', 'ldrsw x0, [x1]', 'ldr x0, [x1]', 'strb w2, [x1]', 'strh w2, [x1]', 'str w2, [x1]', 'str w2, [x1]', 'str w2, [x1]',
      'str x2, [x1]', 'ldp w3, w4, [x1]', 'ldp x3, x4, [x1], #16', 'stp x2, x3, [x1, #-16]!', 'stp w2, w2, [x1]', 'ldr w0, [x1], #4', 'str w2, [x1, #8]!', 'ldr xzr, [x1]', 'str xzr, [x1]', 'ldpsw x3, x4, [x1]',
      'ldr q0, [x1]', 'str q1, [x1]', 'str d1, [x1]', 'ldr s0, [x1], #4', 'stp q0, q1, [x1]', 'ld1 {v0.16b}, [x1]', 'st1 {v0.4s}, [x1], #16', 'ld4 {v0.8b, v1.8b, v2.8b, v3.8b}, [x1]', 'ld1r {v0.2d}, [x1]',
      'ldxr w0, [x1]', 'stxr w0, w2, [x1]', 'ldaxp x3, x4, [x1]', 'stlxr w0, x2, [x1]', 'ldar w0, [x1]', 'stlr x2, [x1]', 'ldadd w2, w0, [x1]', 'swpal x2, x0, [x1]', 'cas w2, w0, [x1]', 'casp x2, x3, x4, x5, [x1]',
      'ldtr x0, [x1]', 'sttr w2, [x1]', 'prfm pldl1keep, [x1]', 'dc zva, x1', 'dc civac, x1', 'dc cvau, x1', 'ic ivau, x1', 'at s1e1r, x1', 'at s1e0w, x1', 'ldr x1, [x1]', 'mov sp, x1\nldr x0, [sp, #8]', 'mov sp, x1\nstp x29, x30, [sp, #-16]!',
    ]);
  }

  // ── steps ──

  device(): string[] {
    return Array.from({ length: 1 + this.random.below(6) }, () => [...this.set('x1', this.register()), ...this.set('x2', this.value()), this.access()]).flat();
  }

  memory(): string[] {
    return [...this.set('x1', this.address()), ...this.set('x2', this.value()), this.access()];
  }

  call(): string[] {
    const { random } = this;
    const nr = random.chance(10) ? this.value() : BigInt(random.pick(FUNCTIONS));
    const starts = nr === BigInt(CPU_ON) && !random.chance(3);
    return [
      ...[1, 2, 3, 4].flatMap((i) => this.set(`x${i}`, this.value())),
      ...(starts ? [...this.set('x1', random.below(this.cpus + 1)), 'adr x2, start'] : []),
      ...this.set('x0', nr), random.pick(['hvc #0', 'hvc #0', 'hvc #0', 'smc #0', 'hvc #0x1234', 'svc #7']),
    ];
  }

  /** MSR or MRS of what may be there, or may not. */
  systemRegister(): string[] {
    const { random } = this;
    const crn = random.chance(3) ? random.below(16) : random.pick([0, 1, 2, 4, 5, 6, 9, 10, 12, 12, 12, 13, 14, 14]);
    const at = place(random.chance(5) ? 2 : 3, random.pick([0, 0, 0, 3, 3, 1, 2, 4, random.below(8)]), crn, random.below(16), random.below(8));
    const read = random.chance(2);
    if (!read && NEEDED.has(at)) return [];
    return [...this.set('x1', this.value()), `.inst ${(0xd500_0001 | at | (read ? 1 << 21 : 0)) >>> 0}`];
  }

  /** SYS, barriers, hints and MSR immediate: what one bit pattern or another says. */
  systemInstruction(): string[] {
    const { random } = this;
    const sys = place(1, random.pick([0, 3, 4, random.below(8)]), random.pick([7, 8, 8, random.below(16)]), random.below(16), random.below(8));
    const other = place(0, random.below(8), random.pick([2, 3, 4]), random.below(16), random.below(8)) | 31;
    const word = random.chance(3) && (other & 0xf000) !== 0x2000 ? other : sys | 1;
    return [...this.set('x1', this.value()), `.inst ${(0xd500_0000 | word) >>> 0}`, random.pick(['dsb ish', 'isb', 'clrex', 'sev', 'yield', 'nop'])];
  }

  /** Tables and commands of the ITS, most of them well-formed, and what an interrupt may come of. */
  its(): string[] {
    const { random } = this;
    const count = 1 + random.below(8);
    const wild = (value: bigint): bigint => (random.chance(6) ? this.value() : value);
    const steps: string[] = [];
    for (let i = 0; i < count; i++) {
      const kind = BigInt(random.chance(8) ? random.below(256) : random.pick([1, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15]));
      const words = [kind | (BigInt(random.below(4)) << 32n), wild(BigInt(random.below(64)) | (BigInt(8192 + random.below(64)) << 32n)), wild((ITS_MEMORY + 0x4000n + BigInt(random.below(4)) * 0x100n) | (1n << 63n) | BigInt(random.below(4))), wild(0n)];
      words.forEach((word, n) => steps.push(...this.store(ITS_MEMORY + BigInt(i * 32 + n * 8), word)));
    }
    const redistributor = 0x80a_0000n;
    const writes: (readonly [address: bigint, value: bigint, size: 'w' | 'x'])[] = [
      [ITS + 0x100n, (ITS_MEMORY + 0x1_0000n) | (1n << 63n) | BigInt(random.below(4)), 'x'], [ITS + 0x108n, (ITS_MEMORY + 0x2_0000n) | (1n << 63n), 'x'],
      [ITS + 0x80n, ITS_MEMORY | (1n << 63n) | BigInt(random.below(2)), 'x'], [redistributor + 0x70n, (ITS_MEMORY + 0x3_0000n) | 15n, 'x'], [redistributor + 0x78n, ITS_MEMORY + 0x4_0000n, 'x'],
      [redistributor, 1n, 'w'], [ITS, 1n, 'w'], [ITS + 0x88n, BigInt(count * 32), 'x'], [TRANSLATER, BigInt(random.below(64)), 'w'],
    ];
    for (const [address, value, size] of writes) steps.push(...this.store(address, wild(value), size));
    return steps;
  }

  /** A request to a virtio device as a driver makes it, but for a few values. */
  virtio(): string[] {
    const { random } = this;
    const base = random.pick(SLOTS);
    const at = QUEUES + BigInt(random.below(16)) * 0x1000n;
    const [driver, device, header] = [at + 0x800n, at + 0xa00n, at + 0xc00n];
    const length = random.pick([0n, 1n, 512n, 1024n, 0x8000n]);
    const queue = random.chance(3) ? random.below(3) : 0;
    const readable = random.below(2);
    const [HIGH, NEXT, WRITE] = [32n, 1n << 32n, 2n << 32n];
    type Store = readonly [size: 'h' | 'w' | 'x', address: bigint, value: bigint];
    const register = (offset: number, value: bigint | number): Store => ['w', base + BigInt(offset), BigInt(value) & 0xffff_ffffn];
    const stores: Store[] = [
      register(0x70, 0), register(0x70, 3), register(0x24, 1), register(0x20, 1), register(0x24, 0), register(0x20, random.pick([0, 0x200, 0x1000_0000, 0x3000_0200])), register(0x70, 11),
      register(0x30, queue), register(0x38, 8), register(0x80, at), register(0x84, at >> HIGH), register(0x90, driver), register(0x94, driver >> HIGH), register(0xa0, device), register(0xa4, device >> HIGH),
      register(0x44, 1), register(0x70, 15),
      // Header, data, status.
      ['x', at, header], ['x', at + 8n, 16n | NEXT | (1n << 48n)],
      ['x', at + 16n, at + 0x1_0000n], ['x', at + 24n, length | NEXT | (readable === 1 ? 0n : WRITE) | (2n << 48n)],
      ['x', at + 32n, header + 16n], ['x', at + 40n, 1n | WRITE],
      ['x', header, random.pick([0n, 1n, BigInt(readable), 4n, 8n, 11n])], ['x', header + 8n, BigInt(random.below(66))],
      ['h', driver, BigInt(random.below(2))], ['h', driver + 4n, random.pick([0n, 0n, 1n, 2n])], ['h', driver + 2n, BigInt(1 + random.below(2))],
      register(0x50, queue), register(0x64, 3),
    ];
    for (let i = random.below(4); i > 0; i--) {
      const which = random.below(stores.length);
      const [size, address] = stores[which] as Store;
      stores[which] = random.chance(10) ? [size, this.address(), this.value()] : [size, address, random.chance(3) ? this.address() : this.value()];
    }
    return stores.flatMap(([size, address, value]) => this.store(address, value, size));
  }

  /** Wild page tables. The code is nearly always mapped, so that something can follow. */
  paging(): string[] {
    const { random } = this;
    const steps: string[] = [];
    const root = TABLES + BigInt(random.below(4)) * 0x1000n;
    for (let i = 0; i < 6; i++) {
      const table = TABLES + BigInt(random.below(8)) * 0x1000n;
      const target = random.chance(3) ? this.address() : TABLES + BigInt(random.below(8)) * 0x1000n;
      const descriptor = random.chance(3) ? random.bits() : (target & 0xffff_ffff_f000n) | BigInt(random.below(4)) | (BigInt(random.below(1024)) << 2n);
      steps.push(...this.store(table + 8n * BigInt(random.below(4)), descriptor));
    }
    // A block of 1 GiB where the code is, if the walk begins at level 1 with pages of 4 KiB.
    if (!random.chance(40)) steps.push(...this.store(root + 8n, RAM_BASE | 0x701n));
    const tcr = random.chance(40) ? this.value() : 0x80_3519n | (BigInt(random.below(4)) << 37n) | (BigInt(random.below(4)) << 39n);
    const va = random.chance(2) ? this.address() : (BigInt(random.below(4)) << 30n) | (BigInt(random.below(4)) << 21n) | BigInt(random.below(0x4000));
    return [
      ...steps, ...this.set('x3', root | (BigInt(random.below(0x1_0000)) << 48n)), 'msr ttbr0_el1, x3', ...this.set('x3', random.chance(4) ? this.value() : root), 'msr ttbr1_el1, x3',
      ...this.set('x3', tcr), 'msr tcr_el1, x3', ...this.set('x3', random.chance(4) ? this.value() : 0xff44_0400_04ffn), 'msr mair_el1, x3', ...this.set('x1', va), ...this.set('x2', this.value()),
      'mrs x3, sctlr_el1', 'orr x3, x3, #1', random.chance(4) ? 'orr x3, x3, #2' : 'nop', random.chance(60) ? 'orr x3, x3, #0x80000' : 'nop', 'msr sctlr_el1, x3', 'isb',
      random.pick(['tlbi vmalle1', 'tlbi vae1is, x1', 'tlbi aside1is, x2', 'nop']), 'dsb ish', random.chance(3) ? 'br x1' : this.access(),
    ];
  }

  jump(): string[] {
    return [...this.set('x1', this.random.chance(3) ? this.register() : this.address()), this.random.pick(['br x1', 'blr x1', 'ret x1'])];
  }

  /** At EL0 too, or by an exception return to anything. */
  user(): string[] {
    const { random } = this;
    const label = this.label();
    return [
      ...this.set('x3', random.chance(4) ? this.value() : 0n), 'msr spsr_el1, x3', `adr x3, ${label}`, 'msr elr_el1, x3', 'eret',
      `${label}: nop`, random.pick(['svc #1', 'brk #3', 'mrs x0, ctr_el0', 'eret', 'mrs x0, cntvct_el0', 'msr daifset, #15', 'hvc #0', 'hlt #1', '.inst 0']), ...this.memory(),
    ];
  }

  /** Random instructions, most of them encodings that exist. */
  instructions(): string[] {
    const { random } = this;
    return Array.from({ length: RANDOM_WORDS }, () => {
      const bits = Number(random.bits() & 0xffff_ffffn);
      const { match, mask } = random.pick(insns);
      return `.inst ${(random.chance(6) ? bits : match | (bits & ~mask)) >>> 0}`;
    });
  }

  /** Interrupts soon, and a wait for them. */
  interrupts(): string[] {
    const { random } = this;
    const timer = random.pick(['cntv', 'cntp']);
    return [
      ...this.store(0x800_0000n, random.chance(4) ? this.value() : 3n, 'w'), ...this.store(random.pick([0x800_0100n, 0x80b_0100n]), this.value(), 'w'), ...this.store(random.pick([0x800_0080n, 0x80b_0080n]), random.chance(2) ? 0xffff_ffffn : this.value(), 'w'),
      ...this.store(0x801_0000n, 1n, 'w'), ...this.store(0x801_0004n, 0xf0n, 'w'),
      ...this.set('x1', this.value()), ...this.set('x2', 0xffn), ...this.set('x3', random.below(500)), ...this.set('x4', random.chance(2) ? 1n : this.value()),
      `msr ${timer}_tval_el0, x3`, `msr ${timer}_ctl_el0, x4`, random.chance(2) ? 'msr daifclr, #15' : 'nop',
      ...(random.chance(2) ? ['msr icc_pmr_el1, x2', 'msr icc_igrpen1_el1, x4', 'msr icc_sgi1r_el1, x1', 'mrs x5, icc_iar1_el1', 'msr icc_eoir1_el1, x5', 'msr icc_dir_el1, x1'] : []),
      random.chance(60) ? 'nop' : random.pick(['wfe', 'sev', 'yield', 'wfi']),
    ];
  }

  step(): string[] {
    const kinds = [
      this.device, this.device, this.device, this.memory, this.call, this.systemRegister, this.systemRegister, this.systemRegister, this.systemInstruction, this.its, this.its, this.virtio, this.virtio,
      this.paging, this.paging, this.jump, this.user, this.instructions, this.instructions, this.interrupts,
    ];
    return this.random.pick(kinds).call(this);
  }

  /** The end: in order, or by what leaves nothing. */
  end(): string[] {
    return this.random.pick([
      [...this.set('x0', SYSTEM_OFF), 'hvc #0'],
      [...this.set('x0', SYSTEM_RESET), 'hvc #0'],
      [...this.set('x0', SYSTEM_OFF), 'smc #0'],
      [...this.set('x0', this.value()), 'msr vbar_el1, x0', 'isb', 'brk #0'],
      ['msr daifset, #15', 'wfi'],
      [...this.set('x0', 0x8400_0002), 'hvc #0'],
    ]);
  }
}

/** The guest of `seed` with this many steps. */
export function fuzzGuest(seed: number, steps: number): FuzzGuest {
  const cpus = 1 + (seed % 3);
  const program = new Program(seed, cpus);
  const bodies = Array.from({ length: steps }, (_, i) => `step${i}: ${[...program.step(), 'b dispatch'].join('\n')}`);
  const source = `
    start: adr x0, vectors
    msr vbar_el1, x0
    trap: msr spsel, #1
    ${program.set('x0', 0x30d0_0980n).join('\n')}
    msr sctlr_el1, x0
    isb
    ${program.set('x0', 0x30_0000n).join('\n')}
    msr cpacr_el1, x0
    msr mdscr_el1, xzr
    ${program.set('x0', 0x4050_0000n).join('\n')}
    mov sp, x0
    msr daifset, #15
    dispatch: ${program.set('x0', INDEX).join('\n')}
    ldr x1, [x0]
    add x2, x1, #1
    str x2, [x0]
    cmp x1, #${steps}
    b.hs end
    adr x0, table
    ldr x0, [x0, x1, lsl #3]
    br x0
    .balign 2048
    vectors: ${Array.from({ length: 16 }, () => 'b trap\n.balign 128').join('\n')}
    .balign 8
    table: .dword ${bodies.map((_, i) => `step${i}`).join(', ')}
    ${bodies.join('\n')}
    end: ${program.end().join('\n')}
    b end`;
  return { cpus, image: assemble(source, { base: KERNEL }).bytes };
}
