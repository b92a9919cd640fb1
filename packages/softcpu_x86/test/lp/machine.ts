/** A bare processor with RAM at 0, the reset vector aliased into it, and ports that record. */
import { wasm } from '@axvisor/softcpu';
import type { Execution } from '@axvisor/softcpu';
import { assemble } from '../../src/isa/asm.ts';
import { Lp, planLp, type LpOptions } from '../../src/lp.ts';

const WASM_PAGE = 0x1_0000;
export const RAM = 1 << 20;
const MIB_2 = 2 << 20;

/** Where RAM is. */
export interface Place {
  readonly size?: number;
  readonly offset?: number;
}

export class Machine {
  readonly lp: Lp;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** What was written to port 0xe9. */
  output = '';
  readonly ports: string[] = [];
  now = 0n;
  readonly #ram: number;

  /** @param place - bytes of RAM, and a multiple of 2 MiB from which on it lies so many bytes in linear memory; default: anywhere. */
  constructor(engine: Execution = 'interpreter', options: Partial<LpOptions> = {}, { size = RAM, offset }: Place = {}) {
    const pages = 0x200;
    const memory = new wasm.Memory({ initial: pages, maximum: pages, shared: true });
    const plan = planLp(0, pages * WASM_PAGE, 64);
    this.#ram = offset === undefined ? Math.ceil(plan.end / WASM_PAGE) * WASM_PAGE : Math.ceil(plan.end / MIB_2) * MIB_2 + offset;
    const bytes = new Uint8Array(memory.buffer);
    this.bytes = bytes.subarray(this.#ram, this.#ram + size);
    this.view = new DataView(memory.buffer, this.#ram, size);
    this.lp = new Lp({
      memory,
      memoryLimits: { min: pages, max: pages, shared: true },
      plan,
      ram: [{ pa: 0, size, offset: this.#ram }, { pa: 0xffff_0000, size: 0x1_0000, offset: this.#ram + RAM - 0x1_0000 }],
      now: () => this.now,
      ports: {
        read: (port, size) => {
          this.ports.push(`in ${port.toString(16)} ${size}`);
          return 0xa5a5_a5a5;
        },
        write: (port, size, value) => {
          if (port === 0xe9) this.output += String.fromCharCode(value);
          else this.ports.push(`out ${port.toString(16)} ${size} ${value.toString(16)}`);
        },
      },
      engine,
      ...options,
    });
  }

  /** Assembles to a physical address. */
  load(at: number, source: string, bits: 16 | 32 | 64 = 16, base: bigint = BigInt(at)): ReadonlyMap<string, bigint> {
    const { bytes, symbols } = assemble(source, { base, bits });
    this.bytes.set(bytes, at);
    this.lp.invalidatePhys(at, bytes.length);
    return symbols;
  }

  /** From the reset vector, which jumps to 0:`entry`, until HLT or so many steps. */
  boot(entry: number, steps = 100_000): string {
    this.load(RAM - 16, `.byte 0xea\n.word ${entry}, 0`, 16, 0xfff0n);
    return this.lp.run(steps);
  }
}

/** Descriptor tables for all modes at 0x800 and 0x900, as assembler. Selectors: code32 8, data 16, code64 24, user code64 43, user data 35, TSS 48. */
export const TABLES = `
.align 8
gdt:    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
        .quad 0x00cff3000000ffff, 0x00affb000000ffff, 0x0000890030000067, 0
gdtr:   .word 63
        .long gdt
`;

/**
 * From 32-bit code with paging off to a label in 64-bit code, by the selector of its segment: the first 2 MiB are mapped one to one, for user code
 * too, with tables at 0x10000.
 */
export const toLongMode = (label: string, selector: number): string => `mov dword ptr [0x10000], 0x11007
        mov dword ptr [0x11000], 0x12007
        mov dword ptr [0x12000], 0x87
        mov eax, 0x10000
        mov cr3, eax
        mov eax, 0x620
        mov cr4, eax
        mov ecx, 0xc0000080
        rdmsr
        or eax, 0x901
        wrmsr
        mov eax, cr0
        or eax, 0x80000022
        mov cr0, eax
        .byte 0xea
        .long ${label}
        .word ${selector}
.code64
`;

/**
 * From real-address mode to 32-bit code behind it, with flat segments and a stack, by the tables of {@link TABLES} or others under the same names.
 *
 * @param before - done in real-address mode.
 */
export const toProtectedMode = (before = ''): string => `
.code16
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7000
        ${before}
        lgdt [gdtr]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        .byte 0x66, 0xea
        .long protected
        .word 8
.code32
protected:
        mov eax, 16
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov esp, 0x7000
`;

/** From real-address mode to the label `wide` behind it, in 64-bit mode with 2 MiB mapped for users too; says on the way where it is. */
export const ENTER_LONG: string = `${toProtectedMode('mov al, 0x52\nout 0xe9, al')}
        mov al, 0x50
        out 0xe9, al
${toLongMode('wide', 24)}wide:   mov al, 0x4c
        out 0xe9, al
`;
