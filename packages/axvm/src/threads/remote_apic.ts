/**
 * The local APIC of a vCPU whose thread is not the one that keeps the interrupt controller: operations are calls of the monitor. What needs no answer
 * and changes nothing that the vCPU would notice at once is only posted: IPIs to others, and deadlines.
 */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { LocalApic, TscClock } from '@axvisor/axvisor_api/intc';
import type { Ticks } from '@axvisor/axvisor_api/time';

/** The first argument of `Call.localApic`: the operation. */
const Op = {
  base: 0, read: 1, write: 2, readMsr: 3, writeMsr: 4, readTpr: 5, writeTpr: 6, pending: 7, acknowledge: 8, highestRequest: 9, takeNmi: 10, takeInit: 11,
  takeSipi: 12, nextTimer: 13, raiseThermal: 14, raisePerformance: 15,
} as const;

const MSR = { apicBase: 0x1b, tscDeadline: 0x6e0, command: 0x830 } as const;
/** Registers of the page: the interrupt command register, and its destination. */
const Page = { command: 0x300, destination: 0x310 } as const;
/** The interrupt command register (Intel SDM vol. 3, 11.6.1): all its fields, a logical destination, and the shorthands. */
const Command = { fields: 0xc_cfffn, logical: 1n << 11n, shorthand: 3n << 18n, others: 3n << 18n } as const;
/** IA32_APIC_BASE: enabled, and in x2APIC mode. */
const Base = { extd: 1n << 10n, enable: 1n << 11n } as const;

const optional = (n: number | bigint | undefined): bigint | undefined => (n === undefined ? undefined : BigInt(n));
const flag = (b: boolean): bigint => (b ? 1n : 0n);

/** The monitor's side: what `args` ask of `apic`; `undefined` is an answer, too. */
export function serveLocalApic(apic: LocalApic, [op = 0n, a = 0n, b = 0n, c = 0n]: readonly bigint[]): bigint | undefined {
  switch (Number(op)) {
    case Op.base:
      return apic.base;
    case Op.read:
      return apic.read(Number(a), Number(b) as AccessWidth);
    case Op.write:
      apic.write(Number(a), Number(b) as AccessWidth, c);
      return undefined;
    case Op.readMsr:
      return apic.readMsr(Number(a));
    case Op.writeMsr:
      return flag(apic.writeMsr(Number(a), b));
    case Op.readTpr:
      return BigInt(apic.tpr);
    case Op.writeTpr:
      apic.tpr = Number(a);
      return undefined;
    case Op.pending:
      return optional(apic.pending());
    case Op.acknowledge:
      return BigInt(apic.acknowledge());
    case Op.highestRequest:
      return optional(apic.highestRequest());
    case Op.takeNmi:
      return flag(apic.take('nmi'));
    case Op.takeInit:
      return flag(apic.take('init'));
    case Op.takeSipi:
      return optional(apic.take('sipi'));
    case Op.nextTimer:
      return apic.nextTimer();
    case Op.raiseThermal:
      apic.raise('thermal');
      return undefined;
    default:
      apic.raise('performance');
      return undefined;
  }
}

/** The same on one thread: the vCPU's time-stamp counter stays out of `apic`, which others use, too. */
export const ownTsc = (apic: LocalApic): RemoteLocalApic => new RemoteLocalApic(apic.id, (...args) => serveLocalApic(apic, args));

export class RemoteLocalApic implements LocalApic {
  readonly id: number;
  readonly #call: (...args: bigint[]) => bigint | undefined;
  readonly #post: (...args: bigint[]) => boolean;
  /** Where the command register of the page sends to next, as far as this thread knows. */
  #destination: bigint | undefined;
  /** IA32_APIC_BASE as far as this thread knows it. */
  #base: bigint | undefined;
  /** The counter of this thread's CPU, and the deadline in it; the monitor's APIC has deadlines in ticks of the host. */
  #tsc: TscClock | undefined;
  #deadline = 0n;

  /** @param post - has the monitor do something later, in order with calls; false if it cannot. */
  constructor(id: number, call: (...args: bigint[]) => bigint | undefined, post: (...args: bigint[]) => boolean = () => false) {
    this.id = id;
    this.#call = call;
    this.#post = post;
  }

  /** The monitor may have reset it. */
  forget(): void {
    this.#base = undefined;
    this.#destination = undefined;
    this.#deadline = 0n;
  }

  /** Whether a command is for others alone, as far as that can be told from it. `x2apic`: logical destinations are those that x2APIC IDs give. */
  #isForOthers(command: bigint, destination: bigint | undefined, x2apic: boolean): boolean {
    if ((command & 0xffff_ffffn & ~Command.fields) !== 0n) return false;
    if ((command & Command.shorthand) !== 0n) return (command & Command.shorthand) === Command.others;
    if (destination === undefined || destination === (x2apic ? 0xffff_ffffn : 0xffn)) return false;
    if ((command & Command.logical) === 0n) return destination !== BigInt(this.id);
    return x2apic && (destination >> 16n !== BigInt(this.id >>> 4) || (destination & (1n << BigInt(this.id & 15))) === 0n);
  }

  #ask(op: number, ...args: (number | bigint)[]): bigint | undefined {
    return this.#call(BigInt(op), ...args.map(BigInt));
  }

  #number(op: number): number | undefined {
    const value = this.#ask(op);
    return value === undefined ? undefined : Number(value);
  }

  get base(): bigint {
    return (this.#base ??= this.#ask(Op.base) ?? 0n);
  }

  offsetOf(address: bigint): number | undefined {
    const { base } = this;
    return (base & (Base.enable | Base.extd)) === Base.enable && address >> 12n === base >> 12n ? Number(address & 0xfffn) : undefined;
  }

  read(offset: number, width: AccessWidth): bigint {
    return this.#ask(Op.read, offset, width) ?? 0n;
  }

  write(offset: number, width: AccessWidth, value: bigint): void {
    if (width === 4 && offset === Page.destination) this.#destination = value >> 24n;
    const mayWait = width === 4 && (offset === Page.destination || (offset === Page.command && this.#isForOthers(value, this.#destination, false)));
    if (mayWait && this.#post(BigInt(Op.write), BigInt(offset), BigInt(width), value)) return;
    this.#ask(Op.write, offset, width, value);
  }

  readMsr(msr: number): bigint | undefined {
    const value = this.#ask(Op.readMsr, msr);
    return msr === MSR.tscDeadline && value !== undefined && value !== 0n ? this.#deadline : value;
  }

  writeMsr(msr: number, value: bigint): boolean {
    let sent = value;
    if (msr === MSR.tscDeadline) {
      this.#deadline = value;
      const ticks = value === 0n ? 0n : (this.#tsc?.ticksAt(value) ?? value);
      // Tick 0 is past; as a deadline it would be none.
      sent = value !== 0n && ticks === 0n ? 1n : ticks;
    }
    const isX2apic = msr === MSR.command && (this.base & (Base.enable | Base.extd)) === (Base.enable | Base.extd);
    const mayWait = msr === MSR.tscDeadline || (isX2apic && this.#isForOthers(value, value >> 32n, true));
    if (mayWait && this.#post(BigInt(Op.writeMsr), BigInt(msr), sent)) return true;
    const done = this.#ask(Op.writeMsr, msr, sent) === 1n;
    if (msr === MSR.apicBase) this.#base = undefined;
    return done;
  }

  get tpr(): number {
    return this.#number(Op.readTpr) ?? 0;
  }

  set tpr(value: number) {
    this.#ask(Op.writeTpr, value);
  }

  pending(): number | undefined {
    return this.#number(Op.pending);
  }

  acknowledge(): number {
    return this.#number(Op.acknowledge) ?? 0;
  }

  highestRequest(): number | undefined {
    return this.#number(Op.highestRequest);
  }

  take(event: 'nmi' | 'init'): boolean;
  take(event: 'sipi'): number | undefined;
  take(event: 'nmi' | 'init' | 'sipi'): boolean | number | undefined {
    if (event === 'sipi') return this.#number(Op.takeSipi);
    return this.#ask(event === 'nmi' ? Op.takeNmi : Op.takeInit) === 1n;
  }

  nextTimer(): Ticks | undefined {
    return this.#ask(Op.nextTimer);
  }

  raise(source: 'thermal' | 'performance'): void {
    this.#ask(source === 'thermal' ? Op.raiseThermal : Op.raisePerformance);
  }

  useTsc(tsc: TscClock): void {
    this.#tsc = tsc;
  }
}
