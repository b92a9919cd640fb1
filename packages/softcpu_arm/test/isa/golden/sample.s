_start:
  mov x0, #42
  mov x1, #-1
  mov w2, #0xffff0000
  mov x3, #0xff00ff00ff00ff00
  mov sp, x4
  mov x5, sp
  mov x6, x7
  adrp x0, data
  add x0, x0, :lo12:data
  ldr x1, [x0, :lo12:data]
  adr x2, 1f
  ldr x3, data
1: cbz x0, 1b
  b.ne 2f
  bl func
  tbnz w3, #5, 1b
2: cmp x0, #1
  cmp w0, w1, lsl #3
  cmp sp, x1
  cmn x0, x1
  tst x0, #0xff
  neg x0, x1, asr #4
  mvn w0, w1
  lsl x0, x1, #5
  lsr w0, w1, #31
  asr x0, x1, x2
  ror w0, w1, #7
  ubfx x0, x1, #3, #9
  sbfiz w0, w1, #4, #3
  bfi x0, x1, #60, #4
  bfxil w0, w1, #1, #2
  sxtw x0, w1
  uxtb w0, w1
  ldr x0, [x1, #-8]
  strh w0, [x1, #1]
  ldrsw x3, [sp, #2]
  prfm pldl1keep, [x0, #-4]
  ldr q1, [x2, #8]
  cset w0, hs
  csetm x0, lo
  cinc x0, x1, eq
  mul x0, x1, x2
  smull x0, w1, w2
  umull x0, w1, w2
  mneg w0, w1, w2
  stadd w0, [x1]
  staddlb w0, [x1]
  dc zva, x0
  dc civac, x3
  ic iallu
  ic ivau, x2
  tlbi vmalle1
  tlbi vae1is, x5
  at s1e1r, x1
  msr daifset, #2
  msr vbar_el1, x0
  mrs x0, esr_el1
  mrs x1, s3_0_c15_c2_1
  msr spsel, #1
  isb
  dsb sy
  dmb ishld
  wfi
  nop
  svc #0
  hvc #1
  smc #0
  brk #0xf000
  eret
  mov v0.16b, v1.16b
  mov v0.s[1], w2
  mov x0, v1.d[1]
  mov s0, v1.s[3]
  mov v1.b[3], v2.b[4]
  dup v0.4s, w1
  dup v0.8h, v1.h[7]
  movi v0.4s, #1, lsl #8
  movi v0.2d, #0xff00ff00ff00ff00
  movi d0, #0
  fmov d0, #1.5
  fmov s0, wzr
  fcmp d0, #0.0
  ld1 {v0.16b, v1.16b}, [x0], #32
  ld1 {v0.16b-v3.16b}, [x0], x1
  st4 {v0.s, v1.s, v2.s, v3.s}[1], [x2]
  ld1r {v0.4s}, [x1], #4
  sxtl v0.8h, v1.8b
  uxtl2 v0.4s, v1.8h
  sqrshrun2 v0.16b, v1.8h, #3
  casp x0, x1, x2, x3, [x4]
  ldp x29, x30, [sp], #16
  stp q0, q1, [sp, #-32]!
  ldr q0, [x0, x1, lsl #4]
  ldr w0, [x1, w2, sxtw #2]
  prfm pldl1keep, [x0, #8]
  fmla v0.4s, v1.4s, v2.s[3]
  mul v0.8h, v1.8h, v2.h[7]
  fmov v0.2d, #-2.0
  bic v0.4s, #0x10, lsl #8
  add x0, x1, w2, uxtb #1
  add sp, sp, x1
  sub x0, x1, #0x1, lsl #12
  ret
  .balign 16
data: .quad 0x1122334455667788, func
  .word 1, -1, data - _start
  .hword 7
  .ascii "hi\n"
  .asciz "x"
  .balign 4
func: ret
