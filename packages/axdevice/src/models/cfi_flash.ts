/**
 * NOR flash with the Intel command set and the Common Flash Interface (JEDEC JESD68.01; Intel StrataFlash 28F640J3 data sheet): two chips of 16 bits
 * side by side, so each command is written to both halves of a word. What is in it stays over resets, and is gone with the VM.
 */
import type { AccessWidth, Device, DeviceRegion, DeviceSpec, FdtNode } from '@axvisor/axvisor_api/device';
import { axError } from '@axvisor/axvisor_api/errors';
import { deviceName, mmioRegion, type Model } from './model.ts';

const BANK_WIDTH = 4;
const CHIPS = 2;
/** Bytes of a block of both chips. */
const BLOCK = 0x4_0000;
/** Bytes that one buffered write takes at most. */
const BUFFER_POW2 = 6;
const BUFFER_WORDS = (CHIPS << BUFFER_POW2) / BANK_WIDTH;
const DEFAULT_SIZE = 0x40_0000n;
const MAX_SIZE = 0x400_0000n;
const ERASED = 0xff;

const Command = {
  readArray: 0xff, readId: 0x90, query: 0x98, readStatus: 0x70, clearStatus: 0x50, erase: 0x20, program: 0x40, program2: 0x10, buffer: 0xe8,
  lock: 0x60, confirm: 0xd0,
} as const;
/** Ready; a program or erase went wrong; a sequence of commands made no sense: both errors. */
const Status = { ready: 0x80, eraseError: 0x20, programError: 0x10 } as const;

/** What reads return. */
type View = 'array' | 'id' | 'query' | 'status';
/** What the next write is. */
type Expect = 'command' | 'erase' | 'program' | 'count' | 'data' | 'confirm' | 'lock';

/** Manufacturer and device of the 28F640J3. */
const ID = [0x89, 0x18] as const;

const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
const word = (value: number): number[] => [value & 0xff, value >> 8];

/** The query table of one chip from 0x10 on (JESD68.01, 4.3). */
function queryTable(size: number): readonly number[] {
  const perChip = size / CHIPS;
  return [
    // Identification: command set 1, its extended table at 0x31, no alternative.
    ...ascii('QRY'), ...word(1), ...word(0x31), ...word(0), ...word(0),
    // Volts, and typical and longest times as powers of two.
    0x45, 0x55, 0, 0, 7, 7, 10, 0, 4, 4, 4, 0,
    // Size, x8/x16 interface, buffer, one region of equal blocks.
    Math.log2(perChip), ...word(2), ...word(BUFFER_POW2), 1, ...word(size / BLOCK - 1), ...word(BLOCK / CHIPS / 256),
    // Extended table, version 1.0: no optional feature.
    ...ascii('PRI10'), 0, 0, 0, 0, 0, ...word(0), 0x50, 0, 0,
  ];
}
const QUERY_START = 0x10;

class CfiFlash implements Device {
  readonly name: string;
  readonly model = 'cfi-flash';
  readonly regions: readonly DeviceRegion[];
  readonly fdt: FdtNode = { node: 'flash', compatible: ['cfi-flash'], properties: { 'bank-width': [BANK_WIDTH] } };
  readonly #size: number;
  readonly #query: readonly number[];
  /** Blocks that are not erased. */
  readonly #blocks = new Map<number, Uint8Array>();
  #view: View = 'array';
  #expect: Expect = 'command';
  #status: number = Status.ready;
  /** Of a buffered write: words to come, and those that came. */
  #left = 0;
  #buffered: { readonly offset: number; readonly width: AccessWidth; readonly value: bigint }[] = [];

  constructor(spec: DeviceSpec) {
    const size = spec.size ?? DEFAULT_SIZE;
    const isPow2 = (size & (size - 1n)) === 0n;
    if (!isPow2 || size < BLOCK || size > MAX_SIZE) throw axError('InvalidInput', `a cfi-flash has a power of two from ${BLOCK} to ${MAX_SIZE} bytes, not ${size}`);
    this.name = deviceName(spec, 'flash');
    this.regions = [mmioRegion(spec, DEFAULT_SIZE)];
    this.#size = Number(size);
    this.#query = queryTable(this.#size);
  }

  reset(): void {
    this.#view = 'array';
    this.#expect = 'command';
    this.#status = Status.ready;
    this.#buffered = [];
  }

  read(offset: number, width: AccessWidth): bigint {
    let value = 0n;
    for (let i = width - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#byte(offset + i));
    return value;
  }

  #byte(offset: number): number {
    if (this.#view === 'array') return this.#blocks.get(Math.floor(offset / BLOCK))?.[offset % BLOCK] ?? ERASED;
    // Each chip answers in the low byte of its half.
    return offset % (BANK_WIDTH / CHIPS) === 0 ? this.#answer(Math.floor(offset / BANK_WIDTH) & 0xff) : 0;
  }

  #answer(index: number): number {
    switch (this.#view) {
      case 'id':
        return ID[index] ?? 0;
      case 'query':
        return this.#query[index - QUERY_START] ?? 0;
      default:
        return this.#status;
    }
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    const low = Number(value & 0xffn);
    switch (this.#expect) {
      case 'command':
        return this.#command(low);
      case 'erase':
        if (low === Command.confirm) this.#blocks.delete(Math.floor(offset / BLOCK));
        else this.#status |= Status.eraseError | Status.programError;
        return this.#done();
      case 'program':
        this.#program(offset, width, value);
        return this.#done();
      case 'count':
        this.#left = Math.min(low + 1, BUFFER_WORDS);
        this.#expect = 'data';
        return;
      case 'data':
        this.#buffered.push({ offset, width, value });
        this.#left--;
        if (this.#left === 0) this.#expect = 'confirm';
        return;
      case 'confirm':
        if (low === Command.confirm) for (const b of this.#buffered) this.#program(b.offset, b.width, b.value);
        else this.#status |= Status.eraseError | Status.programError;
        return this.#done();
      case 'lock':
        return this.#done();
    }
  }

  /** A sequence is over; reads show how it went. */
  #done(): void {
    this.#buffered = [];
    this.#expect = 'command';
    this.#view = 'status';
  }

  #command(command: number): void {
    const started: Readonly<Record<number, Expect>> = {
      [Command.erase]: 'erase', [Command.program]: 'program', [Command.program2]: 'program', [Command.buffer]: 'count', [Command.lock]: 'lock',
    };
    const views: Readonly<Record<number, View>> = { [Command.readId]: 'id', [Command.query]: 'query', [Command.readStatus]: 'status' };
    const next = started[command];
    if (next !== undefined) this.#expect = next;
    if (command === Command.clearStatus) this.#status = Status.ready;
    else this.#view = next === undefined ? (views[command] ?? 'array') : 'status';
  }

  /** Programming clears bits; only erasing sets them. */
  #program(offset: number, width: AccessWidth, value: bigint): void {
    for (let i = 0; i < width && offset + i < this.#size; i++) {
      const at = offset + i;
      const index = Math.floor(at / BLOCK);
      let block = this.#blocks.get(index);
      if (block === undefined) this.#blocks.set(index, (block = new Uint8Array(BLOCK).fill(ERASED)));
      block[at % BLOCK] = (block[at % BLOCK] as number) & Number((value >> BigInt(8 * i)) & 0xffn);
    }
  }
}

export const cfiFlash: Model = {
  model: 'cfi-flash',
  summary: 'NOR flash, empty when the VM is made',
  size: DEFAULT_SIZE,
  options: [],
  create: (spec) => new CfiFlash(spec),
};
