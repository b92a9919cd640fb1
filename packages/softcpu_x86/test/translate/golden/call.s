# A call within the page is followed; the return goes through the jump cache.
      call f
      add eax, 1
      hlt
f:    add eax, 2
      ret
