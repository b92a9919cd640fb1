// A call within the page is followed; the return goes through the jump cache.
      bl f
      add x0, x0, 1
      svc 0
f:    add x0, x0, 2
      ret
