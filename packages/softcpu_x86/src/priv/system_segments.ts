/** Instructions on segment registers and descriptor tables, far transfers, software interrupts (SDM vol. 2, MOV, LDS, LAR, SGDT, INT, IRET). */
import { EVENT, SEG, SHADOW } from './fields.ts';
import { Status } from './interface.ts';
import type { SystemInsn } from './interface.ts';
import type { SystemContext } from './system_context.ts';

export class SegmentInstructions {
  private readonly c: SystemContext;

  constructor(context: SystemContext) {
    this.c = context;
  }

  loadSegment(segment: number, selector: number): void {
    const { regs, segments } = this.c.p;
    if (segment === SEG.cs || segment > SEG.gs) this.c.ud();
    segments.load(segment, selector);
    if (segment === SEG.ss) regs.block(SHADOW.movSs);
    regs.modeChanged();
  }

  popSegment(insn: SystemInsn): void {
    const { stack } = this.c;
    stack.begin();
    const selector = stack.peek(0, 2);
    stack.move(insn.opSize);
    const { spLo, spHi } = stack;
    this.loadSegment(insn.imm, selector);
    // A new SS may be of another size; the pointer is the old one's.
    stack.begin();
    stack.spLo = spLo;
    stack.spHi = spHi;
    stack.commit();
  }

  /** LDS, LES, LFS, LGS, LSS; `imm` is the segment register. */
  loadFarPointer(insn: SystemInsn): void {
    const { regs, linear } = this.c.p;
    const { seg, lo, hi, opSize } = insn;
    const offset = linear.load(seg, lo, hi, opSize);
    const upper = linear.hi;
    const selector = this.selectorBehind(insn);
    this.loadSegment(insn.imm, selector);
    if (insn.imm !== SEG.ss) regs.shadow = 0;
    regs.setSized(insn.reg, opSize, offset, upper);
  }

  selectorBehind(insn: SystemInsn): number {
    const at = (insn.lo >>> 0) + insn.opSize;
    const lo = insn.addrSize === 2 ? at & 0xffff : at | 0;
    return this.c.p.linear.load(insn.seg, lo, insn.addrSize === 8 && at > 0xffff_ffff ? insn.hi + 1 : insn.hi, 2);
  }

  farMemory(call: boolean, insn: SystemInsn): void {
    const { linear, transfers } = this.c.p;
    const lo = linear.load(insn.seg, insn.lo, insn.hi, insn.opSize);
    const { hi } = linear;
    transfers.far(call, this.selectorBehind(insn), lo, hi, insn);
  }

  iret(insn: SystemInsn): Status {
    const { regs, transfers } = this.c.p;
    this.c.guest?.instruction('iret', insn);
    if (this.c.guest === undefined) regs.nmiBlocked = false;
    else this.c.guest.iretUnblocks();
    transfers.iret(insn.opSize, insn);
    regs.rfAt = regs.host.retired() + 1;
    regs.host.endSlice();
    return Status.refetch;
  }

  softwareInterrupt(insn: SystemInsn): Status {
    const { events } = this.c.p;
    this.c.guest?.instruction('int', insn);
    return events.software(insn.imm & 0xff, EVENT.softInt, insn.length);
  }

  storeSelector(name: 'sldt' | 'str', segment: number, insn: SystemInsn): void {
    this.c.umip();
    this.c.guest?.instruction(name, insn);
    const { regs, linear } = this.c.p;
    const selector = regs.selector(segment);
    if (insn.rm >= 0) regs.setSized(insn.rm, insn.opSize, selector, 0);
    else linear.store(insn.seg, insn.lo, insn.hi, 2, selector, 0);
  }

  loadSystem(name: 'lldt' | 'ltr', insn: SystemInsn): void {
    this.c.guest?.instruction(name, insn);
    this.c.p.segments[name](this.c.word(insn));
  }

  storeTable(name: 'sgdt' | 'sidt', insn: SystemInsn): void {
    this.c.umip();
    this.c.guest?.instruction(name, insn);
    this.c.p.segments.storeTable(name === 'sidt', insn.seg, insn.lo, insn.hi);
  }

  loadTable(name: 'lgdt' | 'lidt', insn: SystemInsn): void {
    this.c.guest?.instruction(name, insn);
    this.c.p.segments.loadTable(name === 'lidt', insn.seg, insn.lo, insn.hi, insn.opSize);
  }

  /** ARPL: the destination's RPL becomes at least the source's. */
  arpl(insn: SystemInsn): void {
    const { regs, linear } = this.c.p;
    const destination = this.c.word(insn);
    const rpl = regs.lo(insn.reg) & 3;
    const raised = (destination & 3) < rpl;
    if (raised) {
      const value = (destination & ~3) | rpl;
      if (insn.rm >= 0) regs.setSized(insn.rm, 2, value, 0);
      else linear.store(insn.seg, insn.lo, insn.hi, 2, value, 0);
    }
    this.c.setZero(raised);
  }

  inspect(insn: SystemInsn, value: number): void {
    this.c.setZero(value !== -1);
    if (value !== -1) this.c.p.regs.setSized(insn.reg, insn.opSize, value | 0, 0);
  }
}
