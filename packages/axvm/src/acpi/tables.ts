/** ACPI's tables (ACPI 6.5, chapter 5): RSDP, RSDT, XSDT, FADT, FACS, MADT, MCFG and HPET of a PC, and where each lies. */

const OEM_ID = 'AXVSOR';
const OEM_TABLE_ID = 'AXVISOR ';
const CREATOR = 'AXVS';
const HEADER = 36;

/** What the tables tell of a machine. Addresses and ports as numbers: all lie below 4 GiB. */
export interface AcpiMachine {
  /** x2APIC IDs. */
  readonly apicIds: readonly bigint[];
  readonly localApic: number;
  readonly ioApic: number;
  /** PM1a event registers; control and timer follow at 4 and 8. */
  readonly pm: number;
  /** The system control interrupt. */
  readonly sci: number;
  /** Interrupts that are level-triggered. */
  readonly levelIrqs: readonly number[];
  readonly ecam: number;
  /** High-precision event timers: their registers, and the identifier that the first of them shows (its lower half). */
  readonly hpet: { readonly base: number; readonly id: number };
  /** The definition block's AML. */
  readonly dsdt: readonly number[];
}

/** Bytes of a table being written, with the fields that all tables have. */
class Table {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(signature: string, revision: number, length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
    this.text(0, signature);
    this.u32(4, length);
    this.bytes[8] = revision;
    this.text(10, OEM_ID);
    this.text(16, OEM_TABLE_ID);
    this.u32(24, 1);
    this.text(28, CREATOR);
    this.u32(32, 1);
  }

  text(at: number, value: string): void {
    for (const [i, c] of [...value].entries()) this.bytes[at + i] = c.charCodeAt(0);
  }

  u8(at: number, value: number): void {
    this.bytes[at] = value;
  }

  u16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }

  u32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  u64(at: number, value: number | bigint): void {
    this.view.setBigUint64(at, BigInt(value), true);
  }

  /** A generic address of `bits` I/O port bits (5.2.3.2). */
  port(at: number, port: number, bits: number): void {
    this.bytes.set([1, bits, 0, bits === 8 ? 1 : bits === 16 ? 2 : 3], at);
    this.u64(at + 4, port);
  }

  sealed(): Uint8Array {
    seal(this.bytes, 9, this.bytes.length);
    return this.bytes;
  }
}

/** Makes the first `length` bytes add up to 0 with the byte at `at`. */
function seal(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = 0;
  bytes[at] = -bytes.subarray(0, length).reduce((sum, b) => sum + b, 0) & 0xff;
}

/** Fixed feature flags (table 5.10). */
const Fadt = { wbinvd: 1 << 0, c1: 1 << 2, noSleepButton: 1 << 5, noFixedClock: 1 << 6, resetRegister: 1 << 10 } as const;
/** Boot architecture flags (table 5.11): legacy devices are there, a keyboard controller for keyboards and VGA are not. */
const LEGACY_WITHOUT_VGA = 0x0005;
const NO_C_STATE = 0xfff;
const RESET_PORT = 0xcf9;
const RESET_VALUE = 6;
const CENTURY_REGISTER = 0x32;
/** Offset from PM1a_EVT. */
const Pm = { control: 4, timer: 8 } as const;

function fadt({ pm, sci }: AcpiMachine, facsAt: number, dsdtAt: number): Uint8Array {
  const t = new Table('FACP', 6, 276);
  t.u32(36, facsAt);
  t.u32(40, dsdtAt);
  t.u16(46, sci);
  t.u32(56, pm);
  t.u32(64, pm + Pm.control);
  t.u32(76, pm + Pm.timer);
  t.u8(88, 4);
  t.u8(89, 2);
  t.u8(91, 4);
  t.u16(96, NO_C_STATE);
  t.u16(98, NO_C_STATE);
  t.u8(108, CENTURY_REGISTER);
  t.u16(109, LEGACY_WITHOUT_VGA);
  t.u32(112, Fadt.wbinvd | Fadt.c1 | Fadt.noSleepButton | Fadt.noFixedClock | Fadt.resetRegister);
  t.port(116, RESET_PORT, 8);
  t.u8(128, RESET_VALUE);
  t.u8(131, 5);
  t.u64(140, dsdtAt);
  t.port(148, pm, 32);
  t.port(172, pm + Pm.control, 16);
  t.port(208, pm + Pm.timer, 32);
  t.text(268, 'AXVISOR');
  return t.sealed();
}

function facs(): Uint8Array {
  const t = new Table('FACS', 0, 64);
  t.bytes.fill(0, 8);
  t.u8(32, 2);
  return t.bytes;
}

/** Interrupt source override: active high; edge-triggered is ISA's default, level has to be said. */
const ACTIVE_HIGH_LEVEL = 0x0d;
const MAX_XAPIC_ID = 254n;

function madt({ apicIds, localApic, ioApic, levelIrqs }: AcpiMachine): Uint8Array {
  const u16 = (n: number): number[] => [n & 0xff, n >> 8];
  const u32 = (n: number): number[] => [...u16(n & 0xffff), ...u16(n >>> 16)];
  const override = (irq: number, gsi: number, flags: number): number[] => [2, 10, 0, irq, ...u32(gsi), ...u16(flags)];
  const wide = apicIds.some((id) => id > MAX_XAPIC_ID);
  const entries = [
    ...apicIds.map((id, uid) => (id <= MAX_XAPIC_ID && uid < 0xff ? [0, 8, uid, Number(id), ...u32(1)] : [9, 16, 0, 0, ...u32(Number(id)), ...u32(1), ...u32(uid)])),
    [1, 12, 0, 0, ...u32(ioApic), ...u32(0)],
    override(0, 2, 0),
    ...levelIrqs.map((irq) => override(irq, irq, ACTIVE_HIGH_LEVEL)),
    // NMI is at LINT1 of all processors.
    [4, 6, 0xff, ...u16(0), 1],
    ...(wide ? [[0x0a, 12, ...u16(0), ...u32(0xffff_ffff), 1, 0, 0, 0]] : []),
  ].flat();
  const t = new Table('APIC', 5, HEADER + 8 + entries.length);
  t.u32(36, localApic);
  // A pair of 8259s is there, too.
  t.u32(40, 1);
  t.bytes.set(entries, 44);
  return t.sealed();
}

function mcfg({ ecam }: AcpiMachine): Uint8Array {
  const t = new Table('MCFG', 1, HEADER + 8 + 16);
  t.u64(44, ecam);
  return t.sealed();
}

/** The least interval at which timer 0 keeps up in periodic mode, in clocks. */
const HPET_MIN_TICK = 2000;

/** IA-PC HPET specification 1.0a, 3.2.4. */
function hpet({ hpet: { base, id } }: AcpiMachine): Uint8Array {
  const t = new Table('HPET', 1, HEADER + 20);
  t.u32(36, id);
  // In memory, with registers of 64 bits.
  t.bytes.set([0, 64, 0, 0], 40);
  t.u64(44, base);
  t.u16(53, HPET_MIN_TICK);
  return t.sealed();
}

function addressTable(signature: string, addresses: readonly number[], width: 4 | 8): Uint8Array {
  const t = new Table(signature, 1, HEADER + width * addresses.length);
  for (const [i, a] of addresses.entries()) (width === 4 ? t.u32.bind(t) : t.u64.bind(t))(HEADER + width * i, a);
  return t.sealed();
}

function definitionBlock(aml: readonly number[]): Uint8Array {
  const t = new Table('DSDT', 2, HEADER + aml.length);
  t.bytes.set(aml, HEADER);
  return t.sealed();
}

const RSDP_SIZE = 36;
const TABLE_ALIGN = 64;
/** The root pointer's checksums: of its first version and of all. */
export const RSDP_CHECKSUMS: readonly { readonly at: number; readonly length: number }[] = [{ at: 8, length: 20 }, { at: 32, length: RSDP_SIZE }];
/** Addresses in the FADT. */
const FADT_POINTERS = [[36, 4], [40, 4], [140, 8]] as const;

/** ACPI tables at their addresses. */
export interface AcpiTables {
  /** Where the root pointer is, for boot protocols. */
  readonly rsdp: bigint;
  readonly pieces: readonly { readonly address: bigint; readonly bytes: Uint8Array }[];
  /** The first byte behind them. */
  readonly end: bigint;
  /** Fields that hold addresses: of which table, where in it, of how many bytes. */
  readonly pointers: readonly { readonly table: bigint; readonly offset: number; readonly size: 4 | 8 }[];
}

/** Writes the tables of `machine` from `base` on, below 1 MiB in paragraphs where systems look for the root pointer. */
export function acpiTables(machine: AcpiMachine, base: number): AcpiTables {
  const pieces: { readonly address: bigint; readonly bytes: Uint8Array }[] = [];
  let next = base + TABLE_ALIGN;
  const place = (bytes: Uint8Array): number => {
    const at = next;
    pieces.push({ address: BigInt(at), bytes });
    next = (at + bytes.length + TABLE_ALIGN - 1) & -TABLE_ALIGN;
    return at;
  };
  const facsAt = place(facs());
  const dsdtAt = place(definitionBlock(machine.dsdt));
  const fadtAt = place(fadt(machine, facsAt, dsdtAt));
  const listed = [fadtAt, ...[madt(machine), mcfg(machine), hpet(machine)].map(place)];
  const rsdtAt = place(addressTable('RSDT', listed, 4));
  const xsdtAt = place(addressTable('XSDT', listed, 8));
  const rsdp = new Uint8Array(RSDP_SIZE);
  const view = new DataView(rsdp.buffer);
  for (const [i, c] of [...'RSD PTR '].entries()) rsdp[i] = c.charCodeAt(0);
  for (const [i, c] of [...OEM_ID].entries()) rsdp[9 + i] = c.charCodeAt(0);
  rsdp[15] = 2;
  view.setUint32(16, rsdtAt, true);
  view.setUint32(20, RSDP_SIZE, true);
  view.setBigUint64(24, BigInt(xsdtAt), true);
  for (const { at, length } of RSDP_CHECKSUMS) seal(rsdp, at, length);
  pieces.push({ address: BigInt(base), bytes: rsdp });
  const pointers = [
    ...FADT_POINTERS.map(([offset, size]) => ({ table: BigInt(fadtAt), offset, size })),
    ...listed.map((_, i) => ({ table: BigInt(rsdtAt), offset: HEADER + 4 * i, size: 4 as const })),
    ...listed.map((_, i) => ({ table: BigInt(xsdtAt), offset: HEADER + 8 * i, size: 8 as const })),
    { table: BigInt(base), offset: 16, size: 4 as const },
    { table: BigInt(base), offset: 24, size: 8 as const },
  ];
  return { rsdp: BigInt(base), pieces, end: BigInt(next), pointers };
}
