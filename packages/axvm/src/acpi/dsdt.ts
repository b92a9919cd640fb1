/** The definition block of a PC: PCI with its windows and interrupt routing, devices at ISA ports, power-off. */
import {
  ARG0, device, eisaId, fixedMemory, give, integer, ioPorts, isaIrq, memoryRange, method, name, path, pkg, resources, scope, store, when, wordRange, type Aml,
} from './aml.ts';

/** What the block describes. */
export interface PcDevices {
  readonly pciWindow: { readonly first: number; readonly last: number };
  readonly ecam: { readonly base: number; readonly size: number };
  readonly hpet: { readonly base: number; readonly size: number };
  readonly pm: number;
  /** Global system interrupt of PCI interrupt pin `pin` (0 to 3) of device `slot`, with I/O APIC and with the 8259 pair. */
  pciInterrupt(slot: number, pin: number): { readonly apic: number; readonly pic: number };
  /** Serial ports. */
  readonly uarts: readonly { readonly port: number; readonly irq: number }[];
}

const SLOTS = 32;
const PINS = 4;
/** The ports of configuration mechanism 1 lie between those that the bridge passes on. */
const CONFIG_PORTS = { first: 0xcf8, count: 8 } as const;

const isaDevice = (at: string, hid: string, ...descriptors: readonly Aml[]): Aml => device(at, name('_HID', eisaId(hid)), name('_CRS', resources(...descriptors)));

function routing(interrupt: (slot: number, pin: number) => number): Aml {
  const entries: Aml[] = [];
  for (let slot = 0; slot < SLOTS; slot++)
    for (let pin = 0; pin < PINS; pin++) entries.push(pkg(integer(slot * 0x1_0000 + 0xffff), integer(pin), integer(0), integer(interrupt(slot, pin))));
  return pkg(...entries);
}

/** AML of the block, header not included. */
export function pcDsdt({ pciWindow, ecam, hpet, pm, pciInterrupt, uarts }: PcDevices): number[] {
  return [
    // Systems tell by _PIC whether they use the I/O APIC.
    ...name('PICF', integer(0)),
    ...method('_PIC', 1, store(ARG0, path('PICF'))),
    // SLP_TYP of soft off.
    ...name('_S5', pkg(integer(0), integer(0), integer(0), integer(0))),
    ...scope(
      '_SB',
      device(
        'PCI0',
        name('_HID', eisaId('PNP0A03')),
        name('_UID', integer(0)),
        name('_BBN', integer(0)),
        name('_CRS', resources(
          wordRange('bus', 0, 0),
          ioPorts(CONFIG_PORTS.first, CONFIG_PORTS.count),
          wordRange('io', 0, CONFIG_PORTS.first - 1),
          wordRange('io', CONFIG_PORTS.first + CONFIG_PORTS.count, 0xffff),
          memoryRange(pciWindow.first, pciWindow.last),
        )),
        name('PRTA', routing((slot, pin) => pciInterrupt(slot, pin).apic)),
        name('PRTP', routing((slot, pin) => pciInterrupt(slot, pin).pic)),
        method('_PRT', 0, when(path('PICF'), give(path('PRTA'))), give(path('PRTP'))),
      ),
      // Places that nobody else may be given.
      isaDevice('MBRD', 'PNP0C02', fixedMemory(ecam.base, ecam.size), ioPorts(pm, 12), ioPorts(0x4d0, 2), ioPorts(0x80, 1), ioPorts(0x92, 1)),
      isaDevice('PIC', 'PNP0000', ioPorts(0x20, 2), ioPorts(0xa0, 2), isaIrq(2)),
      isaDevice('TIMR', 'PNP0100', ioPorts(0x40, 4), isaIrq(0)),
      isaDevice('HPET', 'PNP0103', fixedMemory(hpet.base, hpet.size)),
      isaDevice('RTC', 'PNP0B00', ioPorts(0x70, 2), isaIrq(8)),
      ...uarts.map(({ port, irq }, i) =>
        device(`COM${i + 1}`, name('_HID', eisaId('PNP0501')), name('_UID', integer(i + 1)), name('_CRS', resources(ioPorts(port, 8), isaIrq(irq)))),
      ),
    ),
  ];
}
