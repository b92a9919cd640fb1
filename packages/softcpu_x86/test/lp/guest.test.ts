import { SvmIntercept3, Vmcb, VmcbSave, VmcsField as F } from '@axvisor/axvisor_api/arch/x86';
import { expect, test } from 'vitest';
import { SvmMachine, TABLES, VmxMachine, type Hosted } from './hosted.ts';

const engines = ['interpreter', 'translator'] as const;
/** Second-stage entry of the page that is absent at first. */
const ABSENT = TABLES + 0x3000 + 8 * 0x30;

/** What the guest does: the sum of 1 to 1000 by CPUID's leave, memory that is not there, then HLT with interrupts on. */
const GUEST = `
        xor ebx, ebx
        mov ecx, 1000
again:  add rbx, rcx
        dec ecx
        jnz again
        mov r8, rbx
        mov eax, 0x12345
        cpuid
        add r8, rax
        mov qword ptr [0x30010], r8
        mov r9, [0x30018]
        sti
        hlt
        mov r10d, 77
        hlt
handler: inc r11
        iretq
`;

/** Puts the program and the handler of vector 0x40 in place, and leaves page 0x30 out. */
function prepare(m: Hosted): void {
  m.view.setBigUint64(ABSENT, 0n, true);
  const handler = m.load(0x5000, GUEST, 64).get('handler') as bigint;
  m.view.setBigUint64(0x2000 + 0x400, (handler & 0xffffn) | (8n << 16n) | (0x8en << 40n), true);
}

test.each(engines)('%s: a VMX guest runs, exits and goes on', (engine) => {
  const m = new VmxMachine(engine);
  const { priv } = m.lp;
  prepare(m);
  const run = (): number => {
    expect(m.run()).toBe('exited');
    return m.reason;
  };
  expect([run(), m.gpr(0), m.gpr(3)]).toEqual([10, 0x12345n, 500_500n]);
  m.setGpr(0, 5n);
  m.skip();
  // The store: not there, then mapped.
  expect([run(), ...m.details.slice(0, 3)]).toEqual([48, 0x782n, 0x3_0010n, 0x3_0010n]);
  m.view.setBigUint64(ABSENT, 0x3_0031n, true); // readable alone
  m.invalidate();
  expect([run(), m.read(F.exitQualification)]).toEqual([48, 0x78an]);
  m.view.setBigUint64(ABSENT, 0x3_0037n, true);
  m.invalidate();
  expect([run(), m.view.getBigUint64(0x3_0010, true), m.read(F.guestInterruptibilityState)]).toEqual([12, 500_505n, 1n]);
  // EPT accessed and dirty flags.
  expect(m.view.getBigUint64(ABSENT, true) & 0x300n).toBe(0x300n);
  m.skip();
  m.write({ [F.entryInterruptionInformation]: 0x8000_0040n });
  expect([run(), m.gpr(10), m.gpr(11), m.read(F.guestRsp)]).toEqual([12, 77n, 1n, 0x9000n]);
  // A kick ends a guest that never leaves.
  m.load(0x7000, 'here: jmp here', 64);
  m.rip = 0x7000n;
  expect(m.run(1000)).toBe('budget');
  priv.setHostInterrupt(true);
  expect([m.lp.run(1000), m.reason, m.read(F.exitInterruptionInformation)]).toEqual(['exited', 1, 0x8000_00f0n]);
  // PAUSE, if it is asked for; then loops of it that last, while time goes on.
  m.load(0x7800, 'pause\nagain: pause\njmp again', 64);
  m.rip = 0x7800n;
  m.write({ [F.primaryProcessorBasedControls]: 0xc400_61f2n });
  expect([run(), m.rip]).toEqual([40, 0x7800n]);
  m.write({ [F.primaryProcessorBasedControls]: 0x8400_61f2n, [F.secondaryProcessorBasedControls]: 0x422, [F.pleGap]: 10, [F.pleWindow]: 1000 });
  m.enter();
  expect(priv.exited).toBe(false);
  let rounds = 0;
  while (m.lp.run(10) === 'budget' && rounds++ < 1000) m.now += 20n;
  expect([m.reason, m.rip & ~3n]).toEqual([40, 0x7800n]);
  // 5 a round, 4 ticks apart: within the gap.
  expect(rounds).toBeGreaterThan(40);
  expect(rounds).toBeLessThan(70);
});

test.each(engines)('%s: an SVM guest does the same', (engine) => {
  const m = new SvmMachine(engine);
  prepare(m);
  const run = (): number => {
    expect(m.run()).toBe('exited');
    return m.reason;
  };
  expect([run(), m.get(VmcbSave.rax), m.gpr(3)]).toEqual([0x72, 0x12345n, 500_500n]);
  m.put(VmcbSave.rax, 5);
  m.skip();
  expect([run(), ...m.details.slice(0, 2)]).toEqual([0x400, 0x1_0000_0006n, 0x3_0010n]);
  m.view.setBigUint64(ABSENT, 0x3_0007n, true);
  expect([run(), m.view.getBigUint64(0x3_0010, true), m.get(Vmcb.interruptShadow) & 1n]).toEqual([0x78, 500_505n, 1n]);
  m.skip();
  m.put(Vmcb.eventInjection, 0x8000_0040n);
  expect([run(), m.gpr(10), m.gpr(11), m.get(VmcbSave.rsp)]).toEqual([0x78, 77n, 1n, 0x9000n]);
  m.load(0x7000, 'here: jmp here', 64);
  m.rip = 0x7000n;
  expect(m.run(1000)).toBe('budget');
  m.lp.priv.setHostInterrupt(true);
  expect([m.lp.run(1000), m.reason]).toEqual(['exited', 0x60]);
  m.lp.priv.setHostInterrupt(false);
  // What generated code executes, if it is intercepted.
  m.load(0x7800, 'pause\npushfq\npopfq', 64);
  m.put32(Vmcb.intercept3, SvmIntercept3.PAUSE | SvmIntercept3.PUSHF | SvmIntercept3.POPF);
  m.rip = 0x7800n;
  for (const [code, at] of [[0x77, 0x7800n], [0x70, 0x7802n], [0x71, 0x7803n]] as const) {
    expect([run(), m.rip]).toEqual([code, at]);
    m.skip();
  }
});
