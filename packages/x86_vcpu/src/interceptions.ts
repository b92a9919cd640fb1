/** What becomes of the exits of a vCPU (SDM vol. 3, 26.1 and 28): it carries out what it can, and tells the hypervisor of the rest. */
import { Cr4, Vector } from '@axvisor/axvisor_api/arch/x86';
import { axError } from '@axvisor/axvisor_api/errors';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { loadMachineStatus, writeCr0, writeCr4 } from './control_registers.ts';
import type { EmulationHost, Emulator } from './emulate/emulator.ts';
import type { Events } from './events.ts';
import type { X86Exit } from './exit.ts';
import { EventKind, type GuestEvent } from './guest.ts';
import { handleInstruction, type InstructionHost } from './instructions.ts';
import { GuestFault } from './paging.ts';
import { TaskSource, TaskSwitcher } from './task_switch.ts';

/** The guest is reset. */
export const SHUTDOWN: AxVCpuExitReason = { reason: 'SystemReset', warm: false };

/** What a guest may set in CR4. */
const ALLOWED_CR4 =
  Cr4.VME | Cr4.PVI | Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.PAE | Cr4.MCE | Cr4.PGE | Cr4.PCE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.UMIP | Cr4.LA57 | Cr4.FSGSBASE |
  Cr4.PCIDE | Cr4.OSXSAVE | Cr4.SMEP | Cr4.SMAP;

/** DR6: the task has a debug exception at its start. */
const DR6_BT = 0x8000n;

/** What they need of the vCPU. */
export interface InterceptionHost extends InstructionHost, EmulationHost {
  /** Its name in messages. */
  readonly who: string;
  /** The hypervisor is to answer for an MSR: RIP stays where it is. */
  readonly awaitsMsr: boolean;
}

export class Interceptions {
  readonly #host: InterceptionHost;
  readonly #events: Events;
  readonly #emulator: Emulator;

  constructor(host: InterceptionHost, events: Events, emulator: Emulator) {
    this.#host = host;
    this.#events = events;
    this.#emulator = emulator;
  }

  /** @param event - whose delivery was interrupted. @returns what is the hypervisor's to do */
  handle(exit: X86Exit, event: GuestEvent | undefined): AxVCpuExitReason | undefined {
    try {
      return this.#dispatch(exit, event);
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      this.#host.completion.raise(e);
      return undefined;
    }
  }

  #dispatch(exit: X86Exit, event: GuestEvent | undefined): AxVCpuExitReason | undefined {
    switch (exit.kind) {
      case 'interrupt':
        return { reason: 'ExternalInterrupt', vector: BigInt(exit.vector) };
      case 'window':
        return undefined;
      case 'shutdown':
        return SHUTDOWN;
      case 'failEntry':
        return { reason: 'FailEntry', hardwareEntryFailureReason: exit.reason };
      case 'unexpected':
        return { reason: 'GuestError', message: `${exit.message} at RIP 0x${this.#host.guest.get('rip').toString(16)}` };
      case 'instruction': {
        const length = this.lengthOf();
        const reason = handleInstruction(this.#host, exit.instruction);
        if (!this.#host.awaitsMsr) this.#host.completion.advance(length);
        return reason;
      }
      case 'cr':
        this.#accessCr(exit);
        return undefined;
      case 'clts':
        writeCr0(this.#host.guest, this.#host.cpu().memory, this.#host.guest.get('cr0') & ~8n);
        this.#host.completion.advance(this.lengthOf());
        return undefined;
      case 'lmsw':
        loadMachineStatus(this.#host.guest, this.#host.cpu().memory, exit.source);
        this.#host.completion.advance(this.lengthOf());
        return undefined;
      case 'task':
        this.#switchTask(exit, exit.source === TaskSource.gate ? event : undefined);
        return undefined;
      case 'io':
        return this.#emulator.accessPort(exit, () => this.lengthOf());
      case 'nested':
        return this.#emulator.access(exit, event !== undefined);
    }
  }

  /** Length of the instruction of the last exit. */
  lengthOf(): number {
    const length = this.#host.guest.instructionLength();
    if (length === undefined) throw axError('BadState', `${this.#host.who}: the processor does not report the length of an intercepted instruction`);
    return length;
  }

  #accessCr({ cr, access, gpr }: Extract<X86Exit, { readonly kind: 'cr' }>): void {
    const cpu = this.#host.cpu();
    if (access === 'read') {
      cpu.setReg(gpr, cr === 8 ? BigInt(this.#host.apic?.tpr ?? 0) >> 4n : this.#host.guest.get(`cr${cr as 0 | 4}`));
    } else {
      const value = cpu.mode.long ? cpu.reg(gpr) : BigInt.asUintN(32, cpu.reg(gpr));
      if (cr === 0) writeCr0(this.#host.guest, this.#host.cpu().memory, value);
      else if (cr === 4) writeCr4(this.#host.guest, value, ALLOWED_CR4);
      else this.#setTaskPriority(value);
    }
    this.#host.completion.advance(this.lengthOf());
  }

  #setTaskPriority(value: bigint): void {
    if (value > 15n) throw new GuestFault(Vector.GP, 0);
    if (this.#host.apic !== undefined) this.#host.apic.tpr = Number(value) << 4;
  }

  /** @param event - that comes by a task gate. */
  #switchTask({ selector, source }: Extract<X86Exit, { readonly kind: 'task' }>, event: GuestEvent | undefined): void {
    if (event !== undefined) this.#events.delivered();
    if (event?.kind === EventKind.nmi) this.#host.guest.blockNmis();
    // Exceptions, interrupts and NMIs come before the instruction that RIP points to.
    const length = event === undefined || event.length !== undefined ? this.lengthOf() : 0;
    const switcher = new TaskSwitcher(this.#host.guest, this.#host.context, this.#host.cpu().memory);
    const traps = switcher.run({ selector, source, length, ...(event?.errorCode === undefined ? {} : { errorCode: event.errorCode }) });
    this.#host.guest.clearShadow();
    if (!traps) return;
    this.#host.guest.addToDr6(DR6_BT);
    this.#events.raise({ vector: Vector.DB, kind: EventKind.exception });
  }
}
