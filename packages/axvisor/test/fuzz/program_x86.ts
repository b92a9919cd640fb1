/**
 * Guests for PCs that do everything wrong: a program is a list of steps, each of which does one thing that no sane kernel does, to ports, devices in
 * memory, MSRs, control registers, page tables, descriptor tables, virtqueues or the instruction decoder. Whatever exception that causes, the next step
 * follows, in 64-bit mode again.
 */
import { assemble } from '@axvisor/softcpu_x86/asm';
import { rows } from '@axvisor/softcpu_x86/isa';
import type { FuzzGuest } from './campaign.ts';
import { WildProgram, type Board } from './wild_program.ts';

export const KERNEL = 0x20_0000n;
export const RAM_SIZE = 16n << 20n;

/** Guest memory: where other vCPUs start, the number of the next step, page tables that steps write, virtqueues, the tables of the start. */
const TRAMPOLINE = 0x9000;
const INDEX = 0x60_0000n;
const WILD = 0x70_0000n;
const QUEUES = 0x80_0000n;
const TABLES = 0x90_0000n;
/** PML4, PDPT; IDT of 64 bits, of 32 bits; a page each. */
const [PML4, PDPT, IDT64, IDT32] = [TABLES, TABLES + 0x1000n, TABLES + 0x2000n, TABLES + 0x3000n];
const STACK = 0x5f_0000;
/** Where the number of the next step outlives a reset: a byte of CMOS. */
const SAVED = 0x50;
/** Handlers at fixed places of the program. */
const [TRAP64, TRAP32] = [KERNEL + 0x100n, KERNEL + 0x200n];

const CODE32 = 8;
const DATA = 16;
const CODE64 = 24;

/** Configuration space of the first virtio function, and where steps put its registers. */
const ECAM = 0xc000_0000n;
const VIRTIO_CONFIG: bigint = ECAM + (3n << 15n);
const BAR = 0xc010_0000n;

/** Windows of the board, and where there is nothing. */
const WINDOWS: readonly (readonly [base: bigint, size: number])[] = [
  [0xfee0_0000n, 0x1000], [0xfee0_0000n, 0x400], [0xfec0_0000n, 0x1000], [0xfed0_0000n, 0x400], [ECAM, 0x10_0000], [VIRTIO_CONFIG, 0x1000], [VIRTIO_CONFIG, 0x100],
  [BAR, 0x8000], [0xa_0000n, 0x2_0000], [0xe_0000n, 0x2_0000], [0xfffc_0000n, 0x4_0000], [RAM_SIZE, 0x1000], [0x1_0000_0000n, 0x1000],
];
/** Ports with something behind, by their first: PIC, PIT, i8042, RTC, DMA's page, port 92, UART, PCI, firmware configuration, ACPI. */
const PORTS: readonly (readonly [first: number, count: number])[] = [
  [0x20, 2], [0xa0, 2], [0x40, 4], [0x60, 5], [0x70, 2], [0x80, 1], [0x92, 1], [0x3f8, 8], [0x4d0, 2], [0xcf8, 8], [0x510, 12], [0x600, 12], [0xf4, 4], [0x501, 4], [0xb2, 2],
];
/** Without which the machine goes off or starts anew: seldom. */
const FATAL_PORTS: ReadonlySet<number> = new Set([0x64, 0x92, 0xcf9, 0xf4, 0x501, 0x604, 0x605]);
const MSRS: readonly (readonly [first: number, count: number])[] = [
  [0x10, 1], [0x1b, 1], [0x3a, 2], [0x8b, 1], [0xc1, 4], [0xfe, 1], [0x140, 1], [0x174, 3], [0x179, 3], [0x186, 4], [0x1a0, 1], [0x1d9, 1], [0x200, 0x20], [0x250, 0x20], [0x277, 1],
  [0x2ff, 1], [0x345, 1], [0x38d, 3], [0x480, 0x14], [0x6e0, 1], [0x800, 0x40], [0xda0, 1], [0x4b56_4d00, 8], [0xc000_0080, 5], [0xc000_0100, 4], [0xc001_0000, 0x20], [0xc001_0100, 0x20],
];
const PREFIXES = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x64, 0x65, 0x48, 0x41, 0x44, 0x4f];
/** Bytes that fill the code of a step with random instructions. */
const RANDOM_BYTES = 64;
/** Accesses that end a guest where there is no memory. */
const NOT_EMULATED = [
  'addps xmm0, [rbx]', 'fld dword ptr [rbx]', 'fstp tbyte ptr [rbx]', 'fxsave [rbx]', 'fxrstor [rbx]', 'xsave [rbx]', 'xrstor [rbx]', 'ldmxcsr [rbx]', 'movbe eax, [rbx]', 'crc32 eax, dword ptr [rbx]', 'enter 16, 3',
  'mov rsp, rbx\niretq',
];
const REGISTERS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];

const BOARD: Board = {
  ram: { base: 0n, size: RAM_SIZE },
  windows: WINDOWS, registers: 0x400,
  edges: [0n, 1n << 20n, 1n << 32n, 1n << 39n, 1n << 46n, 1n << 47n, 1n << 52n, 1n << 56n, 1n << 63n],
  queues: QUEUES, tables: { base: WILD, size: 0x8000 },
  small: 256,
};

class Program extends WildProgram {
  constructor(seed: number) {
    super(seed, BOARD);
  }

  #set(register: string, value: bigint | number): string {
    return `mov ${register}, ${value}`;
  }

  bytes(count: number, of: () => number = () => this.random.below(256)): string {
    return `.byte ${Array.from({ length: count }, of).join(', ')}`;
  }

  /** Bytes that begin as some instruction does, or are none, or have more than 15. */
  noise(): string {
    const { random } = this;
    const list: number[] = [];
    while (list.length < RANDOM_BYTES) {
      const prefixes = random.chance(16) ? 13 + random.below(4) : random.below(3);
      for (let i = 0; i < prefixes; i++) list.push(random.pick(PREFIXES));
      if (random.chance(4)) list.push(random.below(256));
      else {
        const row = random.pick(rows);
        if (row.vex) list.push(0xc4, (random.below(8) << 5) | row.map, random.below(256));
        else if (row.map > 0) list.push(0x0f, ...(row.map === 2 ? [0x38] : row.map === 3 ? [0x3a] : []));
        list.push(row.opcode, random.below(256));
      }
      if (random.chance(3)) list.push(random.below(256), random.below(256));
    }
    return this.bytes(RANDOM_BYTES, () => list.shift() as number);
  }

  /** An access of any kind at the address in RBX. Of those that end the guest on a device there are few. */
  access(): string {
    const { random } = this;
    if (random.below(500) === 0) return random.pick(NOT_EMULATED);
    return random.pick([
      'mov al, [rbx]', 'mov ax, [rbx]', 'mov eax, [rbx]', 'mov rax, [rbx]', 'mov [rbx], cl', 'mov [rbx], cx', 'mov [rbx], ecx', 'mov [rbx], ecx', 'mov [rbx], ecx', 'mov [rbx], rcx',
      'movzx eax, byte ptr [rbx]', 'movsx rax, word ptr [rbx]', 'movsxd rax, dword ptr [rbx]', 'add [rbx], ecx', 'sub eax, [rbx]', 'or byte ptr [rbx], 1', 'xor [rbx], rcx', 'cmp dword ptr [rbx], 5',
      'test [rbx], ecx', 'inc dword ptr [rbx]', 'neg dword ptr [rbx]', 'not qword ptr [rbx]', 'xchg [rbx], ecx', 'lock xadd [rbx], ecx', 'lock cmpxchg [rbx], ecx', 'cmpxchg8b [rbx]',
      'lock cmpxchg16b [rbx]', 'bts dword ptr [rbx], 3', 'bt [rbx], ecx', 'push [rbx]', 'pop [rbx]', 'call [rbx]', 'jmp [rbx]', 'movups xmm0, [rbx]', 'movaps [rbx], xmm0', 'movdqu [rbx], xmm1',
      'movq xmm0, qword ptr [rbx]', 'movd dword ptr [rbx], xmm0', 'movq mm0, [rbx]', 'invlpg [rbx]', 'clflush [rbx]', 'prefetcht0 [rbx]', 'lgdt [rbx]', 'sidt [rbx]', 'sgdt [rbx]', 'ltr [rbx]', 'lldt [rbx]',
      'lmsw [rbx]', 'smsw word ptr [rbx]', 'str word ptr [rbx]', '.byte 0x8c, 0x1b', 'shl dword ptr [rbx], 3', 'imul eax, [rbx]', 'div dword ptr [rbx]', 'setc [rbx]', 'cmovz eax, [rbx]', 'vmovups ymm0, [rbx]',
      'mov rsi, rbx\nmov rdi, 0x800000\nmov ecx, 5\nrep movsd', 'mov rdi, rbx\nmov ecx, 9\nrep stosb', 'mov rdi, rbx\nmov rsi, rbx\nmov ecx, 3\nrepe cmpsw', 'mov rsi, rbx\nstd\nlodsq\ncld', 'mov ds, [rbx]',
      'mov ss, [rbx]', 'mov rsp, rbx\npush rax', '.byte 0xff, 0x2b', '.byte 0xff, 0x1b', 'mov rsp, rbx\ncall 1f\n1:',
    ]);
  }

  // ── steps ──

  port(): number {
    const { random } = this;
    for (;;) {
      const [first, count] = random.pick(PORTS);
      const port = random.chance(6) ? random.below(0x1_0000) : first + random.below(count);
      if (!FATAL_PORTS.has(port) || random.chance(30)) return port;
    }
  }

  ports(): string[] {
    const { random } = this;
    return Array.from({ length: 1 + random.below(8) }, () => [
      this.#set('edx', this.port()), this.#set('rax', this.value()),
      random.pick(['in al, dx', 'in ax, dx', 'in eax, dx', 'out dx, al', 'out dx, al', 'out dx, al', 'out dx, ax', 'out dx, eax']),
    ]).flat();
  }

  portStrings(): string[] {
    const { random } = this;
    return [
      this.#set('edx', this.port()), this.#set('rcx', random.chance(20) ? this.value() : random.below(40)), this.#set('rdi', this.address()), this.#set('rsi', this.address()), random.pick(['cld', 'std']),
      random.pick(['rep insb', 'rep insw', 'rep insd', 'rep outsb', 'rep outsw', 'rep outsd', 'insb', 'outsd']), 'cld',
    ];
  }

  device(): string[] {
    return Array.from({ length: 1 + this.random.below(6) }, () => [this.#set('rbx', this.register()), this.#set('rcx', this.value()), this.access()]).flat();
  }

  memory(): string[] {
    return [this.#set('rbx', this.address()), this.#set('rcx', this.value()), this.access()];
  }

  msr(): string[] {
    const { random } = this;
    const [first, count] = random.pick(MSRS);
    const index = random.chance(6) ? this.value() & 0xffff_ffffn : BigInt(first + random.below(count));
    return [this.#set('ecx', index), ...(random.chance(3) ? ['rdmsr'] : [this.#set('rax', this.value()), this.#set('rdx', random.chance(2) ? 0n : this.value()), 'wrmsr'])];
  }

  control(): string[] {
    const { random } = this;
    const bits = this.value();
    switch (random.below(6)) {
      case 0:
        return ['mov rax, cr0', `mov rbx, ${bits & 0xffff_fffen}`, 'xor rax, rbx', 'mov cr0, rax'];
      case 1:
        return ['mov rax, cr4', `mov rbx, ${bits & ~0x20n}`, 'xor rax, rbx', 'mov cr4, rax'];
      case 2:
        return [this.#set('rax', bits), random.pick(['mov cr2, rax', 'mov cr8, rax', 'mov cr3, rax', 'mov rax, cr8', '.byte 0x0f, 0x22, 0xc8', '.byte 0x0f, 0x20, 0xf8'])];
      case 3:
        return [this.#set('rax', bits), `mov dr${random.pick([0, 1, 2, 3, 6, 7])}, rax`, 'nop', ...this.memory()];
      case 4:
        return ['mov rax, cr4', 'or eax, 0x40000', 'mov cr4, rax', this.#set('ecx', random.below(2)), this.#set('rax', bits & 0xffn), 'xor edx, edx', 'xsetbv', 'vaddps ymm0, ymm1, ymm2'];
      default:
        return [this.#set('rax', bits), random.pick(['lmsw ax', 'clts', 'lldt ax', 'ltr ax', 'mov ss, ax', 'mov fs, ax', 'push rax\npopfq', 'mov ss, eax\nint3', 'push rax\npopfq\nint 3'])];
    }
  }

  /** IPIs of any kind, a timer, and a wait for whatever comes. */
  interrupts(): string[] {
    const { random } = this;
    const command = random.pick([0x500, 0x8500, 0x600 | (TRAMPOLINE >> 12), 0x600 | random.below(256), 0x400, random.below(256), 0x100 | random.below(256), 0x200]);
    const apic = (offset: number, value: number): string => `mov dword ptr [rbx + ${offset}], ${value}`;
    return [
      'mov rsp, 0x5e0000', 'xor eax, eax', 'mov cr8, rax', 'mov ebx, 0xfee00000', apic(0xf0, 0x100 | random.below(256)), apic(0x310, random.below(4) * 0x100_0000), apic(0x300, command | (random.below(4) << 18) | (random.below(2) << 11)),
      apic(0x3e0, random.below(16)), apic(0x320, (random.below(2) << 17) | (random.chance(8) ? random.below(256) : 32 + random.below(224))), apic(0x380, 1 + random.below(5000)),
      ...(random.chance(30) ? ['cli', 'hlt'] : random.chance(2) ? ['sti', 'nop'] : ['sti', 'hlt']), 'cli',
    ];
  }

  /** A request to a virtio device as a driver makes it, but for a few values. */
  virtio(): string[] {
    const { random } = this;
    const bar = BAR + BigInt(random.below(4)) * 0x8000n;
    const at = QUEUES + BigInt(random.below(16)) * 0x1000n;
    const [driver, device, header] = [at + 0x800n, at + 0xa00n, at + 0xc00n];
    const length = random.pick([0n, 1n, 512n, 1024n, 0x8000n]);
    const readable = random.below(2);
    const [NEXT, WRITE] = [1n << 32n, 2n << 32n];
    type Store = readonly [size: 1 | 2 | 4 | 8, address: bigint, value: bigint];
    const config = (offset: number, value: bigint | number): Store => [4, VIRTIO_CONFIG + BigInt(offset), BigInt(value)];
    const common = (offset: number, size: 1 | 2 | 4 | 8, value: bigint | number): Store => [size, bar + BigInt(offset), BigInt(value)];
    const stores: Store[] = [
      config(0x20, bar & 0xffff_ffffn), config(0x24, 0), [2, VIRTIO_CONFIG + 4n, 6n],
      common(20, 1, 0), common(20, 1, 3), common(8, 4, 1), common(12, 4, 1), common(8, 4, 0), common(12, 4, random.pick([0, 0x200, 0x1000_0000, 0x2000_0000, 0x3000_0200])), common(20, 1, 11),
      common(22, 2, random.chance(3) ? random.below(3) : 0), common(24, 2, 8), common(26, 2, random.pick([0, 0xffff])), common(32, 8, at), common(40, 8, driver), common(48, 8, device), common(28, 2, 1), common(20, 1, 15),
      // Header, data, status; then the same through a table of its own.
      [8, at, header], [8, at + 8n, 16n | NEXT | (1n << 48n)],
      [8, at + 16n, at + 0x1_0000n], [8, at + 24n, length | NEXT | (readable === 1 ? 0n : WRITE) | (2n << 48n)],
      [8, at + 32n, header + 16n], [8, at + 40n, 1n | WRITE],
      [8, at + 48n, at], [8, at + 56n, 48n | (4n << 32n)],
      [8, header, random.pick([0n, 1n, BigInt(readable), 4n, 8n, 11n])], [8, header + 8n, BigInt(random.below(66))],
      [2, driver, BigInt(random.below(2))], [2, driver + 4n, random.pick([0n, 0n, 0n, 1n, 2n, 3n])], [2, driver + 6n, 3n], [2, driver + 2n, BigInt(1 + random.below(2))],
      [4, bar + 0x4000n, 0xfee0_0000n], [4, bar + 0x4008n, BigInt(random.below(256))], [4, bar + 0x400cn, 0n], [2, VIRTIO_CONFIG + 0xb2n, 0x8000n],
      [2, bar + 0x3000n, 0n],
    ];
    for (let i = random.below(4); i > 0; i--) {
      const which = random.below(stores.length);
      const [size, address] = stores[which] as Store;
      stores[which] = random.chance(10) ? [size, this.address(), this.value()] : [size, address, random.chance(3) ? this.address() : this.value()];
    }
    const NAMES = { 1: 'cl', 2: 'cx', 4: 'ecx', 8: 'rcx' } as const;
    return stores.flatMap(([size, address, value]) => [this.#set('rbx', address), this.#set('rcx', BigInt.asUintN(64, value)), `mov [rbx], ${NAMES[size]}`]);
  }

  /** Wild page tables. The code is nearly always mapped, so that something can follow. */
  paging(): string[] {
    const { random } = this;
    const table = (): bigint => WILD + BigInt(random.below(8)) * 0x1000n;
    const root = table();
    const steps: string[] = [];
    for (let i = 0; i < 8; i++) {
      const entry = random.chance(3) ? random.bits() : ((random.chance(3) ? this.address() : table()) & ~0xfffn) | BigInt(random.below(512)) | (random.chance(4) ? 1n << 63n : 0n);
      steps.push(this.#set('rbx', (random.chance(2) ? root : table()) + 8n * BigInt(1 + random.below(4))), this.#set('rcx', entry), 'mov [rbx], rcx');
    }
    // The first 512 GiB are as they were.
    if (!random.chance(40)) steps.push(this.#set('rbx', root), this.#set('rcx', PDPT | 7n), 'mov [rbx], rcx');
    const va = random.chance(2) ? this.address() : BigInt.asUintN(64, BigInt.asIntN(48, (BigInt(1 + random.below(4)) << 39n) | (BigInt(random.below(4)) << 30n) | (BigInt(random.below(4)) << 21n) | BigInt(random.below(0x4000))));
    return [
      ...steps, this.#set('rax', random.chance(60) ? this.value() : root | BigInt(random.chance(4) ? random.below(0x1000) : 0)), this.#set('rbx', va), this.#set('rcx', this.value()), 'mov cr3, rax',
      random.pick(['invlpg [rbx]', 'nop', 'mov rdx, 0x800000\ninvpcid rcx, [rdx]']), random.chance(3) ? 'jmp rbx' : this.access(),
    ];
  }

  jump(): string[] {
    return [this.#set('rbx', this.random.chance(3) ? this.register() : this.address()), this.random.pick(['jmp rbx', 'call rbx', 'jmp rbx', 'push rbx\nret'])];
  }

  /** Random instructions at the end of memory, or behind all of it. */
  edge(): string[] {
    const { random } = this;
    const at = RAM_SIZE - BigInt(random.below(20));
    return [
      this.#set('rdi', at), this.#set('rax', random.bits()), random.pick(['mov rcx, 20', 'mov rcx, 8']), 'rep stosb',
      this.#set('rax', random.pick([0x66n, 0xf0n, 0x0fn, 0x90n, random.bits() & 0xffn]) * 0x0101_0101_0101_0101n), `mov rdi, ${at}`, 'mov rcx, 20', 'rep stosb', `mov rbx, ${at}`, 'jmp rbx',
    ];
  }

  instructions(): string[] {
    const { random } = this;
    return [...Array.from({ length: 6 }, () => this.#set(random.pick(REGISTERS), this.value())), this.noise()];
  }

  /** The same in a 32- or 16-bit segment of long mode, at any privilege level, or in user mode. */
  otherCode(): string[] {
    const { random } = this;
    const label = this.label();
    const selector = random.pick([CODE32, CODE64, 0x33, 0x3b, 0x43, 0x4b, 0x50, 0x58, random.below(0x100)]);
    const user = (selector & 3) === 3;
    return [
      'mov rsp, 0x5d0000', `push ${user ? 0x2b : DATA}`, 'push 0x5c0000', `push ${random.pick([2, 0x202, 0x102, 0x3202, random.below(0x4_0000) & ~0x2_0000])}`, `push ${selector}`, `push offset ${label}`, 'iretq', `${label}: nop`, this.noise(),
    ];
  }

  /** Out of long mode: 32-bit code without paging, or real mode. Both come back by what their exceptions start. */
  legacy(): string[] {
    const { random } = this;
    const label = this.label();
    const [real, protect] = [this.label(), this.label()];
    return [
      `push ${CODE32}`, `push offset ${label}`, 'retfq', `.code32\n${label}: mov eax, 0x11`, 'mov cr0, eax', 'mov ecx, 0xc0000080', 'xor eax, eax', 'xor edx, edx', 'wrmsr', 'lidt [idtr32]', 'mov esp, 0x5b0000',
      random.chance(2) ? `jmp ${protect}` : `push 0x58\npush offset ${real} - ${KERNEL}\nretf`,
      `${protect}: ${random.chance(2) ? 'nop' : `mov eax, ${this.value() & 0xffff_fff0n}\nmov cr4, eax\nmov eax, ${WILD + BigInt(random.below(0x1000)) * 8n}\nmov cr3, eax\nmov eax, cr0\nbts eax, 31\nmov cr0, eax`}`, this.noise(), 'jmp start',
      // A 16-bit segment with its base at the program; the real mode behind it keeps that.
      `.code16\n${real}: nop`, this.noise(), '.code64',
    ];
  }

  toReal(): string[] {
    // The trampoline's neighbour is copied there once, with random instructions behind it.
    const { random } = this;
    const label = this.label();
    const [from, to] = [this.label(), this.label()];
    return [
      `lea rsi, [rip + ${from}]`, 'mov edi, 0xa000', `mov ecx, ${to} - ${from}`, 'rep movsb', `push ${CODE32}`, `push offset ${label}`, 'retfq',
      `.code32\n${label}: mov eax, 0x11`, 'mov cr0, eax', 'mov ecx, 0xc0000080', 'xor eax, eax', 'xor edx, edx', 'wrmsr', 'lidt [idtr16]', 'mov esp, 0x7000', `.byte 0xea\n.long 0xa000\n.word ${random.pick([0x50, 0x50, 0x58])}`,
      `.code16\n${from}: mov eax, 0x10`, 'mov cr0, eax', '.byte 0xea, 0x0e, 0x00, 0x00, 0x0a', this.noise(), this.noise(), `${to}: nop`, '.code64',
    ];
  }

  privileged(): string[] {
    return [
      ...['rax', 'rbx', 'rcx', 'rdx'].map((name) => this.#set(name, this.value())), this.#set('rdi', this.value()),
      this.random.pick([
        '.byte 0x0f, 0x01, 0xc1', '.byte 0x0f, 0x01, 0xd9', '.byte 0x0f, 0x01, 0xc2', '.byte 0x0f, 0x01, 0xd8', '.byte 0x0f, 0x01, 0xda', '.byte 0x0f, 0x01, 0xdb', '.byte 0x0f, 0x01, 0xdc', '.byte 0x0f, 0x01, 0xdd',
        '.byte 0x0f, 0xc7, 0x33', '.byte 0xf3, 0x0f, 0xc7, 0x33', '.byte 0x0f, 0x78, 0xd8', '.byte 0x66, 0x0f, 0x38, 0x80, 0x03', '.byte 0x0f, 0x01, 0xd4', '.byte 0x0f, 0x37', '.byte 0x0f, 0xaa',
        'cpuid', 'rdtscp', 'rdpmc', 'rdrand eax', 'wbinvd', 'invd', 'monitor', 'mwait', 'pause', 'sysret', 'sysexit', 'syscall', 'sysenter', 'swapgs', 'xgetbv', 'int 0x80', 'int 2', 'ud2', 'int3', 'iretq', 'retfq',
        'wrfsbase rax', 'swapgs\nswapgs', 'stac', 'clac', 'fninit\nfsqrt', 'emms', 'pushfq\npopfq',
      ]),
    ];
  }

  floats(): string[] {
    return [this.#set('rax', this.value()), 'push rax', 'fninit', 'fldcw [rsp]', 'fld qword ptr [rsp]', ...Array.from({ length: 4 }, () => this.random.pick(['fsin', 'fptan', 'fyl2x', 'f2xm1', 'fprem', 'fscale', 'fbstp [rsp]', 'fsqrt', 'fxtract', 'frndint', 'fldpi'])), 'ldmxcsr [rsp]', 'movq xmm0, qword ptr [rsp]', 'sqrtsd xmm1, xmm0', 'divps xmm0, xmm1', 'cvttsd2si rax, xmm0'];
  }

  step(): string[] {
    const kinds = [
      this.ports, this.ports, this.ports, this.portStrings, this.device, this.device, this.device, this.memory, this.msr, this.msr, this.msr, this.control, this.virtio, this.virtio, this.paging, this.paging,
      this.jump, this.edge, this.instructions, this.instructions, this.otherCode, this.legacy, this.toReal, this.privileged, this.interrupts, this.interrupts, this.floats,
    ];
    return this.random.pick(kinds).call(this);
  }

  /** The end: in order, or by what leaves nothing. */
  end(): string[] {
    return this.random.pick([
      ['mov dx, 0x604', 'mov ax, 0x2000', 'out dx, ax'],
      [`mov rax, ${this.value()}`, 'mov edx, 0xf4', 'out dx, eax'],
      ['lidt [rip + none]', 'ud2', 'none: .quad 0, 0'],
      ['cli', 'hlt'],
      [`mov rax, ${this.value()}`, 'mov cr3, rax'],
    ]);
  }
}

const descriptor = (text: string): string => `.quad ${text}`;
/** Null, 32-bit code, data, 64-bit code; null; user: data, 64-bit code, 32-bit code, conforming, 16-bit code; 16 bits for the kernel, twice; the TSS. */
const GDT = [
  '0', '0x00cf9b000000ffff', '0x00cf93000000ffff', '0x00af9b000000ffff', '0', '0x00cff3000000ffff', '0x00affb000000ffff', '0x00cffb000000ffff', '0x00cfff000000ffff', '0x000ffb000000ffff',
  '0x000f9b000000ffff', '0x00009b200000ffff', '0x0000890000000067', '0',
];

/** The guest of `seed` with this many steps. */
export function fuzzGuest(seed: number, steps: number): FuzzGuest {
  const program = new Program(seed);
  const bodies = Array.from({ length: steps }, (_, i) => `step${i}: ${[...program.step(), 'jmp dispatch'].join('\n')}`);
  const gate = (handler: bigint): bigint => (handler & 0xffffn) | ((handler >> 16n) << 48n);
  const source = `
        .code32
        jmp start
        .balign 256
        .code64
trap:   mov rax, 0x80000033
        mov cr0, rax
        mov eax, 0x620
        mov cr4, rax
        mov eax, ${PML4}
        mov cr3, rax
        lgdt [gdtr]
        lidt [idtr64]
        mov eax, 0x400
        mov dr7, rax
        mov eax, ${DATA}
        mov ds, eax
        mov es, eax
        mov ss, eax
        xor eax, eax
        lldt ax
        mov eax, 0xfee000b0
        mov dword ptr [rax], 0
        mov rsp, ${STACK}
        push ${DATA}
        push ${STACK}
        push 2
        push ${CODE64}
        push offset dispatch
        iretq
        .balign 256
        .code32
trap32: jmp start
        .balign 256
start:  cli
        cld
        mov eax, 0x11
        mov cr0, eax
        mov eax, ${DATA}
        mov ds, eax
        lgdt [gdtr]
        .byte 0xea
        .long start1
        .word ${CODE32}
start1: mov eax, ${DATA}
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov esp, ${STACK}
        mov dword ptr [${PML4}], ${PDPT | 7n}
        mov edi, ${PDPT}
        mov eax, 0x87
        mov ecx, 4
1:      mov [edi], eax
        add edi, 8
        add eax, 0x40000000
        dec ecx
        jnz 1b
        mov edi, ${IDT64}
        mov ecx, 256
2:      mov dword ptr [edi], ${(TRAP64 & 0xffffn) | (BigInt(CODE64) << 16n)}
        mov dword ptr [edi + 4], ${(gate(TRAP64) >> 32n) | 0x8e01n}
        mov dword ptr [edi + 8], 0
        add edi, 16
        dec ecx
        jnz 2b
        mov edi, ${IDT32}
        mov ecx, 256
3:      mov dword ptr [edi], ${(TRAP32 & 0xffffn) | (BigInt(CODE32) << 16n)}
        mov dword ptr [edi + 4], ${(gate(TRAP32) >> 32n) | 0x8e00n}
        add edi, 8
        dec ecx
        jnz 3b
        xor edi, edi
        mov ecx, 256
        mov eax, ${TRAMPOLINE}
        rep stosd
        mov esi, offset real
        mov edi, ${TRAMPOLINE}
        mov ecx, real_end - real
        rep movsb
        mov al, ${SAVED}
        out 0x70, al
        in al, 0x71
        movzx eax, al
        mov dword ptr [${INDEX}], eax
        mov eax, 0x620
        mov cr4, eax
        mov eax, ${PML4}
        mov cr3, eax
        mov ecx, 0xc0000080
        mov eax, 0x901
        xor edx, edx
        wrmsr
        mov eax, 0x80000033
        mov cr0, eax
        lidt [idtr64]
        mov word ptr [gdt + 98], tss & 0xffff
        mov byte ptr [gdt + 100], tss >> 16
        mov byte ptr [gdt + 101], 0x89
        mov eax, 96
        ltr ax
        push ${CODE64}
        push offset dispatch
        retf
        .code64
dispatch:
        mov rdi, ${INDEX}
        mov rax, [rdi]
        lea rcx, [rax + 1]
        mov [rdi], rcx
        mov al, ${SAVED}
        out 0x70, al
        mov al, cl
        out 0x71, al
        lea rax, [rcx - 1]
        cmp rax, ${steps}
        jae end
        lea rdx, [rip + table]
        mov rax, [rdx + rax * 8]
        jmp rax
        .code16
real:   cli
        xor ax, ax
        mov ds, ax
        .byte 0x66, 0x0f, 0x01, 0x16          # lgdt with an operand of 32 bits, in the copy
        .word ${TRAMPOLINE} + realgdt - real
        mov eax, 0x11
        mov cr0, eax
        .byte 0x66, 0xea
        .long start
        .word ${CODE32}
realgdt: .word 111
        .long gdt
real_end:
        .code64
${bodies.join('\n')}
end:    ${program.end().join('\n')}
        jmp end
        .balign 8
table:  .quad ${bodies.map((_, i) => `step${i}`).join(', ')}
gdt:    ${GDT.map(descriptor).join('\n')}
gdtr:   .word 111
        .quad gdt
idtr64: .word 4095
        .quad ${IDT64}
idtr32: .word 2047
        .quad ${IDT32}
idtr16: .word 1023
        .quad 0
        .balign 16
tss:    .long 0
        .fill 32, 1, 0
        .quad ${STACK + 0x1000}, 0, 0, 0, 0, 0, 0
        .fill 64, 1, 0
`;
  return { cpus: 1 + (seed % 3), image: assemble(source, { base: KERNEL, bits: 32 }).bytes };
}
