# A call within the page is followed; the return goes through the jump cache.
      jal ra, f
      addi a0, a0, 1
      ebreak
f:    addi a0, a0, 2
      ret
