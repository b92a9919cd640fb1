/**
 * Hardware task switches, which VMX leaves to the hypervisor (SDM vol. 3, 8.3 and 26.4.2). What the processor checks before it leaves the guest is
 * checked again here: memory may have changed.
 */
import { Cr0, Cr4, Gpr, Rflags, SegmentAccess, Vector } from '@axvisor/axvisor_api/arch/x86';
import type { Context } from './context.ts';
import type { Guest, SegmentName } from './guest.ts';
import type { NestedMemory } from './nested.ts';
import { GuestFault, loadPdptes } from './paging.ts';
import {
  descriptorOf, dplOf, isCode, isConforming, isNull, isPresent, isReadable, isWritable, readTask, setType, SystemMemory, TSS_16, TSS_32, UNUSABLE, writeTask, type SystemDescriptor, type TaskState,
  type TssLayout,
} from './task_state.ts';

/** How it began, as exit qualifications number it. */
export const TaskSource = { call: 0, iret: 1, jump: 2, gate: 3 } as const;
export type TaskSource = (typeof TaskSource)[keyof typeof TaskSource];

export interface TaskSwitch {
  readonly selector: number;
  readonly source: TaskSource;
  /** Bytes of the instruction that the old task has behind it. */
  readonly length: number;
  /** Of the exception that a task gate takes. */
  readonly errorCode?: number;
}

/** Types of system descriptors. */
const LDT = 2;
const BUSY = 2;
const WIDE = 8;
/** Bits of RFLAGS that a TSS sets; bit 1 is always set. */
const FLAGS = 0x3f_7fd5n;
const ONE = 2n;
/** Breakpoints of one task. */
const DR7_LOCAL = 0x155n;
const V86_RIGHTS = 0xf3;

export class TaskSwitcher {
  readonly #guest: Guest;
  readonly #context: Context;
  readonly #nested: NestedMemory;
  readonly #memory: SystemMemory;

  constructor(guest: Guest, context: Context, nested: NestedMemory) {
    this.#guest = guest;
    this.#context = context;
    this.#nested = nested;
    this.#memory = new SystemMemory(guest, nested);
  }

  /**
   * Switches to another task.
   *
   * @returns whether the new task begins with a debug exception
   * @throws {GuestFault} of the old task before anything has changed, later of the new one
   */
  run(request: TaskSwitch): boolean {
    const { selector, source } = request;
    const guest = this.#guest;
    const memory = this.#memory;
    const target = this.#target(selector, source);
    const layout = (target.rights & WIDE) !== 0 ? TSS_32 : TSS_16;
    const task = readTask(memory, target.base, layout);
    const isNested = source === TaskSource.call || source === TaskSource.gate;
    this.#save(request, isNested ? target.base : undefined);
    if (source !== TaskSource.iret) setType(memory, target, (target.rights & 0xf) | BUSY);
    guest.setSegment('tr', { selector, base: target.base, limit: target.limit, rights: target.rights | BUSY });
    guest.set('cr0', guest.get('cr0') | Cr0.TS);
    this.#load(task, layout, isNested);
    if (request.errorCode !== undefined) this.#push(request.errorCode, layout.size);
    return task.traps;
  }

  /** The TSS to switch to. IRET faults with #TS, all others with #GP. */
  #target(selector: number, source: TaskSource): SystemDescriptor {
    const vector = source === TaskSource.iret ? Vector.TS : Vector.GP;
    const error = selector & 0xfffc;
    if (isNull(selector) || (selector & 4) !== 0) throw new GuestFault(vector, error);
    const target = descriptorOf(this.#guest, this.#memory, selector, vector);
    const wanted = source === TaskSource.iret ? 1 | BUSY : 1;
    if ((target.rights & (0x1f & ~WIDE)) !== wanted) throw new GuestFault(vector, error);
    if (!isPresent(target.rights)) throw new GuestFault(Vector.NP, error);
    if (target.limit < ((target.rights & WIDE) !== 0 ? TSS_32 : TSS_16).limit) throw new GuestFault(Vector.TS, error);
    return target;
  }

  /** The state of the old task. @param link - the TSS that is nested in it. */
  #save({ source, length }: TaskSwitch, link: bigint | undefined): void {
    const guest = this.#guest;
    const memory = this.#memory;
    const old = guest.segment('tr');
    const layout = (old.rights & WIDE) !== 0 ? TSS_32 : TSS_16;
    memory.probeWrite(old.base + BigInt(layout.ip), layout.segments + layout.names.length * layout.size - layout.ip);
    if (source === TaskSource.jump || source === TaskSource.iret) {
      const descriptor = descriptorOf(guest, memory, old.selector, Vector.TS);
      setType(memory, descriptor, descriptor.rights & 0xf & ~BUSY);
    }
    const flags = guest.get('rflags');
    writeTask(memory, old.base, layout, {
      ip: guest.get('rip') + BigInt(length),
      flags: source === TaskSource.iret ? flags & ~Rflags.NT : flags,
      registers: Array.from({ length: 8 }, (_, i) => this.#register(i)),
      selectors: Object.fromEntries(layout.names.map((name) => [name, guest.segment(name).selector])),
    });
    if (link !== undefined) memory.write(link, 2, BigInt(old.selector));
  }

  #register(index: number): bigint {
    return index === Gpr.RSP ? this.#guest.get('rsp') : this.#context.get(index);
  }

  #setRegister(index: number, value: bigint, size: 2 | 4): void {
    const whole = size === 4 ? value : (this.#register(index) & ~0xffffn) | value;
    if (index === Gpr.RSP) this.#guest.set('rsp', whole);
    else this.#context.set(index, whole);
  }

  /** The state of the new task; faults are its own. */
  #load({ cr3, ip, flags, registers, selectors, ldt }: TaskState, { size, names }: TssLayout, isNested: boolean): void {
    const guest = this.#guest;
    if (cr3 !== undefined && (guest.get('cr0') & Cr0.PG) !== 0n) {
      if ((guest.get('cr4') & Cr4.PAE) !== 0n && !loadPdptes(guest, this.#nested, cr3)) throw new GuestFault(Vector.GP, 0);
      guest.set('cr3', cr3);
      guest.flushTranslations();
    }
    guest.set('rip', ip);
    const wide = size === 4 ? flags : (guest.get('rflags') & ~0xffffn) | flags;
    guest.set('rflags', ((wide | (isNested ? Rflags.NT : 0n)) & FLAGS) | ONE);
    for (const [index, value] of registers.entries()) this.#setRegister(index, value, size);
    guest.set('dr7', guest.get('dr7') & ~DR7_LOCAL);
    // Selectors first: an exception finds them, and what hidden parts there were.
    guest.setSegment('ldtr', { selector: ldt, base: 0n, limit: 0, rights: UNUSABLE });
    const all = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
    const selectorOf = (name: SegmentName): number => (names.includes(name) ? (selectors[name] ?? 0) : 0);
    for (const name of all) guest.setSegment(name, { ...guest.segment(name), selector: selectorOf(name) });
    this.#loadLdt(ldt);
    if ((wide & Rflags.VM) !== 0n && size === 4) {
      for (const name of all) guest.setSegment(name, { selector: selectorOf(name), base: BigInt(selectorOf(name)) << 4n, limit: 0xffff, rights: V86_RIGHTS });
      return;
    }
    const cpl = selectorOf('cs') & 3;
    this.#loadCode(selectorOf('cs'), cpl);
    this.#loadStack(selectorOf('ss'), cpl);
    for (const name of ['es', 'ds', 'fs', 'gs'] as const) this.#loadData(name, selectorOf(name), cpl);
    if (ip > BigInt(guest.segment('cs').limit)) throw new GuestFault(Vector.GP, 0);
  }

  #loadLdt(selector: number): void {
    if (isNull(selector)) return;
    const error = selector & 0xfffc;
    if ((selector & 4) !== 0) throw new GuestFault(Vector.TS, error);
    const found = descriptorOf(this.#guest, this.#memory, selector, Vector.TS);
    if ((found.rights & 0x1f) !== LDT || !isPresent(found.rights)) throw new GuestFault(Vector.TS, error);
    this.#guest.setSegment('ldtr', { ...found, selector });
  }

  /** A segment's descriptor, which becomes accessed. */
  #loadSegment(name: SegmentName, selector: number, found: SystemDescriptor): void {
    setType(this.#memory, found, (found.rights & 0xf) | 1);
    this.#guest.setSegment(name, { ...found, selector, rights: found.rights | 1 });
  }

  #fetch(selector: number): SystemDescriptor {
    return descriptorOf(this.#guest, this.#memory, selector, Vector.TS);
  }

  #loadCode(selector: number, cpl: number): void {
    if (isNull(selector)) throw new GuestFault(Vector.TS, 0);
    const found = this.#fetch(selector);
    const dpl = dplOf(found.rights);
    if (!isCode(found.rights) || (isConforming(found.rights) ? dpl > cpl : dpl !== cpl)) throw new GuestFault(Vector.TS, selector & 0xfffc);
    if (!isPresent(found.rights)) throw new GuestFault(Vector.NP, selector & 0xfffc);
    this.#loadSegment('cs', selector, found);
  }

  #loadStack(selector: number, cpl: number): void {
    if (isNull(selector)) throw new GuestFault(Vector.TS, 0);
    const found = this.#fetch(selector);
    if (!isWritable(found.rights) || (selector & 3) !== cpl || dplOf(found.rights) !== cpl) throw new GuestFault(Vector.TS, selector & 0xfffc);
    if (!isPresent(found.rights)) throw new GuestFault(Vector.SS, selector & 0xfffc);
    this.#loadSegment('ss', selector, found);
  }

  #loadData(name: SegmentName, selector: number, cpl: number): void {
    if (isNull(selector)) {
      this.#guest.setSegment(name, { selector, base: 0n, limit: 0, rights: UNUSABLE });
      return;
    }
    const found = this.#fetch(selector);
    const { rights } = found;
    const isHidden = !isConforming(rights) && Math.max(selector & 3, cpl) > dplOf(rights);
    if (!isReadable(rights) || isHidden) throw new GuestFault(Vector.TS, selector & 0xfffc);
    if (!isPresent(rights)) throw new GuestFault(Vector.NP, selector & 0xfffc);
    this.#loadSegment(name, selector, found);
  }

  /** The error code, on the new task's stack. */
  #push(errorCode: number, size: 2 | 4): void {
    const guest = this.#guest;
    const stack = guest.segment('ss');
    const mask = (stack.rights & SegmentAccess.DB) !== 0 ? 0xffff_ffffn : 0xffffn;
    const rsp = guest.get('rsp');
    const offset = (rsp - BigInt(size)) & mask;
    this.#memory.write(stack.base + offset, size, BigInt.asUintN(8 * size, BigInt(errorCode)));
    guest.set('rsp', (rsp & ~mask) | offset);
  }
}
