/** What a vCPU does for instructions that access ports, and devices in memory: it carries them out, and asks the hypervisor for each transfer. */
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import { MappingFlags } from '@axvisor/axvisor_api/addrspace';
import { xrstor, xsave } from '@axvisor/axvisor_api/arch/x86';
import type { LocalApic } from '@axvisor/axvisor_api/intc';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import type { Completion } from '../completion.ts';
import type { X86Exit } from '../exit.ts';
import { GuestFault } from '../paging.ts';
import { decode, type Instruction } from './decode.ts';
import { Emulation, type Emulated, type Local, type TransferExit } from './emulation.ts';
import { execute, shapeOf } from './execute.ts';
import type { EmulatedCpu, Steps, Transfer } from './machine.ts';
import { Moves } from './move.ts';
import { JUMPED, SHADOWED, type Next } from './operands.ts';
import { PortAccess } from './port.ts';
import { portString, portStringShape, undecodable } from './string.ts';
import { usesVectors } from './vector.ts';

type PortExit = Extract<X86Exit, { readonly kind: 'io' }>;
type NestedExit = Extract<X86Exit, { readonly kind: 'nested' }>;
type MmioExit = Extract<TransferExit, { readonly reason: 'MmioRead' | 'MmioWrite' }>;

/** What becomes of instructions. */
export interface EmulationHost {
  cpu(): EmulatedCpu;
  readonly apic: LocalApic | undefined;
  readonly completion: Completion;
  /** The instruction accesses what is no memory, and is none that is emulated: the guest cannot go on. */
  notEmulated(): void;
}

/** A bus without an answer floats; x86 has no exception for it. */
const FLOATING = 0xffff_ffff_ffff_ffffn;

export class Emulator {
  readonly #host: EmulationHost;
  #fault: NestedExit | undefined;
  #isDelivery = false;
  #emulation: Emulated | undefined;
  readonly #moves = new Moves();
  readonly #port = new PortAccess();
  readonly #answers: Local = (transfer) => this.#local(transfer);

  constructor(host: EmulationHost) {
    this.#host = host;
  }

  /** Forgets what is under way. */
  discard(): void {
    this.#fault = this.#emulation = undefined;
  }

  /** The guest is entered again: what it faulted for is settled. @returns the next transfer of the instruction under way */
  goOn(): TransferExit | undefined {
    this.#fault = undefined;
    return this.#continue();
  }

  /** IN, OUT, INS, OUTS. @param length - of the instruction, where the processor tells. @throws {GuestFault} */
  accessPort({ port, width, input, string }: PortExit, length: () => number): TransferExit | undefined {
    const cpu = this.#host.cpu();
    if (!string) {
      this.#emulation = this.#port.begin(cpu, port, width, input, length());
      return this.#continue();
    }
    cpu.begin();
    const instruction = decode(cpu.fetch(), cpu, portStringShape);
    if (instruction === undefined) throw undecodable();
    return this.#begin(portString(cpu, instruction, port, input), instruction.length);
  }

  /**
   * The nested page table does not allow an access: to the local APIC, or the hypervisor's to look at.
   *
   * @param delivers - it is an event's, whose delivery has nothing to do with the instruction at RIP.
   */
  access(exit: NestedExit, delivers: boolean): AxVCpuExitReason | undefined {
    this.#fault = exit;
    this.#isDelivery = delivers;
    if (this.#host.apic?.offsetOf(exit.gpa) !== undefined && !exit.fetch && !exit.walk) {
      const access = this.decodeMmio();
      if (access !== undefined) return access;
      if (this.#emulation === undefined && this.#fault === undefined) return undefined;
    }
    const accessFlags = exit.fetch ? MappingFlags.EXECUTE : exit.write ? MappingFlags.WRITE : MappingFlags.READ;
    return { reason: 'NestedPageFault', addr: exit.gpa as GuestPhysAddr, accessFlags };
  }

  /** The access of the last nested fault as a transfer; undefined if it is none of an instruction's data. */
  decodeMmio(): MmioExit | undefined {
    const fault = this.#fault;
    // A page that the instruction under way was found to access is a device's.
    if (fault === undefined) return this.#continue() as MmioExit | undefined;
    if (this.#isDelivery || fault.fetch || fault.walk) return undefined;
    const cpu = this.#host.cpu();
    const move = this.#moves.at(cpu, fault.gpa, fault.write, this.#answers);
    if (move !== undefined) {
      this.#fault = undefined;
      this.#emulation = move;
      return this.#continue() as MmioExit | undefined;
    }
    cpu.begin(fault.gpa);
    const instruction = decode(cpu.fetch(), cpu, shapeOf);
    const steps = instruction === undefined ? undefined : stepsOf(cpu, instruction);
    if (instruction === undefined || steps === undefined) return undefined;
    this.#fault = undefined;
    try {
      return this.#begin(steps, instruction.length) as MmioExit | undefined;
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      this.#host.completion.raise(e);
      return undefined;
    }
  }

  /** The value that a transfer read. @returns whether one was asked for */
  answer(value: bigint): boolean {
    this.#emulation?.answer(value);
    return this.#emulation !== undefined;
  }

  /** Nobody answers. @returns what was accessed: a device, which floats; by an instruction that is not emulated; what is no memory, which is the caller's to raise; nothing */
  refuse(): 'device' | 'fetch' | 'instruction' | 'memory' | undefined {
    const fault = this.#fault;
    this.#fault = undefined;
    if (this.answer(FLOATING)) return 'device';
    if (fault === undefined) return undefined;
    return fault.fetch ? 'fetch' : fault.walk || this.#isDelivery ? 'memory' : 'instruction';
  }

  /** Starts an emulated instruction: its first transfer that is the hypervisor's, or nothing more to do. */
  #begin(steps: Steps<Next>, length: number): TransferExit | undefined {
    this.#emulation = new Emulation(steps, length, this.#answers);
    return this.#continue();
  }

  #continue(): TransferExit | undefined {
    const emulation = this.#emulation;
    if (emulation === undefined) return undefined;
    const exit = emulation.next();
    if (exit !== undefined) return exit;
    this.#emulation = undefined;
    const { outcome } = emulation;
    const { completion } = this.#host;
    if (outcome === 'done' || outcome === SHADOWED) completion.advance(emulation.length, outcome === SHADOWED);
    else if (outcome === JUMPED) completion.jumped();
    else if (outcome instanceof GuestFault) completion.raise(outcome);
    else if (outcome === 'unsupported') this.#host.notEmulated();
    else completion.trapStep();
    return undefined;
  }

  /** Transfers of the local APIC's page. */
  #local(transfer: Transfer): bigint | undefined {
    if (transfer.kind === 'in' || transfer.kind === 'out') return undefined;
    const { apic } = this.#host;
    const offset = apic?.offsetOf(transfer.gpa);
    if (apic === undefined || offset === undefined) return undefined;
    if (transfer.kind === 'fault') return 0n;
    if (transfer.kind === 'read') return apic.read(offset, transfer.width);
    apic.write(offset, transfer.width, transfer.data);
    return 0n;
  }
}

/** With vector registers fetched from the processor before, and given back behind. */
function stepsOf(cpu: EmulatedCpu, instruction: Instruction): ReturnType<typeof execute> {
  const steps = execute(cpu, instruction);
  if (steps === undefined || !usesVectors(instruction)) return steps;
  const area = cpu.context.xsaveArea;
  return (function* (): Steps {
    xsave(area);
    yield* steps;
    xrstor(area);
  })();
}
