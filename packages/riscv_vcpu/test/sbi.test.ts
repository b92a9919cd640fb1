import { Control } from '../src/context.ts';
import { describe, expect, test } from 'vitest';
import { CSR } from '@axvisor/axvisor_api/arch/riscv';
import type { AxArchVCpu } from '@axvisor/axvisor_api/vcpu';
import { EID_HVC, IMPLEMENTATION_ID, SBI_EXTENSIONS, SbiError } from '../src/index.ts';
import { callSbi, FakeMachine, withVCpus } from './support/fake.ts';

const ALL = (1n << 64n) - 1n;
const RAM = 0x8000_0000n;
const Eid = { BASE: 0x10n, TIME: 0x54494d45n, IPI: 0x735049n, RFENCE: 0x52464e43n, HSM: 0x48534dn, SRST: 0x53525354n, PMU: 0x504d55n, DBCN: 0x4442434en, SUSP: 0x53555350n } as const;
const { NOT_SUPPORTED, INVALID_PARAM, INVALID_ADDRESS, ALREADY_AVAILABLE, ALREADY_STARTED, ALREADY_STOPPED, DENIED, NO_SHMEM } = SbiError;

type Call = (eid: bigint, fid: bigint, ...args: bigint[]) => ReturnType<typeof callSbi>;
/** A machine with `cpus` vCPUs; `call` makes an SBI call from the first. */
const onVm = (cpus: number, body: (call: Call, machine: FakeMachine, all: AxArchVCpu[]) => void, options?: ConstructorParameters<typeof FakeMachine>[0]): void =>
  withVCpus(cpus, (machine, first, all) => body((eid, fid, ...args) => callSbi(machine, first, eid, fid, ...args), machine, all), options);
const pc = (machine: FakeMachine): bigint => machine.hart.read(CSR.sepc);

describe('the table', () => {
  /** Every function of SBI 2.0 by extension, from the specification. */
  const SPECIFICATION: Readonly<Record<string, readonly [bigint, readonly string[]]>> = {
    BASE: [Eid.BASE, ['get_spec_version', 'get_impl_id', 'get_impl_version', 'probe_extension', 'get_mvendorid', 'get_marchid', 'get_mimpid']],
    TIME: [Eid.TIME, ['set_timer']],
    IPI: [Eid.IPI, ['send_ipi']],
    RFENCE: [Eid.RFENCE, ['remote_fence_i', 'remote_sfence_vma', 'remote_sfence_vma_asid', 'remote_hfence_gvma_vmid', 'remote_hfence_gvma', 'remote_hfence_vvma_asid', 'remote_hfence_vvma']],
    HSM: [Eid.HSM, ['hart_start', 'hart_stop', 'hart_get_status', 'hart_suspend']],
    SRST: [Eid.SRST, ['system_reset']],
    PMU: [Eid.PMU, ['num_counters', 'counter_get_info', 'counter_config_matching', 'counter_start', 'counter_stop', 'counter_fw_read', 'counter_fw_read_hi', 'snapshot_set_shmem']],
    DBCN: [Eid.DBCN, ['console_write', 'console_read', 'console_write_byte']],
    SUSP: [Eid.SUSP, ['system_suspend']],
  };
  const LEGACY = ['set_timer', 'console_putchar', 'console_getchar', 'clear_ipi', 'send_ipi', 'remote_fence_i', 'remote_sfence_vma', 'remote_sfence_vma_asid', 'shutdown'];

  test('has every extension and function', () => {
    const table = SBI_EXTENSIONS.map(({ eid, name, functions }) => [name, eid, 'call' in functions ? functions.name : functions.map(([fid, f]) => [fid, f.name])]);
    expect(table).toEqual([
      ...LEGACY.map((name, i) => [`legacy ${name}`, BigInt(i), name]),
      ...Object.entries(SPECIFICATION).map(([name, [eid, functions]]) => [name, eid, functions.map((f, i) => [BigInt(i), f])]),
    ]);
  });

  test('probe_extension agrees with it', () =>
    onVm(1, (call) => {
      for (const eid of [...SBI_EXTENSIONS.map((e) => e.eid), EID_HVC]) expect(call(Eid.BASE, 3n, eid)).toMatchObject({ error: 0n, value: 1n });
      // STA, NACL, CPPC, FWFT, the reserved legacy numbers, and nonsense.
      for (const eid of [0x535441n, 0x4e41434cn, 0x43505043n, 0x46574654n, 9n, 15n, 0x0800_0000n, ALL]) expect(call(Eid.BASE, 3n, eid)).toMatchObject({ error: 0n, value: 0n });
    }));

  test('what is not in it is not supported', () =>
    onVm(1, (call, machine) => {
      for (const [eid, fid] of [[0x535441n, 0n], [9n, 0n], [ALL, ALL], [Eid.BASE, 7n], [Eid.TIME, 1n], [Eid.RFENCE, 7n], [Eid.HSM, 4n], [Eid.DBCN, 3n], [Eid.PMU, 8n]] as const) {
        const before = pc(machine);
        expect(call(eid, fid, 1n, 2n)).toEqual({ exit: { reason: 'Nothing' }, error: NOT_SUPPORTED, value: 0n });
        expect(pc(machine)).toBe(before + 4n);
      }
    }));
});

test('BASE', () =>
  onVm(1, (call) => {
    const values = [0n, 1n, 2n, 4n, 5n, 6n].map((fid) => call(Eid.BASE, fid).value);
    expect(values).toEqual([0x0200_0000n, IMPLEMENTATION_ID, 0x1_0000n, 0n, 0n, 0n]);
  }));

describe('TIME', () => {
  test('sets vstimecmp where the hart has it', () =>
    onVm(1, (call, machine) => {
      expect(call(Eid.TIME, 0n, 0x1234n)).toEqual({ exit: { reason: 'Nothing' }, error: 0n, value: 0n });
      expect(machine.hart.read(CSR.vstimecmp)).toBe(0x1234n);
      expect(machine.timers).toEqual([]);
    }));

  test('is a timer of the host where it has not', () =>
    onVm(
      1,
      (call, machine, [vcpu]) => {
        // The guest's time started at host time 1000.
        call(Eid.TIME, 0n, 500n);
        expect(machine.timers).toEqual([1500n]);
        machine.hart.csrs.set(CSR.vsie, 0x20n);
        expect(vcpu?.nextTimer()).toBe(1500n);
        expect(vcpu?.hasPendingInterrupt()).toBe(false);
        machine.advance(1500n);
        expect(machine.notified).toEqual([0]);
        expect(vcpu?.hasPendingInterrupt()).toBe(true);
        machine.next({ scause: (1n << 63n) | 5n }, (guest) => expect(guest.csr('hvip')).toBe(0x40n));
        vcpu?.run();
        // A new deadline takes the interrupt back; "never" takes the timer back.
        call(Eid.TIME, 0n, 800n);
        machine.next({ scause: (1n << 63n) | 5n }, (guest) => expect(guest.csr('hvip')).toBe(0n));
        vcpu?.run();
        expect(machine.timers).toEqual([1800n]);
        call(Eid.TIME, 0n, ALL);
        expect(machine.timers).toEqual([]);
        // A deadline that has passed is pending at once.
        call(Eid.TIME, 0n, 100n);
        expect([machine.timers, vcpu?.hasPendingInterrupt()]).toEqual([[], true]);
        call(Eid.TIME, 0n, 5000n);
        vcpu?.unbind();
        vcpu?.[Symbol.dispose]();
        expect(machine.timers).toEqual([]);
      },
      { henvcfg: 0n, missing: [CSR.vstimecmp] },
    ));
});

describe('IPI', () => {
  test.each([
    [0b101n, 0n, '101'],
    [0b11n, 1n, '110'],
    [0n, ALL, '111'],
    [7n, ALL, '111'],
  ])('mask %o, base %o', (mask, base, set) =>
    onVm(3, (call, machine) => {
      expect(call(Eid.IPI, 0n, mask, base).error).toBe(0n);
      expect(machine.injected).toEqual([`1:${set}:2`]);
    }),
  );

  test.each([[0b1000n, 0n], [1n, 3n], [1n, ALL - 1n], [ALL, 0n]])('mask %o, base %o names a hart that is not there', (mask, base) =>
    onVm(3, (call, machine) => {
      expect(call(Eid.IPI, 0n, mask, base).error).toBe(INVALID_PARAM);
      expect(machine.injected).toEqual([]);
    }),
  );

  test('harts that are off are not interrupted', () =>
    onVm(3, (call, machine) => {
      machine.power[1] = 'off';
      call(Eid.IPI, 0n, 0b110n, 0n);
      expect(machine.injected).toEqual(['1:100:2']);
      call(Eid.IPI, 0n, 0b10n, 0n);
      expect(machine.injected).toHaveLength(1);
    }));
});

describe('RFENCE', () => {
  const fences = (machine: FakeMachine): string[] => machine.takeLog().filter((line) => line.includes('fence'));

  test.each([
    ['remote_fence_i', 0n, [], ['fence.i']],
    ['everything', 1n, [0n, 0n], ['hfence.vvma all all']],
    ['everything, by size', 1n, [0x1000n, ALL], ['hfence.vvma all all']],
    ['three pages', 1n, [0x4000n, 0x3000n], ['hfence.vvma 0x4000 all', 'hfence.vvma 0x5000 all', 'hfence.vvma 0x6000 all']],
    ['a part of two pages', 1n, [0x4ff8n, 16n], ['hfence.vvma 0x4000 all', 'hfence.vvma 0x5000 all']],
    ['many pages', 1n, [0x4000n, 0x41000n], ['hfence.vvma all all']],
    ['the top page', 1n, [0xffff_ffff_ffff_f000n, 0x1000n], ['hfence.vvma 0xfffffffffffff000 all']],
    ['one address space', 2n, [0n, 0n, 7n], ['hfence.vvma all 7']],
    ['a page of one address space', 2n, [0x4000n, 0x1000n, 7n], ['hfence.vvma 0x4000 7']],
  ])('%s, at once on the caller', (_, fid, args, expected) =>
    onVm(1, (call, machine) => {
      expect(call(Eid.RFENCE, fid, 1n, 0n, ...args).error).toBe(0n);
      expect(fences(machine)).toEqual(expected);
    }),
  );

  test('others fence before they next enter the guest', () =>
    onVm(3, (call, machine, [first, second, third]) => {
      second?.bind();
      second?.run();
      machine.takeLog();
      expect(call(Eid.RFENCE, 1n, 0b110n, 0n, 0x4000n, 0x1000n).error).toBe(0n);
      expect(fences(machine)).toEqual(['hfence.vvma all all']); // the switch from the second to the first
      machine.next({ scause: (1n << 63n) | 5n });
      second?.run();
      // Once for the switch, once for the request.
      expect(fences(machine)).toEqual(['hfence.vvma all all', 'hfence.vvma 0x4000 all']);
      second?.run();
      expect(fences(machine)).toEqual([]);
      first?.run();
      call(Eid.RFENCE, 0n, ALL, ALL);
      expect(fences(machine)).toContain('fence.i');
      third?.bind();
      third?.run();
      expect(fences(machine)).toContain('fence.i');
      expect(machine.kicks).toEqual([]);
    }));

  test('one that is in the guest on another CPU is kicked, and waited for until it is not', () =>
    onVm(2, (call, machine, [, second]) => {
      // What that CPU's thread would store in the context.
      const running = Number(second?.share?.()['context']) / 4 + 1024 / 4 + Control.running;
      const words = new Int32Array(machine.memory.buffer);
      words[running] = 1 + 1;
      machine.onKick = () => void (words[running] = 0);
      expect(call(Eid.RFENCE, 1n, 0b10n, 0n, 0n, 0n).error).toBe(0n);
      expect(machine.kicks).toEqual([1]);
      call(Eid.RFENCE, 1n, 0b10n, 0n, 0n, 0n);
      expect(machine.kicks).toEqual([1]);
    }));

  test('wrong harts and ranges', () =>
    onVm(1, (call, machine) => {
      expect(call(Eid.RFENCE, 1n, 2n, 0n, 0n, 0n).error).toBe(INVALID_PARAM);
      expect(call(Eid.RFENCE, 1n, 1n, 0n, 0x2000n, 0xffff_ffff_ffff_f000n).error).toBe(INVALID_ADDRESS);
      for (const fid of [3n, 4n, 5n, 6n]) expect(call(Eid.RFENCE, fid, 1n, 0n, 0n, 0n).error).toBe(NOT_SUPPORTED);
      expect(fences(machine)).toEqual([]);
    }));
});

describe('HSM', () => {
  test('hart_start is an exit, and what becomes of it the result', () =>
    onVm(2, (call, machine, [first]) => {
      const start = (result: 'success' | 'already-on' | 'invalid'): bigint => {
        const before = pc(machine);
        expect(call(Eid.HSM, 0n, 1n, RAM + 0x1000n, 0x77n).exit).toEqual({ reason: 'CpuUp', targetCpu: 1n, entryPoint: RAM + 0x1000n, arg: 0x77n });
        expect(pc(machine)).toBe(before + 4n);
        first?.completeCpuUp(result);
        return BigInt.asIntN(64, first?.getGpr(10) ?? 1n);
      };
      expect([start('success'), start('already-on'), start('invalid')]).toEqual([0n, ALREADY_AVAILABLE, INVALID_PARAM]);
      expect(() => first?.completeCpuUp('success')).toThrow('does not start a CPU');
    }));

  test('wrong harts and addresses', () =>
    onVm(2, (call) => {
      expect(call(Eid.HSM, 0n, 2n, RAM, 0n).error).toBe(INVALID_PARAM);
      for (const entry of [0n, RAM - 2n, RAM + 1n, RAM + 0x4000n, ALL]) expect(call(Eid.HSM, 0n, 1n, entry, 0n).error).toBe(INVALID_ADDRESS);
    }));

  test('hart_stop', () => onVm(1, (call) => expect(call(Eid.HSM, 1n).exit).toEqual({ reason: 'CpuDown', state: 0n })));

  test('hart_get_status', () =>
    onVm(5, (call, machine) => {
      machine.power.splice(0, 5, 'on', 'off', 'on-pending', 'off-pending', 'suspended');
      expect([0n, 1n, 2n, 3n, 4n].map((hart) => call(Eid.HSM, 2n, hart).value)).toEqual([0n, 1n, 2n, 3n, 4n]);
      expect(call(Eid.HSM, 2n, 5n).error).toBe(INVALID_PARAM);
    }));

  test('retentive suspend waits and returns', () =>
    onVm(1, (call, machine) => {
      const before = pc(machine);
      expect(call(Eid.HSM, 3n, 0n, 0n, 0n)).toEqual({ exit: { reason: 'Halt' }, error: 0n, value: 0n });
      expect(pc(machine)).toBe(before + 4n);
    }));

  test('non-retentive suspend waits and resumes elsewhere', () =>
    onVm(1, (call, machine, [vcpu]) => {
      machine.hart.csrs.set(CSR.vsatp, 8n << 60n);
      machine.hart.csrs.set(CSR.vsstatus, 0x2_0000_0002n);
      machine.hart.csrs.set(CSR.vsie, 0x20n);
      expect(call(Eid.HSM, 3n, 0x8000_0000n, RAM + 0x40n, 0x55n).exit).toEqual({ reason: 'Halt' });
      machine.next({ scause: (1n << 63n) | 5n }, (guest) => {
        expect([guest.get(10), guest.get(11)]).toEqual([0n, 0x55n]);
        expect([guest.csr('sepc'), guest.csr('vsatp'), guest.csr('vsstatus'), guest.csr('vsie')]).toEqual([RAM + 0x40n, 0n, 0x2_0000_0000n, 0x20n]);
      });
      vcpu?.run();
    }));

  test.each([
    [1n, INVALID_PARAM], [0x0fff_ffffn, INVALID_PARAM], [0x1000_0000n, NOT_SUPPORTED], [0x7fff_ffffn, NOT_SUPPORTED],
    [0x8000_0001n, INVALID_PARAM], [0x8fff_ffffn, INVALID_PARAM], [0x9000_0000n, NOT_SUPPORTED], [0xffff_ffffn, NOT_SUPPORTED],
  ])('suspend type %o', (type, expected) => onVm(1, (call) => expect(call(Eid.HSM, 3n, type, RAM, 0n)).toMatchObject({ exit: { reason: 'Nothing' }, error: expected })));

  test('resume addresses are checked', () => onVm(1, (call) => expect(call(Eid.HSM, 3n, 0x8000_0000n, 0x1000n, 0n).error).toBe(INVALID_ADDRESS)));
});

describe('SRST', () => {
  test.each([
    [0n, 0n, { reason: 'SystemDown' }],
    [0n, 1n, { reason: 'SystemDown', failure: true }],
    [1n, 0n, { reason: 'SystemReset', warm: false }],
    [2n, 1n, { reason: 'SystemReset', warm: true }],
    // The parameters have 32 bits.
    [1n << 32n, 1n << 32n, { reason: 'SystemDown' }],
    [1n << 32n, (1n << 32n) + 1n, { reason: 'SystemDown', failure: true }],
  ])('type %o, reason %o', (type, reason, exit) => onVm(1, (call) => expect(call(Eid.SRST, 0n, type, reason).exit).toEqual(exit)));

  test.each([[3n, 0n], [0xf000_0000n, 0n], [0n, 2n], [0n, 0xe000_0000n], [ALL, ALL]])('type %o, reason %o is not valid', (type, reason) =>
    onVm(1, (call) => expect(call(Eid.SRST, 0n, type, reason)).toMatchObject({ exit: { reason: 'Nothing' }, error: INVALID_PARAM })),
  );
});

describe('DBCN', () => {
  test('writes guest memory to the console', () =>
    onVm(1, (call, machine) => {
      machine.ram.set(new TextEncoder().encode('hello'), 0x10);
      expect(call(Eid.DBCN, 0n, 5n, RAM + 0x10n, 0n)).toMatchObject({ error: 0n, value: 5n });
      expect(machine.console).toBe('hello');
    }));

  test('moves at most a page', () => onVm(1, (call) => expect(call(Eid.DBCN, 0n, 0x3000n, RAM, 0n)).toMatchObject({ error: 0n, value: 4096n })));

  test('reads what was typed', () =>
    onVm(1, (call, machine) => {
      machine.input = 'typed';
      expect(call(Eid.DBCN, 1n, 3n, RAM + 0x20n, 0n)).toMatchObject({ error: 0n, value: 3n });
      expect(new TextDecoder().decode(machine.ram.subarray(0x20, 0x24))).toBe('typ\0');
      expect(call(Eid.DBCN, 1n, 3n, RAM, 0n).value).toBe(2n);
      expect(call(Eid.DBCN, 1n, 3n, RAM, 0n)).toMatchObject({ error: 0n, value: 0n });
    }));

  test('a bad pointer is an error, and loses no input', () =>
    onVm(1, (call, machine) => {
      machine.input = 'typed';
      machine.readOnly = [RAM, RAM + 0x1000n];
      for (const fid of [0n, 1n])
        for (const [count, low, high] of [[1n, 0n, 0n], [8n, RAM + 0x3ffcn, 0n], [1n, ALL, 0n], [1n, RAM, 1n], [ALL, RAM - 1n, 0n]] as const)
          expect(call(Eid.DBCN, fid, count, low, high)).toMatchObject({ error: INVALID_PARAM, value: 0n });
      expect(call(Eid.DBCN, 1n, 4n, RAM, 0n).error).toBe(INVALID_PARAM);
      expect([machine.input, machine.console]).toEqual(['typed', '']);
    }));

  test('nothing to move', () =>
    onVm(1, (call) => {
      expect(call(Eid.DBCN, 0n, 0n, 0n, 0n)).toMatchObject({ error: 0n, value: 0n });
      expect(call(Eid.DBCN, 1n, 0n, 0n, 0n)).toMatchObject({ error: 0n, value: 0n });
    }));

  test('writes a byte', () =>
    onVm(1, (call, machine) => {
      expect(call(Eid.DBCN, 2n, 0x141n)).toMatchObject({ error: 0n, value: 0n });
      expect(machine.console).toBe('A');
    }));
});

describe('SUSP', () => {
  test('sleeps when this is the last hart', () =>
    onVm(2, (call, machine, [vcpu]) => {
      expect(call(Eid.SUSP, 0n, 0n, RAM + 8n, 3n).error).toBe(DENIED);
      machine.power[1] = 'off';
      expect(call(Eid.SUSP, 0n, 0n, 4n, 3n).error).toBe(INVALID_ADDRESS);
      expect(call(Eid.SUSP, 0n, 1n, RAM, 3n).error).toBe(INVALID_PARAM);
      expect(call(Eid.SUSP, 0n, 0x8000_0000n, RAM, 3n).error).toBe(INVALID_PARAM);
      expect(call(Eid.SUSP, 0n, 0n, RAM + 8n, 3n).exit).toEqual({ reason: 'Halt' });
      expect([pc(machine), vcpu?.getGpr(10), vcpu?.getGpr(11)]).toEqual([RAM + 8n, 0n, 3n]);
    }));
});

describe('PMU', () => {
  const CYCLES = 1n;
  const INSTRUCTIONS = 2n;
  /** Reads a counter as a guest that must not read it itself. */
  const read = (machine: FakeMachine, vcpu: AxArchVCpu | undefined, csr: number): bigint => {
    machine.next({ scause: 22n, stval: BigInt((csr << 20) | (2 << 12) | (9 << 7) | 0x73), user: false });
    vcpu?.run();
    return vcpu?.getGpr(9) ?? 0n;
  };

  test('two counters of 64 bits', () =>
    onVm(1, (call) => {
      expect(call(Eid.PMU, 0n).value).toBe(2n);
      expect([0n, 1n].map((i) => call(Eid.PMU, 1n, i).value)).toEqual([(63n << 12n) | 0xc00n, (63n << 12n) | 0xc02n]);
      for (const i of [2n, 100n, ALL]) expect(call(Eid.PMU, 1n, i).error).toBe(INVALID_PARAM);
    }));

  test('matches events with counters', () =>
    onVm(1, (call) => {
      expect(call(Eid.PMU, 2n, 0n, 3n, 0n, CYCLES, 0n)).toMatchObject({ error: 0n, value: 0n });
      expect(call(Eid.PMU, 2n, 0n, 3n, 0n, INSTRUCTIONS, 0n)).toMatchObject({ error: 0n, value: 1n });
      expect(call(Eid.PMU, 2n, 1n, 1n, 0n, INSTRUCTIONS, 0n)).toMatchObject({ error: 0n, value: 1n });
      expect(call(Eid.PMU, 2n, 0n, 1n, 0n, INSTRUCTIONS, 0n).error).toBe(NOT_SUPPORTED);
      expect(call(Eid.PMU, 2n, 0n, 3n, 1n, INSTRUCTIONS, 0n).error).toBe(NOT_SUPPORTED); // SKIP_MATCH: the first counter
      for (const event of [0n, 3n, 0x1_0001n, 0x2_0000n, 0xf_0001n]) expect(call(Eid.PMU, 2n, 0n, 3n, 0n, event, 0n).error).toBe(NOT_SUPPORTED);
      expect(call(Eid.PMU, 2n, 0n, 4n, 0n, CYCLES, 0n).error).toBe(INVALID_PARAM);
      expect(call(Eid.PMU, 2n, 0n, 0n, 0n, CYCLES, 0n).error).toBe(INVALID_PARAM);
    }));

  test('a counter counts from the value it is given, stops, and goes back to the hart', () =>
    onVm(1, (call, machine, [vcpu]) => {
      const set = (value: bigint): void => void machine.hart.csrs.set(CSR.instret, value);
      set(1000n);
      expect(call(Eid.PMU, 3n, 1n, 1n, 1n, 50n).error).toBe(0n);
      expect(machine.hart.read(CSR.hcounteren)).toBe(0xffff_fffbn);
      set(1007n);
      expect(read(machine, vcpu, CSR.instret)).toBe(57n);
      expect(call(Eid.PMU, 3n, 1n, 1n, 0n, 0n).error).toBe(ALREADY_STARTED);
      expect(call(Eid.PMU, 2n, 0n, 3n, 0n, INSTRUCTIONS, 0n).error).toBe(NOT_SUPPORTED); // in use
      expect(call(Eid.PMU, 4n, 1n, 1n, 0n).error).toBe(0n);
      set(2000n);
      expect(read(machine, vcpu, CSR.instret)).toBe(57n);
      expect(call(Eid.PMU, 4n, 1n, 1n, 0n).error).toBe(ALREADY_STOPPED);
      expect(call(Eid.PMU, 3n, 1n, 1n, 0n, 0n).error).toBe(0n);
      set(2001n);
      expect(read(machine, vcpu, CSR.instret)).toBe(58n);
      expect(call(Eid.PMU, 4n, 0n, 3n, 1n).error).toBe(ALREADY_STOPPED); // RESET of both; the cycle counter was not started
      expect(machine.hart.read(CSR.hcounteren)).toBe(0xffff_ffffn);
      expect(read(machine, vcpu, CSR.instret)).toBe(2001n);
    }));

  test('CLEAR_VALUE and AUTO_START', () =>
    onVm(1, (call, machine, [vcpu]) => {
      machine.hart.csrs.set(CSR.cycle, 500n);
      expect(call(Eid.PMU, 2n, 0n, 1n, 6n, CYCLES, 0n)).toMatchObject({ error: 0n, value: 0n });
      machine.hart.csrs.set(CSR.cycle, 504n);
      expect(read(machine, vcpu, CSR.cycle)).toBe(4n);
    }));

  test('no firmware counters and no snapshots', () =>
    onVm(1, (call) => {
      for (const fid of [5n, 6n]) expect(call(Eid.PMU, fid, 0n).error).toBe(INVALID_PARAM);
      expect(call(Eid.PMU, 7n, RAM, 0n, 0n).error).toBe(NOT_SUPPORTED);
      expect(call(Eid.PMU, 3n, 0n, 1n, 2n).error).toBe(NO_SHMEM);
      expect(call(Eid.PMU, 4n, 0n, 1n, 2n).error).toBe(NO_SHMEM);
    }));
});

describe('legacy', () => {
  const legacy = (machine: FakeMachine, vcpu: AxArchVCpu | undefined, eid: bigint, ...args: bigint[]): bigint => {
    const before = pc(machine);
    vcpu?.setGpr(11, 0n);
    const { exit, error } = callSbi(machine, vcpu as AxArchVCpu, eid, 0x99n, args[0] ?? 0n, args[1] ?? 0x1111n, ...args.slice(2));
    expect(exit).toEqual({ reason: 'Nothing' });
    // a1 is an argument and not a result.
    expect(vcpu?.getGpr(11)).toBe(args[1] ?? 0x1111n);
    expect(pc(machine)).toBe(before + 4n);
    return error;
  };
  const mask = (machine: FakeMachine, address: bigint, value: bigint): void => {
    for (let i = 0n; i < 8n; i++) machine.virtual.set(address + i, Number((value >> (8n * i)) & 0xffn));
  };

  test('timer, console and shutdown', () =>
    onVm(1, (call, machine, [vcpu]) => {
      expect(legacy(machine, vcpu, 0n, 0x4321n)).toBe(0n);
      expect(machine.hart.read(CSR.vstimecmp)).toBe(0x4321n);
      expect(legacy(machine, vcpu, 1n, 0x42n)).toBe(0n);
      expect(machine.console).toBe('B');
      expect(legacy(machine, vcpu, 2n)).toBe(-1n);
      machine.input = 'x';
      expect(legacy(machine, vcpu, 2n)).toBe(0x78n);
      expect(call(8n, 0n).exit).toEqual({ reason: 'SystemDown' });
    }));

  test('clear_ipi says whether one was pending', () =>
    onVm(1, (_call, machine, [vcpu]) => {
      expect(legacy(machine, vcpu, 3n)).toBe(0n);
      vcpu?.injectInterrupt(2);
      expect(legacy(machine, vcpu, 3n)).toBe(1n);
      machine.next({ scause: (1n << 63n) | 5n }, (guest) => expect(guest.csr('hvip')).toBe(0n));
      vcpu?.run();
    }));

  test('hart masks are read with the guest\'s eyes; address 0 means all', () =>
    onVm(3, (_call, machine, [vcpu]) => {
      mask(machine, 0x5000n, 0b110n);
      expect(legacy(machine, vcpu, 4n, 0x5000n)).toBe(0n);
      expect(legacy(machine, vcpu, 4n, 0n)).toBe(0n);
      expect(machine.injected).toEqual(['1:110:2', '1:111:2']);
      mask(machine, 0x5000n, 0b1000n);
      expect(legacy(machine, vcpu, 4n, 0x5000n)).toBe(INVALID_PARAM);
    }));

  test('fences', () =>
    onVm(1, (_call, machine, [vcpu]) => {
      mask(machine, 0x5000n, 1n);
      machine.takeLog();
      legacy(machine, vcpu, 5n, 0x5000n);
      legacy(machine, vcpu, 6n, 0x5000n, 0x7000n, 0x1000n);
      legacy(machine, vcpu, 7n, 0x5000n, 0n, ALL, 9n);
      expect(machine.takeLog().filter((line) => line.includes('fence'))).toEqual(['fence.i', 'hfence.vvma 0x7000 all', 'hfence.vvma all 9']);
      expect(legacy(machine, vcpu, 6n, 0x5000n, 0x2000n, ALL - 1n)).toBe(INVALID_ADDRESS);
    }));

  test('a mask the guest cannot read is its page fault', () =>
    onVm(1, (_call, machine, [vcpu]) => {
      machine.hart.csrs.set(CSR.sepc, 0x8000_0100n);
      machine.hart.csrs.set(CSR.vstvec, 0x8000_0800n);
      machine.fault = { cause: 13, tval: 0n, htval: 0n };
      machine.next({ scause: 10n }, (guest) => {
        guest.set(17, 4n);
        guest.set(10, 0xdead_0000n);
      });
      expect(vcpu?.run()).toEqual({ reason: 'Nothing' });
      const csr = (name: keyof typeof CSR): bigint => machine.hart.read(CSR[name]);
      expect([csr('vscause'), csr('vstval'), csr('vsepc'), csr('sepc')]).toEqual([13n, 0xdead_0000n, 0x8000_0100n, 0x8000_0800n]);
    }));

  test('a mask in memory that is not mapped yet is asked for, and the call repeated', () =>
    onVm(2, (_call, machine, [vcpu]) => {
      machine.hart.csrs.set(CSR.sepc, 0x8000_0100n);
      machine.fault = { cause: 21, tval: 0n, htval: 0x2000_1000n };
      machine.next({ scause: 10n }, (guest) => {
        guest.set(17, 4n);
        guest.set(10, 0x6002n);
      });
      expect(vcpu?.run()).toEqual({ reason: 'NestedPageFault', addr: 0x8000_4002n, accessFlags: 1 });
      expect(vcpu?.decodeMmio()).toBeUndefined();
      expect(pc(machine)).toBe(0x8000_0100n);
      mask(machine, 0x6002n, 2n);
      machine.next({ scause: 10n });
      expect(vcpu?.run()).toEqual({ reason: 'Nothing' });
      expect([machine.injected, pc(machine)]).toEqual([['1:10:2'], 0x8000_0104n]);
    }));
});

test('hypercalls', () =>
  onVm(1, (call, machine, [vcpu]) => {
    const before = pc(machine);
    expect(call(EID_HVC, 42n, 1n, 2n, 3n, 4n, 5n, 6n).exit).toEqual({ reason: 'Hypercall', nr: 42n, args: [1n, 2n, 3n, 4n, 5n, 6n] });
    expect(pc(machine)).toBe(before + 4n);
    vcpu?.setReturnValue(-2n);
    expect([vcpu?.getGpr(10), vcpu?.getGpr(11)]).toEqual([ALL - 1n, 2n]);
  }));
