/** The memory map and devices of QEMU's RISC-V `virt` machine (QEMU, docs/system/riscv/virt), so that what is built for it runs here. */
import { cpuFdtProperties } from '@axvisor/axvisor_api/vcpu';
import type { Device } from '@axvisor/axvisor_api/device';
import { tickFrequency } from '@axvisor/axvisor_api/time';
import { cells64, node, writeFdt, type DeviceTreeNode } from '../fdt/writer.ts';
import type { Board, BoardTree } from './board.ts';

const PLIC_BASE = 0x0c00_0000n;
const PLIC_SIZE = 0x60_0000n;
const PLIC_SOURCES = 95;
const UART_BASE = 0x1000_0000n;
const IRQ_S_EXT = 9;
const VIRTIO_COUNT = 8;

/** Phandles: the PLIC, the test device (for syscon-poweroff), and one for each hart's local controller. */
const Phandle = { plic: 1, test: 2, firstCpu: 0x10 } as const;

const SYSCON_POWEROFF = 0x5555;
const SYSCON_REBOOT = 0x7777;

export const virtRiscv64: Board = {
  ramBase: 0x8000_0000n,
  gpaBits: 41,
  intc: { base: PLIC_BASE, sources: PLIC_SOURCES },
  devices: [
    { model: 'sifive-test', base: 0x10_0000n, irq: 0 },
    { model: 'goldfish-rtc', base: 0x10_1000n, irq: 11 },
    { model: 'ns16550a', base: UART_BASE, irq: 10 },
  ],
  virtioSlots: Array.from({ length: VIRTIO_COUNT }, (_, i) => ({ base: 0x1000_1000n + 0x1000n * BigInt(i), irq: 1 + i })),
  deviceTree,
};

const hex = (value: bigint): string => value.toString(16);
const reg = (base: bigint, size: bigint): number[] => [...cells64(base), ...cells64(size)];

function cpus(cpuIds: readonly bigint[]): DeviceTreeNode {
  const children: Record<string, DeviceTreeNode> = {};
  cpuIds.forEach((id, i) => {
    children[`cpu@${hex(id)}`] = node(
      { device_type: 'cpu', reg: [Number(id)], status: 'okay', ...cpuFdtProperties() },
      {
        'interrupt-controller': node({
          '#interrupt-cells': [1], 'interrupt-controller': true, compatible: 'riscv,cpu-intc', phandle: [Phandle.firstCpu + i],
        }),
      },
    );
  });
  return node({ '#address-cells': [1], '#size-cells': [0], 'timebase-frequency': [Number(tickFrequency())] }, children);
}

function deviceNode(device: Device, irq: number): [string, DeviceTreeNode] | undefined {
  const region = device.regions.find((r) => r.space === 'mmio');
  if (device.fdt === undefined || region === undefined) return undefined;
  const { start, end } = region.range;
  const wired = irq === 0 ? {} : { interrupts: [irq], 'interrupt-parent': [Phandle.plic] };
  const phandle = device.model === 'sifive-test' ? { phandle: [Phandle.test] } : {};
  return [
    `${device.fdt.node}@${hex(start)}`,
    node({ compatible: device.fdt.compatible, reg: reg(start, end - start), ...wired, ...phandle, ...device.fdt.properties }),
  ];
}

function plic(cpuCount: number): DeviceTreeNode {
  return node({
    compatible: ['sifive,plic-1.0.0', 'riscv,plic0'],
    reg: reg(PLIC_BASE, PLIC_SIZE),
    '#address-cells': [0], '#interrupt-cells': [1], 'interrupt-controller': true, 'riscv,ndev': [PLIC_SOURCES],
    // Contexts are numbered as on a hart with M- and S-mode; a guest has only the latter.
    'interrupts-extended': Array.from({ length: cpuCount }, (_, i) => [Phandle.firstCpu + i, 0xffff_ffff, Phandle.firstCpu + i, IRQ_S_EXT]).flat(),
    phandle: [Phandle.plic],
  });
}

function deviceTree({ cpuIds, memory, cmdline, initrd, bus, irqs }: BoardTree): Uint8Array {
  const devices = bus.devices();
  const soc: Record<string, DeviceTreeNode> = { [`plic@${hex(PLIC_BASE)}`]: plic(cpuIds.length) };
  for (const device of devices) {
    const entry = deviceNode(device, irqs.get(device.name) ?? 0);
    if (entry !== undefined) soc[entry[0]] = entry[1];
  }
  const hasTest = devices.some((d) => d.model === 'sifive-test');
  const syscon = (compatible: string, value: number): DeviceTreeNode => node({ compatible, regmap: [Phandle.test], offset: [0], value: [value] });
  const root = node(
    { '#address-cells': [2], '#size-cells': [2], compatible: 'riscv-virtio', model: 'axvisor,virt' },
    {
      chosen: node({
        ...(devices.some((d) => d.model === 'ns16550a') ? { 'stdout-path': `/soc/serial@${hex(UART_BASE)}` } : {}),
        ...(cmdline === undefined ? {} : { bootargs: cmdline }),
        ...(initrd === undefined ? {} : { 'linux,initrd-start': cells64(initrd.start), 'linux,initrd-end': cells64(initrd.end) }),
      }),
      ...Object.fromEntries(memory.map(({ base, size }) => [`memory@${hex(base)}`, node({ device_type: 'memory', reg: reg(base, size) })])),
      cpus: cpus(cpuIds),
      soc: node({ '#address-cells': [2], '#size-cells': [2], compatible: 'simple-bus', ranges: true }, soc),
      ...(hasTest ? { poweroff: syscon('syscon-poweroff', SYSCON_POWEROFF), reboot: syscon('syscon-reboot', SYSCON_REBOOT) } : {}),
    },
  );
  return writeFdt(root);
}
