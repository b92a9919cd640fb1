/**
 * A PC: memory map, devices and firmware tables. Ports and interrupts are those of the PC AT; ACPI registers and the host bridge are where QEMU's
 * board `pc` has them, so that what is built for it runs here.
 */
import type { DeviceSpec } from '@axvisor/axvisor_api/device';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { pcDsdt } from '../acpi/dsdt.ts';
import { acpiLoaderFiles } from '../acpi/loader.ts';
import { acpiTables, type AcpiMachine, type AcpiTables } from '../acpi/tables.ts';
import type { BootPlan } from '../image/boot_plan.ts';
import type { LoadPiece } from '../image/kernel.ts';
import { checkPlaced } from '../image/placement.ts';
import { bootStub, planFirmware } from '../image/x86/firmware.ts';
import { memoryMap } from '../image/x86/memory_map.ts';
import { isPcKernel, planPcBoot } from '../image/x86/plan.ts';
import { placedOf } from '../image/x86/request.ts';
import { startReal } from '../image/x86/start.ts';
import type { Board, BoardBoot, BoardOptions } from './board.ts';

const LOCAL_APIC = 0xfee0_0000;
const IO_APIC = 0xfec0_0000;
/** High-precision event timers: where they are, and what they say of themselves (three timers of 64 bits, with legacy replacement). */
const HPET = { base: 0xfed0_0000, id: 0x8086_a201 } as const;
const HPET_SIZE = 0x400;
/** RAM below 4 GiB ends here at most; then come PCI's memory, configuration space and the APICs. */
const LOW_RAM_END = 0xc000_0000n;
const HIGH_RAM = 0x1_0000_0000n;
const ECAM = { base: 0xc000_0000, size: 0x10_0000 } as const;
/** Up to the I/O APIC, since firmware gives addresses from the top. */
const PCI_WINDOW = { first: 0xc010_0000, last: 0xfebf_ffff } as const;
const PM_BASE = 0x600;
const SCI = 9;
/** Firmware's tables, in the area where systems look for the root pointer. */
const ACPI_BASE = 0xe_0000;
/** PCI interrupts A to D start here at the I/O APIC; systems that use the 8259 pair have them at 10 and 11. */
const PCI_GSI = 16;
const PCI_ISA_IRQS = [10, 11] as const;
const COM1 = { port: 0x3f8, irq: 4 } as const;
const FIRST_VIRTIO_SLOT = 3;
const VIRTIO_COUNT = 16;
/** Firmware knows what is below 1 MiB itself. */
const FIRMWARE_MAP_FROM = 0x10_0000n;
const E820_ENTRY = 20;

/** The interrupt of pin `pin` (0: INTA) of PCI device `slot`: devices take turns, as bridges wire them (PCI-to-PCI Bridge Specification, table 9-1). */
const pciPin = (slot: number, pin: number): number => (slot + pin) & 3;

/** What lies where for those who describe memory to a guest. */
export const PC_RESERVED: readonly { readonly base: bigint; readonly size: bigint }[] = [
  { base: BigInt(ECAM.base), size: BigInt(ECAM.size) },
  { base: BigInt(IO_APIC), size: 0x1000n },
  { base: BigInt(HPET.base), size: 0x1000n },
  { base: BigInt(LOCAL_APIC), size: 0x1000n },
  { base: 0xfffc_0000n, size: 0x4_0000n },
];

/** RAM around PCI's memory: what a region has beyond its start continues above 4 GiB. */
export const pcMemory = <R extends { readonly gpa: bigint; readonly size: bigint }>(regions: readonly R[]): R[] =>
  regions.flatMap((region) => {
    const { gpa, size } = region;
    if (gpa >= LOW_RAM_END || gpa + size <= LOW_RAM_END) return [region];
    const low = LOW_RAM_END - gpa;
    return [{ ...region, size: low }, { ...region, gpa: HIGH_RAM, size: size - low }];
  });

/** The devices every PC here has. */
function pcDevices(ram: readonly { readonly gpa: bigint; readonly size: bigint }[], cpus: number): DeviceSpec[] {
  const bytes = (isHigh: boolean): number => Number(ram.filter((r) => r.gpa >= HIGH_RAM === isHigh).reduce((sum, r) => sum + r.size, 0n));
  return [
    { model: 'pci-host', base: BigInt(ECAM.base), irq: 0, options: { window: PCI_WINDOW.first, windowSize: PCI_WINDOW.last + 1 - PCI_WINDOW.first } },
    { model: 'ns16550a', name: 'com1', base: BigInt(COM1.port), irq: COM1.irq, options: { space: 'port' } },
    { model: 'mc146818', base: 0x70n, irq: 8, options: { memory: bytes(false), memoryAbove4G: bytes(true), cpus } },
    { model: 'i8042', base: 0x60n, irq: 1 },
    { model: 'port92', base: 0x92n, irq: 0 },
    { model: 'port80', base: 0x80n, irq: 0 },
    { model: 'acpi-pm', base: BigInt(PM_BASE), irq: SCI },
    { model: 'isa-debug-exit', base: 0xf4n, irq: 0 },
    { model: 'isa-debug-exit', base: 0x501n, irq: 0 },
  ];
}

/** Free places for virtio functions, in order: devices 3 to 18. */
const VIRTIO_SLOTS: readonly Pick<DeviceSpec, 'base' | 'irq' | 'options'>[] = Array.from({ length: VIRTIO_COUNT }, (_, i) => {
  const slot = FIRST_VIRTIO_SLOT + i;
  return { base: BigInt(slot), irq: PCI_GSI + pciPin(slot, 0), options: { transport: 'pci' } };
});

/** What ACPI's tables say of a PC with these CPUs. */
export const pcAcpiMachine = (apicIds: readonly bigint[]): AcpiMachine => ({
  apicIds, localApic: LOCAL_APIC, ioApic: IO_APIC, pm: PM_BASE, sci: SCI, levelIrqs: [SCI, ...PCI_ISA_IRQS], ecam: ECAM.base, hpet: HPET,
  dsdt: pcDsdt({
    pciWindow: PCI_WINDOW, ecam: ECAM, hpet: { base: HPET.base, size: HPET_SIZE }, pm: PM_BASE, uarts: [COM1],
    pciInterrupt: (slot, pin) => ({ apic: PCI_GSI + pciPin(slot, pin), pic: PCI_ISA_IRQS[pciPin(slot, pin) & 1] as number }),
  }),
});

/** ACPI's tables for a PC with these CPUs. */
export const pcAcpi = (apicIds: readonly bigint[]): AcpiTables => acpiTables(pcAcpiMachine(apicIds), ACPI_BASE);

/** What whoever asks is told: the number of CPUs and memory; firmware gets tables and the memory map besides, which kernels are handed in other ways. */
function firmwareConfig(ram: readonly { readonly gpa: bigint; readonly size: bigint }[], apicIds: readonly bigint[], firmware: boolean): DeviceSpec {
  const memory = Number(ram.filter((r) => r.gpa < HIGH_RAM).reduce((sum, r) => sum + r.size, 0n));
  return { model: 'fw-cfg', base: 0x510n, irq: 0, options: { cpus: apicIds.length, memory, ...(firmware ? { files: firmwareFiles(ram, apicIds) } : {}) } };
}

function firmwareFiles(ram: readonly { readonly gpa: bigint; readonly size: bigint }[], apicIds: readonly bigint[]): Readonly<Record<string, Uint8Array>> {
  const map = memoryMap(ram.map(({ gpa, size }) => ({ base: gpa, size })), PC_RESERVED).filter((r) => r.base >= FIRMWARE_MAP_FROM);
  const e820 = new DataView(new ArrayBuffer(E820_ENTRY * map.length));
  for (const [i, { base, size, type }] of map.entries()) {
    e820.setBigUint64(E820_ENTRY * i, base, true);
    e820.setBigUint64(E820_ENTRY * i + 8, size, true);
    e820.setUint32(E820_ENTRY * i + 16, type, true);
  }
  return { ...acpiLoaderFiles(pcAcpiMachine(apicIds)), 'etc/e820': new Uint8Array(e820.buffer) };
}

/** The first instruction of a start. */
const entryOf = ({ rip, code, codeBase, mode }: NonNullable<BootPlan['start']>): bigint => rip + (codeBase ?? (mode === 'real' ? BigInt(code) << 4n : 0n));

const whole = (address: bigint, bytes: Uint8Array): LoadPiece => ({ address, bytes, memorySize: BigInt(bytes.length) });

/** Firmware in ROM; a loader of the guest's own at an address in RAM with a raw kernel; a raw kernel alone; or a kernel of a known format. */
function plan({ config, images, ram, cpuIds }: BoardBoot): BootPlan {
  const { kernel, bios } = images;
  const none = { dtbAddress: undefined, initrd: undefined };
  ensure(images.dtb === undefined, 'InvalidInput', `VM ${config.id} has a device tree; a PC describes itself by ACPI's tables`);
  // What a loader of the guest's own starts is put where it expects it, whatever it is.
  const rawAt = kernel !== undefined && (bios !== undefined || !isPcKernel(kernel)) ? config.kernel?.loadAddr : undefined;
  if (bios !== undefined && config.bios?.loadAddr === undefined) {
    ensure(kernel === undefined, 'InvalidInput', `VM ${config.id} has firmware and a kernel; firmware here loads its systems from disk`);
    const { start, rom, shadow } = planFirmware(bios);
    return { ...none, entry: entryOf(start), start, pieces: [rom, shadow], placed: [placedOf('firmware', shadow)], rom: [{ address: rom.address, size: rom.memorySize }] };
  }
  const acpi = pcAcpi(cpuIds);
  ensure(bios === undefined || kernel === undefined || rawAt !== undefined, 'InvalidInput', `VM ${config.id}: a kernel that a boot loader starts needs a load address`);
  if (bios !== undefined || rawAt !== undefined) {
    const loader = bios === undefined || config.bios?.loadAddr === undefined ? undefined : whole(config.bios.loadAddr, bios);
    const stub = loader === undefined && config.entryPoint === undefined ? bootStub(rawAt) : undefined;
    const start = stub?.start ?? startReal(config.entryPoint ?? loader?.address ?? 0n).start;
    const first = loader ?? stub?.piece;
    const image = kernel === undefined || rawAt === undefined ? undefined : whole(rawAt, kernel);
    const placed = [...(first === undefined ? [] : [placedOf('firmware', first)]), ...(image === undefined ? [] : [placedOf('kernel', image)])];
    checkPlaced(placed, ram);
    return { ...none, entry: entryOf(start), start, pieces: [...(first === undefined ? [] : [first]), ...(image === undefined ? [] : [image]), ...acpi.pieces.map((p) => whole(p.address, p.bytes))], placed };
  }
  if (kernel === undefined) throw axError('InvalidInput', `VM ${config.id} has neither a kernel nor firmware`);
  const { start, pieces, placed } = planPcBoot({
    kernel, initrd: images.ramdisk, cmdline: config.cmdline ?? '', ram, reserved: PC_RESERVED, rsdp: acpi.rsdp,
    ...(config.kernel?.loadAddr === undefined ? {} : { loadAddr: config.kernel.loadAddr }),
  });
  const from = config.entryPoint === undefined ? start : { ...start, rip: config.entryPoint };
  return { ...none, entry: entryOf(from), start: from, pieces: [...pieces, ...acpi.pieces.map((p) => whole(p.address, p.bytes))], placed };
}

/** The board for a configuration: its memory tells the clock what firmware wants to know. */
export function pcX86_64({ memoryRegions, bios, cpuNum, physCpuIds }: BoardOptions): Board {
  const ram = pcMemory(memoryRegions);
  const apicIds = physCpuIds ?? Array.from({ length: cpuNum }, (_, i) => BigInt(i));
  const firmware = bios !== undefined && bios.loadAddr === undefined;
  return {
    ramBase: 0n,
    gpaBits: 40,
    intc: { base: BigInt(LOCAL_APIC), ioApicBase: BigInt(IO_APIC), hpetBase: BigInt(HPET.base), firmwareState: !firmware },
    devices: [...pcDevices(ram, cpuNum), firmwareConfig(ram, apicIds, firmware)],
    layoutRam: pcMemory,
    virtioSlots: VIRTIO_SLOTS,
    cpuId: BigInt,
    startsAllCpus: true,
    plan,
  };
}
