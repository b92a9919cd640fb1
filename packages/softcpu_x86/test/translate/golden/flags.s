# Flags that nobody reads are not computed: a comparison and its branch are one.
      xor eax, eax
loop: add rax, rcx
      sub rcx, 1
      jnz loop
      cmova rdx, rax
      hlt
