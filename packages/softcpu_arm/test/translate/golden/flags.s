// Flags that nobody reads are not computed: a comparison and its branch are one.
      mov x0, 0
loop: adds x0, x0, x1
      subs x1, x1, 1
      b.ne loop
      csel x2, x0, x1, hi
      svc 0
