# Floating point and vectors: whether they are enabled is asked once, at the entry.
      addsd xmm0, xmm1
      mulps xmm2, xmm3
      paddb xmm4, xmm5
      hlt
