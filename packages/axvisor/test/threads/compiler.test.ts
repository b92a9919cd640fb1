/** vCPUs on threads for which one more thread compiles, while the code is rewritten under them. */
import { createVmConfig } from '@axvisor/axvmconfig';
import { createVm } from '@axvisor/axvisor_api/vm';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { expect, test } from 'vitest';
import { CompilerThread } from '../../src/threads/compiler.ts';
import { runFor, start } from './busy.ts';

const KERNEL = 0x8020_0000n;
const ROUNDS = 200n;

/**
 * Hart 0 gives a function another result, fences both harts, says which result it is, and calls it up to 65536 times; hart 1 calls it without end. Both compare what they
 * get with what was said: nobody may get an older one.
 */
const REWRITING = `
start: la s3, function
  la s5, said
  bnez a0, other
  li a7, 0x48534d
  li a6, 0
  li a0, 1
  la a1, start
  li a2, 0
  ecall
  li s4, 1
  li s6, 12345
round: addi s4, s4, 1
  slli t0, s4, 20
  li t1, 0x50513            # addi a0, a0, 0
  or t0, t0, t1
  sw t0, 0(s3)
  fence.i
  li a7, 0x52464e43
  li a6, 0
  li a0, 2
  li a1, 0
  ecall
  sw s4, 0(s5)
  li t0, 1103515245
  mul s6, s6, t0
  addi s6, s6, 1013
  slli t0, s6, 32
  srli s7, t0, 48
1: li a0, 0
  jalr s3
  bne a0, s4, fail
  addi s7, s7, -1
  bgtz s7, 1b
  li t0, ROUNDS
  blt s4, t0, round
  li a1, 0
  j down
other: lw s4, 0(s5)
  li a0, 0
  jalr s3
  lw s6, 0(s5)
  addi s6, s6, 1
  blt a0, s4, fail
  bge s6, a0, other
fail: li a1, 1
down: li a7, 0x53525354
  li a6, 0
  li a0, 0
  ecall
  .balign 4096
function: addi a0, a0, 1
  ret
  .balign 4096
said: .word 1
`;

test('no vCPU executes what was compiled of code that was rewritten meanwhile, and one that is stopped while something is compiled for it starts again', async () => {
  await using compiler = new CompilerThread('riscv64', 2);
  await using _threads = await start(2, { compiler });
  const kernel = assemble(REWRITING, { base: KERNEL, symbols: { ROUNDS } }).bytes;
  await using vm = createVm(createVmConfig({ memory: 16n << 20n, kernel: { path: 'test', loadAddr: KERNEL }, cpuNum: 2 }), { kernel }, { write: () => {}, read: () => new Uint8Array(0), onInput: () => {} });
  vm.boot();
  for (let i = 0; i < 3; i++) {
    await runFor(30);
    vm.reset();
  }
  for (let i = 0; i < 2000 && vm.ended === undefined; i++) await runFor(50);
  expect(vm.ended).toEqual({ end: 'poweroff', code: 0 });
});
