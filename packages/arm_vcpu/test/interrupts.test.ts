import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CpuPin, SYSREG } from '@axvisor/axvisor_api/arch/arm';
import type { CpuInterrupts, InterruptState, SgiRequest } from '@axvisor/axvisor_api/intc';
import { PendingQueue } from '../src/index.ts';
import { esr, withVCpus, type FakePe } from './support/fake.ts';

const LRS = 4;
const lr = (pe: FakePe, i: number): bigint => pe.read(SYSREG.ICH_LR_EL2 + i);
const contents = (pe: FakePe): string[] =>
  Array.from({ length: LRS }, (_, i) => lr(pe, i)).filter((v) => v !== 0n).map((v) => `${v & 0xffff_ffffn}${['', ' pending', ' active', ' both'][Number(v >> 62n)]}`);
const RUN = { irq: 26 };

/** A virtual CPU interface, as far as list registers go: the guest acknowledges the most urgent pending one, and ends active ones. */
function acknowledge(pe: FakePe): number | undefined {
  let best: number | undefined;
  for (let i = 0; i < LRS; i++) {
    const priority = (v: bigint): bigint => (v >> 48n) & 0xffn;
    if (lr(pe, i) >> 62n === 1n && (best === undefined || priority(lr(pe, i)) < priority(lr(pe, best)))) best = i;
  }
  if (best === undefined) return undefined;
  pe.registers.set(SYSREG.ICH_LR_EL2 + best, (lr(pe, best) & ~(1n << 62n)) | (1n << 63n));
  return Number(lr(pe, best) & 0xffff_ffffn);
}
function end(pe: FakePe, intid: number): void {
  for (let i = 0; i < LRS; i++) if (lr(pe, i) >> 63n === 1n && Number(lr(pe, i) & 0xffff_ffffn) === intid) pe.registers.set(SYSREG.ICH_LR_EL2 + i, lr(pe, i) & ~(1n << 63n));
}

test('an interrupt goes into a list register: group 1, priority, pending; the same again is merged', () => {
  withVCpus(1, (machine, vcpu) => {
    vcpu.injectInterrupt(42);
    vcpu.injectInterrupt(42);
    machine.next(RUN, ({ pe }) => {
      expect(lr(pe, 0)).toBe((1n << 62n) | (1n << 60n) | (0xa0n << 48n) | 42n);
      expect(contents(pe)).toEqual(['42 pending']);
      expect(pe.get('ICH_HCR_EL2')).toBe(1n);
    });
    vcpu.run();
    // Not taken: it stays, once.
    vcpu.injectInterrupt(42);
    machine.next(RUN, ({ pe }) => {
      expect(contents(pe)).toEqual(['42 pending']);
      expect(acknowledge(pe)).toBe(42);
    });
    vcpu.run();
    vcpu.injectInterrupt(42);
    machine.next(RUN, ({ pe }) => {
      expect(contents(pe)).toEqual(['42 both']);
      end(pe, 42);
    });
    vcpu.run();
    machine.next(RUN, ({ pe }) => {
      expect(contents(pe)).toEqual(['42 pending']);
      acknowledge(pe);
      end(pe, 42);
    });
    vcpu.run();
    machine.next(RUN, ({ pe }) => expect(contents(pe)).toEqual([]));
    vcpu.run();
  });
});

test('a cleared interrupt is taken back from its list register', () => {
  withVCpus(1, (machine, vcpu) => {
    vcpu.injectInterrupt(42);
    vcpu.run();
    vcpu.clearInterrupt(42);
    machine.next(RUN, ({ pe }) => expect(contents(pe)).toEqual([]));
    vcpu.run();
    vcpu.clearInterrupt(43);
  });
});

test('more interrupts than registers: the rest waits for an underflow', () => {
  withVCpus(1, (machine, vcpu) => {
    for (let intid = 100; intid < 110; intid++) vcpu.injectInterrupt(intid);
    const taken: number[] = [];
    const takeAll = ({ pe }: { pe: FakePe }): void => {
      for (let intid = acknowledge(pe); intid !== undefined; intid = acknowledge(pe)) {
        taken.push(intid);
        end(pe, intid);
      }
    };
    machine.next({ irq: 25 }, (guest) => {
      expect(guest.pe.get('ICH_HCR_EL2')).toBe(3n);
      takeAll(guest);
    });
    machine.next({ irq: 25 }, takeAll).next(RUN, (guest) => {
      expect(guest.pe.get('ICH_HCR_EL2')).toBe(1n);
      takeAll(guest);
    });
    vcpu.run();
    expect(taken).toEqual([100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
  });
});

test('a single list register announces its end instead', () => {
  withVCpus(1, (machine, vcpu) => {
    vcpu.injectInterrupt(60);
    vcpu.injectInterrupt(61);
    machine.next(RUN, ({ pe }) => {
      expect(pe.get('ICH_HCR_EL2')).toBe(1n);
      expect(lr(pe, 0)).toBe((1n << 62n) | (1n << 60n) | (0xa0n << 48n) | (1n << 41n) | 60n);
      acknowledge(pe);
      end(pe, 60);
    });
    vcpu.run();
    machine.next(RUN, ({ pe }) => expect(lr(pe, 0)).toBe((1n << 62n) | (1n << 60n) | (0xa0n << 48n) | 61n));
    vcpu.run();
  }, { registers: { ICH_VTR_EL2: (4n << 29n) | (4n << 26n) } });
});

test('injection works for vCPUs that are not bound, on another processing element, and for vectors that exist', () => {
  withVCpus(2, (machine, vcpu, all) => {
    vcpu.injectInterrupt(50);
    vcpu.run();
    vcpu.unbind();
    vcpu.injectInterrupt(51);
    const other = all[1];
    other?.bind();
    machine.next(RUN, ({ pe }) => expect(contents(pe)).toEqual([]));
    other?.run();
    other?.unbind();
    machine.cpu = 1;
    vcpu.bind();
    machine.next(RUN, ({ pe }) => expect(contents(pe)).toEqual(['50 pending', '51 pending']));
    vcpu.run();
    vcpu.injectInterrupt(8192);
    for (const bad of [-1, 1020, 1023, 8191, 65536, 1.5]) expect(() => vcpu.injectInterrupt(bad)).toThrow('no interrupt');
  });
});

test('a level is pending again after its end, until the wire goes low', () => {
  withVCpus(1, (machine, vcpu) => {
    machine.next({ irq: 27 }, ({ pe }) => {
      pe.set('CNTV_CVAL_EL0', 500n);
      pe.set('CNTV_CTL_EL0', 1n);
    });
    machine.next({ irq: 25 }, ({ pe }) => {
      expect(contents(pe)).toEqual(['27 pending']);
      expect(lr(pe, 0) & (1n << 41n)).not.toBe(0n);
      acknowledge(pe);
      end(pe, 27);
    });
    machine.next(RUN, ({ pe }) => {
      expect(contents(pe)).toEqual(['27 pending']);
      acknowledge(pe);
      pe.set('CNTV_CTL_EL0', 3n);
      end(pe, 27);
    });
    machine.now = 2000n;
    vcpu.run();
    machine.next(RUN, ({ pe }) => expect(contents(pe)).toEqual([]));
    vcpu.run();
  });
});

test('timers say when they are due, and wake the vCPU', () => {
  withVCpus(1, (machine, vcpu) => {
    expect(vcpu.nextTimer()).toBeUndefined();
    machine.next(RUN, ({ pe }) => {
      pe.set('ICH_VMCR_EL2', 0xff00_0002n);
      pe.set('CNTV_CVAL_EL0', 5000n);
      pe.set('CNTV_CTL_EL0', 1n);
      pe.set('CNTP_CVAL_EL0', 7000n);
      pe.set('CNTP_CTL_EL0', 1n);
    });
    vcpu.run();
    // The virtual counter began at 1000.
    expect(vcpu.nextTimer()).toBe(6000n);
    vcpu.unbind();
    expect(vcpu.nextTimer()).toBe(6000n);
    machine.now = 5999n;
    expect(vcpu.hasPendingInterrupt()).toBe(false);
    machine.now = 6000n;
    expect(vcpu.hasPendingInterrupt()).toBe(true);
    expect(vcpu.nextTimer()).toBe(6000n);
    // Masked at the CPU interface: nothing to wake for, and no reason to look at it again and again.
    vcpu.bind();
    machine.next(RUN, ({ pe }) => pe.set('ICH_VMCR_EL2', 0x8000_0002n));
    vcpu.run();
    expect(vcpu.hasPendingInterrupt()).toBe(false);
    expect(vcpu.nextTimer()).toBe(7000n);
    machine.next(RUN, ({ pe }) => {
      pe.set('ICH_VMCR_EL2', 0xff00_0002n);
      pe.set('ICH_AP1R_EL2', 1n << 4n);
    });
    vcpu.run();
    expect(vcpu.hasPendingInterrupt()).toBe(false);
  });
});

test('a wire that goes low while its interrupt waits in a list register takes it back; an edge that waits there is kept', () => {
  const queue = new PendingQueue();
  queue.setPrivateLine(27, true);
  queue.setPending(40, true);
  queue.flush(4);
  queue.setPrivateLine(27, false);
  queue.sync([{ intid: 27, pending: true, active: false }, { intid: 40, pending: true, active: false }], 0);
  expect(queue.flush(4).interrupts.map((i) => i.intid)).toEqual([40]);
  // Cleared while it waits.
  queue.setPending(40, false);
  queue.sync([{ intid: 40, pending: true, active: false }], 0);
  expect(queue.highestPending()).toBeUndefined();
  // Active in no register, ended there: the most urgent of them.
  queue.setPending(41, true);
  queue.flush(4);
  queue.sync([{ intid: 41, pending: false, active: true }], 0);
  queue.flush(0);
  queue.sync([], 1);
  expect(queue.flush(4).interrupts).toEqual([]);
});

class Recorder implements CpuInterrupts {
  readonly sent: SgiRequest[] = [];
  readonly lines: string[] = [];
  readonly changed = true;
  readonly lists: boolean;
  synced: readonly InterruptState[] = [];
  ended = 0;
  constructor(lists: boolean) {
    this.lists = lists;
  }
  useListRegisters(): boolean {
    return this.lists;
  }
  setPrivateLine(intid: number, level: boolean): void {
    if (level) this.lines.push(`${intid}`);
  }
  setPending(intid: number, pending: boolean): void {
    this.lines.push(`${intid}=${pending}`);
  }
  sendSgi(request: SgiRequest): void {
    this.sent.push(request);
  }
  flush(count: number): ReturnType<CpuInterrupts['flush']> {
    return { interrupts: [{ intid: 33, priority: 0x80, group: 0, pending: true, active: true, notifyEnd: true }], more: count < 2 };
  }
  sync(states: readonly InterruptState[], ended: number): void {
    this.synced = states;
    this.ended += ended;
  }
  highestPending(): undefined {
    return undefined;
  }
}

test('an attached controller decides what list registers hold, and is told what became of them', () => {
  withVCpus(1, (machine, vcpu) => {
    const controller = new Recorder(true);
    vcpu.attachInterrupts?.(controller);
    machine.next({ esr: esr(0x18, 0x3a_3016 | (3 << 5)) }, ({ pe }) => {
      expect(lr(pe, 0)).toBe((3n << 62n) | (0x80n << 48n) | (1n << 41n) | 33n);
      pe.registers.set(SYSREG.ICH_LR_EL2, 33n);
      pe.set('ICH_HCR_EL2', (2n << 27n) | 1n);
    });
    vcpu.run();
    expect(controller.sent).toEqual([{ intid: 0, group: 1, targets: { affinity: 0n, range: 0, list: 0 } }]);
    expect(controller.synced.length).toBe(1);
    expect(controller.ended).toBe(2);
    vcpu.injectInterrupt(20);
    expect(controller.lines).toContain('20=true');
  });
});

test('a controller with a CPU interface of its own drives the pins; the guest has no system-register interface', () => {
  withVCpus(1, (machine, vcpu) => {
    vcpu.attachInterrupts?.(new Recorder(false));
    const before = machine.pe.get('HCR_EL2');
    vcpu.injectInterrupt(CpuPin.virq);
    expect(vcpu.hasPendingInterrupt()).toBe(true);
    machine.next(RUN, ({ pe }) => {
      expect(pe.get('HCR_EL2')).toBe(before | 0x80n);
      expect(pe.get('ICH_HCR_EL2')).toBe(0x5c00n);
      expect(contents(pe)).toEqual([]);
    });
    vcpu.run();
    vcpu.clearInterrupt(CpuPin.virq);
    vcpu.injectInterrupt(CpuPin.vfiq);
    machine.next(RUN, ({ pe }) => expect(pe.get('HCR_EL2')).toBe(before | 0x40n));
    vcpu.run();
    vcpu.clearInterrupt(CpuPin.vfiq);
    expect(vcpu.hasPendingInterrupt()).toBe(false);
    machine.next({ esr: esr(0x18, (3 << 20) | (4 << 1) | (2 << 5) | 1) });
    vcpu.run();
    expect(vcpu.getGpr(2) & 0xf00_0000n).toBe(0n);
  });
});

/** What any sequence of edges, levels, acknowledgements and ends must come to, without list registers: every edge is taken, once for each time it is merged. */
test('the queue loses nothing under pressure, by a naive model', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('edge' as const), intid: fc.integer({ min: 32, max: 45 }) }),
    fc.record({ kind: fc.constant('level' as const), intid: fc.integer({ min: 16, max: 20 }), level: fc.boolean() }),
    fc.record({ kind: fc.constant('run' as const), takes: fc.nat(4), ends: fc.nat(4) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, count) => {
      const queue = new PendingQueue();
      for (let intid = 32; intid < 46; intid++) queue.setPriority(intid, 0x80 + 8 * (intid % 4));
      const pending = new Set<number>();
      const active = new Set<number>();
      const level = new Set<number>();
      const urgency = (intid: number): number => (intid < 32 ? 0xa0 : 0x80 + 8 * (intid % 4)) * 1024 + intid;
      for (const s of steps) {
        if (s.kind === 'edge') {
          queue.setPending(s.intid, true);
          pending.add(s.intid);
        } else if (s.kind === 'level') {
          queue.setPrivateLine(s.intid, s.level);
          if (s.level) level.add(s.intid);
          else level.delete(s.intid);
        } else {
          const { interrupts, more } = queue.flush(count);
          const wanted = [...new Set([...pending, ...level, ...active])].sort((a, b) => Number(active.has(b)) - Number(active.has(a)) || urgency(a) - urgency(b));
          expect(interrupts.map((i) => i.intid)).toEqual(wanted.slice(0, count));
          expect(more).toBe(wanted.length > count);
          const registers = interrupts.map((i) => ({ intid: i.intid, pending: i.pending, active: i.active }));
          for (const r of registers) expect([r.intid, r.pending, r.active]).toEqual([r.intid, pending.has(r.intid) || (level.has(r.intid) && !active.has(r.intid)), active.has(r.intid)]);
          for (const r of registers.filter((x) => x.pending && !x.active).slice(0, s.takes)) {
            r.pending = false;
            r.active = true;
            pending.delete(r.intid);
            active.add(r.intid);
          }
          for (const r of registers.filter((x) => x.active).slice(0, s.ends)) {
            r.active = false;
            active.delete(r.intid);
          }
          queue.sync(registers, 0);
        }
      }
      const waiting = [...pending, ...level].filter((intid) => !active.has(intid)).sort((a, b) => urgency(a) - urgency(b))[0];
      expect(queue.highestPending()?.priority).toBe(waiting === undefined ? undefined : Math.floor(urgency(waiting) / 1024));
    }),
    { numRuns: 500 },
  );
});
