/**
 * A PC: memory map, devices and firmware tables. Ports and interrupts are those of the PC AT; ACPI registers and the host bridge are where QEMU's
 * board `pc` has them, so that what is built for it runs here.
 */
import type { DeviceSpec } from '@axvisor/axvisor_api/device';
import type { IntcOptions } from '@axvisor/axvisor_api/intc';
import { pcDsdt } from '../acpi/dsdt.ts';
import { acpiTables, type AcpiTables } from '../acpi/tables.ts';
import type { RamRegion } from '../image/placement.ts';

const LOCAL_APIC = 0xfee0_0000;
const IO_APIC = 0xfec0_0000;
/** RAM below 4 GiB ends here at most; then come PCI's memory, configuration space and the APICs. */
const LOW_RAM_END = 0xc000_0000n;
const HIGH_RAM = 0x1_0000_0000n;
const PCI_WINDOW = { first: 0xc000_0000, last: 0xdfff_ffff } as const;
const ECAM = { base: 0xe000_0000, size: 0x10_0000 } as const;
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

/** The interrupt of pin `pin` (0: INTA) of PCI device `slot`: devices take turns, as bridges wire them (PCI-to-PCI Bridge Specification, table 9-1). */
const pciPin = (slot: number, pin: number): number => (slot + pin) & 3;

/** What lies where for those who describe memory to a guest. */
export const PC_RESERVED: readonly { readonly base: bigint; readonly size: bigint }[] = [
  { base: BigInt(ECAM.base), size: BigInt(ECAM.size) },
  { base: BigInt(IO_APIC), size: 0x1000n },
  { base: BigInt(LOCAL_APIC), size: 0x1000n },
  { base: 0xfffc_0000n, size: 0x4_0000n },
];

/** The controllers as firmware leaves them, unless a guest brings its own. */
export const pcIntc = (firmware: boolean): IntcOptions => ({ base: BigInt(LOCAL_APIC), ioApicBase: BigInt(IO_APIC), firmwareState: !firmware });

/** `size` bytes of RAM: what does not fit below PCI's memory is above 4 GiB. */
export function pcRam(size: bigint): RamRegion[] {
  const low = size < LOW_RAM_END ? size : LOW_RAM_END;
  return [{ base: 0n, size: low }, ...(size > low ? [{ base: HIGH_RAM, size: size - low }] : [])];
}

/** The devices every PC here has. */
export function pcDevices(ram: readonly RamRegion[]): DeviceSpec[] {
  const bytes = (wanted: (r: RamRegion) => boolean): number => Number(ram.filter(wanted).reduce((sum, r) => sum + r.size, 0n));
  return [
    { model: 'pci-host', base: BigInt(ECAM.base), irq: 0, options: { window: PCI_WINDOW.first, windowSize: PCI_WINDOW.last + 1 - PCI_WINDOW.first } },
    { model: 'ns16550a', name: 'com1', base: BigInt(COM1.port), irq: COM1.irq, options: { space: 'port' } },
    { model: 'mc146818', base: 0x70n, irq: 8, options: { memory: bytes((r) => r.base < HIGH_RAM), memoryAbove4G: bytes((r) => r.base >= HIGH_RAM) } },
    { model: 'i8042', base: 0x60n, irq: 1 },
    { model: 'port92', base: 0x92n, irq: 0 },
    { model: 'port80', base: 0x80n, irq: 0 },
    { model: 'acpi-pm', base: BigInt(PM_BASE), irq: SCI },
    { model: 'isa-debug-exit', base: 0xf4n, irq: 0 },
    { model: 'isa-debug-exit', base: 0x501n, irq: 0 },
  ];
}

/** Free places for virtio functions, in order: devices 3 to 18. */
export const PC_VIRTIO_SLOTS: readonly Pick<DeviceSpec, 'base' | 'irq' | 'options'>[] = Array.from({ length: VIRTIO_COUNT }, (_, i) => {
  const slot = FIRST_VIRTIO_SLOT + i;
  return { base: BigInt(slot), irq: PCI_GSI + pciPin(slot, 0), options: { transport: 'pci' } };
});

/** ACPI's tables for a PC with these CPUs. */
export const pcAcpi = (apicIds: readonly bigint[]): AcpiTables =>
  acpiTables(
    {
      apicIds, localApic: LOCAL_APIC, ioApic: IO_APIC, pm: PM_BASE, sci: SCI, levelIrqs: [SCI, ...PCI_ISA_IRQS], ecam: ECAM.base,
      dsdt: pcDsdt({
        pciWindow: PCI_WINDOW, ecam: ECAM, pm: PM_BASE, uarts: [COM1],
        pciInterrupt: (slot, pin) => ({ apic: PCI_GSI + pciPin(slot, pin), pic: PCI_ISA_IRQS[pciPin(slot, pin) & 1] as number }),
      }),
    },
    ACPI_BASE,
  );
