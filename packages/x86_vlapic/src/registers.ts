/** The local APIC's registers: as a page of memory (Intel SDM volume 3, table 11-1) and as MSRs (11.12.1.2). One table serves both. */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { Delivery, type Message } from './message.ts';
import type { ApicTimer } from './timer.ts';
import type { VectorSet } from './vector_set.ts';

/** Error status (11.5.3). */
export const EsrBit = { sendIllegalVector: 0x20, receiveIllegalVector: 0x40, illegalRegister: 0x80 } as const;

export type Shorthand = 'none' | 'self' | 'all' | 'others';

/** What the registers show. */
export interface ApicState {
  readonly id: number;
  readonly x2apic: boolean;
  tpr: number;
  readonly ppr: number;
  ldr: number;
  dfr: number;
  readonly svr: number;
  readonly esr: number;
  icr: bigint;
  readonly isr: VectorSet;
  readonly tmr: VectorSet;
  readonly irr: VectorSet;
  readonly timer: ApicTimer;
  setSvr(value: number): void;
  /** An entry of the local vector table. */
  lvt(entry: number): number;
  setLvt(entry: number, value: number): void;
  /** Bits of the LVT register `entry` that software may set in x2APIC mode; the read-only ones do not count as reserved. */
  lvtValid(entry: number): number;
  endOfInterrupt(): void;
  /** A write to ESR shows the errors found since the last one. */
  latchErrors(): void;
  error(bit: number): void;
  send(message: Message, shorthand: Shorthand): void;
}

/** Version 0x14, six LVT entries, EOI broadcasts can be suppressed. */
const VERSION = 0x0105_0014;

interface Register {
  readonly read?: (apic: ApicState) => number;
  readonly write?: (apic: ApicState, value: number) => void;
  /** Bits that may be set by WRMSR; others are #GP. Default: all. */
  readonly valid?: number | ((apic: ApicState) => number);
  /** It is in the page, but no MSR. */
  readonly pageOnly?: true;
  /** It is an MSR, but not in the page. */
  readonly msrOnly?: true;
}

const lvt = (entry: number): Register => ({
  read: (a) => a.lvt(entry),
  write: (a, value) => a.setLvt(entry, value),
  valid: (a) => a.lvtValid(entry),
});

const vectors = (first: number, set: (a: ApicState) => VectorSet): (readonly [number, Register])[] =>
  Array.from({ length: 8 }, (_, i) => [first + i, { read: (a) => set(a).words[i] as number }] as const);

const ICR_LOW = 0x30;
const ICR_HIGH = 0x31;
/** ICR bits other than the destination; in the page the rest does not exist, in x2APIC mode it is reserved. */
const ICR_VALID = 0xc_dfff;
const ICR_STORED = 0xc_cfff;
const SELF_IPI = 0x3f;

/** By offset / 16, which is also the MSR number - 0x800. */
const REGISTERS: ReadonlyMap<number, Register> = new Map<number, Register>([
  [0x02, { read: (a) => (a.x2apic ? a.id : (a.id & 0xff) << 24) }],
  [0x03, { read: () => VERSION }],
  [0x08, { read: (a) => a.tpr, write: (a, value) => void (a.tpr = value), valid: 0xff }],
  // The arbitration priority and remote-read registers of older processors.
  [0x09, { read: () => 0, pageOnly: true }],
  [0x0a, { read: (a) => a.ppr }],
  [0x0b, { write: (a) => a.endOfInterrupt(), valid: 0 }],
  [0x0c, { read: () => 0, pageOnly: true }],
  [0x0d, { read: (a) => a.ldr, write: (a, value) => void (a.ldr = value & 0xff00_0000) }],
  [0x0e, { read: (a) => a.dfr, write: (a, value) => void (a.dfr = value | 0x0fff_ffff), pageOnly: true }],
  [0x0f, { read: (a) => a.svr, write: (a, value) => a.setSvr(value), valid: 0x13ff }],
  ...vectors(0x10, (a) => a.isr),
  ...vectors(0x18, (a) => a.tmr),
  ...vectors(0x20, (a) => a.irr),
  [0x28, { read: (a) => a.esr, write: (a) => a.latchErrors(), valid: 0 }],
  [ICR_LOW, { read: (a) => Number(a.icr & 0xffff_ffffn), write: (a, value) => writeIcr(a, (a.icr & ~0xffff_ffffn) | BigInt(value & ICR_STORED)) }],
  [ICR_HIGH, {
    read: (a) => Number(a.icr >> 32n),
    write: (a, value) => void (a.icr = (a.icr & 0xffff_ffffn) | (BigInt((value & 0xff00_0000) >>> 0) << 32n)),
    pageOnly: true,
  }],
  ...[0, 1, 2, 3, 4, 5].map((entry) => [0x32 + entry, lvt(entry)] as const),
  [0x38, { read: (a) => a.timer.initialCount, write: (a, value) => a.timer.setInitialCount(value) }],
  [0x39, { read: (a) => a.timer.currentCount() }],
  [0x3e, { read: (a) => a.timer.divide, write: (a, value) => a.timer.setDivide(value), valid: 0xb }],
  [SELF_IPI, { write: (a, value) => writeIcr(a, BigInt(0x4_0000 | (value & 0xff)), false), valid: 0xff, msrOnly: true }],
]);

/** In x2APIC mode the logical destination is given. */
const READ_ONLY_AS_MSR = new Set([0x0d]);

const SHORTHANDS: readonly [Shorthand, Shorthand, Shorthand, Shorthand] = ['none', 'self', 'all', 'others'];

/** The interrupt command register (11.6.1): sends what is written to its lower half. */
function writeIcr(apic: ApicState, value: bigint, keep = true): void {
  if (keep) apic.icr = value;
  const low = Number(value & 0xffff_ffffn);
  const vector = low & 0xff;
  const delivery = (low >>> 8) & 7;
  const asserted = (low & 0x4000) !== 0;
  const level = (low & 0x8000) !== 0;
  const shorthand = SHORTHANDS[((low >>> 18) & 3) as 0 | 1 | 2 | 3];
  // INIT level de-assert once set arbitration IDs; processors since the Pentium 4 ignore it.
  if (delivery === Delivery.init && level && !asserted) return;
  // Table 11-3: with these shorthands only fixed interrupts are valid.
  if ((shorthand === 'self' || shorthand === 'all') && delivery !== Delivery.fixed) return;
  if (delivery === 3 || delivery === Delivery.extInt) return;
  if ((delivery === Delivery.fixed || delivery === Delivery.lowestPriority) && vector < 16) return apic.error(EsrBit.sendIllegalVector);
  apic.send(
    {
      vector, delivery, level: false,
      logical: (low & 0x800) !== 0,
      destination: Number(value >> (apic.x2apic ? 32n : 56n)),
      wide: apic.x2apic,
    },
    shorthand,
  );
}

/**
 * An access to the page, a read unless there is a `value`. Registers are 32 bits at multiples of 16 (11.4.1); what is narrower or beside them reads
 * parts and is not written.
 */
export function accessPage(apic: ApicState, offset: number, width: AccessWidth, value?: bigint): bigint {
  const register = REGISTERS.get(offset >>> 4);
  if (register === undefined || register.msrOnly === true) {
    apic.error(EsrBit.illegalRegister);
    return 0n;
  }
  if (value !== undefined) {
    if ((offset & 15) === 0 && width >= 4) register.write?.(apic, Number(value & 0xffff_ffffn));
    return 0n;
  }
  const word = BigInt((register.read?.(apic) ?? 0) >>> 0);
  return BigInt.asUintN(8 * width, word >> BigInt(8 * (offset & 15)));
}

/** RDMSR of 0x800 + `index`. `undefined`: #GP. */
export function readX2apic(apic: ApicState, index: number): bigint | undefined {
  const register = REGISTERS.get(index);
  if (register?.read === undefined || register.pageOnly === true) return undefined;
  return index === ICR_LOW ? apic.icr : BigInt(register.read(apic) >>> 0);
}

/** WRMSR of 0x800 + `index`. `false`: #GP. */
export function writeX2apic(apic: ApicState, index: number, value: bigint): boolean {
  const register = REGISTERS.get(index);
  if (register?.write === undefined || register.pageOnly === true || READ_ONLY_AS_MSR.has(index)) return false;
  if (index === ICR_LOW) {
    if ((value & 0xffff_ffffn & ~BigInt(ICR_VALID)) !== 0n) return false;
    writeIcr(apic, value & ~0x1000n);
    return true;
  }
  const valid = typeof register.valid === 'function' ? register.valid(apic) : (register.valid ?? 0xffff_ffff);
  if ((value & ~BigInt(valid >>> 0)) !== 0n) return false;
  register.write(apic, Number(value));
  return true;
}
