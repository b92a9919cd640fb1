# A table that lies in one page needs no look-up at a place that follows from its index; one that lies in two does. Bytes are compared as they are.
loop: movzx eax, byte ptr [rsi]
      mov ebx, [4*rax + 0x100c00]
      add ebx, [4*rax + 0x100c04]
      cmp bl, al
      jb loop
      hlt
