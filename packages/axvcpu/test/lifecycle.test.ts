import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GuestPhysAddr, HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { createVCpu, currentVCpu, VCpuState, type AxVCpu } from '@axvisor/axvisor_api/vcpu';
import { isAllowed, stateName, TRANSITIONS, type Operation } from '../src/index.ts';
import { createMachine, type Machine, type MockArchVCpu } from './support/machine.ts';

const { Invalid, Created, Free, Ready, Running, Blocked } = VCpuState;
const ENTRY = 0x1000n as GuestPhysAddr;
const ROOT: NestedRoot = { format: 'sv39x4', address: 0x2000n as HostPhysAddr, levels: 3 };

const archOf = (vcpu: AxVCpu): MockArchVCpu => vcpu.arch as MockArchVCpu;
const onMachine = (f: (machine: Machine) => void, cpus?: number): void => {
  const machine = createMachine(cpus);
  machine.image.run(() => f(machine));
};
const make = (options: Partial<Parameters<typeof createVCpu>[0]> = {}): AxVCpu => createVCpu({ vmId: 1, vcpuId: 0, arch: { cpuId: 0n }, ...options });

/** How each operation is called. */
const CALL: Readonly<Record<Operation, (vcpu: AxVCpu) => unknown>> = {
  setup: (v) => v.setup(ENTRY, ROOT, 7),
  bind: (v) => v.bind(),
  unbind: (v) => v.unbind(),
  run: (v) => v.run(),
  block: (v) => v.block(),
  unblock: (v) => v.unblock(),
  reset: (v) => v.reset(ENTRY),
  dispose: (v) => v[Symbol.dispose](),
};

/** Operations that lead from Created to a state. */
const PATH: Readonly<Record<'Created' | 'Free' | 'Ready' | 'Blocked', readonly Operation[]>> = {
  Created: [], Free: ['setup'], Ready: ['setup', 'bind'], Blocked: ['setup', 'bind', 'block'],
};

const inState = (state: keyof typeof PATH): AxVCpu => {
  const vcpu = make();
  for (const operation of PATH[state]) CALL[operation](vcpu);
  expect(vcpu.state).toBe(VCpuState[state]);
  return vcpu;
};

describe('creation', () => {
  test('starts in Created, with defaults', () =>
    onMachine(() => {
      const vcpu = make();
      expect([vcpu.id, vcpu.vmId, vcpu.favorPhysCpu, vcpu.physCpuSet, vcpu.state, vcpu.isBsp]).toEqual([0, 1, 0, undefined, Created, true]);
      expect(archOf(vcpu).log).toEqual(['new']);
    }));

  test('only id 0 is the boot CPU', () => onMachine(() => expect([make({ vcpuId: 0 }).isBsp, make({ vcpuId: 1 }).isBsp]).toEqual([true, false])));

  test('keeps favourite and set of CPUs', () =>
    onMachine(() => {
      const vcpu = make({ vcpuId: 1, favorPhysCpu: 2, physCpuSet: 0b1010n });
      expect([vcpu.favorPhysCpu, vcpu.physCpuSet]).toEqual([2, 0b1010n]);
    }));

  test.each([
    [{ vcpuId: -1 }, /-1 is not a vCPU number/],
    [{ vcpuId: 1.5 }, /1.5 is not a vCPU number/],
    [{ physCpuSet: 0n }, /is empty/],
    [{ favorPhysCpu: -3 }, /-3 is not a CPU number/],
  ])('refuses %o', (options, message) => onMachine(() => expect(() => make(options)).toThrow(message)));

  test('fails when the architecture fails', () =>
    onMachine((machine) => {
      machine.failing.add('newArchVCpu');
      expect(() => make()).toThrow('newArchVCpu failed');
    }));
});

describe('life cycle', () => {
  test('state numbers are the original ones', () => expect([Invalid, Created, Free, Ready, Running, Blocked]).toEqual([0, 1, 2, 3, 4, 5]));

  test('setup hands over entry, root and VMID in this order', () =>
    onMachine(() => {
      const vcpu = inState('Free');
      expect(archOf(vcpu).log).toEqual(['new', 'setEntry(0x1000)', 'setEptRoot(0x2000, 7)', 'setup']);
    }));

  test('from creation to disposal', () =>
    onMachine(() => {
      const vcpu = make();
      const states = (['setup', 'bind', 'run', 'block', 'unblock', 'bind', 'run', 'unbind', 'reset', 'bind', 'reset', 'dispose'] as const).map((operation) => {
        CALL[operation](vcpu);
        return vcpu.state;
      });
      expect(states).toEqual([Free, Ready, Ready, Blocked, Free, Ready, Ready, Free, Free, Ready, Free, Invalid]);
      expect(archOf(vcpu).log.slice(4)).toEqual([
        'bind', 'run', 'unbind', 'bind', 'run', 'unbind', 'setEntry(0x1000)', 'setup', 'bind', 'unbind', 'setEntry(0x1000)', 'setup', 'dispose',
      ]);
    }));

  test('every operation in every wrong state reports it and changes nothing', () =>
    onMachine(() => {
      for (const state of Object.keys(PATH) as (keyof typeof PATH)[])
        for (const operation of Object.keys(TRANSITIONS) as Operation[]) {
          if (isAllowed(operation, VCpuState[state])) continue;
          const vcpu = inState(state);
          const calls = archOf(vcpu).log.length;
          const allowed = TRANSITIONS[operation].from.map(stateName).join(' or ');
          expect(() => CALL[operation](vcpu)).toThrow(`vCPU 0 of VM 1: cannot ${operation} in state ${state}, only in ${allowed}`);
          expect(vcpu.state).toBe(VCpuState[state]);
          expect(archOf(vcpu).log).toHaveLength(calls);
        }
    }));

  test('a wrong call is a BadState error', () => onMachine(() => expect(() => make().run()).toThrow(expect.objectContaining({ kind: 'BadState' }))));

  test.each(['setup', 'bind', 'unbind', 'run'] as const)('an architecture that fails in %s leaves the vCPU Invalid, and nothing current', (operation) =>
    onMachine(() => {
      const vcpu = inState(operation === 'setup' ? 'Created' : operation === 'bind' ? 'Free' : 'Ready');
      archOf(vcpu).failing.add(operation);
      expect(() => CALL[operation](vcpu)).toThrow(`mock: ${operation} failed`);
      expect(vcpu.state).toBe(Invalid);
      expect(currentVCpu()).toBeUndefined();
      expect(() => vcpu.setGpr(1, 1n)).toThrow('cannot set a register in state Invalid');
      archOf(vcpu).failing.clear();
      if (operation === 'setup') expect(() => vcpu.reset(ENTRY)).toThrow('never set up');
      else {
        vcpu.reset(ENTRY);
        expect(vcpu.state).toBe(Free);
      }
    }),
  );

  test('setup stops at the first failure', () =>
    onMachine(() => {
      const vcpu = make();
      archOf(vcpu).failing.add('setEptRoot');
      expect(() => vcpu.setup(ENTRY, ROOT, 7)).toThrow('setEptRoot failed');
      expect(archOf(vcpu).log).toEqual(['new', 'setEntry(0x1000)', 'setEptRoot(0x2000, 7)']);
    }));

  test('random sequences follow the table', () =>
    onMachine(() => {
      fc.assert(
        fc.property(fc.array(fc.constantFrom(...(Object.keys(TRANSITIONS) as Operation[])), { maxLength: 40 }), (operations) => {
          const vcpu = make();
          let model: VCpuState = Created;
          for (const operation of operations) {
            const { from, to } = TRANSITIONS[operation];
            if (model !== Invalid && from.includes(model)) {
              CALL[operation](vcpu);
              model = to;
            } else expect(() => CALL[operation](vcpu)).toThrow();
            expect(vcpu.state).toBe(model);
            expect(archOf(vcpu).bound).toBe(model === Ready);
          }
        }),
        { numRuns: 300 },
      );
    }));
});

describe('inside run', () => {
  test('the state can be read, and operations on the same vCPU are refused without harm', () =>
    onMachine(() => {
      const vcpu = inState('Ready');
      const seen: unknown[] = [];
      archOf(vcpu).onRun = () => {
        seen.push(vcpu.state, currentVCpu() === vcpu);
        for (const operation of ['run', 'unbind', 'reset', 'dispose'] as const) expect(() => CALL[operation](vcpu)).toThrow('in state Running');
        vcpu.injectInterrupt(2);
        vcpu.setGpr(5, 6n);
      };
      expect(vcpu.run()).toEqual({ reason: 'Halt' });
      expect(seen).toEqual([Running, true]);
      expect([vcpu.state, currentVCpu()]).toEqual([Ready, undefined]);
      expect(archOf(vcpu).log.slice(-3)).toEqual(['run', 'injectInterrupt(2)', 'setGpr(5, 0x6)']);
    }));

  test('an operation on another vCPU of the same CPU is an error', () =>
    onMachine(() => {
      const first = inState('Ready');
      const second = make({ vmId: 2, vcpuId: 3 });
      archOf(first).onRun = () => CALL.setup(second);
      expect(() => first.run()).toThrow('cannot setup vCPU 3 of VM 2: an operation on vCPU 0 of VM 1 is under way on CPU 0');
      expect(second.state).toBe(Created);
      expect(currentVCpu()).toBeUndefined();
    }));

  test('each CPU has a current vCPU of its own', () =>
    onMachine((machine) => {
      const first = inState('Ready');
      machine.cpu = 1;
      const second = inState('Ready');
      const seen: (AxVCpu | undefined)[] = [];
      archOf(second).onRun = () => seen.push(currentVCpu());
      machine.cpu = 0;
      archOf(first).onRun = () => {
        machine.cpu = 1;
        second.run();
        machine.cpu = 0;
        seen.push(currentVCpu());
      };
      first.run();
      expect(seen).toEqual([second, first]);
    }));
});

describe('where it runs', () => {
  test('a set of CPUs is obeyed', () =>
    onMachine((machine) => {
      const vcpu = make({ physCpuSet: 0b10n });
      CALL.setup(vcpu);
      expect(() => vcpu.bind()).toThrow('vCPU 0 of VM 1: may not run on CPU 0, its set of CPUs is 0b10');
      expect(vcpu.state).toBe(Free);
      machine.cpu = 1;
      vcpu.bind();
      expect(vcpu.state).toBe(Ready);
    }));

  test('a set that names no CPU of this host restricts nothing', () =>
    onMachine(() => {
      const vcpu = make({ physCpuSet: 0b1000n });
      CALL.setup(vcpu);
      vcpu.bind();
    }));

  test('what is bound to a CPU runs there only', () =>
    onMachine((machine) => {
      const vcpu = inState('Ready');
      machine.cpu = 1;
      for (const operation of ['run', 'unbind', 'block', 'reset', 'dispose'] as const)
        expect(() => CALL[operation](vcpu)).toThrow(`vCPU 0 of VM 1: cannot ${operation} on CPU 1, it is bound to CPU 0`);
      machine.cpu = 0;
      vcpu.unbind();
      machine.cpu = 1;
      vcpu.bind();
      vcpu.run();
    }));
});

describe('registers and interrupts', () => {
  test('pass through to the architecture', () =>
    onMachine(() => {
      const vcpu = make();
      vcpu.setGpr(5, 0xdeadbeefn);
      vcpu.setReturnValue(42n);
      vcpu.injectInterrupt(32);
      vcpu.clearInterrupt(32);
      expect(archOf(vcpu).getGpr(5)).toBe(0xdeadbeefn);
      expect(archOf(vcpu).log).toEqual(['new', 'setGpr(5, 0xdeadbeef)', 'setReturnValue(0x2a)', 'injectInterrupt(32)', 'clearInterrupt(32)']);
    }));

  test('nothing can be done to what is disposed', () =>
    onMachine(() => {
      const vcpu = make();
      vcpu[Symbol.dispose]();
      expect(() => vcpu.injectInterrupt(1)).toThrow('it has been disposed');
      expect(() => vcpu[Symbol.dispose]()).toThrow('cannot dispose, it has been disposed');
      expect(archOf(vcpu).log).toEqual(['new', 'dispose']);
    }));
});
