/** What the device trees of all boards have in common (Devicetree Specification 0.4, chapter 3): CPUs, memory, `chosen`, and the devices of the bus. */
import type { Device, FdtProperties } from '@axvisor/axvisor_api/device';
import { cpuFdtProperties } from '@axvisor/axvisor_api/vcpu';
import { cells64, node, writeFdt, type DeviceTreeNode } from '../fdt/writer.ts';
import { rngSeed } from '../image/seed.ts';
import type { BoardTree } from './board.ts';

/** What one board adds. */
export interface BoardParts {
  readonly compatible: string;
  /** Properties of the root. */
  readonly root?: FdtProperties;
  /** Properties of the node of all CPUs. */
  readonly cpus?: FdtProperties;
  /** What is in the node of a CPU. */
  cpu?(index: number): Readonly<Record<string, DeviceTreeNode>>;
  /** The model whose node is the console. */
  readonly console: string;
  /** Nodes beside the devices: interrupt controllers. */
  readonly controllers: Readonly<Record<string, DeviceTreeNode>>;
  /** How a device's interrupt is written. */
  interrupt(irq: number): FdtProperties;
  /** What a device's node needs beside what the device says of itself. */
  device?(device: Device): FdtProperties;
  /** Nodes of the root. */
  more(devices: readonly Device[]): Readonly<Record<string, DeviceTreeNode>>;
}

const MAX_CELL = 0xffff_ffffn;

export const hex = (value: bigint): string => value.toString(16);
export const reg = (base: bigint, size: bigint): number[] => [...cells64(base), ...cells64(size)];

function cpus(cpuIds: readonly bigint[], parts: BoardParts): DeviceTreeNode {
  const wide = cpuIds.some((id) => id > MAX_CELL);
  const children = cpuIds.map((id, i): [string, DeviceTreeNode] => [
    `cpu@${hex(id)}`,
    node({ device_type: 'cpu', reg: wide ? cells64(id) : [Number(id)], status: 'okay', ...cpuFdtProperties() }, parts.cpu?.(i)),
  ]);
  return node({ '#address-cells': [wide ? 2 : 1], '#size-cells': [0], ...parts.cpus }, Object.fromEntries(children));
}

function deviceNode(device: Device, irq: number, parts: BoardParts): [string, DeviceTreeNode] | undefined {
  const region = device.regions.find((r) => r.space === 'mmio');
  if (device.fdt === undefined || region === undefined) return undefined;
  const { start, end } = region.range;
  const properties = {
    compatible: device.fdt.compatible, reg: reg(start, end - start), ...(irq === 0 ? {} : parts.interrupt(irq)), ...parts.device?.(device), ...device.fdt.properties,
  };
  return [`${device.fdt.node}@${hex(start)}`, node(properties)];
}

/** The device tree of a board. */
export function boardTree({ cpuIds, memory, cmdline, initrd, bus, irqs }: BoardTree, parts: BoardParts): Uint8Array {
  const devices = bus.devices();
  const entries = devices.flatMap((device) => {
    const entry = deviceNode(device, irqs.get(device.name) ?? 0, parts);
    return entry === undefined ? [] : [{ model: device.model, name: entry[0], node: entry[1] }];
  });
  const console = entries.find(({ model }) => model === parts.console);
  const root = node(
    { '#address-cells': [2], '#size-cells': [2], compatible: parts.compatible, model: 'axvisor,virt', ...parts.root },
    {
      chosen: node({
        'rng-seed': rngSeed(),
        ...(console === undefined ? {} : { 'stdout-path': `/soc/${console.name}` }),
        ...(cmdline === undefined ? {} : { bootargs: cmdline }),
        ...(initrd === undefined ? {} : { 'linux,initrd-start': cells64(initrd.start), 'linux,initrd-end': cells64(initrd.end) }),
      }),
      ...Object.fromEntries(memory.map(({ base, size }) => [`memory@${hex(base)}`, node({ device_type: 'memory', reg: reg(base, size) })])),
      cpus: cpus(cpuIds, parts),
      soc: node(
        { '#address-cells': [2], '#size-cells': [2], compatible: 'simple-bus', ranges: true },
        { ...parts.controllers, ...Object.fromEntries(entries.map((e) => [e.name, e.node])) },
      ),
      ...parts.more(devices),
    },
  );
  return writeFdt(root);
}
