/**
 * The state of a controller in words that begin with what describes it, so that a thread which gets the words can take it up: the distributor and the
 * CPU interfaces work there as on the thread that made it; redistributors and the ITS, which have tables in guest memory, stay with that.
 */
import type { Device } from '@axvisor/axvisor_api/device';
import type { AttachedIntc, AttachedIntcContext } from '@axvisor/axvisor_api/attached_intc';
import { GicCore, type GicContext, type GicShape, type RegisterFile } from './core.ts';
import { Distributor } from './distributor.ts';
import { Gicc } from './gicc.ts';
import { Icc } from './icc.ts';
import { CpuPort } from './port.ts';
import { Space } from './space.ts';

export interface GicDescription extends GicShape {
  readonly base: bigint;
  /** GICv2: where the CPU interface is. */
  readonly cpuInterfaceBase: bigint;
  readonly hasLpis: boolean;
}

/** 32-bit words at the beginning; addresses have two. */
const Header = { version: 0, spiCount: 1, hasLpis: 2, base: 4, cpuInterfaceBase: 6 } as const;
const HEADER_WORDS = 8;

function address(header: Int32Array, at: number): bigint {
  return BigInt((header[at] as number) >>> 0) | (BigInt((header[at + 1] as number) >>> 0) << 32n);
}

/** Lays out a controller. @param share - gives words that other threads see, too; absent: there are none */
export function layOut(description: GicDescription, context: GicContext, share?: (count: number) => Int32Array): GicCore {
  const count = HEADER_WORDS + GicCore.wordsOf(description);
  const words = share?.(count) ?? new Int32Array(count);
  const { version, spiCount, hasLpis, base, cpuInterfaceBase } = description;
  const halves = (value: bigint): [number, number] => [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
  words.set([version, spiCount, hasLpis ? 1 : 0, 0, ...halves(base), ...halves(cpuInterfaceBase)]);
  return coreAt(words, description, context, share !== undefined);
}

const coreAt = (words: Int32Array, shape: GicShape, context: GicContext, isShared: boolean): GicCore =>
  new GicCore(shape, new Space(words.subarray(HEADER_WORDS)), context, isShared);

/** The register files that are on every thread: the distributor's and the CPU interfaces'. */
export function sharedFiles(core: GicCore, { version, base, cpuInterfaceBase, hasLpis }: GicDescription): readonly [RegisterFile, RegisterFile] {
  return [new Distributor(core, base, hasLpis), version === 2 ? new Gicc(core, cpuInterfaceBase) : new Icc(core)];
}

/** Registers as a device, which no other thread accesses at the same time. */
export function guarded(core: GicCore, file: RegisterFile, reset: () => void): Device {
  const { name, model, regions } = file;
  return {
    name, model, regions, reset,
    read: (offset, width, region) => core.atomically(() => file.read(offset, width, region)),
    write: (offset, width, value, region) => core.atomically(() => file.write(offset, width, value, region)),
  };
}

/** Takes up a controller from its words. */
export function attachGic(words: Int32Array, context: AttachedIntcContext): AttachedIntc {
  const description: GicDescription = {
    version: words[Header.version] === 2 ? 2 : 3, spiCount: words[Header.spiCount] as number, hasLpis: words[Header.hasLpis] === 1,
    base: address(words, Header.base), cpuInterfaceBase: address(words, Header.cpuInterfaceBase), affinities: context.cpuIds,
  };
  const core = coreAt(words, description, {
    setVcpuInterrupt: (vcpu, pin, level) => context.setVcpuInterrupt(vcpu, pin, level),
    currentVcpu: () => context.currentVcpu(),
    lpiTaken: () => context.controller(context.currentVcpu()).endOfInterrupt(0),
  }, true);
  const ports = core.cpus.map((cpu) => new CpuPort(core, cpu));
  return {
    cpu: (vcpu) => ports[vcpu] as CpuPort,
    // Only the controller itself is reset.
    devices: sharedFiles(core, description).map((file) => guarded(core, file, () => {})),
  };
}
