/** ACPI tables as files for firmware that places them itself, with the script that says how (QEMU, hw/acpi/bios-linker-loader). */
import { acpiTables, RSDP_CHECKSUMS, type AcpiMachine } from './tables.ts';

const TABLES = 'etc/acpi/tables';
const RSDP = 'etc/acpi/rsdp';
const SCRIPT = 'etc/table-loader';

/** A command has 128 bytes: its number, then names of files in 56 bytes each, and numbers. */
const COMMAND_SIZE = 128;
const NAME_SIZE = 56;
const Command = { allocate: 1, addPointer: 2, addChecksum: 3 } as const;
/** Where files are allocated: anywhere, or in the F segment, where systems look for the root pointer. */
const Zone = { high: 1, fSegment: 2 } as const;
const CHECKSUM = 9;
const LENGTH = 4;

/** Files by name. */
export function acpiLoaderFiles(machine: AcpiMachine): Record<string, Uint8Array> {
  // From address 0 on, pointers are offsets in the file.
  const { pieces, end, pointers, rsdp } = acpiTables(machine, 0);
  const tables = new Uint8Array(Number(end));
  for (const { address, bytes } of pieces) if (address !== rsdp) tables.set(bytes, Number(address));
  const root = pieces.find((p) => p.address === rsdp)?.bytes ?? new Uint8Array(0);
  const commands: Uint8Array[] = [];
  const command = (number: number, fill: (view: DataView, name: (at: number, text: string) => void) => void): void => {
    const bytes = new Uint8Array(COMMAND_SIZE);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, number, true);
    fill(view, (at, text) => bytes.set([...text].map((c) => c.charCodeAt(0)), at));
    commands.push(bytes);
  };
  const allocate = (file: string, align: number, zone: number): void =>
    command(Command.allocate, (view, name) => {
      name(4, file);
      view.setUint32(4 + NAME_SIZE, align, true);
      view.setUint8(8 + NAME_SIZE, zone);
    });
  const checksum = (file: string, at: number, start: number, length: number): void =>
    command(Command.addChecksum, (view, name) => {
      name(4, file);
      [at, start, length].forEach((n, i) => view.setUint32(4 + NAME_SIZE + 4 * i, n, true));
    });
  allocate(RSDP, 16, Zone.fSegment);
  allocate(TABLES, 64, Zone.high);
  for (const { table, offset, size } of pointers) {
    const inRoot = table === rsdp;
    command(Command.addPointer, (view, name) => {
      name(4, inRoot ? RSDP : TABLES);
      name(4 + NAME_SIZE, TABLES);
      view.setUint32(4 + 2 * NAME_SIZE, inRoot ? offset : Number(table) + offset, true);
      view.setUint8(8 + 2 * NAME_SIZE, size);
    });
  }
  for (const table of new Set(pointers.map((p) => p.table))) {
    if (table === rsdp) continue;
    const at = Number(table);
    tables[at + CHECKSUM] = 0;
    checksum(TABLES, at + CHECKSUM, at, new DataView(tables.buffer).getUint32(at + LENGTH, true));
  }
  for (const { at, length } of RSDP_CHECKSUMS) {
    root[at] = 0;
    checksum(RSDP, at, 0, length);
  }
  const script = new Uint8Array(COMMAND_SIZE * commands.length);
  for (const [i, bytes] of commands.entries()) script.set(bytes, COMMAND_SIZE * i);
  return { [TABLES]: tables, [RSDP]: root, [SCRIPT]: script };
}
