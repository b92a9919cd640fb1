/**
 * Encodings of the privileged instructions (S and M mode, Svinval, H) and of cache-block management, in the notation of the unprivileged and privileged
 * manuals: bit 31 first, names for operand fields, dashes for bits that are ignored.
 */

/** Format and bit pattern of each privileged instruction, by extension. */
export const systemEncodings = {
  Privileged: {
    sret: ['none', '0001000 00010 00000 000 00000 1110011'],
    mret: ['none', '0011000 00010 00000 000 00000 1110011'],
    wfi: ['none', '0001000 00101 00000 000 00000 1110011'],
    'sfence.vma': ['vma', '0001001 rs2 rs1 000 00000 1110011'],
  },
  Svinval: {
    'sinval.vma': ['vma', '0001011 rs2 rs1 000 00000 1110011'],
    'sfence.w.inval': ['none', '0001100 00000 00000 000 00000 1110011'],
    'sfence.inval.ir': ['none', '0001100 00001 00000 000 00000 1110011'],
    'hinval.vvma': ['vma', '0010011 rs2 rs1 000 00000 1110011'],
    'hinval.gvma': ['vma', '0110011 rs2 rs1 000 00000 1110011'],
  },
  H: {
    'hfence.vvma': ['vma', '0010001 rs2 rs1 000 00000 1110011'],
    'hfence.gvma': ['vma', '0110001 rs2 rs1 000 00000 1110011'],
    'hlv.b': ['hlv', '0110000 00000 rs1 100 rd 1110011'],
    'hlv.bu': ['hlv', '0110000 00001 rs1 100 rd 1110011'],
    'hlv.h': ['hlv', '0110010 00000 rs1 100 rd 1110011'],
    'hlv.hu': ['hlv', '0110010 00001 rs1 100 rd 1110011'],
    'hlvx.hu': ['hlv', '0110010 00011 rs1 100 rd 1110011'],
    'hlv.w': ['hlv', '0110100 00000 rs1 100 rd 1110011'],
    'hlv.wu': ['hlv', '0110100 00001 rs1 100 rd 1110011'],
    'hlvx.wu': ['hlv', '0110100 00011 rs1 100 rd 1110011'],
    'hlv.d': ['hlv', '0110110 00000 rs1 100 rd 1110011'],
    'hsv.b': ['hsv', '0110001 rs2 rs1 100 00000 1110011'],
    'hsv.h': ['hsv', '0110011 rs2 rs1 100 00000 1110011'],
    'hsv.w': ['hsv', '0110101 rs2 rs1 100 00000 1110011'],
    'hsv.d': ['hsv', '0110111 rs2 rs1 100 00000 1110011'],
  },
  Zicbom: {
    'cbo.inval': ['cbo', '000000000000 rs1 010 00000 0001111'],
    'cbo.clean': ['cbo', '000000000001 rs1 010 00000 0001111'],
    'cbo.flush': ['cbo', '000000000010 rs1 010 00000 0001111'],
  },
  Zicboz: {
    'cbo.zero': ['cbo', '000000000100 rs1 010 00000 0001111'],
  },
} as const;
