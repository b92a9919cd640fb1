/** A logical processor without an engine: the privileged architecture over plain memory. */
import { Space, wasm } from '@axvisor/softcpu';
import type { WasmMemory } from '@axvisor/softcpu';
import { Privileged, SYSTEM_OPS, type PrivilegedOptions, type Status, type SystemInsn, type SystemOp } from '../../src/priv/index.ts';
import type { Stored } from '../../src/priv/registers.ts';
import { STATE_SIZE } from '../../src/state.ts';

/** Bytes of RAM, at physical address 0. */
export const RAM = 1 << 20;
const STATE = RAM;

const plain: SystemInsn = {
  length: 2, opSize: 4, addrSize: 4, reg: 0, rm: -1, seg: 3, lo: 0, hi: 0, imm: 0, imm2: 0, immediatePort: false, rep: false, base: -1, index: -1, scale: 0, disp: 0,
};

export class Harness {
  readonly memory: WasmMemory;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly lp: Privileged;
  /** Time and retired instructions, for tests to move. */
  now = 0n;
  retired = 0;
  endSlices = 0;
  /** Address spaces by key, those that were forgotten, and the one entered last. */
  readonly spaces = new Map<string, Space>();
  forgotten: string[] = [];
  space: Space | undefined;
  readonly portLog: string[] = [];
  portValue = 0;

  constructor(options: Partial<PrivilegedOptions> = {}) {
    this.memory = new wasm.Memory({ initial: RAM / 0x1_0000 + 1, maximum: RAM / 0x1_0000 + 1, shared: true });
    this.bytes = new Uint8Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    if (STATE + STATE_SIZE > this.bytes.length) throw new RangeError('no room for the state block');
    this.lp = new Privileged({
      memory: this.memory,
      stateBase: STATE,
      ram: [{ pa: 0, size: RAM, offset: 0 }],
      host: {
        now: () => this.now,
        retired: () => this.retired,
        space: (key, regime) => {
          const of = (name: string): Space => {
            const space = this.spaces.get(name) ?? new Space(name);
            this.spaces.set(name, space);
            return space;
          };
          const space = this.spaces.get(key) ?? (regime === undefined ? of(key) : new Space(key, of(regime)));
          this.spaces.set(key, space);
          return space;
        },
        enterSpaces: (space) => {
          this.space = space;
        },
        forgetSpaces: (condition) => {
          const dropped = [...this.spaces.keys()].filter(condition);
          this.forgotten.push(...dropped);
          for (const key of dropped) this.spaces.delete(key);
        },
        dropSpaces: (keys) => {
          for (const key of keys) {
            const space = this.spaces.get(key);
            if (space === undefined) continue;
            space.dropped = true;
            this.forgotten.push(key);
            this.spaces.delete(key);
          }
        },
        flushFetch: () => {},
        flushPage: () => {},
        stored: () => {},
        modeChanged: () => {},
        endSlice: () => void this.endSlices++,
        random: () => 0x0123_4567_89ab_cdefn,
      },
      ports: {
        read: (port, size) => {
          this.portLog.push(`in ${port.toString(16)} ${size}`);
          return this.portValue;
        },
        write: (port, size, value) => void this.portLog.push(`out ${port.toString(16)} ${size} ${value.toString(16)}`),
      },
      ...options,
    });
  }

  get regs(): Privileged['regs'] {
    return this.lp.regs;
  }

  /** Executes a system instruction. */
  run(name: SystemOp, insn: Partial<SystemInsn> = {}): Status {
    const status = this.lp.system(SYSTEM_OPS.indexOf(name), { ...plain, ...insn });
    if (status === 0) this.regs.advance(insn.length ?? plain.length);
    this.retired++;
    return status;
  }

  set(name: Stored, value: bigint | number): void {
    const v = BigInt(value);
    this.regs.set(name, Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n)));
  }

  get(name: Stored): bigint {
    return this.regs.get(name);
  }

  gpr(i: number): bigint {
    return (BigInt(this.regs.hi(i) >>> 0) << 32n) | BigInt(this.regs.lo(i) >>> 0);
  }

  setGpr(i: number, value: bigint | number): void {
    const v = BigInt(value);
    this.regs.setGpr(i, Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n)));
  }

  get rip(): bigint {
    return (BigInt(this.regs.ripHi() >>> 0) << 32n) | BigInt(this.regs.ripLo() >>> 0);
  }

  set rip(value: bigint | number) {
    const v = BigInt(value);
    this.regs.setRip(Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n)));
  }

  read64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }

  write64(at: number, value: bigint): void {
    this.view.setBigUint64(at, value, true);
  }

  read32(at: number): number {
    return this.view.getUint32(at, true);
  }

  write32(at: number, value: number): void {
    this.view.setInt32(at, value, true);
  }

  /** Translates; the physical address, or the fault. */
  translate(linear: bigint, access: 0 | 1 | 2): { readonly pa: number } | { readonly vector: number; readonly error: number } {
    const pa = this.lp.translate(Number(BigInt.asIntN(32, linear)), Number(BigInt.asIntN(32, linear >> 32n)), access, 1, 1);
    return pa >= 0 ? { pa } : { vector: this.lp.exception.vector, error: this.lp.exception.errorCode };
  }
}

export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
/** Selectors of the table that {@link flatTables} writes. */
export const SEL = { code0: 0x08, data0: 0x10, code3: 0x1b, data3: 0x23, code64: 0x28, code64User: 0x33, tss: 0x38, ldt: 0x48, spare: 0x58 } as const;

/** A segment descriptor: base, limit (20 bits), access byte, flags (G, D/B, L, AVL). */
export function descriptor(base: number, limit: number, access: number, flags: number): bigint {
  const b = BigInt(base >>> 0);
  const l = BigInt(limit);
  return (
    (l & 0xffffn) | ((b & 0xff_ffffn) << 16n) | (BigInt(access) << 40n) | (((l >> 16n) & 15n) << 48n) | (BigInt(flags) << 52n) | ((b >> 24n) << 56n)
  );
}

/** A gate: selector, offset, type and privilege, interrupt stack. */
export function gate(selector: number, offset: number, access: number, ist = 0): bigint {
  const o = BigInt(offset >>> 0);
  return (o & 0xffffn) | (BigInt(selector) << 16n) | (BigInt(ist) << 32n) | (BigInt(access) << 40n) | ((o >> 16n) << 48n);
}

/** GDT with flat segments and a TSS; tables registers; no paging. */
export function flatTables(h: Harness): void {
  const entries = [
    0n, descriptor(0, 0xf_ffff, 0x9b, 0xc), descriptor(0, 0xf_ffff, 0x93, 0xc), descriptor(0, 0xf_ffff, 0xfb, 0xc), descriptor(0, 0xf_ffff, 0xf3, 0xc),
    descriptor(0, 0xf_ffff, 0x9b, 0xa), descriptor(0, 0xf_ffff, 0xfb, 0xa), descriptor(TSS, 0x67, 0x8b, 0), 0n, descriptor(0x4000, 0x7f, 0x82, 0), 0n,
  ];
  entries.forEach((entry, i) => h.write64(GDT + 8 * i, entry));
  h.set('gdtrBase', GDT);
  h.regs.gdtrLimit = 0xff;
  h.set('idtrBase', IDT);
  h.regs.idtrLimit = 0xfff;
  h.regs.setSegment(7, SEL.tss, TSS, 0, 0x67, 0x8b);
}
