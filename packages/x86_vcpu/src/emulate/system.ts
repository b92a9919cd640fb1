/**
 * Instructions on system registers and segments whose operand, or whose descriptor, is a device's (SDM vol. 2: SGDT, SIDT, LGDT, LIDT, SLDT, STR, LLDT,
 * LTR, SMSW, LMSW, MOV of segment registers, far JMP and CALL). What needs no memory the processor has checked before it left the guest.
 */
import { Cr0, Cr4, Efer, Rflags, SegmentAccess, Vector } from '@axvisor/axvisor_api/arch/x86';
import { loadMachineStatus } from '../control_registers.ts';
import type { SegmentName } from '../guest.ts';
import { GuestFault } from '../paging.ts';
import { descriptorPlace, dplOf, isCode, isConforming, isNull, isPresent, isReadable, isSegment, isWritable, toDescriptor, UNUSABLE, type SystemDescriptor } from '../task_state.ts';
import type { Instruction } from './decode.ts';
import { truncate, type EmulatedCpu, type Steps } from './machine.ts';
import { JUMPED, SHADOWED, linearOf, modrm, readRm, writeRm, type Definition, type Run } from './operands.ts';
import { Unsupported } from './emulation.ts';
import { pushAll, target } from './stack.ts';

const SYSTEM = { system: true } as const;
/** Types of system descriptors, with the bit that says segment. */
const LDT = 2;
const TSS_16 = 1;
const TSS = 9;
const BUSY = 2;
const ACCESSED = 1;
/** Of a descriptor, the byte with its type. */
const RIGHTS_AT = 5n;

const isLongMode = (cpu: EmulatedCpu): boolean => (cpu.guest.get('efer') & Efer.LMA) !== 0n;
/** Whether segments have descriptors. */
const hasDescriptors = (cpu: EmulatedCpu): boolean => (cpu.guest.get('cr0') & Cr0.PE) !== 0n && (cpu.guest.get('rflags') & Rflags.VM) === 0n;
const isCanonical = (cpu: EmulatedCpu, address: bigint): boolean =>
  truncate(BigInt.asIntN((cpu.guest.get('cr4') & Cr4.LA57) === 0n ? 48 : 57, address), 8) === address;
const errorOf = (selector: number): number => selector & 0xfffc;

// ── descriptors ──

function* fetch(cpu: EmulatedCpu, selector: number): Steps<SystemDescriptor> {
  const at = descriptorPlace(cpu.guest, selector, Vector.GP);
  return toDescriptor(at, yield* cpu.read(at, 8, SYSTEM));
}

function* setBits(cpu: EmulatedCpu, { at, rights }: SystemDescriptor, bits: number): Steps {
  if ((rights & bits) !== bits) yield* cpu.write(at + RIGHTS_AT, 1, BigInt((rights | bits) & 0xff), SYSTEM);
}

/** The descriptor of an LDT or a TSS, in long mode with the upper half of its base. */
function* fetchSystem(cpu: EmulatedCpu, selector: number, types: readonly number[]): Steps<SystemDescriptor> {
  const error = errorOf(selector);
  if ((selector & 4) !== 0) throw new GuestFault(Vector.GP, error);
  const found = yield* fetch(cpu, selector);
  if (!types.includes(found.rights & 0x1f)) throw new GuestFault(Vector.GP, error);
  if (!isPresent(found.rights)) throw new GuestFault(Vector.NP, error);
  if (!isLongMode(cpu)) return found;
  descriptorPlace(cpu.guest, selector, Vector.GP, 16);
  const upper = yield* cpu.read(BigInt.asUintN(64, found.at + 8n), 8, SYSTEM);
  const base = found.base | ((upper & 0xffff_ffffn) << 32n);
  if (((upper >> 40n) & 0x1fn) !== 0n || !isCanonical(cpu, base)) throw new GuestFault(Vector.GP, error);
  return { ...found, base };
}

const loadLdt: Run = function* (cpu, i) {
  const selector = Number(yield* readRm(cpu, i, 2));
  if (isNull(selector)) {
    cpu.guest.setSegment('ldtr', { selector, base: 0n, limit: 0, rights: UNUSABLE });
    return;
  }
  cpu.guest.setSegment('ldtr', { ...(yield* fetchSystem(cpu, selector, [LDT])), selector });
};

const loadTask: Run = function* (cpu, i) {
  const selector = Number(yield* readRm(cpu, i, 2));
  if (isNull(selector)) throw new GuestFault(Vector.GP, 0);
  const found = yield* fetchSystem(cpu, selector, isLongMode(cpu) ? [TSS] : [TSS, TSS_16]);
  yield* setBits(cpu, found, BUSY);
  cpu.guest.setSegment('tr', { ...found, selector, rights: found.rights | BUSY });
};

/** A segment register outside of protected mode. */
const loadReal = (cpu: EmulatedCpu, name: SegmentName, selector: number): void =>
  cpu.guest.setSegment(name, { ...cpu.guest.segment(name), selector, base: BigInt(selector) << 4n });

// ── instructions ──

/** SLDT and STR. */
const storeSystem = (name: 'ldtr' | 'tr'): Run => function* (cpu, i) {
  yield* writeRm(cpu, i, i.register ? i.size : 2, BigInt(cpu.guest.segment(name).selector));
};
const storeTable = (name: 'gdtr' | 'idtr'): Run => function* (cpu, i) {
  const linear = linearOf(cpu, i);
  const size = cpu.mode.long ? 8 : 4;
  cpu.probe(linear, size + 2, true);
  yield* cpu.write(linear, 2, cpu.guest.get(`${name}.limit`));
  yield* cpu.write(BigInt.asUintN(64, linear + 2n), size, cpu.guest.get(`${name}.base`));
};
const loadTable = (name: 'gdtr' | 'idtr'): Run => function* (cpu, i) {
  const linear = linearOf(cpu, i);
  const { long } = cpu.mode;
  const limit = yield* cpu.read(linear, 2);
  const base = yield* cpu.read(BigInt.asUintN(64, linear + 2n), long ? 8 : 4);
  if (long && !isCanonical(cpu, base)) throw new GuestFault(Vector.GP, 0);
  cpu.guest.set(`${name}.limit`, limit);
  cpu.guest.set(`${name}.base`, !long && i.size === 2 ? base & 0xff_ffffn : base);
};
const storeStatus: Run = function* (cpu, i) {
  yield* writeRm(cpu, i, 2, truncate(cpu.guest.get('cr0'), 2));
};
const loadStatus: Run = function* (cpu, i): Steps {
  loadMachineStatus(cpu.guest, cpu.memory, Number(yield* readRm(cpu, i, 2)));
};

const SEGMENT_NUMBERS: readonly SegmentName[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const segmentOf = ({ reg }: Instruction): SegmentName | undefined => SEGMENT_NUMBERS[reg & 7];

const storeSelector: Run = function* (cpu, i) {
  yield* writeRm(cpu, i, i.register ? i.size : 2, BigInt(cpu.guest.segment(segmentOf(i) as SegmentName).selector));
};

/** SS. Null is for 64-bit code, which keeps its privilege level there. */
function* loadStack(cpu: EmulatedCpu, selector: number): Steps<typeof SHADOWED> {
  const { cpl, guest } = cpu;
  const error = errorOf(selector);
  if (!hasDescriptors(cpu)) loadReal(cpu, 'ss', selector);
  else if (isNull(selector)) {
    if (!cpu.mode.long || cpl === 3 || selector !== cpl) throw new GuestFault(Vector.GP, 0);
    guest.setSegment('ss', { selector, base: 0n, limit: 0, rights: UNUSABLE | (cpl << 5) });
  } else {
    const found = yield* fetch(cpu, selector);
    if (!isWritable(found.rights) || (selector & 3) !== cpl || dplOf(found.rights) !== cpl) throw new GuestFault(Vector.GP, error);
    if (!isPresent(found.rights)) throw new GuestFault(Vector.SS, error);
    yield* setBits(cpu, found, ACCESSED);
    guest.setSegment('ss', { ...found, selector, rights: found.rights | ACCESSED });
  }
  return SHADOWED;
}

const loadSelector: Run = function* (cpu, i) {
  const name = segmentOf(i) as SegmentName;
  const selector = Number(yield* readRm(cpu, i, 2));
  if (name === 'ss') return yield* loadStack(cpu, selector);
  if (!hasDescriptors(cpu)) return loadReal(cpu, name, selector);
  if (isNull(selector)) {
    cpu.guest.setSegment(name, { selector, base: 0n, limit: 0, rights: UNUSABLE });
    return;
  }
  const found = yield* fetch(cpu, selector);
  const { rights } = found;
  const isHidden = !isConforming(rights) && Math.max(selector & 3, cpu.cpl) > dplOf(rights);
  if (!isReadable(rights) || isHidden) throw new GuestFault(Vector.GP, errorOf(selector));
  if (!isPresent(rights)) throw new GuestFault(Vector.NP, errorOf(selector));
  yield* setBits(cpu, found, ACCESSED);
  cpu.guest.setSegment(name, { ...found, selector, rights: rights | ACCESSED });
};

/** The code segment that a far transfer goes to, at the same privilege level. Gates and tasks are not emulated. */
function* fetchCode(cpu: EmulatedCpu, selector: number): Steps<SystemDescriptor> {
  const error = errorOf(selector);
  if (isNull(selector)) throw new GuestFault(Vector.GP, 0);
  const found = yield* fetch(cpu, selector);
  const { rights } = found;
  const { cpl } = cpu;
  if (!isSegment(rights)) throw new Unsupported();
  const allowed = isConforming(rights) ? dplOf(rights) <= cpl : dplOf(rights) === cpl && (selector & 3) <= cpl;
  const isAmbiguous = isLongMode(cpu) && (rights & SegmentAccess.L) !== 0 && (rights & SegmentAccess.DB) !== 0;
  if (!isCode(rights) || !allowed || isAmbiguous) throw new GuestFault(Vector.GP, error);
  if (!isPresent(rights)) throw new GuestFault(Vector.NP, error);
  return found;
}

/** JMP and CALL by a far pointer: the offset, as wide as operands are, and the selector behind it. */
const far = (isCall: boolean): Run => function* (cpu, i) {
  const { guest } = cpu;
  const linear = linearOf(cpu, i);
  const offset = yield* cpu.read(linear, i.size);
  const selector = Number(yield* cpu.read(BigInt.asUintN(64, linear + BigInt(i.size)), 2));
  const cs = guest.segment('cs');
  const real = !hasDescriptors(cpu);
  const found = real ? { ...cs, base: BigInt(selector) << 4n } : yield* fetchCode(cpu, selector);
  const isLong = isLongMode(cpu) && (found.rights & SegmentAccess.L) !== 0;
  const to = target(cpu, isLong ? 'long' : found.limit, offset);
  if (isCall) yield* pushAll(cpu, i.size, [BigInt(cs.selector), guest.get('rip') + BigInt(i.length)]);
  if (!real) yield* setBits(cpu, found as SystemDescriptor, ACCESSED);
  guest.setSegment('cs', {
    selector: real ? selector : (selector & ~3) | cpu.cpl, base: found.base, limit: found.limit, rights: real ? found.rights : found.rights | ACCESSED,
  });
  guest.set('rip', to);
  return JUMPED;
};
export const FAR_CALL: Run = far(true);
export const FAR_JUMP: Run = far(false);

/** A group by ModRM.reg; what it has not is not emulated. */
const group = (runs: readonly (Run | undefined)[], register: boolean): Definition => ({
  ...modrm((cpu, i) => (runs[i.reg & 7] as Run)(cpu, i)),
  handles: (i) => runs[i.reg & 7] !== undefined && (register || !i.register),
});

/** By opcode, as in `execute.ts`. */
export const SYSTEM_DEFINITIONS: readonly (readonly [number, Definition])[] = [
  [0x8c, { ...modrm(storeSelector), handles: (i) => segmentOf(i) !== undefined }],
  [0x8e, { ...modrm(loadSelector), handles: (i) => segmentOf(i) !== undefined }],
  [0x0f00, group([storeSystem('ldtr'), storeSystem('tr'), loadLdt, loadTask], true)],
  [0x0f01, group([storeTable('gdtr'), storeTable('idtr'), loadTable('gdtr'), loadTable('idtr'), storeStatus, undefined, loadStatus], false)],
];
