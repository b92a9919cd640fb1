import { describe, expect, test } from 'vitest';
import { CSR } from '@axvisor/axvisor_api/arch/riscv';
import { extendLoad, type AxArchVCpu, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { decode, insns, newDecoded } from '@axvisor/softcpu_riscv/isa';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { decodeAccess, type DeviceAccess } from '../src/mmio/access.ts';
import { decodeCompressed } from '../src/mmio/compressed.ts';
import { FakeMachine, withVCpus, type Trap } from './support/fake.ts';

const DEVICE = 0x1000_0000n;
const PC = 0x8000_0100n;
const Cause = { fetch: 20n, load: 21n, store: 23n } as const;
const ALL = (1n << 64n) - 1n;

/** What an instruction of the hart's own table is as a device access; `undefined` if it is none. */
function expected(bits: number): unknown {
  const decoded = newDecoded();
  if (!decode(bits, decoded)) return undefined;
  const name: string = insns[decoded.op]?.name ?? '';
  const { rd, rs2 } = decoded;
  const integer = /^([ls])([bhwd])(u?)$/.exec(name);
  const widths: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, d: 8 };
  if (integer !== null) {
    const [, direction = '', letter = '', unsigned] = integer;
    return direction === 'l' ? { kind: 'load', width: widths[letter], signed: unsigned === '', rd } : { kind: 'store', width: widths[letter], rs2 };
  }
  const float = /^f([ls])([wd])$/.exec(name);
  if (float !== null) {
    const width = widths[float[2] ?? ''];
    return float[1] === 'l' ? { kind: 'load', width, signed: false, rd: 32 + rd } : { kind: 'store', width, rs2: 32 + rs2 };
  }
  const atomic = /^(lr|sc|amo\w+)\.([wd])$/.exec(name);
  if (atomic === null) return undefined;
  const width = widths[atomic[2] ?? ''];
  switch (atomic[1]) {
    case 'lr':
      return { kind: 'lr', width, rd };
    case 'sc':
      return { kind: 'sc', width, rd, rs2 };
    default:
      return { kind: 'amo', width, rd, rs2, operation: expect.any(Function) };
  }
}

/** Forms beyond the hart's table: half-precision floats, and byte and halfword atomics (Zfh, Zabha). */
const isBeyond = (bits: number, access: DeviceAccess): boolean =>
  ([0x07, 0x27].includes(bits & 0x7f) && access.width === 2) || ((bits & 0x7f) === 0x2f && access.width <= 2);

describe('decoding agrees with the hart', () => {
  test('on every 16-bit instruction', () => {
    for (let bits = 0; bits < 0x1_0000; bits++) {
      if ((bits & 3) === 3) continue;
      const access = decodeCompressed(bits);
      // Zcb, which the hart has not: quadrant 0, funct3 100.
      if ((bits & 0xe003) === 0x8000 && access !== undefined) continue;
      const should = expected(bits);
      if (access === undefined ? should !== undefined : true) expect([bits.toString(16), access]).toEqual([bits.toString(16), should]);
    }
  });

  test('on Zcb, by the manual', () => {
    expect(decodeCompressed(0x8000 | (3 << 2))).toEqual({ kind: 'load', width: 1, signed: false, rd: 11 });
    expect(decodeCompressed(0x8400 | (3 << 2))).toEqual({ kind: 'load', width: 2, signed: false, rd: 11 });
    expect(decodeCompressed(0x8440 | (3 << 2))).toEqual({ kind: 'load', width: 2, signed: true, rd: 11 });
    expect(decodeCompressed(0x8800 | (3 << 2))).toEqual({ kind: 'store', width: 1, rs2: 11 });
    expect(decodeCompressed(0x8c00 | (3 << 2))).toEqual({ kind: 'store', width: 2, rs2: 11 });
    expect(decodeCompressed(0x8c40 | (3 << 2))).toBeUndefined();
  });

  test('on every opcode, funct3, funct5 and register', () => {
    let accesses = 0;
    for (let opcode = 3; opcode < 128; opcode += 4)
      for (let funct3 = 0; funct3 < 8; funct3++)
        for (let funct5 = 0; funct5 < 32; funct5++)
          for (const [rd, rs2] of [[0, 0], [1, 0], [9, 31], [31, 2]] as const) {
            const bits = (funct5 << 27) | (1 << 26) | (rs2 << 20) | (5 << 15) | (funct3 << 12) | (rd << 7) | opcode;
            const access = decodeAccess(bits);
            if (access !== undefined && isBeyond(bits, access)) continue;
            accesses += access === undefined ? 0 : 1;
            expect([bits >>> 0, access]).toEqual([bits >>> 0, expected(bits)]);
          }
    expect(accesses).toBeGreaterThan(1000);
  });
});

/** The first instruction of an assembly text. */
const encoding = (text: string): number => new DataView(assemble(`${text}\nnop`).bytes.buffer).getUint32(0, true);
/** What the hart puts in htinst: rs1 cleared (the address offset), no immediate; compressed ones expanded, with bit 1 clear. */
function transformed(text: string, compressed: boolean): bigint {
  const bits = encoding(text);
  const opcode = bits & 0x7f;
  const kept = opcode === 0x2f ? 0xfff0_7fff : opcode === 0x23 || opcode === 0x27 ? 0x01f0_707f : 0x0000_7fff;
  return BigInt((bits & kept & ~(compressed ? 2 : 0)) >>> 0);
}

/** Makes the guest fault on `text` at PC, accessing `address`. */
function fault(machine: FakeMachine, vcpu: AxArchVCpu, text: string, address: bigint, options: { readonly fetched?: boolean; readonly compressed?: boolean; readonly load?: boolean } = {}): AxVCpuExitReason {
  const bits = encoding(text);
  const { fetched = false, compressed = fetched && (bits & 3) !== 3 } = options;
  if (fetched) for (let i = 0; i < 4; i++) machine.virtual.set(PC + BigInt(i), (bits >>> (8 * i)) & 0xff);
  const isLoad = options.load ?? /^(c\.)?f?l[bhwdr]/.test(text);
  const trap: Trap = {
    scause: isLoad ? Cause.load : Cause.store,
    stval: 0xffff_0000_0000_0000n | (address & 0xfffn),
    htval: address >> 2n,
    htinst: fetched ? 0n : transformed(text, compressed),
  };
  machine.next(trap, (guest) => guest.setCsr('sepc', PC));
  return vcpu.run();
}
const pc = (machine: FakeMachine): bigint => machine.hart.read(CSR.sepc);

describe('loads and stores', () => {
  const VALUE = 0x8182_8384_8586_8788n;
  const boxed = (value: bigint, width: number): bigint => value | (ALL ^ ((1n << BigInt(8 * width)) - 1n));
  const LOADS: readonly (readonly [text: string, width: number, reg: number, result: bigint])[] = [
    ['lb x9, 0(x8)', 1, 9, 0xffff_ffff_ffff_ff88n], ['lbu x9, 0(x8)', 1, 9, 0x88n], ['lh x9, 0(x8)', 2, 9, 0xffff_ffff_ffff_8788n],
    ['lhu x9, 0(x8)', 2, 9, 0x8788n], ['lw x9, 0(x8)', 4, 9, 0xffff_ffff_8586_8788n], ['lwu x9, 0(x8)', 4, 9, 0x8586_8788n],
    ['ld x9, 0(x8)', 8, 9, VALUE], ['flw f9, 0(x8)', 4, 41, boxed(0x8586_8788n, 4)], ['fld f9, 0(x8)', 8, 41, VALUE], ['lw x0, 0(x8)', 4, 0, 0n],
    ['lr.w x9, (x8)', 4, 9, 0xffff_ffff_8586_8788n], ['lr.d x9, (x8)', 8, 9, VALUE],
  ];
  const COMPRESSED_LOADS: typeof LOADS = [
    ['c.lw x9, 0(x8)', 4, 9, 0xffff_ffff_8586_8788n], ['c.ld x9, 0(x8)', 8, 9, VALUE], ['c.fld f9, 0(x8)', 8, 41, VALUE],
    ['c.lwsp x9, 0(sp)', 4, 9, 0xffff_ffff_8586_8788n], ['c.ldsp x9, 0(sp)', 8, 9, VALUE], ['c.fldsp f9, 0(sp)', 8, 41, VALUE],
  ];

  const checkLoad = (text: string, width: number, reg: number, result: bigint, options: { readonly fetched?: boolean; readonly compressed?: boolean }): void =>
    withVCpus(1, (machine, vcpu) => {
      expect(fault(machine, vcpu, text, DEVICE, options)).toEqual({ reason: 'NestedPageFault', addr: DEVICE, accessFlags: 1 });
      const exit = vcpu.decodeMmio();
      expect(exit).toMatchObject({ reason: 'MmioRead', addr: DEVICE, width, reg, regWidth: 8 });
      if (exit?.reason !== 'MmioRead') return expect.unreachable();
      expect(pc(machine)).toBe(PC);
      vcpu.setGpr(exit.reg, extendLoad(BigInt.asUintN(8 * width, VALUE), exit.width, exit.regWidth, exit.signedExt));
      expect(vcpu.getGpr(reg)).toBe(result);
      const length = options.compressed === true || text.startsWith('c.') ? 2n : 4n;
      expect(pc(machine)).toBe(PC + length);
      if (reg >= 32) expect(machine.hart.read(CSR.vsstatus) & 0x6000n).toBe(0x6000n);
      // It is over: the next write of the register is just that.
      vcpu.setGpr(reg, 3n);
      expect(pc(machine)).toBe(PC + length);
    });

  test.each(LOADS)('%s, transformed', (...load) => checkLoad(...load, {}));
  test.each(LOADS)('%s, from a compressed one, transformed', (...load) => checkLoad(...load, { compressed: true }));
  test.each([...LOADS, ...COMPRESSED_LOADS])('%s, fetched', (...load) => checkLoad(...load, { fetched: true }));

  const STORES: readonly (readonly [text: string, width: number])[] = [
    ['sb x9, 0(x8)', 1], ['sh x9, 0(x8)', 2], ['sw x9, 0(x8)', 4], ['sd x9, 0(x8)', 8], ['fsw f9, 0(x8)', 4], ['fsd f9, 0(x8)', 8],
  ];
  const COMPRESSED_STORES: typeof STORES = [
    ['c.sw x9, 0(x8)', 4], ['c.sd x9, 0(x8)', 8], ['c.fsd f9, 0(x8)', 8], ['c.swsp x9, 0(sp)', 4], ['c.sdsp x9, 0(sp)', 8], ['c.fsdsp f9, 0(sp)', 8],
  ];

  const checkStore = (text: string, width: number, options: { readonly fetched?: boolean; readonly compressed?: boolean }): void =>
    withVCpus(1, (machine, vcpu) => {
      vcpu.setGpr(text.includes('f9') ? 41 : 9, VALUE);
      expect(fault(machine, vcpu, text, DEVICE, options)).toEqual({ reason: 'NestedPageFault', addr: DEVICE, accessFlags: 2 });
      expect(vcpu.decodeMmio()).toEqual({ reason: 'MmioWrite', addr: DEVICE, width, data: BigInt.asUintN(8 * width, VALUE) });
      expect(pc(machine)).toBe(PC);
      const length = options.compressed === true || text.startsWith('c.') ? 2n : 4n;
      machine.next({ scause: (1n << 63n) | 5n }, (guest) => expect(guest.csr('sepc')).toBe(PC + length));
      vcpu.run();
    });

  test.each(STORES)('%s, transformed', (...store) => checkStore(...store, {}));
  test.each(STORES)('%s, from a compressed one, transformed', (...store) => checkStore(...store, { compressed: true }));
  test.each([...STORES, ...COMPRESSED_STORES])('%s, fetched', (...store) => checkStore(...store, { fetched: true }));
});

describe('atomic operations', () => {
  const OLD = 0xffff_fff0n;
  const OPERAND = 0x1_0000_0013n;
  /** Result in memory of a word, by the manual; the old value is negative as a word. */
  const AMOS: readonly (readonly [name: string, word: bigint])[] = [
    ['amoswap', 0x13n], ['amoadd', 3n], ['amoxor', 0xffff_ffe3n], ['amoand', 0x10n], ['amoor', 0xffff_fff3n],
    ['amomin', 0xffff_fff0n], ['amomax', 0x13n], ['amominu', 0x13n], ['amomaxu', 0xffff_fff0n],
  ];

  test.each(AMOS)('%s.w is a load and a store', (name, word) =>
    withVCpus(1, (machine, vcpu) => {
      vcpu.setGpr(12, OPERAND);
      fault(machine, vcpu, `${name}.w x9, x12, (x8)`, DEVICE);
      expect(vcpu.decodeMmio()).toEqual({ reason: 'MmioRead', addr: DEVICE, width: 4, reg: 9, regWidth: 8, signedExt: true });
      vcpu.setGpr(9, extendLoad(OLD, 4, 8, true));
      expect([vcpu.getGpr(9), pc(machine), machine.entries]).toEqual([0n, PC, 1]);
      expect(vcpu.run()).toEqual({ reason: 'MmioWrite', addr: DEVICE, width: 4, data: word });
      expect([vcpu.getGpr(9), pc(machine), machine.entries]).toEqual([0n, PC, 1]);
      machine.next({ scause: (1n << 63n) | 5n }, (guest) => expect([guest.get(9), guest.csr('sepc')]).toEqual([0xffff_ffff_ffff_fff0n, PC + 4n]));
      vcpu.run();
    }),
  );

  test('amoadd.d, with the destination as operand', () =>
    withVCpus(1, (machine, vcpu) => {
      vcpu.setGpr(9, ALL);
      fault(machine, vcpu, 'amoadd.d x9, x9, (x8)', DEVICE);
      vcpu.decodeMmio();
      vcpu.setGpr(9, 5n);
      expect(vcpu.run()).toMatchObject({ width: 8, data: 4n });
      vcpu.run();
      expect(vcpu.getGpr(9)).toBe(5n);
    }));

  test('a store that is refused is a precise fault', () =>
    withVCpus(1, (machine, vcpu) => {
      vcpu.setGpr(12, OPERAND);
      machine.hart.csrs.set(CSR.vstvec, 0x8000_0801n);
      fault(machine, vcpu, 'amoadd.w x9, x12, (x8)', DEVICE);
      vcpu.decodeMmio();
      vcpu.setGpr(9, OLD);
      vcpu.run();
      vcpu.injectAccessFault();
      expect([vcpu.getGpr(9), pc(machine)]).toEqual([0n, 0x8000_0800n]);
      expect([machine.hart.read(CSR.vscause), machine.hart.read(CSR.vsepc)]).toEqual([7n, PC]);
      machine.next({ scause: (1n << 63n) | 5n }, (guest) => expect(guest.csr('sepc')).toBe(0x8000_0800n));
      expect(vcpu.run().reason).toBe('ExternalInterrupt');
    }));

  test('SC succeeds after its LR, once, at its address', () =>
    withVCpus(1, (machine, vcpu) => {
      const reserve = (address: bigint): void => {
        fault(machine, vcpu, 'lr.w x9, (x8)', address);
        vcpu.decodeMmio();
        vcpu.setGpr(9, 1n);
      };
      const conditional = (address: bigint, width = 'w'): AxVCpuExitReason | undefined => {
        fault(machine, vcpu, `sc.${width} x10, x9, (x8)`, address, { load: false });
        return vcpu.decodeMmio();
      };
      expect(conditional(DEVICE)).toBeUndefined();
      reserve(DEVICE);
      expect(conditional(DEVICE + 4n)).toBeUndefined();
      expect(conditional(DEVICE)).toBeUndefined();
      reserve(DEVICE);
      vcpu.setGpr(10, 9n);
      expect(conditional(DEVICE)).toEqual({ reason: 'MmioWrite', addr: DEVICE, width: 4, data: 1n });
      vcpu.run();
      expect([vcpu.getGpr(10), pc(machine)]).toEqual([0n, PC + 4n]);
      expect(conditional(DEVICE)).toBeUndefined();
      reserve(DEVICE);
      expect(conditional(DEVICE, 'd')).toBeUndefined();
    }));
});

describe('what no device can answer', () => {
  const nothing = (machine: FakeMachine, vcpu: AxArchVCpu, trap: Trap): void => {
    machine.next(trap, (guest) => guest.setCsr('sepc', PC));
    expect(vcpu.run().reason).toBe('NestedPageFault');
    expect(vcpu.decodeMmio()).toBeUndefined();
  };
  const LOAD_WORD = transformed('lw x9, 0(x8)', false);
  const at = { scause: Cause.load, stval: DEVICE, htval: DEVICE >> 2n };

  test('an instruction fetch', () =>
    withVCpus(1, (machine, vcpu) => {
      machine.next({ scause: Cause.fetch, stval: DEVICE + 2n, htval: DEVICE >> 2n });
      expect(vcpu.run()).toEqual({ reason: 'NestedPageFault', addr: DEVICE + 2n, accessFlags: 4 });
      expect(vcpu.decodeMmio()).toBeUndefined();
    }));

  test.each([
    ['read', 0x3000n, Cause.fetch, 1],
    ['write', 0x3020n, Cause.load, 2],
    ['read', 0x3000n, Cause.store, 1],
  ])('an implicit %s of a page table', (_, htinst, scause, accessFlags) =>
    withVCpus(1, (machine, vcpu) => {
      // stval is the address of the instruction's own access; it says nothing about the entry's.
      machine.next({ scause, stval: 0x1237n, htval: 0x2000_0402n, htinst });
      expect(vcpu.run()).toEqual({ reason: 'NestedPageFault', addr: 0x8000_1008n, accessFlags });
      expect(vcpu.decodeMmio()).toBeUndefined();
      vcpu.injectAccessFault();
      expect([machine.hart.read(CSR.vscause), machine.hart.read(CSR.vstval)]).toEqual([({ 20: 1n, 21: 5n, 23: 7n } as Record<string, bigint>)[scause.toString()], 0x1237n]);
    }),
  );

  test.each([
    ['misaligned', { ...at, stval: DEVICE + 1n, htinst: LOAD_WORD }],
    ['the second half of a misaligned access', { ...at, htinst: LOAD_WORD | (2n << 15n) }],
    ['a pseudoinstruction that is not known', { ...at, htinst: 0x3004n }],
    ['a custom value', { ...at, htinst: 1n << 40n }],
    ['no load or store', { ...at, htinst: BigInt(encoding('add x1, x2, x3')) }],
    ['a store that raised a load fault', { ...at, htinst: transformed('sw x9, 0(x8)', false) }],
    ['a load that raised a store fault', { ...at, scause: Cause.store, htinst: LOAD_WORD }],
    ['an instruction that cannot be fetched any more', { ...at, htinst: 0n }],
  ])('%s', (_, trap) => withVCpus(1, (machine, vcpu) => nothing(machine, vcpu, trap)));

  test('an instruction whose second half cannot be fetched', () =>
    withVCpus(1, (machine, vcpu) => {
      machine.virtual.set(PC, 0x83).set(PC + 1n, 0x24);
      nothing(machine, vcpu, { ...at, htinst: 0n });
    }));

  test('nothing has faulted', () =>
    withVCpus(1, (_machine, vcpu) => {
      vcpu.run();
      expect(vcpu.decodeMmio()).toBeUndefined();
      expect(() => vcpu.injectAccessFault()).toThrow('no access has faulted');
    }));
});

describe('refused accesses', () => {
  test.each([
    [Cause.fetch, 1n], [Cause.load, 5n], [Cause.store, 7n],
  ])('cause %o becomes the guest\'s access fault %o', (scause, vscause) =>
    withVCpus(1, (machine, vcpu) => {
      machine.hart.csrs.set(CSR.vstvec, 0x8000_0801n);
      machine.next({ scause, stval: 0x7777n, htval: DEVICE >> 2n, user: true }, (guest) => {
        guest.setCsr('sepc', PC);
        guest.setCsr('vsstatus', 0x2_0000_0102n); // SPP, SIE
      });
      vcpu.run();
      vcpu.injectAccessFault();
      const csr = (name: keyof typeof CSR): bigint => machine.hart.read(CSR[name]);
      expect([csr('vscause'), csr('vstval'), csr('vsepc'), csr('sepc')]).toEqual([vscause, 0x7777n, PC, 0x8000_0800n]);
      // SIE moves to SPIE, SPP is the mode that trapped (VU), and the guest goes on in VS-mode.
      expect(csr('vsstatus')).toBe(0x2_0000_0020n);
      expect(csr('sstatus') & 0x100n).toBe(0x100n);
    }),
  );

  test('a load that is not completed is executed again', () =>
    withVCpus(1, (machine, vcpu) => {
      fault(machine, vcpu, 'lw x9, 0(x8)', DEVICE);
      vcpu.decodeMmio();
      machine.next({ scause: (1n << 63n) | 5n }, (guest) => expect(guest.csr('sepc')).toBe(PC));
      vcpu.run();
      vcpu.setGpr(9, 5n);
      expect([vcpu.getGpr(9), pc(machine)]).toEqual([5n, PC]);
    }));

  test('reset forgets the access', () =>
    withVCpus(1, (machine, vcpu) => {
      fault(machine, vcpu, 'sw x9, 0(x8)', DEVICE);
      vcpu.decodeMmio();
      vcpu.setup();
      machine.next({ scause: (1n << 63n) | 5n }, (guest) => expect(guest.csr('sepc')).toBe(0x8000_0000n));
      vcpu.run();
    }));

  test('an access goes on after the vCPU has moved', () =>
    withVCpus(1, (machine, vcpu) => {
      fault(machine, vcpu, 'sw x9, 0(x8)', DEVICE);
      vcpu.decodeMmio();
      vcpu.unbind();
      machine.cpu = 1;
      vcpu.bind();
      machine.next({ scause: (1n << 63n) | 5n }, (guest) => expect(guest.csr('sepc')).toBe(PC + 4n));
      vcpu.run();
    }));
});
