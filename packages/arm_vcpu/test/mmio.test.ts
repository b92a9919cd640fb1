import { expect, test } from 'vitest';
import { MappingFlags } from '@axvisor/axvisor_api/addrspace';
import { extendLoad, type AxArchVCpu, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { esr, withVCpus, type Exit, type FakeMachine } from './support/fake.ts';

const DEVICE = 0x900_0000n;
const VA = 0xffff_0000_1234_5000n;
const PC = 0xa_0000n;

/** A translation fault at stage 2, level 3, of a data access at `offset` of the device's page. */
const dataAbort = (iss: number, offset = 0n): Exit => ({ esr: esr(0x24, iss | 7), far: VA + offset, hpfar: DEVICE >> 8n });
const ISV = 1 << 24;
const WNR = 1 << 6;
/** A recognizable value. */
const PATTERN = 0xf1e2_d3c4_b5a6_9788n;
const MASK = (bytes: number): bigint => (1n << BigInt(8 * bytes)) - 1n;

/** Device memory by byte, as a bus would do it. */
class Bus {
  readonly bytes = new Map<bigint, number>();
  readonly log: string[] = [];

  /** Plays the hypervisor until the guest goes on. */
  complete(machine: FakeMachine, vcpu: AxArchVCpu): void {
    let access: AxVCpuExitReason | undefined = vcpu.decodeMmio();
    if (access === undefined) return vcpu.injectAccessFault();
    const entries = machine.entries;
    while (access.reason === 'MmioRead' || access.reason === 'MmioWrite') {
      if (access.reason === 'MmioRead') {
        const { addr, width, reg, regWidth, signedExt } = access;
        this.log.push(`r${width}@${(addr - DEVICE).toString(16)}`);
        let value = 0n;
        for (let i = width - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes.get(addr + BigInt(i)) ?? 0);
        vcpu.setGpr(reg, extendLoad(value, width, regWidth, signedExt));
      } else {
        const { addr, width, data } = access;
        this.log.push(`w${width}@${(addr - DEVICE).toString(16)}`);
        expect(data).toBe(data & MASK(width));
        for (let i = 0; i < width; i++) this.bytes.set(addr + BigInt(i), Number((data >> BigInt(8 * i)) & 0xffn));
      }
      access = vcpu.run();
    }
    expect(access).toEqual({ reason: 'ExternalInterrupt', vector: 26n });
    expect(machine.entries).toBe(entries + 1);
  }

  /** Bytes of `value` from `at` on. */
  put(at: bigint, value: bigint, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.bytes.set(at + BigInt(i), Number((value >> BigInt(8 * i)) & 0xffn));
  }

  get(at: bigint, bytes: number): bigint {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes.get(at + BigInt(i)) ?? 0);
    return value;
  }
}

test('every form that a syndrome describes: width, sign, register width, register, direction', () => {
  withVCpus(1, (machine, vcpu) => {
    for (let sas = 0; sas < 4; sas++)
      for (const sse of [0, 1])
        for (const sf of [0, 1])
          for (let rt = 0; rt < 32; rt++)
            for (const write of [0, 1]) {
              const width = 1 << sas;
              const bus = new Bus();
              bus.put(DEVICE + 0x18n, PATTERN, 8);
              machine.next(dataAbort(ISV | (sas << 22) | (sse << 21) | (rt << 16) | (sf << 15) | (write * WNR), 0x18n), (guest) => {
                guest.pe.set('ELR_EL2', PC);
                if (rt < 31) guest.setX(rt, ~PATTERN & MASK(8));
              });
              expect(vcpu.run()).toEqual({ reason: 'NestedPageFault', addr: DEVICE + 0x18n, accessFlags: write === 1 ? MappingFlags.WRITE : MappingFlags.READ });
              bus.complete(machine, vcpu);
              expect(bus.log).toEqual([`${write === 1 ? 'w' : 'r'}${width}@18`]);
              expect(machine.pe.get('ELR_EL2')).toBe(PC + 4n);
              if (write === 1) expect(bus.get(DEVICE + 0x18n, 8)).toBe((PATTERN & ~MASK(width)) | ((rt < 31 ? ~PATTERN : 0n) & MASK(width)));
              else {
                const raw = PATTERN & MASK(width);
                const extended = sse === 1 ? BigInt.asIntN(8 * width, raw) : raw;
                expect(vcpu.getGpr(rt)).toBe(rt === 31 ? 0n : BigInt.asUintN(sf === 1 ? 64 : 32, extended));
              }
            }
  });
});

/** A load or store as a test knows it, independent of how the package decodes it: an assembler with the meaning beside each encoding. */
interface Form {
  readonly text: string;
  readonly word: number;
  readonly load: boolean;
  /** Registers in order of their bytes at the device: file, number, bytes, and for loads how x registers extend. */
  readonly parts: readonly { readonly file: 'x' | 'v'; readonly reg: number; readonly bytes: number; readonly signed?: boolean; readonly regBytes?: number }[];
  /** Base register before, so that the access is at the device. */
  readonly base: number;
  readonly baseValue: bigint;
  /** x2, the index register of some forms. */
  readonly index?: bigint;
  readonly after?: bigint;
}

const AT = VA + 0x100n;
const u32 = (n: number): number => n >>> 0;

function* pairForms(): Generator<Form> {
  const kinds = [
    { opc: 0, v: 0, bytes: 4, regBytes: 4 }, { opc: 2, v: 0, bytes: 8, regBytes: 8 }, { opc: 1, v: 0, bytes: 4, regBytes: 8, signed: true },
    { opc: 0, v: 1, bytes: 4 }, { opc: 1, v: 1, bytes: 8 }, { opc: 2, v: 1, bytes: 16 },
  ];
  for (const { opc, v, bytes, regBytes, signed } of kinds)
    for (const load of [0, 1])
      for (const [mode, name] of [[0, 'no-allocate'], [1, 'post'], [2, 'offset'], [3, 'pre']] as const)
        for (const imm of [-64, -1, 0, 1, 63])
          for (const base of [1, 31]) {
            if (signed === true && (load === 0 || mode === 0)) continue;
            const word = u32((opc << 30) | (5 << 27) | (v << 26) | (mode << 23) | (load << 22) | ((imm & 0x7f) << 15) | (7 << 10) | (base << 5) | 6);
            const offset = BigInt(imm * bytes);
            const part = { file: v === 1 ? 'v' : 'x', bytes, ...(signed === undefined ? {} : { signed }), ...(regBytes === undefined ? {} : { regBytes }) } as const;
            const access = AT + 0x300n;
            yield {
              text: `pair ${name} opc ${opc} v ${v} imm ${imm}`, word, load: load === 1, parts: [{ ...part, reg: 6 }, { ...part, reg: 7 }], base,
              baseValue: mode === 1 ? access : access - offset, ...(mode === 1 || mode === 3 ? { after: mode === 1 ? access + offset : access } : {}),
            };
          }
}

function* singleForms(): Generator<Form> {
  for (let size = 0; size < 4; size++)
    for (const v of [0, 1])
      for (let opc = 0; opc < 4; opc++) {
        if (v === 1 && opc >= 2 && size !== 0) continue;
        if (v === 0 && ((size === 3 && opc >= 2) || (size === 2 && opc === 3))) continue;
        const bytes = v === 1 && opc >= 2 ? 16 : 1 << size;
        const load = v === 1 ? (opc & 1) === 1 : opc !== 0;
        const part = v === 1 ? ({ file: 'v', bytes, reg: 6 } as const) : ({ file: 'x', bytes, reg: 6, signed: opc >= 2, regBytes: opc === 2 ? 8 : opc === 3 ? 4 : size === 3 ? 8 : 4 } as const);
        const head = (size << 30) | (7 << 27) | (v << 26) | (opc << 22);
        const common = { load, parts: [part] };
        const access = AT + 0x300n;
        for (const base of [1, 31]) {
          const tail = (base << 5) | 6;
          for (const imm of [-256, -16, 0, 240]) {
            const at = access;
            const modes = [['unscaled', 0], ['post', 1], ...(v === 0 ? [['unprivileged', 2] as const] : []), ['pre', 3]] as const;
            for (const [name, mode] of modes)
              yield {
                ...common, text: `${name} size ${size} v ${v} opc ${opc}`, word: u32(head | ((imm & 0x1ff) << 12) | (mode << 10) | tail), base,
                baseValue: mode === 1 ? at : at - BigInt(imm), ...(mode === 1 ? { after: at + BigInt(imm) } : mode === 3 ? { after: at } : {}),
              };
          }
          for (const imm of [0, 1, 7]) yield { ...common, text: `unsigned size ${size} v ${v} opc ${opc}`, word: u32(head | (1 << 24) | (imm << 10) | tail), base, baseValue: access - BigInt(imm * bytes) };
          for (const [option, s] of [[2, 0], [2, 1], [3, 0], [3, 1], [6, 0], [6, 1], [7, 0], [7, 1]] as const) {
            const index = option === 2 ? 0xabcd_0000_0000_0010n : option === 6 ? 0x1234_5678_ffff_fff0n : BigInt.asUintN(64, option === 7 ? -16n : 16n);
            const extended = (option === 2 ? 16n : option === 6 ? -16n : option === 7 ? -16n : 16n) * BigInt(s === 1 ? bytes : 1);
            yield {
              ...common, text: `register option ${option} S ${s} size ${size} v ${v} opc ${opc}`, word: u32(head | (1 << 21) | (2 << 16) | (option << 13) | (s << 12) | (2 << 10) | tail), base,
              baseValue: BigInt.asUintN(64, access - extended), index,
            };
          }
        }
      }
}

/** Gives the vCPU what the form needs, lets it fault and plays the device. */
function play(machine: FakeMachine, vcpu: AxArchVCpu, form: Form, faultOffset: bigint, before?: (machine: FakeMachine) => void): Bus {
  const bus = new Bus();
  machine.place(PC, form.word);
  const start = DEVICE + (faultOffset & 0xfffn);
  for (let i = 0n; i < 8n; i++) bus.put(start + 8n * i, PATTERN ^ (i * 0x0101_0101_0101_0101n), 8);
  machine.next({ esr: esr(0x24, (form.load ? 0 : WNR) | 7), far: VA + faultOffset, hpfar: DEVICE >> 8n }, (guest) => {
    guest.pe.set('ELR_EL2', PC);
    guest.pe.set('SPSR_EL2', 0x3c5n);
    for (let i = 0; i < 31; i++) guest.setX(i, PATTERN * BigInt(i + 3) & MASK(8));
    for (let i = 0; i < 32; i++) guest.setV(i, PATTERN * BigInt(i + 41) & MASK(8), PATTERN * BigInt(i + 83) & MASK(8));
    if (form.index !== undefined) guest.setX(2, form.index);
    if (form.base === 31) guest.pe.set('SP_EL1', form.baseValue);
    else guest.setX(form.base, form.baseValue);
  });
  before?.(machine);
  expect(vcpu.run().reason).toBe('NestedPageFault');
  bus.complete(machine, vcpu);
  return bus;
}

const vOf = (machine: FakeMachine, vcpu: AxArchVCpu, reg: number): bigint => {
  let value = 0n;
  machine.next({ irq: 26 }, (guest) => {
    const [low, high] = guest.v(reg);
    value = (high << 64n) | low;
  });
  vcpu.run();
  return value;
};

test('pairs and single registers without a syndrome, in all their forms', () => {
  withVCpus(1, (machine, vcpu) => {
    let forms = 0;
    for (const form of [...pairForms(), ...singleForms()]) {
      forms++;
      const bus = play(machine, vcpu, form, 0x400n);
      let at = DEVICE + 0x400n;
      for (const { file, reg, bytes, signed, regBytes } of form.parts) {
        const label = `${form.text} ${form.word.toString(16)}`;
        const memory = bus.get(at, bytes);
        if (form.load && file === 'x') {
          const extended = signed === true ? BigInt.asIntN(8 * bytes, memory) : memory;
          expect([label, vcpu.getGpr(reg)]).toEqual([label, BigInt.asUintN(8 * (regBytes ?? 8), extended)]);
        } else if (form.load) expect([label, vOf(machine, vcpu, reg)]).toEqual([label, memory]);
        else {
          const source = file === 'x' ? (PATTERN * BigInt(reg + 3)) & MASK(8) : ((PATTERN * BigInt(reg + 83) & MASK(8)) << 64n) | (PATTERN * BigInt(reg + 41) & MASK(8));
          expect([label, memory]).toEqual([label, source & MASK(bytes)]);
        }
        at += BigInt(bytes);
      }
      const base = form.base === 31 ? machine.pe.get('SP_EL1') : vcpu.getGpr(form.base);
      expect([form.text, base]).toEqual([form.text, BigInt.asUintN(64, form.after ?? form.baseValue)]);
      expect(machine.pe.get('ELR_EL2')).toBe(PC + 4n);
    }
    expect(forms).toBeGreaterThan(900);
  });
});

test('literals beside the program counter', () => {
  withVCpus(1, (machine, vcpu) => {
    const pc = 0x9fff0n;
    const device = 0xa0000n;
    for (const [opc, v, bytes, signed] of [[0, 0, 4, false], [1, 0, 8, false], [2, 0, 4, true], [0, 1, 4, false], [1, 1, 8, false], [2, 1, 16, false]] as const) {
      const bus = new Bus();
      bus.put(DEVICE + 0x20n, PATTERN, 8);
      bus.put(DEVICE + 0x28n, ~PATTERN & MASK(8), 8);
      machine.place(pc, u32((opc << 30) | (3 << 27) | (v << 26) | (Number(device + 0x20n - pc) / 4 << 5) | 6));
      machine.next({ esr: esr(0x24, 7), far: device + 0x20n, hpfar: DEVICE >> 8n }, (guest) => void guest.pe.set('ELR_EL2', pc));
      vcpu.run();
      bus.complete(machine, vcpu);
      const memory = bus.get(DEVICE + 0x20n, bytes);
      if (v === 1) expect(vOf(machine, vcpu, 6)).toBe(memory);
      else expect(vcpu.getGpr(6)).toBe(signed ? BigInt.asUintN(64, BigInt.asIntN(32, memory)) : memory);
    }
  });
});

/** LD1 … LD4 and ST1 … ST4 of whole registers, by the pseudocode of the manual: repetitions, elements, structures. */
test('structures of whole registers', () => {
  const shapes = [[0b0000, 1, 4], [0b0010, 4, 1], [0b0100, 1, 3], [0b0110, 3, 1], [0b0111, 1, 1], [0b1000, 1, 2], [0b1010, 2, 1]] as const;
  withVCpus(1, (machine, vcpu) => {
    for (const [opcode, repeat, selem] of shapes)
      for (const q of [0, 1])
        for (let size = 0; size < 4; size++)
          for (const load of [0, 1])
            for (const [post, rm] of [[0, 0], [1, 31], [1, 2]] as const) {
              if (size === 3 && q === 0 && selem !== 1) continue;
              const word = u32((q << 30) | (0x18 << 23) | (post << 23) | (load << 22) | (rm << 16) | (opcode << 12) | (size << 10) | (1 << 5) | 30);
              const form: Form = { text: `multiple ${opcode}`, word, load: load === 1, parts: [], base: 1, baseValue: VA + 0x400n, index: 0x77n };
              const bus = play(machine, vcpu, form, 0x400n);
              const ebytes = 1 << size;
              let offset = 0n;
              const expected = new Map<number, bigint>();
              const before = (reg: number): bigint => ((PATTERN * BigInt(reg + 83) & MASK(8)) << 64n) | (PATTERN * BigInt(reg + 41) & MASK(8));
              for (let r = 0; r < repeat; r++)
                for (let e = 0; e < (8 << q) / ebytes; e++)
                  for (let s = 0; s < selem; s++) {
                    const reg = (30 + r + s) % 32;
                    const shift = BigInt(8 * e * ebytes);
                    const memory = bus.get(DEVICE + 0x400n + offset, ebytes);
                    if (load === 1) expected.set(reg, (expected.get(reg) ?? 0n) | (memory << shift));
                    else expect(memory).toBe((before(reg) >> shift) & MASK(ebytes));
                    offset += BigInt(ebytes);
                  }
              for (const [reg, value] of expected) expect([word.toString(16), vOf(machine, vcpu, reg)]).toEqual([word.toString(16), value]);
              expect(vcpu.getGpr(1)).toBe(VA + 0x400n + (post === 0 ? 0n : rm === 31 ? offset : 0x77n));
            }
  });
});

test('structures of one lane, and replicating loads', () => {
  withVCpus(1, (machine, vcpu) => {
    for (let bytesLog = 0; bytesLog < 4; bytesLog++)
      for (let lane = 0; lane < 16 >> bytesLog; lane++)
        for (let selem = 1; selem <= 4; selem++)
          for (const load of [0, 1]) {
            // Q:S:size is the lane's number times the element's size in bytes, as a 4-bit number; widths 4 and 8 have opcode<2:1> = 10.
            const position = lane << bytesLog;
            const scale = Math.min(bytesLog, 2);
            const [q, s] = [position >> 3, bytesLog === 3 ? 0 : (position >> 2) & 1];
            const size = bytesLog === 3 ? 1 : bytesLog === 2 ? 0 : position & 3;
            const word = u32((q << 30) | (0x1a << 23) | (load << 22) | (((selem - 1) & 1) << 21) | (scale << 14) | (((selem - 1) >> 1) << 13) | (s << 12) | (size << 10) | (1 << 5) | 9);
            const bus = play(machine, vcpu, { text: 'lane', word, load: load === 1, parts: [], base: 1, baseValue: VA + 0x400n }, 0x400n);
            for (let n = 0; n < selem; n++) {
              const memory = bus.get(DEVICE + 0x400n + BigInt(n << bytesLog), 1 << bytesLog);
              const before = ((PATTERN * BigInt(9 + n + 83) & MASK(8)) << 64n) | (PATTERN * BigInt(9 + n + 41) & MASK(8));
              const mask = MASK(1 << bytesLog) << BigInt(8 * position);
              if (load === 1) expect([word.toString(16), vOf(machine, vcpu, 9 + n)]).toEqual([word.toString(16), (before & ~mask) | (memory << BigInt(8 * position))]);
              else expect(memory).toBe((before & mask) >> BigInt(8 * position));
            }
          }
    for (const q of [0, 1])
      for (let size = 0; size < 4; size++) {
        const word = u32((q << 30) | (0x1a << 23) | (1 << 22) | (6 << 13) | (size << 10) | (1 << 5) | 9);
        const bus = play(machine, vcpu, { text: 'replicate', word, load: true, parts: [], base: 1, baseValue: VA + 0x400n }, 0x400n);
        const element = bus.get(DEVICE + 0x400n, 1 << size);
        let expected = 0n;
        for (let e = 0; e < (8 << q) >> size; e++) expected |= element << BigInt(8 * e * (1 << size));
        expect(vOf(machine, vcpu, 9)).toBe(expected);
      }
  });
});

test('big-endian guests see the bytes of a device in their order', () => {
  withVCpus(1, (machine, vcpu) => {
    const big = (m: FakeMachine): void => m.pe.set('SCTLR_EL1', 1n << 25n);
    // LDRSW x6, [x1] with a syndrome; STP w6, w7, [x1] without.
    const bus = new Bus();
    bus.put(DEVICE, 0x1122_3384n, 4);
    machine.next(dataAbort(ISV | (2 << 22) | (1 << 21) | (6 << 16) | (1 << 15)), (guest) => {
      big(machine);
      guest.pe.set('SPSR_EL2', 0x3c5n);
    });
    vcpu.run();
    bus.complete(machine, vcpu);
    expect(vcpu.getGpr(6)).toBe(0xffff_ffff_8433_2211n);
    const stored = play(machine, vcpu, { text: 'stp', word: 0x2900_1c26, load: false, parts: [], base: 1, baseValue: VA + 0x400n }, 0x400n, big);
    const swapped = (value: bigint): bigint => BigInt(`0x${[0, 1, 2, 3].map((i) => ((value >> BigInt(8 * i)) & 0xffn).toString(16).padStart(2, '0')).join('')}`);
    expect(stored.get(DEVICE + 0x400n, 4)).toBe(swapped((PATTERN * 9n) & MASK(4)));
  });
});

/** Instructions to which a device has no answer. */
const REFUSED: readonly (readonly [string, number])[] = [
  ['ldxr x6, [x1]', 0xc85f_7c26], ['stxr w2, x6, [x1]', 0xc802_7c26], ['ldaxp x6, x7, [x1]', 0xc87f_9c26], ['cas x2, x6, [x1]', 0xc8a2_7c26],
  ['ldadd x2, x6, [x1]', 0xf822_0026], ['swp x2, x6, [x1]', 0xf822_8026], ['prfm pldl1keep, [x1]', 0xf980_0020], ['stgp x6, x7, [x1]', 0x6900_1c26],
  ['dc zva, x1', 0xd50b_7421], ['nop', 0xd503_201f], ['udf', 0],
];
test.each(REFUSED)('%s is refused: a precise external abort', (_text, word) => {
  withVCpus(1, (machine, vcpu) => {
    machine.place(PC, word);
    machine.next({ esr: esr(0x24, WNR | 7), far: VA, hpfar: DEVICE >> 8n }, (guest) => {
      guest.pe.set('ELR_EL2', PC);
      guest.pe.set('VBAR_EL1', 0x8000n);
      guest.setX(1, VA);
    });
    expect(vcpu.run().reason).toBe('NestedPageFault');
    expect(vcpu.decodeMmio()).toBeUndefined();
    vcpu.injectAccessFault();
    expect(machine.pe.get('ESR_EL1')).toBe(esr(0x25, WNR | 0x10));
    expect(machine.pe.get('FAR_EL1')).toBe(VA);
    expect(machine.pe.get('ELR_EL1')).toBe(PC);
    expect(machine.pe.get('ELR_EL2')).toBe(0x8200n);
    expect(() => vcpu.injectAccessFault()).toThrow('no access has faulted');
  });
});

test('an access over the end of the page, a walk, cache maintenance, a fetch and a changed translation are no device accesses', () => {
  withVCpus(1, (machine, vcpu) => {
    const check = (exit: Exit, accessFlags: number, addr = DEVICE): void => {
      machine.next(exit, (guest) => void guest.pe.set('ELR_EL2', PC));
      expect(vcpu.run()).toEqual({ reason: 'NestedPageFault', addr, accessFlags });
      expect(vcpu.decodeMmio()).toBeUndefined();
    };
    check(dataAbort(ISV | (1 << 7), 0x18n), MappingFlags.READ);
    check(dataAbort(ISV | (1 << 8) | WNR), MappingFlags.READ);
    check({ esr: esr(0x20, 7), far: VA, hpfar: DEVICE >> 8n }, MappingFlags.EXECUTE);
    check(dataAbort(ISV | (2 << 22), 0x2n), MappingFlags.READ, DEVICE + 2n);
    // LDP x6, x7, [x1] whose second half is in the next page.
    machine.place(PC, 0xa940_1c26);
    machine.next(dataAbort(0, 0xff8n), (guest) => void guest.setX(1, VA + 0xff8n));
    vcpu.run();
    expect(vcpu.decodeMmio()).toBeUndefined();
    machine.translate = () => 1n;
    machine.next(dataAbort(0));
    vcpu.run();
    expect(vcpu.decodeMmio()).toBeUndefined();
  });
});

test('a permission fault is looked up in stage 1; when that changed meanwhile the guest tries again', () => {
  withVCpus(1, (machine, vcpu) => {
    machine.translate = (operation, address) => (operation === 's1e1r' && address === VA + 0x123n ? 0x4567_8000n : 1n);
    machine.next({ esr: esr(0x24, WNR | 0xf), far: VA + 0x123n, hpfar: 0n });
    expect(vcpu.run()).toEqual({ reason: 'NestedPageFault', addr: 0x4567_8123n, accessFlags: MappingFlags.WRITE });
    machine.next({ esr: esr(0x24, WNR | 0xf), far: VA, hpfar: 0n });
    expect(vcpu.run()).toEqual({ reason: 'ExternalInterrupt', vector: 26n });
  });
});
