/*
 * Executes single instructions on this machine's processor: reads cases from standard input, writes what they did to standard output.
 *
 * Each case is loaded by returning from a signal handler with TF set, and ends with the next signal: the single-step trap, or the
 * fault of the instruction. Cases of mode 32 run in a 32-bit code segment of the same process,
 * those of mode 16 in a 16-bit one, with data and stack segments that end where data memory does.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x20000000UL
#define CODE_SIZE 0x2000UL
#define DATA 0x30000000UL
#define DATA_SIZE 0x4000UL
#define CHANGES 120

struct input {
  uint64_t gpr[16];
  uint64_t flags;
  uint64_t rip;
  uint32_t mode; /* 64, 32 or 16 */
  uint32_t length;
  uint8_t code[16];
  uint32_t mxcsr; /* 0: vector registers are left alone */
  uint32_t sequence; /* not one instruction, but up to the first exception */
  uint64_t xmm[16][2];
  uint8_t more[144]; /* code behind the first 16 bytes */
  uint64_t ymm[16][2]; /* upper halves */
  uint8_t x87[128]; /* ST0 ... ST7, 16 bytes each */
  uint16_t fcw, fsw, ftw, x87_used; /* ftw: a bit each, as FXSAVE has it */
};
struct change {
  uint16_t offset;
  uint8_t value, pad;
};
struct output {
  uint64_t gpr[16];
  uint64_t flags;
  uint64_t rip;
  uint32_t trap, changed;
  uint32_t mxcsr, pad;
  uint64_t xmm[16][2];
  uint64_t ymm[16][2];
  uint8_t x87[128];
  uint16_t fcw, fsw, ftw, fop;
  uint64_t fip, fdp;
  struct change changes[CHANGES];
};

/* By number: rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15. */
static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
static struct input *inputs;
static struct output result;
static size_t count, next;
static int running;
static uint8_t pristine[DATA_SIZE];
static uint32_t steps;

/* Selectors of the local descriptor table: code and data of 16 bits. */
#define CODE16 0x07
#define DATA16 0x0f
#define FLAT 0x2b

/* XSAVE areas of signal frames say so at byte 464; AVX state begins at byte 576. */
static uint64_t *components(struct _libc_fpstate *fp) {
  uint32_t magic;
  memcpy(&magic, (char *)fp + 464, sizeof magic);
  return magic == 0x46505853u ? (uint64_t *)((char *)fp + 512) : NULL;
}

static void describe(unsigned entry, unsigned base, unsigned limit, int contents) {
  struct user_desc d = {.entry_number = entry, .base_addr = base, .limit = limit, .contents = contents, .useable = 1};
  if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d) != 0) _exit(2);
}

static void data_segments(int selector) { __asm__ volatile("mov %0, %%ds\n mov %0, %%es" : : "r"(selector)); }

static void finish(ucontext_t *context) {
  greg_t *regs = context->uc_mcontext.gregs;
  memset(&result, 0, sizeof result);
  for (int i = 0; i < 16; i++) result.gpr[i] = regs[order[i]];
  result.flags = regs[REG_EFL];
  result.rip = regs[REG_RIP] + (inputs[next - 1].mode == 16 ? CODE : 0);
  result.trap = regs[REG_TRAPNO];
  struct _libc_fpstate *fp = context->uc_mcontext.fpregs;
  uint64_t *present = components(fp);
  result.mxcsr = fp->mxcsr;
  memcpy(result.xmm, fp->_xmm, sizeof result.xmm);
  if (present && *present & 4) memcpy(result.ymm, (char *)fp + 576, sizeof result.ymm);
  memcpy(result.x87, fp->_st, sizeof result.x87);
  result.fcw = fp->cwd;
  result.fsw = fp->swd;
  result.ftw = fp->ftw;
  result.fop = fp->fop;
  result.fip = fp->rip;
  result.fdp = fp->rdp;
  uint8_t *data = (uint8_t *)DATA;
  for (uint32_t i = 0; i < DATA_SIZE; i++) {
    if (data[i] == pristine[i]) continue;
    if (result.changed < CHANGES) result.changes[result.changed] = (struct change){i, data[i], 0};
    result.changed++;
    data[i] = pristine[i];
  }
  fwrite(&result, sizeof result, 1, stdout);
}

static void handler(int signal, siginfo_t *info, void *argument) {
  ucontext_t *context = argument;
  greg_t *regs = context->uc_mcontext.gregs;
  (void)signal;
  (void)info;
  /* Signal handlers inherit alignment checking. */
  __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~0x40000UL);
  if (running) {
    struct input *current = &inputs[next - 1];
    if (regs[REG_TRAPNO] == 1 && current->sequence && steps++ < 5000) return;
    /* A repeated string instruction traps after each iteration. */
    if (regs[REG_TRAPNO] == 1 && (uint64_t)regs[REG_RIP] + (current->mode == 16 ? CODE : 0) == current->rip && steps++ < 5000 &&
        (memchr(current->code, 0xf3, 4) || memchr(current->code, 0xf2, 4)))
      return;
    finish(context);
  }
  if (next == count) {
    fflush(stdout);
    _exit(0);
  }
  struct input *in = &inputs[next++];
  running = 1;
  steps = 0;
  memset((void *)CODE, 0xcc, CODE_SIZE);
  memcpy((void *)in->rip, in->code, in->length < 16 ? in->length : 16);
  if (in->length > 16) memcpy((void *)(in->rip + 16), in->more, in->length - 16);
  for (int i = 0; i < 16; i++) regs[order[i]] = in->gpr[i];
  regs[REG_EFL] = in->flags | 0x102;
  regs[REG_RIP] = in->mode == 16 ? in->rip - CODE : in->rip;
  if (in->mxcsr != 0) {
    struct _libc_fpstate *fp = context->uc_mcontext.fpregs;
    fp->mxcsr = in->mxcsr;
    memcpy(fp->_xmm, in->xmm, sizeof in->xmm);
    uint64_t *present = components(fp);
    if (present) {
      /* Without AVX there is nothing behind the header. */
      uint64_t features;
      memcpy(&features, (char *)fp + 472, sizeof features);
      *present |= 3 | (features & 4);
      if (features & 4) memcpy((char *)fp + 576, in->ymm, sizeof in->ymm);
    }
    if (in->x87_used) {
      memcpy(fp->_st, in->x87, sizeof in->x87);
      fp->cwd = in->fcw;
      fp->swd = in->fsw;
      fp->ftw = in->ftw;
      fp->fop = 0;
      fp->rip = fp->rdp = 0;
    }
  }
  data_segments(in->mode == 16 ? DATA16 : FLAT);
  regs[REG_CSGSFS] = in->mode == 16 ? CODE16 | ((greg_t)DATA16 << 48) : (in->mode == 64 ? 0x33 : 0x23) | ((greg_t)FLAT << 48);
}

int main(void) {
  size_t size = 0, capacity = 1 << 20;
  uint8_t *buffer = malloc(capacity);
  for (size_t n; (n = fread(buffer + size, 1, capacity - size, stdin)) > 0;) {
    size += n;
    if (size == capacity) buffer = realloc(buffer, capacity *= 2);
  }
  inputs = (struct input *)buffer;
  count = size / sizeof(struct input);
  setvbuf(stdout, NULL, _IOFBF, 1 << 20);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  if (mmap((void *)CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) == MAP_FAILED) return 1;
  if (mmap((void *)DATA, DATA_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) return 1;
  uint32_t seed = 1;
  for (uint32_t i = 0; i < DATA_SIZE; i++) {
    seed = seed * 1103515245u + 12345u;
    pristine[i] = seed >> 16;
  }
  memcpy((void *)DATA, pristine, DATA_SIZE);
  stack_t stack = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  for (int i = 0; i < 5; i++) sigaction(signals[i], &action, NULL);
  syscall(SYS_arch_prctl, ARCH_SET_GS, DATA + 0x1000);
  describe(0, CODE, CODE_SIZE - 1, 2);
  describe(1, DATA, DATA_SIZE - 1, 0);
  data_segments(FLAT);
  __asm__ volatile("ud2");
  return 1;
}
