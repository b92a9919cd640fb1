# A short loop is repeated in a row; x0 and constants cost nothing.
      li a0, 0
      lui a1, 0x12
      addi a1, a1, 52
loop: add a0, a0, a1
      addi a1, a1, -1
      bne a1, zero, loop
      ebreak
