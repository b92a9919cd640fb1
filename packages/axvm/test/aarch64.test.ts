import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVm, runVms, vms, type Vm } from '@axvisor/axvisor_api/vm';
import { vcpuPowerState } from '@axvisor/axvisor_api/vmm';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MIB, Screen } from './machine.ts';
import { config, garbage, guest, KERNEL, linkAarch64 } from './machine_aarch64.ts';

beforeAll(() => linkAarch64());
afterEach(async () => {
  for (const vm of vms()) await vm[Symbol.asyncDispose]();
});

type Init = Parameters<typeof config>[0];

function boot(source: string, init: Init = {}, screen = new Screen()): Vm {
  const vm = createVm(config(init), { kernel: guest(source) }, screen);
  vm.boot();
  return vm;
}

async function printed(source: string, init: Init = {}): Promise<{ readonly text: string; readonly vm: Vm }> {
  const screen = new Screen();
  const vm = boot(source, init, screen);
  await runVms();
  return { text: screen.text, vm };
}

test('a guest prints, powers off by PSCI, and its statistics say what it did', async () => {
  const { text, vm } = await printed(`mov x0, 'H'\n bl putc\n mov x0, 'i'\n bl putc\n b off`);
  expect([text, vm.status, vm.ended]).toEqual(['Hi', 'stopped', { end: 'poweroff', code: 0 }]);
  expect(vm.stats().exits).toMatchObject({ MmioWrite: 2, SystemDown: 1 });
  expect(vm.stats().deviceAccesses['serial@9000000']).toBe(2);
});

test('it starts as the boot protocol says: EL1h, exceptions masked, MMU off, x0 the device tree, the other arguments 0', async () => {
  const { text } = await printed(`
    ldr w4, [x0]
    orr x5, x1, x2
    orr x5, x5, x3
    mrs x6, CurrentEL
    lsr x6, x6, 2
    mrs x7, DAIF
    lsr x7, x7, 6
    mrs x8, SCTLR_EL1
    and x8, x8, 1
    mrs x10, SPSel
    and w0, w4, 0xff
    bl putc                     // 0xd0 of the magic number, stored big-endian
    add x0, x5, '0'
    bl putc
    add x0, x6, '0'
    bl putc
    add x0, x7, '0'
    bl putc
    add x0, x8, '0'
    bl putc
    add x0, x10, '0'
    bl putc
    b off`);
  expect(text).toBe('\xd001?01');
});

test('a reset starts from clean memory, a reloaded image and reset devices', async () => {
  const { text, vm } = await printed(`
    adr x20, counter
    ldr w0, [x20]
    add w0, w0, '0'
    bl putc
    mov w1, 5
    str w1, [x20]
    movz x21, 0x4040, lsl 16
    ldr w0, [x21]
    add w0, w0, '0'
    bl putc
    str w1, [x21]
    movz x22, 0x901, lsl 16
    ldr w2, [x22, 0x10]         // the clock's interrupt mask tells the second time from the first
    add w0, w2, '0'
    bl putc
    mov w1, 1
    str w1, [x22, 0x10]
    movz x23, 0x400, lsl 16     // flash keeps what is in it: the third time is the last
    ldr w3, [x23]
    mov w4, 0x40
    str w4, [x23]
    lsl w5, w3, 1
    str w5, [x23]
    mov w4, 0xff
    str w4, [x23]
    tbz w3, 1, off
    b again
    .balign 4
    counter: .word 2`);
  expect(text).toBe('200200200');
  expect(vm.stats().resets).toBe(2);
});

test('CPU_ON starts CPUs by affinity with their argument, and CPU_OFF ends them', async () => {
  const screen = new Screen();
  const vm = boot(`
    movz x0, 0xc400, lsl 16     // CPU_ON 64
    movk x0, 3
    mov x1, 0x100               // the first of the second cluster
    adr x2, second
    mov x3, 'B'
    hvc 0
    add x0, x0, 'a'
    bl putc
    mov x1, 0x200
    movz x0, 0xc400, lsl 16
    movk x0, 3
    adr x2, second
    hvc 0
    cmn x0, 2                   // INVALID_PARAMETERS
    cset x0, eq
    add x0, x0, '0'
    bl putc
    adr x4, flag
  1: ldr w5, [x4]
    yield
    cbz w5, 1b
    b off
  second: mrs x6, MPIDR_EL1
    mov x7, x0
    bl putc
    ubfx x0, x6, 8, 8
    add x0, x0, '0'
    bl putc
    adr x4, flag
    mov w5, 1
    str w5, [x4]
    movz x0, 0x8400, lsl 16     // CPU_OFF
    movk x0, 2
    hvc 0
    .balign 4
    flag: .word 0`, { cpuNum: 17 }, screen);
  expect(vcpuPowerState(1, 16)).toBe('off');
  await runVms();
  expect([...screen.text].sort().join('')).toBe('11Ba');
  expect(vm.ended).toEqual({ end: 'poweroff', code: 0 });
});

test('an access to nothing is the guest’s own synchronous external abort', async () => {
  const { text } = await printed(`
    adr x0, vectors
    msr VBAR_EL1, x0
    isb
    movz x1, 0x3000, lsl 16
    ldr x2, [x1]
    mov x0, 'x'
    bl putc
    b off
    .balign 2048
  vectors: .space 512           // the next entry is that of synchronous exceptions of the current level
    mrs x0, ESR_EL1
    and x0, x0, 0x3f
    add x0, x0, 0x20
    bl putc
    mrs x3, ELR_EL1
    add x3, x3, 4
    msr ELR_EL1, x3
    eret`);
  expect(text).toBe('0x');
});

/** Waits for its virtual timer with WFI and acknowledges the interrupt at the CPU interface of `version`. */
const TIMER = { 3: ['mov x1, 0xff\n msr ICC_PMR_EL1, x1\n mov x1, 1\n msr ICC_IGRPEN1_EL1, x1\n movz x2, 0x80b, lsl 16\n mov w1, 0x8000000\n str w1, [x2, 0x80]\n str w1, [x2, 0x100]\n movz x2, 0x800, lsl 16\n mov w1, 2\n str w1, [x2]', 'mrs x0, ICC_IAR1_EL1'],
  2: ['movz x2, 0x800, lsl 16\n mov w1, 0x8000000\n str w1, [x2, 0x100]\n mov w1, 1\n str w1, [x2]\n movz x2, 0x801, lsl 16\n mov w1, 0xff\n str w1, [x2, 4]\n mov w1, 1\n str w1, [x2]', 'movz x2, 0x801, lsl 16\n ldr w0, [x2, 0xc]'] } as const;

test.each([2, 3] as const)('a GICv%d brings the timer’s interrupt, which ends a wait', async (version) => {
  const [open, acknowledge] = TIMER[version];
  const { text, vm } = await printed(`
    ${open}
    mov x1, 20000
    msr CNTV_TVAL_EL0, x1
    mov x1, 1
    msr CNTV_CTL_EL0, x1
    wfi
    ${acknowledge}
    add x0, x0, '0' - 27
    bl putc
    b off`, { gicVersion: version });
  expect(text).toBe('0');
  expect(vm.stats().exits).toMatchObject({ Halt: 1 });
});

describe('the board', () => {
  const make = (init: Init): Vm => createVm(config(init), { kernel: guest('b off') }, new Screen());

  test('has room for so many vCPUs, and says so', () => {
    expect(() => make({ gicVersion: 2, cpuNum: 9 })).toThrow('the interrupt controller of this board is for 1 to 8 vCPUs, not 9');
    expect(() => make({ cpuNum: 124 })).toThrow('the interrupt controller of this board is for 1 to 123 vCPUs, not 124');
    expect(() => make({ kernel: { path: 'k', loadAddr: 0x9000_0000n } })).toThrow("does not fit in the guest's memory");
  });

  test.runIf(spawnSync('dtc', ['--version']).status === 0).each([2, 3] as const)('with a GICv%d has a device tree that dtc finds nothing wrong with', (gicVersion) => {
    const file = join(mkdtempSync(join(tmpdir(), 'axvm-dtb-')), 'a.dtb');
    writeFileSync(file, make({ gicVersion, cpuNum: 3, cmdline: 'console=ttyAMA0' }).dtb ?? '');
    const { stdout, stderr } = spawnSync('dtc', ['-I', 'dtb', '-O', 'dts', file], { encoding: 'utf8' });
    expect(stderr).toBe('');
    for (const wanted of ['arm,pl011', 'arm,psci-1.0', 'method = "hvc"', 'arm,armv8-timer', gicVersion === 3 ? 'arm,gic-v3-its' : 'arm,cortex-a15-gic', 'cpu@2', 'gpio-keys', 'stdout-path = "/soc/serial@9000000"']) expect(stdout).toContain(wanted);
  });

  test('has a power button, which reaches the guest as an interrupt of its GPIO', async () => {
    const screen = new Screen();
    const vm = boot(`
      movz x1, 0x903, lsl 16
      mov w2, 8
      str w2, [x1, 0x40c]
      str w2, [x1, 0x410]
      mov x0, 'r'
      bl putc
    1: mov w4, 0x10000           // polling alone takes long: a slice has a million instructions
    2: sub w4, w4, 1
      cbnz w4, 2b
      ldr w3, [x1, 0x418]
      cbz w3, 1b
      b off`, {}, screen);
    await runVms(() => screen.text === 'r' && vm.pressPowerButton?.() === true);
    await runVms();
    expect(vm.ended).toEqual({ end: 'poweroff', code: 0 });
  });
});

test('descriptions that pass the board’s own devices through get the emulated ones', async () => {
  const { text } = await printed(`mov x0, 'p'\n bl putc\n b off`, {
    devices: [{ model: 'gic-distributor', base: 0x800_0000n, irq: 0 }, { model: 'gic-redistributor', base: 0x80a_0000n, irq: 0 }],
    passthroughDevices: [{ name: 'uart', baseGpa: 0x900_0000n, baseHpa: 0x900_0000n, length: 0x1000n, irq: 33 }],
  });
  expect(text).toBe('p');
});

test('an arm64 Image goes above the first 2 MiB of memory', async () => {
  const code = guest(`mov x0, 'I'\n bl putc\n b off`);
  const file = new Uint8Array(64 + code.length);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x1400_0010, true); // b 64
  view.setBigUint64(16, 0x10000n, true);
  view.setUint32(56, 0x644d_5241, true);
  file.set(code, 64);
  const screen = new Screen();
  const vm = createVm(config({ kernel: { path: 'Image' }, memory: 16n * MIB }), { kernel: file }, screen);
  expect(vm.dtb).toBeDefined();
  vm.boot();
  await runVms();
  expect(screen.text).toBe('I');
  expect(KERNEL).toBe(0x4020_0000n);
});

test.each([[2, 1], [2, 2], [2, 3], [3, 4], [3, 5], [3, 6]] as const)('garbage at every register of the board with a GICv%d disturbs nobody but the guest (seed %d)', async (gicVersion, seed) => {
  const screen = new Screen();
  screen.type('typed ahead');
  const vm = boot(garbage(seed, 20_000), { gicVersion, cpuNum: 2 }, screen);
  const neighbour = boot(`mov x0, 'n'\n bl putc\n b off`, { id: 2, name: 'neighbour' });
  // An ITS or a virtio queue may overwrite the program, which then does anything but end.
  let turns = 0;
  await runVms(() => neighbour.status === 'stopped' && turns++ > 2_000);
  expect(neighbour.ended).toEqual({ end: 'poweroff', code: 0 });
  expect(vm.ended ?? { end: 'poweroff' }).toMatchObject({ end: 'poweroff' });
  expect(Object.values(vm.stats().deviceAccesses).filter((n) => n > 0).length).toBeGreaterThan(6);
});
