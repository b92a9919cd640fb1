// An exclusive pair around an addition: the store compares with what was loaded.
      ldaxr w1, [x0]
      add w1, w1, 1
      stlxr w2, w1, [x0]
      svc 0
