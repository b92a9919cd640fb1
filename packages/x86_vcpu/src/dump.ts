/** A vCPU's registers by name, for people and for who loads a guest. */
import { axError } from '@axvisor/axvisor_api/errors';
import { Gpr } from '@axvisor/axvisor_api/arch/x86';
import type { Context } from './context.ts';
import { GUEST_REGISTERS, SEGMENTS, type Guest, type GuestRegister, type Segment, type SegmentName } from './guest.ts';

const GENERAL: ReadonlyMap<string, number> = new Map(Object.entries(Gpr).map(([name, index]) => [name.toLowerCase(), index]));
const SEGMENT_PARTS = ['selector', 'base', 'limit', 'rights'] as const;

/** rip, rsp and the other registers of the control structure, rax …, cs.selector, cs.base, cs.limit, cs.rights … */
export function dumpRegisters(guest: Guest, context: Context): Readonly<Record<string, bigint>> {
  const registers: Record<string, bigint> = {};
  for (const name of GUEST_REGISTERS) registers[name] = guest.get(name);
  for (const [name, index] of GENERAL) if (index !== Gpr.RSP) registers[name] = context.get(index);
  for (const name of SEGMENTS) {
    const segment = guest.segment(name);
    for (const part of SEGMENT_PARTS) registers[`${name}.${part}`] = BigInt(segment[part]);
  }
  return registers;
}

function setSegmentPart(guest: Guest, name: SegmentName, part: keyof Segment, value: bigint): void {
  guest.setSegment(name, { ...guest.segment(name), [part]: part === 'base' ? value : Number(value) });
}

/** Sets registers by the names of {@link dumpRegisters}. @throws {AxError} InvalidInput for a name that is none */
export function setRegisters(guest: Guest, context: Context, registers: Readonly<Record<string, bigint>>): void {
  for (const [name, value] of Object.entries(registers)) {
    const general = GENERAL.get(name);
    const [segment, part] = name.split('.') as [SegmentName, keyof Segment];
    if ((GUEST_REGISTERS as readonly string[]).includes(name)) guest.set(name as GuestRegister, value);
    else if (general !== undefined) context.set(general, value);
    else if (SEGMENTS.includes(segment) && SEGMENT_PARTS.includes(part)) setSegmentPart(guest, segment, part, value);
    else throw axError('InvalidInput', `x86-64 has no register ${name}`);
  }
}
