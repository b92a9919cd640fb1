/** The memory map and devices of QEMU's Arm `virt` machine (QEMU, docs/system/arm/virt), so that what is built for it runs here. */
import { Ppi } from '@axvisor/axvisor_api/arch/arm';
import type { IntcOptions } from '@axvisor/axvisor_api/intc';
import { node, type DeviceTreeNode } from '../fdt/writer.ts';
import type { Board, BoardOptions } from './board.ts';
import { boardTree, hex, reg } from './tree.ts';

const DISTRIBUTOR = { base: 0x0800_0000n, size: 0x1_0000n };
const CPU_INTERFACE = { base: 0x0801_0000n, size: 0x1_0000n };
const ITS = { base: 0x0808_0000n, size: 0x2_0000n };
const REDISTRIBUTORS = { base: 0x080a_0000n, size: 0xf6_0000n };
const REDISTRIBUTOR_SIZE = 0x2_0000n;
const VIRTIO_BASE = 0x0a00_0000n;
const VIRTIO_SIZE = 0x200n;
const VIRTIO_COUNT = 32;
const SHARED_INTERRUPTS = 224;
/** CPUs that one target list of a GICv3 names: those that differ in affinity level 0 only. */
const CLUSTER = 16;
const GICV2_CPUS = 8;

/** Wire 32 + n is shared peripheral interrupt n. */
const FIRST_SPI = 32;
const FIRST_PPI = 16;
const spi = (n: number): number => FIRST_SPI + n;

/** Cells of the binding arm,gic: kind of interrupt, its number, and flags. */
const Kind = { spi: 0, ppi: 1 } as const;
const LEVEL_HIGH = 4;

/** 24 MHz, what the PrimeCells' clock is on the board. */
const APB_HZ = 24_000_000;
const Phandle = { gic: 1, clock: 2, its: 3, gpio: 4 } as const;
const GPIO = 'pl061';
const POWER_BUTTON_LINE = 3;
/** KEY_POWER of Linux' input event codes. */
const KEY_POWER = 116;

/** Of CPUs in clusters of 16: affinity levels 0 and 1. */
const clusteredId = (index: number): bigint => BigInt((Math.floor(index / CLUSTER) << 8) | index % CLUSTER);

/** What depends on the version of the interrupt controller. */
interface GicPart {
  readonly intc: IntcOptions;
  readonly maxCpus: number;
  cpuId(index: number): bigint;
  /** Its node, and the node of its ITS. */
  nodes(): Readonly<Record<string, DeviceTreeNode>>;
  /** Flags of a private interrupt on a board with so many CPUs. */
  ppiFlags(cpus: number): number;
}

const gicNode = (compatible: string, registers: readonly { readonly base: bigint; readonly size: bigint }[], children: Readonly<Record<string, DeviceTreeNode>>): DeviceTreeNode =>
  node(
    {
      compatible, reg: registers.flatMap(({ base, size }) => reg(base, size)), '#interrupt-cells': [3], 'interrupt-controller': true,
      '#address-cells': [2], '#size-cells': [2], ranges: true, phandle: [Phandle.gic],
    },
    children,
  );

const GIC: { readonly [V in 2 | 3]: GicPart } = {
  2: {
    intc: { base: DISTRIBUTOR.base, version: 2, cpuInterfaceBase: CPU_INTERFACE.base, sources: SHARED_INTERRUPTS },
    maxCpus: GICV2_CPUS,
    cpuId: (index) => BigInt(index),
    nodes: () => ({ [`intc@${hex(DISTRIBUTOR.base)}`]: gicNode('arm,cortex-a15-gic', [DISTRIBUTOR, CPU_INTERFACE], {}) }),
    // The CPUs whose interrupt it is, one bit each, are in bits 15:8.
    ppiFlags: (cpus) => LEVEL_HIGH | (((1 << Math.min(cpus, GICV2_CPUS)) - 1) << 8),
  },
  3: {
    intc: { base: DISTRIBUTOR.base, version: 3, redistributorBase: REDISTRIBUTORS.base, itsBase: ITS.base, sources: SHARED_INTERRUPTS },
    maxCpus: Number(REDISTRIBUTORS.size / REDISTRIBUTOR_SIZE),
    cpuId: clusteredId,
    nodes: () => ({
      [`intc@${hex(DISTRIBUTOR.base)}`]: gicNode('arm,gic-v3', [DISTRIBUTOR, REDISTRIBUTORS], {
        [`its@${hex(ITS.base)}`]: node({
          compatible: 'arm,gic-v3-its', reg: reg(ITS.base, ITS.size), 'msi-controller': true, '#msi-cells': [1], phandle: [Phandle.its],
        }),
      }),
    }),
    ppiFlags: () => LEVEL_HIGH,
  },
};

/** Secure and non-secure physical, virtual and hypervisor timer, in the order of the binding. */
const TIMERS = [29, Ppi.physicalTimer, Ppi.virtualTimer, Ppi.hypTimer] as const;

/** The board with a GIC of version 2 or 3. */
export function virtAarch64({ gicVersion = 3 }: BoardOptions): Board {
  const gic = GIC[gicVersion];
  return {
    ramBase: 0x4000_0000n,
    gpaBits: 40,
    intc: gic.intc,
    maxCpus: gic.maxCpus,
    devices: [
      { model: 'cfi-flash', base: 0x0400_0000n, irq: 0 },
      { model: 'pl011', base: 0x0900_0000n, irq: spi(1) },
      { model: 'pl031', base: 0x0901_0000n, irq: spi(2) },
      { model: GPIO, base: 0x0903_0000n, irq: spi(7) },
    ],
    virtioSlots: Array.from({ length: VIRTIO_COUNT }, (_, i) => ({ base: VIRTIO_BASE + VIRTIO_SIZE * BigInt(i), size: VIRTIO_SIZE, irq: spi(16 + i) })),
    cpuId: gic.cpuId,
    deviceTree: (tree) => {
      const flags = gic.ppiFlags(tree.cpuIds.length);
      return boardTree(tree, {
        compatible: 'linux,dummy-virt',
        root: { 'interrupt-parent': [Phandle.gic] },
        console: 'pl011',
        controllers: gic.nodes(),
        interrupt: (irq) => ({ interrupts: [Kind.spi, irq - FIRST_SPI, LEVEL_HIGH] }),
        device: ({ model, fdt }) => ({
          ...(fdt?.compatible.includes('arm,primecell') === true ? { clocks: [fdt.properties?.['clock-names'] ?? []].flat().map(() => Phandle.clock) } : {}),
          ...(model === GPIO ? { phandle: [Phandle.gpio] } : {}),
        }),
        more: (devices) => ({
          psci: node({ compatible: ['arm,psci-1.0', 'arm,psci-0.2'], method: 'hvc' }),
          timer: node({ compatible: ['arm,armv8-timer', 'arm,armv7-timer'], interrupts: TIMERS.flatMap((intid) => [Kind.ppi, intid - FIRST_PPI, flags]), 'always-on': true }),
          'apb-pclk': node({ compatible: 'fixed-clock', '#clock-cells': [0], 'clock-frequency': [APB_HZ], 'clock-output-names': 'clk24mhz', phandle: [Phandle.clock] }),
          ...(devices.some(({ model }) => model === GPIO)
            ? { 'gpio-keys': node({ compatible: 'gpio-keys' }, { poweroff: node({ label: 'GPIO Key Poweroff', 'linux,code': [KEY_POWER], gpios: [Phandle.gpio, POWER_BUTTON_LINE, 0] }) }) }
            : {}),
        }),
      });
    },
  };
}
