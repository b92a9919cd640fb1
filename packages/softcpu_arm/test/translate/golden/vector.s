// Floating point and vectors: whether they are enabled is asked once, at the entry.
      fadd d0, d1, d2
      fmul v3.4s, v4.4s, v5.4s
      add v6.16b, v7.16b, v8.16b
      svc 0
