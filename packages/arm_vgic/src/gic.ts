/**
 * A generic interrupt controller, GICv3 (IHI 0069) or GICv2 (IHI 0048), with one security state and fully virtual: one for each VM. Its own parts are
 * the distributor and, by version, redistributors, ITS and CPU interface.
 */
import type { Device, IrqLine } from '@axvisor/axvisor_api/device';
import { ensure } from '@axvisor/axvisor_api/errors';
import type { CpuInterrupts, IntcBackplane, IntcContext, IntcOptions, InterruptController } from '@axvisor/axvisor_api/intc';
import { GicCore, type GicContext, type RegisterFile } from './core.ts';
import { PRIVATE } from './cpu.ts';
import { Its } from './its.ts';
import { Lpis } from './lpis.ts';
import { CpuPort } from './port.ts';
import { Redistributors } from './redistributors.ts';
import { guarded, layOut, sharedFiles, type GicDescription } from './shared.ts';

/** INTIDs up to 1019, in groups of 32. */
const MAX_SPIS = 988;
const DEFAULT_SPIS = 256;
const MAX_CPUS: { readonly 2: number; readonly 3: number } = { 2: 8, 3: 512 };

export class Gic implements InterruptController {
  readonly devices: readonly Device[];
  /** The last wire: SPI n is wire 32 + n. */
  readonly sources: number;
  readonly #core: GicCore;
  readonly #its: Its | undefined;
  readonly #ports: readonly CpuPort[];
  /** A CPU on another thread took an LPI: the next is offered. */
  readonly backplane: IntcBackplane = { endOfInterrupt: () => this.#core.atomically(() => this.#core.update()) };

  /** @throws {AxError} InvalidInput */
  constructor(options: IntcOptions, context: IntcContext) {
    const { base, sources = DEFAULT_SPIS, version = 3, redistributorBase, itsBase, cpuInterfaceBase } = options;
    const { vcpuCount, cpuIds, memory } = context;
    ensure(Number.isInteger(sources) && sources >= 1 && sources <= MAX_SPIS, 'InvalidInput', `a GIC has 1 to ${MAX_SPIS} shared interrupts, not ${sources}`);
    ensure(vcpuCount >= 1 && vcpuCount <= MAX_CPUS[version], 'InvalidInput', `a GICv${version} has 1 to ${MAX_CPUS[version]} CPUs, not ${vcpuCount}`);
    ensure(cpuIds === undefined || cpuIds.length === vcpuCount, 'InvalidInput', `${cpuIds?.length} affinities for ${vcpuCount} CPUs`);
    ensure(itsBase === undefined || (version === 3 && memory !== undefined), 'InvalidInput', 'an ITS needs a GICv3 and guest memory');
    ensure(version === 3 || vcpuCount === 1 || context.currentVcpu !== undefined, 'InvalidInput', 'registers of a GICv2 are banked: it needs to know whose access it handles');
    ensure(version === 3 || cpuInterfaceBase !== undefined, 'InvalidInput', 'a GICv2 needs the address of its CPU interface');
    ensure(version === 2 || redistributorBase !== undefined, 'InvalidInput', 'a GICv3 needs the address of its redistributors');
    // Registers come in words of 32 interrupts; the last INTIDs before 1020 are the exception.
    const spiCount = Math.min(Math.ceil(sources / 32) * 32, MAX_SPIS);
    const hasLpis = itsBase !== undefined && memory !== undefined;
    const description: GicDescription = {
      version, spiCount, base, cpuInterfaceBase: cpuInterfaceBase ?? 0n, hasLpis,
      affinities: cpuIds ?? Array.from({ length: vcpuCount }, (_, i) => BigInt(i)),
    };
    const gicContext: GicContext = {
      setVcpuInterrupt: (vcpu, pin, level) => context.setVcpuInterrupt(vcpu, pin, level),
      currentVcpu: () => context.currentVcpu?.() ?? 0,
      ...(hasLpis ? { lpis: () => new Lpis(memory) } : {}),
    };
    const core = layOut(description, gicContext, context.sharedWords && ((count) => (context.sharedWords as NonNullable<IntcContext['sharedWords']>)(count)));
    core.initialize();
    this.#core = core;
    this.sources = PRIVATE + spiCount - 1;
    this.#ports = core.cpus.map((cpu) => new CpuPort(core, cpu));
    this.#its = hasLpis ? new Its(core, itsBase, memory) : undefined;
    const [distributor, cpuInterface] = sharedFiles(core, description);
    const files: RegisterFile[] = redistributorBase === undefined || version === 2 ? [distributor, cpuInterface] : [distributor, new Redistributors(core, redistributorBase), cpuInterface];
    const reset = (): void => this.reset();
    this.devices = [...files, ...(this.#its === undefined ? [] : [this.#its])].map((file) => guarded(core, file, reset));
  }

  reset(): void {
    this.#core.atomically(() => {
      this.#core.initialize();
      this.#core.update();
      this.#its?.reset();
    });
  }

  /** @throws {AxError} OutOfRange */
  line(irq: number): IrqLine {
    const core = this.#core;
    ensure(Number.isInteger(irq) && irq >= PRIVATE && irq <= this.sources, 'OutOfRange', `the GIC's wires are ${PRIVATE} to ${this.sources}, not ${irq}`);
    return {
      irq,
      set: (level) =>
        core.atomically(() => {
          if (core.spis.setLine(irq - PRIVATE, level)) core.update();
        }),
    };
  }

  /** @throws {AxError} OutOfRange */
  cpu(vcpu: number): CpuInterrupts {
    const port = this.#ports[vcpu];
    ensure(port !== undefined, 'OutOfRange', `the GIC has ${this.#ports.length} CPUs, not number ${vcpu}`);
    return port;
  }

  signalMsi(deviceId: number, eventId: number): void {
    this.#core.atomically(() => this.#its?.signal(deviceId, eventId));
  }
}
