# Ways that join are a block; what only one of them writes is written back.
      test rax, rax
      jz else
      inc rbx
      jmp join
else: inc rcx
join: lea rdx, [rbx + rcx]
      hlt
