// Guest memory: pairs in one look-up, the base written back behind them.
loop: ldp x2, x3, [x0], 16
      stp x2, x3, [x1, -16]!
      ldrb w4, [x0, w5, uxtw]
      str w4, [x1]
      ret
