/** A guest that stays in the processor's registers between exit and entry is the same as one that is saved and loaded each time. */
import { ProcControl, ProcControl2 } from '@axvisor/axvisor_api/arch/x86';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SystemInsn, SystemOp } from '../../src/priv/index.ts';
import { Vmcs } from '../../src/priv/vmx/vmcs.ts';
import { SEL, gate, IDT } from './harness.ts';
import { CONTEXT, F, VMCS, VmxHarness } from './vmx_harness.ts';

interface Guest {
  readonly op: SystemOp;
  readonly insn?: Partial<SystemInsn>;
  readonly gpr?: readonly [number, bigint];
}

const mem: Partial<SystemInsn> = { lo: 0x6000, opSize: 8, addrSize: 8 };
/** What a guest does: most of it exits, the rest changes what an exit saves. */
const GUEST: readonly Guest[] = [
  { op: 'in_dx', insn: { opSize: 1 } }, { op: 'out_dx', insn: { opSize: 4 } }, { op: 'cpuid' }, { op: 'wrmsr' }, { op: 'hlt' }, { op: 'vmcall' },
  { op: 'mov_to_cr', insn: { reg: 3, rm: 3 }, gpr: [3, 0xf_0008n] }, { op: 'mov_to_cr', insn: { reg: 3, rm: 3 }, gpr: [3, 0xf_0000n] },
  { op: 'mov_to_cr', insn: { reg: 4, rm: 3 }, gpr: [3, 0x2_2020n] }, { op: 'mov_to_cr', insn: { reg: 0, rm: 3 }, gpr: [3, 0x8001_0031n] },
  { op: 'sti' }, { op: 'cli' }, { op: 'swapgs' }, { op: 'wrfsbase', insn: { rm: 3, opSize: 8 }, gpr: [3, 0x1234n] },
  { op: 'mov_to_sreg', insn: { reg: 2, rm: 3, opSize: 2 }, gpr: [3, BigInt(SEL.data0)] }, { op: 'mov_to_sreg', insn: { reg: 0, rm: 3, opSize: 2 }, gpr: [3, BigInt(SEL.data3)] },
  { op: 'lgdt', insn: mem }, { op: 'mov_to_dr', insn: { reg: 7, rm: 3 }, gpr: [3, 0x402n] }, { op: 'int3' }, { op: 'iret', insn: { opSize: 8 } },
];

/** What a hypervisor does, that the same happens of in both. */
type Action = { readonly read: number } | { readonly write: number; readonly value: bigint } | { readonly skip: number } | 'msr' | 'identity' | 'reload' | 'flush';

const field = fc.constantFrom(...Vmcs.fields);
const write = (name: number, ...values: readonly bigint[]): fc.Arbitrary<Action> => fc.constantFrom(...values).map((value) => ({ write: name, value }));
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ skip: 2 }) },
  { weight: 3, arbitrary: field.map((read) => ({ read })) },
  fc.oneof(
    write(F.guestRip, 0x5000n, 0x5_0000_0000n, 0x8000_0000_0000_0000n), write(F.guestInterruptibilityState, 0n, 1n, 2n, 3n, 8n), write(F.guestRsp, 0x8ff0n),
    write(F.guestRflags, 2n, 0x202n, 0x1_0002n, 0n), write(F.guestActivityState, 0n, 1n, 9n), write(F.guestPendingDebugExceptions, 0n, 0x4000n), write(F.guestCr3, 0xf_0000n, 0xf_0010n),
    write(F.guestGsBase, 0x77n), write(F.guestCsAccessRights, 0xa09bn, 0xc09bn), write(F.guestCr0, 0x8000_0031n, 0x8001_0031n), write(F.tscOffset, 5n),
    write(F.entryInterruptionInformation, 0n, 0x8000_0020n, 0x8000_0202n, 0x8000_0b0dn, 0x20n), write(F.entryExceptionErrorCode, 0n, 8n), write(F.hostCr3, 0x1000n),
    write(F.primaryProcessorBasedControls, BigInt(controls(0)), BigInt(controls(ProcControl.interruptWindowExiting))), write(F.entryControls, 0x13ffn, 0x11ffn),
  ),
  fc.constantFrom<Action>('msr', 'identity', 'reload', 'flush'),
);

function controls(more: number): number {
  return (0x8401_e172 | ProcControl.unconditionalIoExiting | ProcControl.hltExiting | more) >>> 0;
}

function start(): VmxHarness {
  const h = new VmxHarness();
  h.w(F.secondaryProcessorBasedControls, ProcControl2.enableEpt | ProcControl2.enableVpid);
  h.w(F.primaryProcessorBasedControls, controls(0) & ~0x1_8000);
  h.w(F.virtualProcessorIdentifier, 7);
  for (let vector = 0; vector < 64; vector++) h.write64(IDT + 16 * vector, gate(SEL.code64, 0x7000 + vector, 0x8e));
  h.write64(0x6000, (0x1000n << 16n) | 0xffn);
  h.start();
  h.setGpr(2, 0x3f8);
  return h;
}

/** All that a guest has. */
function guestOf(h: VmxHarness): unknown {
  const { regs } = h;
  const segments = Array.from({ length: 8 }, (_, i) => [regs.selector(i), regs.limits[i], regs.rights[i], regs.baseLo(i), regs.baseHi(i)]);
  const stored = ['cr0', 'cr2', 'cr3', 'cr4', 'efer', 'dr7', 'pat', 'gdtrBase', 'idtrBase', 'sysenterEip', 'debugctl', 'tscOffset'] as const;
  const blocked = [regs.currentShadow(), regs.nmiBlocked, regs.pendingDebug, regs.waiting, regs.idtrLimit, regs.gdtrLimit, regs.code];
  return [h.rip, Array.from({ length: 16 }, (_, i) => h.gpr(i)), regs.flags, regs.cpl, segments, stored.map((name) => h.get(name)), blocked, regs.words.slice(regs.base + 224 / 4, regs.base + 320 / 4)];
}

function act(h: VmxHarness, what: Action): unknown {
  if (what === 'msr') return h.lp.native.rdmsr(0x277);
  if (what === 'identity') return h.lp.native.cpuid(1, 0);
  if (what === 'flush') return h.vmx.invvpid(1, 7, 0n);
  if (what === 'reload') return h.vmx.vmptrld(VMCS);
  if ('read' in what) return h.r(what.read);
  if ('skip' in what) return h.vmx.vmwriteLow(F.guestRip, (h.vmx.vmreadLow(F.guestRip) + what.skip) >>> 0);
  return h.vmx.vmwrite(what.write, what.value);
}

test('whatever guest and hypervisor do', () => {
  const step = fc.record({ guest: fc.constantFrom(...GUEST), actions: fc.array(action, { maxLength: 4 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 12 }), (steps) => {
      const pair = [start(), start()] as const;
      const both = (what: (h: VmxHarness) => unknown): unknown => {
        const [a, b] = pair.map(what);
        expect(a).toEqual(b);
        return a;
      };
      for (const { guest, actions } of steps) {
        both((h) => {
          if (guest.gpr !== undefined) h.setGpr(...guest.gpr);
          return [h.run(guest.op, { addrSize: 8, ...guest.insn }), h.lp.exited, h.lp.exceptions];
        });
        if (!pair[0].lp.exited) {
          both(guestOf);
          continue;
        }
        // The other one is saved at once, and the host's state loaded.
        pair[1].lp.native.readCr(0);
        for (const h of pair) h.lp.saveContext(CONTEXT, false);
        for (const what of actions) both((h) => act(h, what));
        if (both((h) => h.enter(false)) !== 0 || pair[0].lp.exited) {
          both((h) => Vmcs.fields.map((name) => h.r(name)));
          return;
        }
        both(guestOf);
      }
      // Of a guest that runs, the VMCS says nothing.
      if (pair[0].lp.exited) both((h) => Vmcs.fields.map((name) => h.r(name)));
    }),
    { numRuns: 400 },
  );
});

test('a guest that only moves on is neither saved nor loaded', () => {
  const h = start();
  h.run('out_dx', { opSize: 1 });
  // Of the host, the registers show nothing yet.
  expect([h.get('cr3'), h.n(F.guestRip)]).toEqual([0xf_0000n, 0x5000]);
  act(h, { skip: 1 });
  expect([h.enter(false), h.lp.exited, h.rip]).toEqual([0, false, 0x5001n]);
  h.run('out_dx', { opSize: 1 });
  expect(h.lp.native.readCr(3)).toBe(0n);
  expect([h.r(F.guestCr3), h.enter(false), h.get('cr3')]).toEqual([0xf_0000n, 0, 0xf_0000n]);
});
