# A locked addition.
      lock add dword ptr [rdi], 1
      ret
