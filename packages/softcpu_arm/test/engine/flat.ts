/** A processing element without privileged architecture: addresses are offsets in RAM, exceptions end the run and are told. */
import { Engine, Status, planLayout, wasm } from '@axvisor/softcpu';
import type { Execution, Layout } from '@axvisor/softcpu';
import { isa } from '../../src/emit/isa.ts';
import { hostFunctions } from '../../src/emit/host.ts';
import { RecordWriter } from '../../src/emit/record.ts';
import { readNzcv, writeNzcv } from '../../src/nzcv.ts';
import { BRANCH_TBI, MMU, MMU_IDX, MODE, PC, STATE_SIZE, UNPRIV_IDX } from '../../src/state.ts';

const PAGE = 0x1_0000;
const STATE = 0x1000;

/** Where memory lies for the guest. */
export interface Region {
  readonly base: number;
  readonly size: number;
}

export class FlatPe {
  readonly engine: Engine;
  readonly layout: Layout;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  /** What ended the run: a service's name or a fault; '' if nothing did. */
  stopped = '';
  /** The address of the last fault or misaligned access. */
  faulting: readonly [lo: number, hi: number] = [0, 0];
  readonly #places: readonly { readonly base: number; readonly size: number; readonly place: number }[];

  constructor(regions: readonly Region[], execution: Execution = 'interpreter') {
    const memoryBytes = 1 << 24;
    const layout = planLayout(isa, { state: STATE, base: STATE + STATE_SIZE, memoryBytes, poolPages: 8 });
    this.layout = layout;
    let next = Math.ceil(layout.end / PAGE) * PAGE;
    this.#places = regions.map(({ base, size }) => {
      const place = next;
      next += size;
      return { base, size, place };
    });
    const limits = { min: memoryBytes / PAGE, max: memoryBytes / PAGE, shared: true };
    const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
    if (next > memoryBytes) throw new RangeError('the memory is too small');
    const stop = (name: string) => (): Status => {
      this.stopped = name;
      return Status.leave;
    };
    const stopAt = (name: string, lo: number, hi: number): void => {
      this.stopped = name;
      this.faulting = [lo | 0, hi | 0];
    };
    let writer: RecordWriter | undefined;
    this.engine = new Engine(
      {
        permissions: () => 7,
        translate: (lo, hi) => {
          const at = (lo >>> 0) + (hi & 0xffff) * 2 ** 32;
          if (hi === 0 && this.placeOf(at) >= 0) return at;
          stopAt('fault', lo, hi);
          return -1;
        },
        place: (physical) => this.placeOf(physical),
        accessFault: (lo, hi) => stopAt('fault', lo, hi),
        misaligned: (lo, hi) => stopAt('misaligned', lo, hi),
        trap: () => Status.leave,
        deviceRead: () => false,
        deviceWrite: () => false,
        decode: (place, available, record, offset) => (writer as RecordWriter).write(this.engine.bytes, this.engine.words, place, available, record, offset),
      },
      {
        isa,
        memory,
        memoryLimits: limits,
        layout,
        execution,
        services: Object.fromEntries(isa.services.map((name) => [name, stop(name)])),
        functions: hostFunctions(memory, STATE),
      },
    );
    writer = new RecordWriter(this.engine.handlers, layout);
    this.bytes = this.engine.bytes;
    this.view = new DataView(memory.buffer);
    this.word(MODE, 3);
    this.word(MMU_IDX, MMU.el1);
    this.word(UNPRIV_IDX, MMU.el0);
    this.word(BRANCH_TBI, 0);
  }

  /** Place of an address in linear memory, -1 if nothing is there. */
  placeOf(address: number): number {
    for (const { base, size, place } of this.#places) if (address >= base && address < base + size) return place + address - base;
    return -1;
  }

  /** Writes a word of the state block. */
  word(offset: number, value: number): void {
    this.engine.words[(STATE + offset) >>> 2] = value;
  }

  /** Reads a word of the state block. */
  read(offset: number): number {
    return this.engine.words[(STATE + offset) >>> 2] as number;
  }

  /** NZCV in the lowest bits. */
  get nzcv(): number {
    return readNzcv(this.engine.words, STATE >>> 2);
  }

  set nzcv(value: number) {
    writeNzcv(this.engine.words, STATE >>> 2, value);
  }

  /** Writes code. */
  load(address: number, code: Uint8Array): void {
    const place = this.placeOf(address);
    this.bytes.set(code, place);
    this.engine.invalidate(place, code.length);
  }

  /** Runs from an address. @returns the steps taken */
  run(pc: number, steps: number): number {
    this.stopped = '';
    this.word(PC, pc | 0);
    this.word(PC + 4, 0);
    return this.engine.run(steps);
  }
}
