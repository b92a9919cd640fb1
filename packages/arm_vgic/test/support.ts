/** A GIC with a recording context, and shorthand for its registers. */
import { link } from '@axvisor/axvisor_api';
import { axError } from '@axvisor/axvisor_api/errors';
import { CpuPin, SYSREG, sysRegFields, type SysReg } from '@axvisor/axvisor_api/arch/arm';
import type { AccessWidth, Device } from '@axvisor/axvisor_api/device';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import type { CpuInterrupts, IntcOptions } from '@axvisor/axvisor_api/intc';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { Gic, REDISTRIBUTOR_STRIDE } from '../src/index.ts';
import { attachGic } from '../src/shared.ts';

export const ITS_BASE = 0x808_0000n;

export interface Bench {
  readonly gic: Gic;
  /** Pins by CPU: bit 0 vIRQ, bit 1 vFIQ. */
  readonly pins: number[];
  /** How often one was asserted, by CPU. */
  readonly signals: number[];
  /** The vCPU whose accesses follow. */
  cpu: number;
  readonly memory: Uint8Array;
  /** The n-th device: distributor, then by version. */
  readonly device: (n: number) => Device;
  readonly gicd: (offset: number, width?: AccessWidth) => number;
  readonly setGicd: (offset: number, value: number, width?: AccessWidth) => void;
  readonly gicr: (cpu: number, offset: number) => number;
  readonly setGicr: (cpu: number, offset: number, value: number | bigint, width?: AccessWidth) => void;
  readonly gicc: (offset: number) => number;
  readonly setGicc: (offset: number, value: number) => void;
  readonly icc: (register: SysReg) => number;
  readonly setIcc: (register: SysReg, value: number) => void;
  readonly line: (irq: number, level: boolean) => void;
  readonly port: (cpu: number) => CpuInterrupts;
}

link([memoryAddr]);

/** Where CPUs have their parts of the controller: on its thread, or each on a thread of its own. */
export type Place = 'one thread' | 'threads';
export const PLACES: readonly Place[] = ['one thread', 'threads'];

/** Guest memory at 0x4000_0000. */
export const RAM = 0x4000_0000n;

export function bench(place: Place, version: 2 | 3, cpus = 1, options: Partial<IntcOptions> = {}, cpuIds?: readonly bigint[]): Bench {
  const pins = Array.from({ length: cpus }, () => 0);
  const signals = [...pins];
  const memory = new Uint8Array(1 << 20);
  const slice = (at: bigint, length: number): Uint8Array => {
    const first = at - RAM;
    if (first < 0n || first + BigInt(length) > BigInt(memory.length)) throw axError('BadAddress', 'outside');
    return memory.subarray(Number(first), Number(first) + length);
  };
  const accessor: GuestMemoryAccessor = {
    readBuffer: (at, into) => into.set(slice(at, into.length)),
    writeBuffer: (at, from) => slice(at, from.length).set(from),
    readValue: (at, size) => slice(at, size).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
    writeValue: (at, size, value) => slice(at, size).forEach((_, i, bytes) => (bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn))),
  };
  const self = { cpu: 0 };
  const setVcpuInterrupt = (cpu: number, vector: number, level: boolean): void => {
    const bit = vector === CpuPin.virq ? 1 : 2;
    if (level) signals[cpu] = (signals[cpu] as number) + 1;
    pins[cpu] = level ? (pins[cpu] as number) | bit : (pins[cpu] as number) & ~bit;
  };
  let state: Int32Array = new Int32Array();
  const gic = new Gic(
    { base: 0x800_0000n, version, ...(version === 2 ? { cpuInterfaceBase: 0x801_0000n } : { redistributorBase: 0x80a_0000n }), ...options },
    {
      vmId: 1, vcpuCount: cpus, memory: accessor, currentVcpu: () => self.cpu, setVcpuInterrupt, ...(cpuIds === undefined ? {} : { cpuIds }),
      ...(place === 'threads' ? { sharedWords: (count: number) => (state = new Int32Array(new SharedArrayBuffer(4 * count))) } : {}),
    },
  );
  const ids = cpuIds ?? pins.map((_, i) => BigInt(i));
  const attached = place === 'one thread' ? [] : ids.map((_, here) =>
    attachGic(state, {
      vcpuCount: cpus, cpuIds: ids, isHere: (cpu) => cpu === here, currentVcpu: () => here, setVcpuInterrupt,
      controller: () => ({ endOfInterrupt: (vector) => gic.backplane.endOfInterrupt(vector), acknowledgeExternal: () => 0, peekExternal: () => 0 }),
    }),
  );
  /** What the current CPU accesses: its thread's device of the name, if it has one. */
  const device = (n: number): Device => {
    const own = gic.devices[n] as Device;
    return attached[self.cpu]?.devices?.find(({ name }) => name === own.name) ?? own;
  };
  const region = (register: SysReg): number => {
    const { op0, op1, crn, crm, op2 } = sysRegFields(register);
    const key = (op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | (crm << 1);
    return device(2).regions.findIndex((r) => r.space === 'sysreg' && r.first === key);
  };
  return {
    gic, pins, signals, memory, device,
    get cpu() { return self.cpu; },
    set cpu(cpu) { self.cpu = cpu; },
    gicd: (offset, width = 4) => Number(device(0).read(offset, width, 0)),
    setGicd: (offset, value, width = 4) => device(0).write(offset, width, BigInt(value >>> 0), 0),
    gicr: (cpu, offset) => Number(device(1).read(cpu * REDISTRIBUTOR_STRIDE + offset, 4, 0)),
    setGicr: (cpu, offset, value, width = 4) => device(1).write(cpu * REDISTRIBUTOR_STRIDE + offset, width, BigInt(value), 0),
    gicc: (offset) => Number(device(1).read(offset, 4, 0)),
    setGicc: (offset, value) => device(1).write(offset, 4, BigInt(value), 0),
    icc: (register) => Number(device(2).read(0, 8, region(register))),
    setIcc: (register, value) => device(2).write(0, 8, BigInt(value), region(register)),
    line: (irq, level) => gic.line(irq).set(level),
    port: (cpu) => attached[cpu]?.cpu?.(cpu) ?? gic.cpu(cpu),
  };
}

/** Enables SPI `intid` for `cpu` with a priority: GICv3. */
export function enable3(b: Bench, intid: number, { cpu = 0, priority = 0xa0, group = 1, edge = false }: { cpu?: number; priority?: number; group?: 0 | 1; edge?: boolean } = {}): void {
  const set = (offset: number): void => b.setGicd(offset + 4 * (intid >> 5), b.gicd(offset + 4 * (intid >> 5)) | (1 << (intid & 31)));
  if (group === 1) set(0x80);
  b.setGicd(0x400 + intid, priority, 1);
  const config = 0xc00 + 4 * (intid >> 4);
  if (edge) b.setGicd(config, b.gicd(config) | (2 << (2 * (intid & 15))));
  b.device(0).write(0x6000 + 8 * intid, 8, BigInt(cpu), 0);
  b.setGicd(0x100 + 4 * (intid >> 5), 1 << (intid & 31));
}

/** Opens the CPU interface of the current CPU for both groups. */
export function open3(b: Bench): void {
  b.setIcc(SYSREG.ICC_PMR_EL1, 0xf8);
  b.setIcc(SYSREG.ICC_IGRPEN0_EL1, 1);
  b.setIcc(SYSREG.ICC_IGRPEN1_EL1, 1);
}
