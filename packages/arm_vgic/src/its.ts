/**
 * The interrupt translation service (GIC specification IHI 0069, chapter 5 and 12.12): a queue of commands in guest memory says which event of which
 * device is which LPI on which CPU.
 */
import { gpa, rangeFromStartSize } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import type { AccessWidth, DeviceRegion } from '@axvisor/axvisor_api/device';
import { isAxError } from '@axvisor/axvisor_api/errors';
import type { GicCore, RegisterFile } from './core.ts';
import type { GicCpu } from './cpu.ts';
import { IIDR, pidr2 } from './distributor.ts';
import { ENTRY_BYTES, ItsTables, type TableBase } from './its_tables.ts';
import type { Lpis } from './lpis.ts';

/** Two frames of 64 KiB: control, and the translation register. */
export const ITS_SIZE = 0x2_0000n;

const GITS = { CTLR: 0x0, IIDR: 0x4, TYPER: 0x8, CBASER: 0x80, CWRITER: 0x88, CREADR: 0x90, BASER: 0x100, PIDR2: 0xffe8 } as const;

const VALID = 1n << 63n;
/** Device and event ids have 16 bits, as have collections. */
const ID_BITS = 16;
/** GITS_TYPER: physical LPIs, entries of 8 bytes, event id bits - 1, device id bits - 1, collection id bits - 1 (CIL). */
const TYPER = 1n | ((ENTRY_BYTES - 1n) << 4n) | (BigInt(ID_BITS - 1) << 8n) | (BigInt(ID_BITS - 1) << 13n) | (BigInt(ID_BITS - 1) << 32n) | (1n << 36n);

const CTLR_ENABLED = 1;
const CTLR_QUIESCENT = 2 ** 31;

/** GITS_CBASER: Valid, cacheability, address, shareability, size in 4 KiB pages. */
const CBASER = { writable: 0xb8ef_ffff_ffff_fcffn, address: 0xf_ffff_ffff_f000n, size: 0xffn } as const;
/** GITS_CWRITER and GITS_CREADR: bits 19:5. */
const QUEUE_OFFSET = 0xf_ffe0n;
const COMMAND_BYTES = 32n;

/** GITS_BASER<n>: entry size and type are fixed, tables are flat. */
const BASER = {
  writable: 0xb8e0_ffff_ffff_ffffn, entrySize: (ENTRY_BYTES - 1n) << 48n, typeShift: 56n, address: 0xffff_ffff_f000n,
  pageSizes: [0x1000n, 0x4000n, 0x1_0000n, 0x1_0000n],
} as const;
/** Types of tables: of BASER0 and BASER1. */
const TABLE_TYPES = [1n, 4n] as const;

/** Work done for one access of the guest; the rest of the queue is for the next. */
const BUDGET = 1024;

/** A command: four 64-bit words. */
type Command = readonly [bigint, bigint, bigint, bigint];

const device = ([word]: Command): number => Number(word >> 32n);
const event = ([, word]: Command): number => Number(word & 0xffff_ffffn);
const collection = ([, , word]: Command): number => Number(word & 0xffffn);
const valid = ([, , word]: Command): boolean => (word & VALID) !== 0n;
/** RDbase is a CPU number (GITS_TYPER.PTA = 0), in bits 50:16. */
const target = (word: bigint): number => Number((word >> 16n) & 0x7_ffff_ffffn);

export class Its implements RegisterFile {
  readonly name: string;
  readonly model = 'gicv3-its';
  readonly regions: readonly DeviceRegion[];
  readonly #core: GicCore;
  readonly #memory: GuestMemoryAccessor;
  readonly #tables: ItsTables;
  readonly #baser: [bigint, bigint] = [0n, 0n];
  #enabled = false;
  #cbaser = 0n;
  #cwriter = 0n;
  #creadr = 0n;

  constructor(core: GicCore, base: bigint, memory: GuestMemoryAccessor) {
    this.#core = core;
    this.#memory = memory;
    this.name = `its@${base.toString(16)}`;
    this.regions = [{ space: 'mmio', range: rangeFromStartSize(gpa(base), ITS_SIZE) }];
    this.#tables = new ItsTables(memory, () => this.#table(0), () => this.#table(1));
  }

  reset(): void {
    this.#baser.fill(0n);
    this.#enabled = false;
    this.#cbaser = this.#cwriter = this.#creadr = 0n;
  }

  // ── registers ──

  read(offset: number, width: AccessWidth): bigint {
    this.#run();
    if (width < 4 || (offset & (width - 1)) !== 0) return 0n;
    const shift = BigInt(8 * (offset & 4));
    return BigInt.asUintN(8 * width, this.#read(offset & ~7) >> (width === 8 ? 0n : shift));
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    if (width < 4 || (offset & (width - 1)) !== 0) return;
    const register = offset & ~7;
    const shift = BigInt(8 * (offset & 4));
    const mask = width === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn << shift;
    this.#write(register, (this.#read(register) & ~mask) | ((width === 8 ? value : value << shift) & mask));
    this.#run();
  }

  /** 64 bits at a multiple of 8. */
  #read(register: number): bigint {
    switch (register) {
      case GITS.CTLR:
        return BigInt((this.#enabled ? CTLR_ENABLED : 0) + CTLR_QUIESCENT) | (BigInt(IIDR) << 32n);
      case GITS.TYPER:
        return TYPER;
      case GITS.CBASER:
        return this.#cbaser;
      case GITS.CWRITER:
        return this.#cwriter;
      case GITS.CREADR:
        return this.#creadr;
      case GITS.BASER:
        return this.#baserValue(0);
      case GITS.BASER + 8:
        return this.#baserValue(1);
      case GITS.PIDR2:
        return BigInt(pidr2(3));
      default:
        return 0n;
    }
  }

  #write(register: number, value: bigint): void {
    switch (register) {
      case GITS.CTLR:
        this.#enabled = (value & 1n) === 1n;
        break;
      case GITS.CBASER:
        if (this.#enabled) break;
        this.#cbaser = value & CBASER.writable;
        this.#creadr = 0n;
        break;
      case GITS.CWRITER:
        this.#cwriter = value & QUEUE_OFFSET;
        break;
      case GITS.BASER:
      case GITS.BASER + 8:
        if (!this.#enabled) this.#baser[register === GITS.BASER ? 0 : 1] = value & BASER.writable;
    }
  }

  #baserValue(n: 0 | 1): bigint {
    return this.#baser[n] | BASER.entrySize | (TABLE_TYPES[n] << BASER.typeShift);
  }

  #table(n: 0 | 1): TableBase | undefined {
    const baser = this.#baser[n];
    if ((baser & VALID) === 0n) return undefined;
    const pageSize = BASER.pageSizes[Number((baser >> 8n) & 3n) as 0 | 1 | 2 | 3];
    const pages = (baser & 0xffn) + 1n;
    const low = baser & BASER.address;
    // With 64 KiB pages bits 15:12 are the address bits 51:48.
    const address = pageSize === 0x1_0000n ? (low & ~0xffffn) | ((low & 0xf000n) << 36n) : low;
    return { address, entries: (pages * pageSize) / ENTRY_BYTES };
  }

  // ── commands ──

  /** Executes commands, as many as one access pays for. */
  #run(): void {
    if (!this.#enabled || (this.#cbaser & VALID) === 0n) return;
    const size = ((this.#cbaser & CBASER.size) + 1n) * 0x1000n;
    if (this.#cwriter >= size) return;
    let changed = false;
    for (let budget = BUDGET; budget > 0 && this.#creadr !== this.#cwriter; budget--) {
      budget -= this.#execute(this.#fetch((this.#cbaser & CBASER.address) + this.#creadr));
      this.#creadr = (this.#creadr + COMMAND_BYTES) % size;
      changed = true;
    }
    if (changed) this.#core.update();
  }

  /** The command at `address`; all zero, which is none, where there is no memory. */
  #fetch(address: bigint): Command {
    const word = (n: bigint): bigint => {
      try {
        return this.#memory.readValue(gpa(address + 8n * n), 8);
      } catch (e) {
        if (isAxError(e)) return 0n;
        throw e;
      }
    };
    return [word(0n), word(1n), word(2n), word(3n)];
  }

  /** Executes a command and returns what it costs beyond one. A command that makes no sense does nothing (5.3.3). */
  #execute(command: Command): number {
    return COMMANDS.get(Number(command[0] & 0xffn))?.(this, command) ?? 0;
  }

  /** An event that is mapped, with the LPIs of its CPU. */
  #translate(deviceId: number, eventId: number): { readonly intid: number; readonly lpis: Lpis } | undefined {
    const entry = this.#tables.event(deviceId, eventId);
    const lpis = entry && this.lpisOf(entry.collection);
    return entry === undefined || lpis === undefined ? undefined : { intid: entry.intid, lpis };
  }

  lpisOf(collectionId: number): Lpis | undefined {
    const cpu = this.#tables.cpuOf(collectionId);
    return cpu === undefined ? undefined : this.cpu(cpu)?.lpis;
  }

  cpu(index: number): GicCpu | undefined {
    return this.#core.cpus[index];
  }

  /** The event of a device becomes pending. Ignored while the ITS is disabled or the event is not mapped. */
  signal(deviceId: number, eventId: number): void {
    if (!this.#enabled) return;
    this.pend(deviceId, eventId, true);
    this.#core.update();
  }

  pend(deviceId: number, eventId: number, pending: boolean): void {
    const translation = this.#translate(deviceId, eventId);
    translation?.lpis.setPending(translation.intid, pending);
  }

  invalidate(deviceId: number, eventId: number): void {
    const translation = this.#translate(deviceId, eventId);
    translation?.lpis.invalidate(translation.intid);
  }

  mapEvent(command: Command, intid: number): void {
    this.#tables.mapEvent(device(command), event(command), { collection: collection(command), intid });
  }

  mapDevice(command: Command): void {
    const bits = Number(command[1] & 0x1fn) + 1;
    if (bits <= ID_BITS) this.#tables.mapDevice(device(command), valid(command), command[2], bits);
  }

  mapCollection(command: Command): void {
    const index = target(command[2] & ~VALID);
    if (!valid(command) || this.cpu(index) !== undefined) this.#tables.mapCollection(collection(command), valid(command), index);
  }

  /** The event goes to another collection, and takes its pending state along. */
  move(command: Command): void {
    const [deviceId, eventId] = [device(command), event(command)];
    const entry = this.#tables.event(deviceId, eventId);
    if (entry === undefined) return;
    const from = this.lpisOf(entry.collection);
    const to = this.lpisOf(collection(command));
    this.#tables.mapEvent(deviceId, eventId, { ...entry, collection: collection(command) });
    if (from === undefined || to === undefined || from === to) return;
    if (from.take(entry.intid)) to.setPending(entry.intid, true);
  }

  /** All pending LPIs of one CPU go to another; returns how many. */
  moveAll(command: Command): number {
    const from = this.cpu(target(command[2]))?.lpis;
    const to = this.cpu(target(command[3]))?.lpis;
    if (from === undefined || to === undefined || from === to) return 0;
    const all = [...from.pending, ...from.held];
    for (const intid of all) if (from.take(intid)) to.setPending(intid, true);
    return all.length;
  }

  discard(command: Command): void {
    this.pend(device(command), event(command), false);
    this.#tables.mapEvent(device(command), event(command), undefined);
  }
}

/** Commands by number (5.3): what each does, and what it costs beyond one. SYNC has nothing to wait for. */
const COMMANDS: ReadonlyMap<number, (its: Its, command: Command) => number | void> = new Map<number, (its: Its, command: Command) => number | void>([
  [0x01, (its, command) => its.move(command)], // MOVI
  [0x03, (its, command) => its.pend(device(command), event(command), true)], // INT
  [0x04, (its, command) => its.pend(device(command), event(command), false)], // CLEAR
  [0x05, () => {}], // SYNC
  [0x08, (its, command) => its.mapDevice(command)], // MAPD
  [0x09, (its, command) => its.mapCollection(command)], // MAPC
  [0x0a, (its, command) => its.mapEvent(command, Number(command[1] >> 32n))], // MAPTI
  [0x0b, (its, command) => its.mapEvent(command, event(command))], // MAPI
  [0x0c, (its, command) => its.invalidate(device(command), event(command))], // INV
  [0x0d, (its, command) => its.lpisOf(collection(command))?.invalidateAll()], // INVALL
  [0x0e, (its, command) => its.moveAll(command)], // MOVALL
  [0x0f, (its, command) => its.discard(command)], // DISCARD
]);
