# A loop over the edge of a page, on which one of its instructions lies. Its place in the second page is what is asked for.
      .zero 0xff4
loop: addi a0, a0, 1
      xor  a2, a0, a1
      c.addi a4, 3
      add  a3, a3, a2
      c.j  loop
