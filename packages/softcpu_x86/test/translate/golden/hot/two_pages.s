# A loop over the edge of a page, on which one of its instructions lies. Its place in the second page is what is asked for.
      .zero 0xff8
loop: add  rax, rcx
      lea  rdx, [rdx + rax * 4 + 0x1234]
      jmp  loop
