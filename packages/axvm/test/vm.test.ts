import { gpa } from '@axvisor/axvisor_api/addr';
import { frameCounts } from '@axvisor/axvisor_api/memory';
import { createVm, findVm, runVms, vms, type Vm } from '@axvisor/axvisor_api/vm';
import { activeVcpus, guestMemory, injectInterrupt, vcpuNum, vcpuPowerState } from '@axvisor/axvisor_api/vmm';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { config, guest, KERNEL, linkAll, MIB, Screen } from './machine.ts';

const PASS = 0x5555;
const FAIL = (code: number): number => (code << 16) | 0x3333;

beforeAll(linkAll);
afterEach(async () => {
  for (const vm of vms()) await vm[Symbol.asyncDispose]();
});

/** Creates and boots a VM with this program. */
function boot(source: string, init: Parameters<typeof config>[0] = {}, screen = new Screen()): Vm {
  const vm = createVm(config(init), { kernel: guest(source) }, screen);
  vm.boot();
  return vm;
}

test('a guest prints, powers off with a result, and its memory comes back', async () => {
  const before = frameCounts().free;
  const screen = new Screen();
  const vm = boot(`li a0, 'H'\n call putc\n li a0, 'i'\n call putc\n li a0, ${FAIL(7)}\n j off`, {}, screen);
  await runVms();
  expect(screen.text).toBe('Hi');
  expect([vm.status, vm.ended]).toEqual(['stopped', { end: 'poweroff', code: 7 }]);
  expect(vm.stats().exits).toMatchObject({ MmioWrite: 3 });
  await vm[Symbol.asyncDispose]();
  // The hart itself was brought up by the first VM; a second one shows that nothing else stays.
  const after = frameCounts().free;
  await (boot(`li a0, ${PASS}\n j off`), runVms());
  for (const v of vms()) await v[Symbol.asyncDispose]();
  expect(frameCounts().free).toBe(after);
  expect(after).toBeLessThanOrEqual(before);
});

test('the life cycle refuses what is out of order and says so', async () => {
  const vm = createVm(config(), { kernel: guest(`li a0, ${PASS}\n j off`) }, new Screen());
  expect(vm.status).toBe('loaded');
  expect(() => vm.pause()).toThrow('VM 1 is loaded: cannot pause');
  expect(() => vm.resume()).toThrow('VM 1 is loaded: cannot resume');
  vm.boot();
  expect(() => vm.boot()).toThrow('VM 1 is running: cannot boot');
  vm.pause();
  let polls = 0;
  await runVms(() => ++polls > 1 || vm.status !== 'suspended' || (vm.resume(), false));
  await runVms();
  expect(vm.ended).toEqual({ end: 'poweroff', code: 0 });
  expect(() => vm.shutdown()).toThrow('VM 1 is stopped: cannot shutdown');
});

test('a guest that traps without end has its turns like any other, also on a virtual clock', async () => {
  boot('la t0, 1f\n csrw stvec, t0\n .balign 4\n 1: .word 0\n');
  const screen = new Screen();
  const other = boot(`li a0, 'H'\n call putc\n li a0, ${PASS}\n j off`, { id: 2 }, screen);
  await runVms(() => other.status === 'stopped');
  expect(screen.text).toBe('H');
});

test('a reset starts from clean memory and a reloaded image', async () => {
  const screen = new Screen();
  // Counts in memory that must be zero at power-on, and changes its own image; resets twice by a key typed before.
  const vm = boot(`
    la s0, counter
    lw a0, 0(s0)
    addi a0, a0, '0'
    call putc
    li t1, 5
    sw t1, 0(s0)
    li s1, 0x80400000
    lw a0, 0(s1)
    addi a0, a0, '0'
    call putc
    sw t1, 0(s1)
    li s2, 0x10000000
    lbu t2, 5(s2)
    andi t2, t2, 1
    beqz t2, 1f
    lbu t2, 0(s2)
    li a0, 0x7777
    j off
  1: li a0, ${PASS}
    j off
    .balign 4
    counter: .word 2
  `, {}, screen);
  screen.type('xxx'); // the second is in the UART when it is reset, and lost
  await runVms();
  expect(screen.text).toBe('202020');
  expect(vm.stats().resets).toBe(2);
});

test('several VMs run side by side, each in its own memory', async () => {
  const screens = [1, 2, 3].map((id) => {
    const screen = new Screen();
    boot(`li s0, 0x80400000\n li s1, 200\n1: lw t1, 0(s0)\n addi t1, t1, ${id}\n sw t1, 0(s0)\n addi s1, s1, -1\n bnez s1, 1b\n lw a0, 0(s0)\n srli a0, a0, 3\n call putc\n li a0, ${PASS}\n j off`, { id, name: `vm${id}` }, screen);
    return screen;
  });
  expect(() => createVm(config({ id: 2 }), {}, new Screen())).toThrow('there is a VM 2 already');
  await runVms();
  expect(screens.map((s) => s.text.charCodeAt(0))).toEqual([25, 50, 75]);
  expect(vms().map((v) => v.ended?.end)).toEqual(['poweroff', 'poweroff', 'poweroff']);
});

test('shutdown ends a guest that loops or waits for ever', async () => {
  for (const program of ['1: j 1b', '1: wfi\n j 1b']) {
    const vm = boot(program);
    setTimeout(() => vm.shutdown(), 20);
    await runVms();
    expect(vm.ended).toEqual({ end: 'stopped' });
    await vm[Symbol.asyncDispose]();
  }
});

test('an access to nothing is the guest’s own fault, which it can handle', async () => {
  const screen = new Screen();
  boot(`la t0, trap\n csrw stvec, t0\n li t1, 0x50000000\n ld t2, 0(t1)\n li a0, 'x'\n call putc\n li a0, ${PASS}\n j off\n .balign 4\ntrap: csrr a0, scause\n addi a0, a0, '0'\n call putc\n csrr t0, sepc\n addi t0, t0, 4\n csrw sepc, t0\n sret`, {}, screen);
  await runVms();
  expect(screen.text).toBe('5x');
});

test('the monitor answers for known VMs and reports unknown ones', async () => {
  boot('1: wfi\n j 1b', { cpuNum: 3 });
  expect([vcpuNum(1), activeVcpus(1), vcpuPowerState(1, 0), vcpuPowerState(1, 2)]).toEqual([3, 1n, 'on', 'off']);
  expect(() => vcpuNum(9)).toThrow('there is no VM 9');
  expect(() => findVm(9)).toThrow('there is no VM 9');
  expect(() => vcpuPowerState(1, 3)).toThrow('VM 1 has no vCPU 3');
  expect(() => injectInterrupt(1, 0, 4711)).toThrow(/4711/);
  expect(guestMemory(1).readValue(gpa(KERNEL), 4)).toBeGreaterThan(0n);
});

test('impossible machines are refused with a reason, and leave nothing behind', () => {
  const kernel = guest(`li a0, ${PASS}\n j off`);
  const free = frameCounts().free;
  const make = (init: Parameters<typeof config>[0]) => createVm(config(init), { kernel }, new Screen());
  expect(() => make({ id: 0 })).toThrow('a VM id is 1 or more, not 0');
  expect(() => make({ cpuNum: 0 })).toThrow('1 to 512 vCPUs, not 0');
  expect(() => make({ memory: 4096n * MIB })).toThrow(/VM 1 needs 4096 MiB of memory, the host has \d+ MiB left/);
  expect(() => make({ devices: [{ model: 'ns16550a', base: 0x1000_0080n, irq: 0 }] })).toThrow('overlaps device serial@10000000');
  expect(() => make({ devices: [{ model: 'floppy', base: 0x2000_0000n, irq: 0 }] })).toThrow("no device model 'floppy'");
  expect(() => make({ passthroughDevices: [{ name: 'gpu', baseGpa: 0x4000_0000n, baseHpa: 0x4000_0000n, length: 0x1000n, irq: 0 }] })).toThrow('passing through device gpu at 0x40000000: this host has no devices');
  expect(() => make({ kernel: { path: 'k', loadAddr: 0x9000_0000n } })).toThrow("does not fit in the guest's memory");
  expect(vms()).toEqual([]);
  expect(frameCounts().free).toBe(free);
});

test('descriptions that pass the board’s own devices through get the emulated ones', async () => {
  const screen = new Screen();
  boot(`li a0, 'p'\n call putc\n li a0, ${PASS}\n j off`, {
    devices: [{ model: 'plic', base: 0xc00_0000n, irq: 0 }, { model: 'dummy', base: 0n, irq: 0 }],
    passthroughDevices: [{ name: 'uart', baseGpa: 0x1000_0000n, baseHpa: 0x1000_0000n, length: 0x1000n, irq: 0 }],
  }, screen);
  await runVms();
  expect(screen.text).toBe('p');
});
