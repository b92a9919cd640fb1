/** A processor without privileged architecture, for tests: addresses are offsets in regions of RAM, exceptions end the run and are told. */
import { Access, Engine, Permission, Status, planLayout, wasm } from '@axvisor/softcpu';
import type { Execution } from '@axvisor/softcpu';
import { hostFunctions } from '../emit/host.ts';
import { isa } from '../emit/isa.ts';
import { REPEAT } from '../emit/string.ts';
import { RecordWriter } from '../emit/record.ts';
import { CODE, CR_READS, CS_LIMIT, EFLAGS, GPR, IF_ALLOWED, INTERCEPTS, Intercepts, MMU, MMU_IDX, NON_ADDRESS_BITS, PC, READ_HIGH, STATE_SIZE, Seg, WRITE_HIGH, WRITE_LOW } from '../state.ts';
import { readEflags, writeEflags } from '../eflags.ts';

const WASM_PAGE = 0x1_0000;
const STATE = 0x1000;

/** Where memory lies for the guest; below 4 GiB. */
export interface Region {
  readonly base: number;
  readonly size: number;
  /** How many of it there are, of which one at a time is in place. */
  readonly copies?: number;
  /** Stores to it fault. */
  readonly readOnly?: boolean;
}

interface Placed extends Region {
  readonly places: readonly number[];
  current: number;
}

/** A processor in one mode, all of memory at hand. */
export class FlatProcessor {
  readonly engine: Engine;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** What ended the run: a service's name, `fault` for an access to nothing; '' if nothing did. */
  stopped = '';
  /** What the access was that faulted, as {@link Access}; -1 if none did. */
  faulted = -1;
  /** Record of the instruction that called the service. */
  record = 0;
  readonly #regions: readonly Placed[];
  /** Of what was translated last. */
  #permissions: number = 0;

  /** @param mode - as {@link CODE}; 64-bit by default. */
  constructor(regions: readonly Region[], execution: Execution = 'interpreter', mode: number = CODE.code64) {
    const memoryBytes = 1 << 25;
    const layout = planLayout(isa, { state: STATE, base: STATE + STATE_SIZE, memoryBytes, poolPages: 64 });
    let next = Math.ceil(layout.end / WASM_PAGE) * WASM_PAGE;
    this.#regions = regions.map(({ base, size, copies = 1, readOnly = false }) => {
      const places = Array.from({ length: copies }, (_, i) => next + i * size);
      next += copies * size;
      return { base, size, readOnly, places, current: 0 };
    });
    if (next > memoryBytes) throw new RangeError('the memory is too small');
    const limits = { min: memoryBytes / WASM_PAGE, max: memoryBytes / WASM_PAGE, shared: true };
    const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
    const stop = (name: string) => (record: number): Status => {
      this.stopped = name;
      this.record = record;
      return Status.leave;
    };
    let writer: RecordWriter | undefined;
    this.engine = new Engine(
      {
        permissions: () => this.#permissions,
        translate: (lo, hi, access) => {
          // A physical address is a place here: pages of copies differ.
          const place = hi === 0 ? this.placeOf(lo >>> 0) : -1;
          const readOnly = this.#isReadOnly(lo >>> 0);
          this.#permissions = Permission.read | Permission.execute | (readOnly ? 0 : Permission.write);
          if (place >= 0 && !(access === Access.store && readOnly)) return place;
          this.stopped = 'fault';
          this.faulted = access;
          return -1;
        },
        place: (physical) => physical,
        accessFault: () => void (this.stopped = 'fault'),
        misaligned: () => void (this.stopped = 'misaligned'),
        trap: () => Status.leave,
        deviceRead: () => false,
        deviceWrite: () => false,
        decode: (place, available, record, offset) => (writer as RecordWriter).write(this.engine.bytes, this.engine.words, place, available, record, offset, mode),
      },
      { isa, memory, memoryLimits: limits, layout, execution, services: { ...Object.fromEntries(isa.services.map((name) => [name, stop(name)])), [REPEAT]: () => Status.refetch }, functions: hostFunctions(memory, STATE) },
    );
    writer = new RecordWriter(this.engine.handlers);
    this.bytes = this.engine.bytes;
    this.words = this.engine.words;
    this.word(MMU_IDX, MMU.supervisor);
    this.word(IF_ALLOWED, 1);
    this.word(CS_LIMIT, -1);
    this.word(NON_ADDRESS_BITS, 16);
    this.word(INTERCEPTS, Intercepts.counter | (0xffff << CR_READS));
    for (let segment = 0; segment < 6; segment++) {
      this.word(READ_HIGH + 4 * segment, -1);
      this.word(WRITE_HIGH + 4 * segment, segment === Seg.cs ? 0 : -1);
      // A code segment cannot be written to.
      this.word(WRITE_LOW + 4 * segment, segment === Seg.cs ? -1 : 0);
    }
  }

  /** Place of an address in linear memory, -1 if nothing is there. */
  placeOf(address: number): number {
    for (const { base, size, places, current } of this.#regions) {
      if (address >= base && address < base + size) return (places[current % places.length] as number) + address - base;
    }
    return -1;
  }

  #isReadOnly(address: number): boolean {
    return this.#regions.some(({ base, size, readOnly }) => readOnly && address >= base && address < base + size);
  }

  /** Puts the next copy of the region at an address in place. */
  exchange(base: number): void {
    for (const region of this.#regions) if (region.base === base) region.current++;
    this.engine.tlb.flush();
    this.engine.pages.fetches.flush();
  }

  /** Writes a word of the state block. */
  word(offset: number, value: number): void {
    this.words[(STATE + offset) >>> 2] = value;
  }

  /** Reads a word of the state block. */
  read(offset: number): number {
    return this.words[(STATE + offset) >>> 2] as number;
  }

  /** A 64-bit word of the state block. */
  get(offset: number): bigint {
    return (BigInt(this.read(offset + 4) >>> 0) << 32n) | BigInt(this.read(offset) >>> 0);
  }

  put(offset: number, value: bigint): void {
    this.word(offset, Number(BigInt.asIntN(32, value)));
    this.word(offset + 4, Number(BigInt.asIntN(32, value >> 32n)));
  }

  /** A general-purpose register by number. */
  gpr(number: number): bigint {
    return this.get(GPR + 8 * number);
  }

  get eflags(): number {
    return readEflags(this.words, STATE);
  }

  set eflags(value: number) {
    writeEflags(this.words, STATE, value);
  }

  /** The part of RFLAGS that is kept as it is. */
  get systemFlags(): number {
    return this.read(EFLAGS);
  }

  /** Writes code or data. */
  load(address: number, code: Uint8Array): void {
    const place = this.placeOf(address);
    this.bytes.set(code, place);
    this.engine.invalidate(place, code.length);
  }

  /** Memory at an address. */
  memory(address: number, length: number): Uint8Array {
    const place = this.placeOf(address);
    return this.bytes.subarray(place, place + length);
  }

  /** Runs from a linear address. @returns the steps taken */
  run(pc: number, steps: number): number {
    this.stopped = '';
    this.faulted = -1;
    this.word(PC, pc | 0);
    this.word(PC + 4, 0);
    return this.engine.run(steps);
  }
}
