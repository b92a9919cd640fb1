/*
 * Runs instructions on whatever executes AArch64 and tells what they did: the oracle of the differential tests.
 *
 * Input, per case: seed, count, then count words of code. All registers and the memory around x28 are made from the seed.
 * Output, per case: status (0 done, else the signal), hash of memory, nzcv, fpcr, fpsr, the number of the instruction that the signal is of,
 * x0 ... x29, sp, v0 ... v31, the address that the signal is of.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

struct state {
  uint32_t status, hash, nzcv, fpcr, fpsr, at;
  uint64_t x[30], sp;
  uint64_t v[64];
  uint64_t address;
};

#define DATA 0x10000000ul
#define DATA_SIZE 0x10000ul
#define CODE 0x20000000ul
#define WINDOW 2304
#define END 0x1000ul

static struct state state;
static uint64_t saved[24];
static sigjmp_buf back;

extern void enter(struct state *s, uint64_t *saved, uint64_t code);
extern void leave(void);
__asm__(
    ".text\n.globl enter\nenter:\n"
    "stp x19, x20, [x1]\nstp x21, x22, [x1, #16]\nstp x23, x24, [x1, #32]\nstp x25, x26, [x1, #48]\nstp x27, x28, [x1, #64]\nstp x29, x30, [x1, #80]\n"
    "stp d8, d9, [x1, #96]\nstp d10, d11, [x1, #112]\nstp d12, d13, [x1, #128]\nstp d14, d15, [x1, #144]\nmov x3, sp\nmrs x4, fpcr\nstp x3, x4, [x1, #160]\n"
    "mov x30, x2\nldr w3, [x0, #8]\nmsr nzcv, x3\nldr w3, [x0, #12]\nmsr fpcr, x3\nldr w3, [x0, #16]\nmsr fpsr, x3\n"
    "ldr x3, [x0, #264]\nmov sp, x3\n"
    "add x1, x0, #272\n"
    "ldp q0, q1, [x1]\nldp q2, q3, [x1, #32]\nldp q4, q5, [x1, #64]\nldp q6, q7, [x1, #96]\nldp q8, q9, [x1, #128]\nldp q10, q11, [x1, #160]\nldp q12, q13, [x1, #192]\nldp q14, q15, [x1, #224]\n"
    "ldp q16, q17, [x1, #256]\nldp q18, q19, [x1, #288]\nldp q20, q21, [x1, #320]\nldp q22, q23, [x1, #352]\nldp q24, q25, [x1, #384]\nldp q26, q27, [x1, #416]\nldp q28, q29, [x1, #448]\nldp q30, q31, [x1, #480]\n"
    "ldp x2, x3, [x0, #40]\nldp x4, x5, [x0, #56]\nldp x6, x7, [x0, #72]\nldp x8, x9, [x0, #88]\nldp x10, x11, [x0, #104]\nldp x12, x13, [x0, #120]\nldp x14, x15, [x0, #136]\n"
    "ldp x16, x17, [x0, #152]\nldp x18, x19, [x0, #168]\nldp x20, x21, [x0, #184]\nldp x22, x23, [x0, #200]\nldp x24, x25, [x0, #216]\nldp x26, x27, [x0, #232]\nldp x28, x29, [x0, #248]\n"
    "ldp x0, x1, [x0, #24]\nbr x30\n"
    ".globl leave\nleave:\n"
    "adrp x30, state\nadd x30, x30, :lo12:state\n"
    "stp x0, x1, [x30, #24]\nstp x2, x3, [x30, #40]\nstp x4, x5, [x30, #56]\nstp x6, x7, [x30, #72]\nstp x8, x9, [x30, #88]\nstp x10, x11, [x30, #104]\nstp x12, x13, [x30, #120]\n"
    "stp x14, x15, [x30, #136]\nstp x16, x17, [x30, #152]\nstp x18, x19, [x30, #168]\nstp x20, x21, [x30, #184]\nstp x22, x23, [x30, #200]\nstp x24, x25, [x30, #216]\nstp x26, x27, [x30, #232]\nstp x28, x29, [x30, #248]\n"
    "mov x0, sp\nstr x0, [x30, #264]\nmrs x0, nzcv\nstr w0, [x30, #8]\nmrs x0, fpcr\nstr w0, [x30, #12]\nmrs x0, fpsr\nstr w0, [x30, #16]\n"
    "add x1, x30, #272\n"
    "stp q0, q1, [x1]\nstp q2, q3, [x1, #32]\nstp q4, q5, [x1, #64]\nstp q6, q7, [x1, #96]\nstp q8, q9, [x1, #128]\nstp q10, q11, [x1, #160]\nstp q12, q13, [x1, #192]\nstp q14, q15, [x1, #224]\n"
    "stp q16, q17, [x1, #256]\nstp q18, q19, [x1, #288]\nstp q20, q21, [x1, #320]\nstp q22, q23, [x1, #352]\nstp q24, q25, [x1, #384]\nstp q26, q27, [x1, #416]\nstp q28, q29, [x1, #448]\nstp q30, q31, [x1, #480]\n"
    "adrp x1, saved\nadd x1, x1, :lo12:saved\n"
    "ldp x3, x4, [x1, #160]\nmov sp, x3\nmsr fpcr, x4\n"
    "ldp x19, x20, [x1]\nldp x21, x22, [x1, #16]\nldp x23, x24, [x1, #32]\nldp x25, x26, [x1, #48]\nldp x27, x28, [x1, #64]\nldp x29, x30, [x1, #80]\n"
    "ldp d8, d9, [x1, #96]\nldp d10, d11, [x1, #112]\nldp d12, d13, [x1, #128]\nldp d14, d15, [x1, #144]\nret\n");

static uint32_t seed;
static uint32_t next(void) {
  seed += 0x9e3779b9u;
  uint32_t z = seed;
  z = (z ^ (z >> 16)) * 0x21f0aaadu;
  z = (z ^ (z >> 15)) * 0x735a2d97u;
  return z ^ (z >> 15);
}

static uint64_t both(void) {
  uint64_t low = next();
  return low | (uint64_t)next() << 32;
}

static const uint64_t special[16] = {
    0, 0x8000000000000000u, 0x3ff0000000000000u, 0x7ff0000000000000u, 0x7ff8000000000001u, 0x7ff0000000000001u, 0x000fffffffffffffu, 0xfff0000000000000u,
    0x3f800000bf800000u, 0x7f8000007fc00000u, 0x7f80000100000001u, 0x00800000807fffffu, 0x3c00bc007c00fc00u, 0x7e007c0103ff0400u, 0x7fefffffffffffffu, 0xffffffffffffffffu,
};

static uint64_t integer(void) {
  uint32_t kind = next();
  switch (kind & 7) {
    case 0: return special[kind >> 4 & 15];
    case 1: return (uint64_t)1 << (kind >> 4 & 63);
    case 2: return (uint64_t)(int64_t)((int32_t)kind >> 24);
    case 3: return (uint32_t)(kind >> 3);
    default: return both();
  }
}

static uint64_t floating(void) {
  uint32_t kind = next();
  uint64_t random = both();
  switch (kind & 7) {
    case 0: case 1: return special[kind >> 4 & 15];
    case 2: return (random & 0x800fffffffffffffu) | (uint64_t)(1023 - 30 + (kind >> 4) % 60) << 52;
    case 3: return (random & 0x807fffff807fffffu) | (uint64_t)(127 - 14 + (kind >> 4) % 28) << 23 | (uint64_t)(127 - 14 + (kind >> 12) % 28) << 55;
    default: return random;
  }
}

/* Keeps what the instruction found when it was interrupted. */
static void on_signal(int number, siginfo_t *info, void *context) {
  const mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
  memcpy(state.x, machine->regs, sizeof state.x);
  state.sp = machine->sp;
  state.at = (uint32_t)(machine->pc - CODE) / 4;
  state.nzcv = machine->pstate & 0xf0000000u;
  state.address = (uint64_t)info->si_addr;
  const struct _aarch64_ctx *record = (const struct _aarch64_ctx *)machine->__reserved;
  while (record->magic != FPSIMD_MAGIC) record = (const struct _aarch64_ctx *)((const char *)record + record->size);
  const struct fpsimd_context *floating = (const struct fpsimd_context *)record;
  state.fpcr = floating->fpcr;
  state.fpsr = floating->fpsr;
  memcpy(state.v, floating->vregs, sizeof state.v);
  siglongjmp(back, number);
}

static void run(uint32_t count, const uint32_t *code) {
  for (int i = 0; i < 30; i++) state.x[i] = integer();
  state.x[27] = (uint64_t)(int64_t)((int32_t)next() >> 24);
  state.x[28] = DATA + DATA_SIZE / 2;
  state.sp = DATA + DATA_SIZE / 2;
  for (int i = 0; i < 64; i++) state.v[i] = floating();
  uint32_t bits = next();
  state.nzcv = bits & 0xf0000000u;
  state.fpcr = (bits & 1) ? (bits & 6) << 21 | (bits & 0x18) << 21 | (bits & 0x20) << 14 | (bits & 0x40) << 20 : 0;
  state.fpsr = (bits & 0x80) ? 0x10 : 0;
  memset((void *)DATA, 0, END);
  memset((void *)(DATA + DATA_SIZE - END), 0, END);
  uint32_t *data = (uint32_t *)(DATA + DATA_SIZE / 2 - WINDOW);
  for (int i = 0; i < WINDOW / 2; i++) data[i] = next();
  state.at = 0;
  state.address = 0;
  memcpy((void *)CODE, code, count * 4);
  *(uint32_t *)(CODE + count * 4) = 0x14000000u | ((0xf00 - count * 4) >> 2);
  __builtin___clear_cache((char *)CODE, (char *)CODE + count * 4 + 4);
  int number = sigsetjmp(back, 1);
  if (number == 0) enter(&state, saved, CODE);
  state.status = number;
  uint32_t hash = 0;
  for (int i = 0; i < WINDOW / 2; i++) hash = (hash ^ data[i]) * 0x01000193u;
  state.hash = hash;
}

int main(void) {
  static char stack[1 << 16];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_SIGINFO};
  int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGTRAP};
  for (int i = 0; i < 4; i++) sigaction(signals[i], &action, 0);
  mmap((void *)DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mmap((void *)CODE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  uint32_t *stub = (uint32_t *)(CODE + 0xf00);
  stub[0] = 0x5800005eu; /* ldr x30, . + 8 */
  stub[1] = 0xd61f03c0u; /* br x30 */
  *(uint64_t *)(stub + 2) = (uint64_t)leave;
  __builtin___clear_cache((char *)stub, (char *)stub + 16);
  uint32_t head[2], code[64];
  while (fread(head, 4, 2, stdin) == 2 && head[1] <= 64 && fread(code, 4, head[1], stdin) == head[1]) {
    seed = head[0];
    run(head[1], code);
    fwrite(&state, sizeof state, 1, stdout);
  }
  return 0;
}
