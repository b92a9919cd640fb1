# What is sign-extended already is not extended again: neither a result of W instructions, nor what bitwise ones make of two of them.
  lw a5, 0(a0)
  srliw a3, a1, 8
  xor a5, a5, a3
  addiw a5, a5, 0
  add a2, a5, a1
  addiw a2, a2, 0
loop:
  j loop
