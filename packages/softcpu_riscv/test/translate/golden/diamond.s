# Ways that join are a block; what only one of them writes is written back.
      beqz a0, else
      addi a1, a1, 1
      j join
else: addi a2, a2, 1
join: add a3, a1, a2
      ecall
