# Floating point: assumptions are tested once, at the entry.
      fadd.d fa0, fa1, fa2
      fsgnj.d fa3, fa0, fa0
      ebreak
