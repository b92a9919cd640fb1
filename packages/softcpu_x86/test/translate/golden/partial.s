# Parts of registers: bytes are merged, 32-bit results clear the upper half.
      mov al, 1
      mov ah, bl
      mov cx, dx
      mov esi, edi
      hlt
