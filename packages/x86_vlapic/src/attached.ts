/** The local APICs of a machine on a thread that runs processors of it; the rest of its interrupt controllers is on another. */
import type { AttachedIntc, AttachedIntcContext } from '@axvisor/axvisor_api/attached_intc';
import { Apics } from './apics.ts';
import { LocalApicUnit, type ApicBus } from './local_apic.ts';

export function attachApics(state: Int32Array, context: AttachedIntcContext): AttachedIntc {
  const bus: ApicBus = {
    send: (from, message, shorthand) => apics.send(from, message, shorthand),
    controller: (cpu) => context.controller(cpu),
    setPin: (cpu, pin, level) => context.setVcpuInterrupt(cpu, pin, level),
  };
  const units = Array.from({ length: context.vcpuCount }, (_, cpu) => new LocalApicUnit(bus, cpu, state, context.isHere(cpu)));
  const apics = new Apics(units);
  return {
    localApic: (cpu) => units[cpu] as LocalApicUnit,
    forget: (cpu) => units[cpu]?.forget(),
  };
}
