// Ways that join are a block; what only one of them writes is written back.
      cbz x0, else
      add x1, x1, 1
      b join
else: add x2, x2, 1
join: add x3, x1, x2
      svc 0
