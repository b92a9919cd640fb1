/** Builds the parts of a VM from its configuration: memory, vCPUs, interrupt controller, devices. */
import { createAddrSpace, MappingFlags, type AddrSpace } from '@axvisor/axvisor_api/addrspace';
import { gpa, hpa } from '@axvisor/axvisor_api/addr';
import type { MemoryRegionConfig, VmConfig } from '@axvisor/axvisor_api/config';
import { createBus, createDevice, type DeviceBus, type DeviceContext, type DeviceSpec } from '@axvisor/axvisor_api/device';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { createInterruptController, type InterruptController, type IntcContext } from '@axvisor/axvisor_api/intc';
import { allocContiguousFrames, deallocContiguousFrames, frameCounts } from '@axvisor/axvisor_api/memory';
import { architecture } from '@axvisor/axvisor_api/processor';
import { createVCpu, nestedFormat } from '@axvisor/axvisor_api/vcpu';
import type { VmImages } from '@axvisor/axvisor_api/vm';
import { boardOf, type Board } from '../board/board.ts';
import type { BootPlan } from '../image/boot_plan.ts';
import type { RamRegion } from '../image/placement.ts';
import { VCpuSlot } from './vcpu_slot.ts';

/** More vCPUs than any guest kernel we know can use; keeps a typing error from eating the host. */
export const MAX_VCPUS = 512;

const PAGE = 0x1000n;
/** log2 of the alignment of identity-mapped memory, in pages: 2 MiB, so that kernels can use huge pages. */
const IDENTICAL_ALIGN_POW2 = 9;
/** Guest memory given at a fault: a boot touches most of it anyway, and each fault is an exit. */
const FAULT_BLOCK = 0x20_0000n;
/** Frames kept for page tables and contexts when guest memory is committed. */
const RESERVED_FRAMES = 1024;

const pages = (size: bigint): number => Number((size + PAGE - 1n) / PAGE);

/** RAM of a VM and how to take it away again. */
export interface GuestRam {
  readonly regions: readonly RamRegion[];
  /** Frames promised to lazily mapped memory. */
  readonly committed: number;
  /** Maps everything, zeroed. */
  map(space: AddrSpace): void;
  /** Unmaps it and gives back what it owns. */
  unmap(space: AddrSpace): void;
}

/**
 * Plans the memory of a VM.
 *
 * @param promised - frames promised to other VMs
 * @throws {AxError} NoMemory with sizes
 */
export function planRam(config: VmConfig, promised: number): GuestRam {
  const { free } = frameCounts();
  const committed = config.memoryRegions.filter((r) => r.mapType === 'alloc').reduce((sum, r) => sum + pages(r.size), 0);
  const mib = (frames: number): string => `${Math.floor(frames / 256)} MiB`;
  ensure(
    committed + promised + RESERVED_FRAMES <= free,
    'NoMemory',
    `VM ${config.id} needs ${mib(committed)} of memory, the host has ${mib(Math.max(0, free - promised - RESERVED_FRAMES))} left`,
  );
  const parts = config.memoryRegions.map(planRegion);
  return {
    regions: parts.map((p) => p.region),
    committed,
    map: (space) => parts.forEach((p) => p.map(space)),
    unmap: (space) => parts.forEach((p) => p.unmap(space)),
  };
}

interface RamPart {
  readonly region: RamRegion;
  map(space: AddrSpace): void;
  unmap(space: AddrSpace): void;
}

function planRegion(region: MemoryRegionConfig): RamPart {
  const flags = region.flags & (MappingFlags.READ | MappingFlags.WRITE | MappingFlags.EXECUTE | MappingFlags.DEVICE | MappingFlags.UNCACHED);
  const unmap = (base: bigint) => (space: AddrSpace) => space.unmap(gpa(base), region.size);
  switch (region.mapType) {
    case 'alloc':
      return {
        region: { base: region.gpa, size: region.size },
        map: (space) => space.mapAlloc(gpa(region.gpa), region.size, flags, { around: FAULT_BLOCK }),
        unmap: unmap(region.gpa),
      };
    case 'reserved':
      return {
        region: { base: region.gpa, size: region.size },
        map: (space) => space.mapLinear(gpa(region.gpa), hpa(region.gpa), region.size, flags),
        unmap: unmap(region.gpa),
      };
    case 'identical': {
      const count = pages(region.size);
      const first = allocContiguousFrames(count, IDENTICAL_ALIGN_POW2);
      if (first === undefined) throw axError('NoMemory', `no ${count} contiguous frames for identity-mapped memory`);
      return {
        region: { base: first, size: region.size },
        map: (space) => {
          space.mapLinear(gpa(first), first, region.size, flags);
          space.writeBuffer(gpa(first), new Uint8Array(Number(region.size)));
        },
        unmap: (space) => {
          unmap(first)(space);
          deallocContiguousFrames(first, count);
        },
      };
    }
  }
}

/**
 * The board that the configuration asks for; `undefined`: it lists all devices itself.
 *
 * @throws {AxError} InvalidInput for more vCPUs than the board has room for
 */
export function chooseBoard(config: VmConfig): Board | undefined {
  const { cpuNum } = config;
  ensure(cpuNum >= 1 && cpuNum <= MAX_VCPUS, 'InvalidInput', `a VM has 1 to ${MAX_VCPUS} vCPUs, not ${cpuNum}`);
  if (config.board !== 'virt') return undefined;
  const board = boardOf(architecture(), config);
  if (board === undefined) throw axError('Unsupported', `there is no 'virt' board for ${architecture()}`);
  const { maxCpus = MAX_VCPUS } = board;
  ensure(cpuNum <= maxCpus, 'InvalidInput', `the interrupt controller of this board is for 1 to ${maxCpus} vCPUs, not ${cpuNum}`);
  return board;
}

/** The address space of a VM with its RAM mapped, and memory for its firmware. */
export function buildAddressSpace(board: Board | undefined, ram: GuestRam, { rom = [] }: BootPlan, vmid: number): AddrSpace {
  const highest = ram.regions.map((r) => r.base + r.size).reduce((a, b) => (a > b ? a : b), 0n);
  const gpaBits = Math.max(board?.gpaBits ?? 0, highest.toString(2).length);
  const space = createAddrSpace({ ...nestedFormat(gpaBits), vmid });
  try {
    ram.map(space);
    for (const { address, size } of rom) space.mapAlloc(gpa(address), size, MappingFlags.READ | MappingFlags.WRITE | MappingFlags.EXECUTE);
    return space;
  } catch (e) {
    space[Symbol.dispose]();
    throw e;
  }
}

/** The numbers by which the guest names its CPUs. */
export const guestCpuIds = (board: Board | undefined, config: VmConfig): bigint[] =>
  Array.from({ length: config.cpuNum }, (_, i) => config.physCpuIds?.[i] ?? board?.cpuId(i) ?? BigInt(i));

/** The vCPUs, created but not set up; each is put in `made` so that a failure later can undo it. */
export function buildVCpus(cpuIds: readonly bigint[], config: VmConfig, { dtbAddress, start }: BootPlan, made: Disposable[]): VCpuSlot[] {
  return cpuIds.map((cpuId, i) => {
    const set = config.physCpuSets?.[i];
    const vcpu = createVCpu({
      vmId: config.id,
      vcpuId: i,
      ...(set === undefined ? {} : { physCpuSet: set }),
      arch: { cpuId, ...(dtbAddress === undefined ? {} : { dtb: gpa(dtbAddress) }), ...(start === undefined || i > 0 ? {} : { start }) },
    });
    made.push(vcpu);
    return new VCpuSlot(vcpu, cpuId);
  });
}

/** Bus, devices and interrupt controller. */
export interface Machine {
  readonly bus: DeviceBus;
  readonly intc: InterruptController | undefined;
  readonly irqs: ReadonlyMap<string, number>;
}

/** Assembles the machine: the board's devices, disks in its virtio slots, then the configured ones. */
export function buildMachine(
  board: Board | undefined,
  config: VmConfig,
  images: VmImages,
  intcContext: IntcContext,
  deviceContext: Omit<DeviceContext, 'irq'>,
): Machine {
  const bus = createBus();
  const intc = board === undefined ? undefined : createInterruptController(board.intc, intcContext);
  const irqs = new Map<string, number>();
  for (const d of intc?.devices ?? []) bus.add(d);
  for (const spec of [...(board?.devices ?? []), ...virtioSpecs(config, images, board)]) {
    ensure(spec.irq === 0 || intc !== undefined, 'InvalidInput', `device ${spec.name ?? spec.model} has interrupt ${spec.irq}, but the VM has no interrupt controller`);
    const irq = spec.irq === 0 ? undefined : intc?.line(spec.irq);
    const device = createDevice(spec, { ...deviceContext, ...(intc?.writeMsi === undefined ? {} : { msi: (address, data) => intc.writeMsi?.(address, data) }), irq });
    bus.add(device);
    irqs.set(device.name, spec.irq);
  }
  checkPassthrough(config, bus);
  return { bus, intc, irqs };
}

/** Models of the original's device types that the board has under other names, or that stand for nothing. */
const PROVIDED_BY_BOARD: readonly string[] = [
  'dummy', 'interrupt-controller', 'plic', 'gic-distributor', 'gic-redistributor', 'gic-its', 'console',
];

/**
 * Disks first, in order, so that they are vda, vdb …: in the places that the configuration gives to virtio-blk devices, then in free
 * slots. Then the entropy source, then the other devices that the configuration lists.
 */
function virtioSpecs(config: VmConfig, images: VmImages, board: Board | undefined): DeviceSpec[] {
  const listed = config.devices.filter((d) => board === undefined || !PROVIDED_BY_BOARD.includes(d.model));
  const places = listed.filter((d) => d.model === 'virtio-blk' && d.block === undefined);
  const slots = [...(board?.virtioSlots ?? [])].filter((slot) => !listed.some((d) => d.base === slot.base));
  const disks = (images.disks ?? []).map((block, i): DeviceSpec => {
    const place = places.shift() ?? slots.shift();
    if (place === undefined) throw axError('InvalidInput', `no virtio slot is left for disk ${i + 1}`);
    return { model: 'virtio-blk', ...place, block };
  });
  const unused = places[0];
  if (unused !== undefined) throw axError('InvalidInput', `device ${unused.name ?? unused.model} at 0x${unused.base.toString(16)} has no disk`);
  const slot = slots.shift();
  const rng: DeviceSpec[] = slot === undefined ? [] : [{ model: 'virtio-rng', ...slot }];
  return [...disks, ...rng, ...listed.filter((d) => d.model !== 'virtio-blk' || d.block !== undefined)];
}

/**
 * The host is software and has no devices to give away. What a description passes through must be what the board emulates at the
 * same place, as in descriptions that hand the machine's own interrupt controller and UART to the guest.
 */
function checkPassthrough(config: VmConfig, bus: DeviceBus): void {
  const ranges = [
    ...config.passthroughDevices.filter((p) => p.length > 0n).map((p) => ({ what: `device ${p.name}`, start: p.baseGpa, end: p.baseGpa + p.length })),
    ...config.passthroughAddresses.map((p) => ({ what: 'the range', start: p.baseGpa, end: p.baseGpa + p.length })),
  ];
  for (const { what, start, end } of ranges) {
    const there = bus.devices().some((d) => d.regions.some((r) => r.space === 'mmio' && r.range.start < end && start < r.range.end));
    ensure(there, 'Unsupported', `passing through ${what} at 0x${start.toString(16)}: this host has no devices, and the board emulates none there`);
  }
}
