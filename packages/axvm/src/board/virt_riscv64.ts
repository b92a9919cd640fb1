/** The memory map and devices of QEMU's RISC-V `virt` machine (QEMU, docs/system/riscv/virt), so that what is built for it runs here. */
import { tickFrequency } from '@axvisor/axvisor_api/time';
import { node, type DeviceTreeNode } from '../fdt/writer.ts';
import type { Board } from './board.ts';
import { boardTree, hex, reg } from './tree.ts';

const PLIC_BASE = 0x0c00_0000n;
const PLIC_SIZE = 0x60_0000n;
const PLIC_SOURCES = 95;
const IRQ_S_EXT = 9;
const VIRTIO_COUNT = 8;

/** Phandles: the PLIC, the test device (for syscon-poweroff), and one for each hart's local controller. */
const Phandle = { plic: 1, test: 2, firstCpu: 0x10 } as const;

const TEST = 'sifive-test';
const SYSCON_POWEROFF = 0x5555;
const SYSCON_REBOOT = 0x7777;

const syscon = (compatible: string, value: number): DeviceTreeNode => node({ compatible, regmap: [Phandle.test], offset: [0], value: [value] });

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

const localController = (cpu: number): DeviceTreeNode =>
  node({ '#interrupt-cells': [1], 'interrupt-controller': true, compatible: 'riscv,cpu-intc', phandle: [Phandle.firstCpu + cpu] });

export const virtRiscv64: Board = {
  ramBase: 0x8000_0000n,
  gpaBits: 41,
  intc: { base: PLIC_BASE, sources: PLIC_SOURCES },
  devices: [
    { model: TEST, base: 0x10_0000n, irq: 0 },
    { model: 'goldfish-rtc', base: 0x10_1000n, irq: 11 },
    { model: 'ns16550a', base: 0x1000_0000n, irq: 10 },
  ],
  virtioSlots: Array.from({ length: VIRTIO_COUNT }, (_, i) => ({ base: 0x1000_1000n + 0x1000n * BigInt(i), irq: 1 + i })),
  cpuId: (index) => BigInt(index),
  deviceTree: (tree) =>
    boardTree(tree, {
      compatible: 'riscv-virtio',
      console: 'ns16550a',
      cpus: { 'timebase-frequency': [Number(tickFrequency())] },
      cpu: (i) => ({ 'interrupt-controller': localController(i) }),
      controllers: { [`plic@${hex(PLIC_BASE)}`]: plic(tree.cpuIds.length) },
      interrupt: (irq) => ({ interrupts: [irq], 'interrupt-parent': [Phandle.plic] }),
      device: ({ model }) => (model === TEST ? { phandle: [Phandle.test] } : {}),
      more: (devices) =>
        devices.some(({ model }) => model === TEST)
          ? { poweroff: syscon('syscon-poweroff', SYSCON_POWEROFF), reboot: syscon('syscon-reboot', SYSCON_REBOOT) }
          : {},
    }),
};
