# Guest memory: one look-up for what is read and written again.
loop: mov rax, [rsi + 8*rcx + 16]
      add [rdi], eax
      movzx edx, byte ptr [rsi]
      mov [rdi + 4], dx
      ret
