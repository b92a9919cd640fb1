import { createVm, runVms, vms } from '@axvisor/axvisor_api/vm';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { Screen } from './machine.ts';
import { config, garbage, guest, linkAarch64 } from './machine_aarch64.ts';

beforeAll(() => linkAarch64('real'));
afterEach(async () => {
  for (const vm of vms()) await vm[Symbol.asyncDispose]();
});

/** UARTFR read as half a word before each character, 200 of them. */
const PRINTS = `
  movz x9, 0x900, lsl 16
  mov x8, 200
next: ldrh w1, [x9, 0x18]
  mov w0, 'a'
  str w0, [x9]
  subs x8, x8, 1
  b.ne next
`;

test('a console is written without exits, which count as what they do', async () => {
  const screen = new Screen();
  const vm = createVm(config({}), { kernel: guest(`${PRINTS} b off`) }, screen);
  vm.boot();
  await runVms();
  const { exits, deviceAccesses } = vm.stats();
  expect(screen.text).toBe('a'.repeat(200));
  expect([exits['MmioRead'], exits['MmioWrite'], deviceAccesses['serial@9000000']]).toEqual([200, 200, 400]);
  expect(exits['NestedPageFault']).toBeUndefined();
});

test('a listener of the console may stop its machine while the guest is on the processor', async () => {
  const screen = new Screen();
  const vm = createVm(config({}), { kernel: guest(`${PRINTS} b .`) }, {
    ...screen, read: () => new Uint8Array(0), onInput: () => {},
    write: (bytes: Uint8Array) => {
      screen.write(bytes);
      if (screen.text.length === 100 && vm.status === 'running') vm.shutdown();
    },
  });
  vm.boot();
  await runVms();
  expect([vm.ended, screen.text]).toEqual([{ end: 'stopped' }, 'a'.repeat(100)]);
});

test('an interrupt for another vCPU of this thread gives that its turn', async () => {
  // The first waits for the second's word, which the UART's transmit interrupt wakes.
  const screen = new Screen();
  const vm = createVm(config({ cpuNum: 2 }), {
    kernel: guest(`
  mrs x0, mpidr_el1
  movz x0, 0xc400, lsl 16
  movk x0, 3
  mov x1, 1
  adr x2, second
  hvc 0
  // GICD_CTLR: affinity routing, group 1; SPI 33 in group 1, enabled, to CPU 1
  movz x9, 0x800, lsl 16
  mov w1, 0x12
  str w1, [x9]
  mov w1, 2
  str w1, [x9, 0x84]
  str w1, [x9, 0x104]
  mov x1, 1
  movz x10, 0x6108
  str x1, [x9, x10]
  // UARTIMSC: transmit
  movz x9, 0x900, lsl 16
  mov w1, 0x20
  str w1, [x9, 0x38]
  adr x20, ready
wait: ldar x1, [x20]
  cbz x1, wait
  mov w0, 'a'
  str w0, [x9]
spin: ldar x1, [x20]
  cmp x1, 2
  b.ne spin
  b off
second:
  adr x20, ready
  mov x1, 0xff
  msr icc_pmr_el1, x1
  mov x1, 1
  msr icc_igrpen1_el1, x1
  isb
  stlr x1, [x20]
sleep: wfi
  mrs x2, icc_iar1_el1
  cmp x2, 1023
  b.eq sleep
  movz x9, 0x900, lsl 16
  add w0, w2, 'A' - 33
  str w0, [x9]
  mov x1, 2
  stlr x1, [x20]
  b .
  .balign 8
ready: .dword 0
`),
  }, screen);
  vm.boot();
  await runVms();
  expect([screen.text, vm.ended]).toEqual(['aA', { end: 'poweroff', code: 0 }]);
});

test.each([[2, 11], [3, 12], [3, 13]] as const)('garbage at every register of the board with a GICv%d disturbs nobody but the guest (seed %d)', async (gicVersion, seed) => {
  const screen = new Screen();
  screen.type('typed ahead');
  const vm = createVm(config({ gicVersion, cpuNum: 2 }), { kernel: guest(garbage(seed, 5_000)) }, screen);
  const neighbour = createVm(config({ id: 2, name: 'neighbour' }), { kernel: guest(`mov x0, 'n'\n bl putc\n b off`) }, new Screen());
  for (const each of [vm, neighbour]) each.boot();
  let turns = 0;
  await runVms(() => neighbour.status === 'stopped' && turns++ > 200);
  expect(neighbour.ended).toEqual({ end: 'poweroff', code: 0 });
  expect(vm.ended ?? { end: 'poweroff' }).toMatchObject({ end: 'poweroff' });
});
