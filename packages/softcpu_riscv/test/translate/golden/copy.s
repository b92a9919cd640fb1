# Guest memory: the test of the TLB, the slow path, and leaving with the pc on the access.
loop: ld a2, 0(a0)
      sd a2, 8(a1)
      ret
