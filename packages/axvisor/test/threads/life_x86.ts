/** The life of PCs whose vCPUs run on threads, for one kind of virtualization: a composition is for all of a thread's life. */
import { createVmConfig } from '@axvisor/axvmconfig';
import { frameCounts } from '@axvisor/axvisor_api/memory';
import { createVm, runVms, vms, type Vm } from '@axvisor/axvisor_api/vm';
import { assemble } from '@axvisor/softcpu_x86/asm';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { CpuThreads } from '../../src/threads/start.ts';
import { stressGuestX86 } from '../stress/guest_x86.ts';
import { executed, runFor, start } from './busy.ts';

const MIB = 1n << 20n;

const pc = (kernel: Uint8Array, cpuNum: number, print: (text: string) => void = () => {}): Vm => {
  const vm = createVm(createVmConfig({ arch: 'x86_64', memory: 256n * MIB, kernel: { path: 'test' }, cpuNum }), { kernel }, {
    write: (bytes) => print(String.fromCharCode(...bytes)), read: () => new Uint8Array(0), onInput: () => {},
  });
  vm.boot();
  return vm;
};

/** Lets a VM run until its vCPUs have left their guests `more` times. */
async function runExits(vm: Vm, more: number): Promise<void> {
  const exits = (): number => Object.values(vm.stats().exits).reduce((sum, n) => sum + n, 0);
  const end = exits() + more;
  while (exits() < end && vm.status === 'running') await runFor(10);
}

/** Pauses a VM. Whoever was asking the monitor for something gets its answer first, and is paused then. */
async function pause(vm: Vm): Promise<void> {
  vm.pause();
  for (let same = 0, before = -1n; same < 3; ) {
    await runFor(20);
    same = executed(vm) === before ? same + 1 : 0;
    before = executed(vm);
  }
}

/** The first run shuts the processor down by a triple fault; the clock's memory, which outlives that, tells the second one, which powers off. */
const TRIPLE = `
        .code32
image:  .long   0x1badb002, 0x10000, 0 - 0x1badb002 - 0x10000
        .long   image, image, image_end, image_end, start
start:  mov     al, 0x40
        out     0x70, al
        in      al, 0x71
        test    al, al
        jnz     again
        inc     al
        out     0x71, al
        lidt    [nothing]
        ud2
again:  mov     edx, 0x604
        mov     eax, 0x2000
        out     dx, ax
        hlt
nothing: .zero  6
image_end:
`;

export function describeLife(virt: 'vmx' | 'svm'): void {
  let threads: CpuThreads | undefined;
  beforeAll(async () => void (threads = await start(2, { arch: 'x86_64', processor: { virt } })));
  afterEach(async () => {
    for (const vm of vms()) await vm[Symbol.asyncDispose]();
  });
  afterAll(async () => threads?.[Symbol.asyncDispose]());

  test('a paused VM executes nothing, shows its registers, and goes on when it is resumed', async () => {
    let printed = '';
    const vm = pc(stressGuestX86({ harts: 3, seconds: 1000, seed: 5 }), 3, (text) => (printed += text));
    await runExits(vm, 1000);
    for (let round = 0; round < 4; round++) {
      await pause(vm);
      const before = executed(vm);
      expect(before).toBeGreaterThan(0n);
      const registers = vm.vcpus.map(({ arch }) => arch.dump());
      await runFor(40);
      expect(executed(vm)).toBe(before);
      expect(vm.vcpus.map(({ arch }) => arch.dump())).toEqual(registers);
      vm.resume();
      await runExits(vm, 100);
      await pause(vm);
      expect(executed(vm)).toBeGreaterThan(before);
      vm.resume();
    }
    expect(vm.ended).toBeUndefined();
    expect(printed).not.toContain('failed');
  });

  test('resets while all CPUs are busy, and what is stopped leaves nothing', async () => {
    let free: number | undefined;
    for (let round = 0; round < 3; round++) {
      let printed = '';
      const vm = pc(stressGuestX86({ harts: 3, seconds: 1000, seed: round }), 3, (text) => (printed += text));
      for (let reset = 0; reset < 4; reset++) {
        await runFor(reset % 2 === 0 ? 5 : 150);
        vm.reset();
        expect(vm.status).toBe('running');
      }
      await runExits(vm, 100);
      expect(vm.ended).toBeUndefined();
      expect(printed).not.toContain('failed');
      expect(vm.stats().resets).toBe(4);
      await vm[Symbol.asyncDispose]();
      if (round > 0) expect(frameCounts().free).toBe((free ??= frameCounts().free));
    }
  });

  test('a triple fault resets the machine', async () => {
    const vm = pc(assemble(TRIPLE, { base: 0x10_0000n }).bytes, 2);
    await runVms(() => vm.status === 'stopped');
    expect([vm.ended, vm.stats().resets]).toEqual([{ end: 'poweroff', code: 0 }, 1]);
  });
}
