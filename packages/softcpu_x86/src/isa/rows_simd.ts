/**
 * Rows of the opcode table: MMX, SSE to SSE4.2, AES, PCLMULQDQ, SHA, and the AVX forms that follow from them (SDM vol. 2,
 * appendix A). `a3` stands for an AVX twin with a source more, `a2` for one with as many; `x0`: of 128 bits only.
 */

/** Opcodes of 0F that exist on MMX registers (np) and, since SSE2, on XMM registers (66). */
const mmx: Readonly<Record<string, string>> = {
  '60': 'punpcklbw', '61': 'punpcklwd', '62': 'punpckldq', '63': 'packsswb', '64': 'pcmpgtb', '65': 'pcmpgtw', '66': 'pcmpgtd', '67': 'packuswb',
  '68': 'punpckhbw', '69': 'punpckhwd', '6A': 'punpckhdq', '6B': 'packssdw', '74': 'pcmpeqb', '75': 'pcmpeqw', '76': 'pcmpeqd',
  'D1': 'psrlw', 'D2': 'psrld', 'D3': 'psrlq', 'D4': 'paddq', 'D5': 'pmullw', 'D8': 'psubusb', 'D9': 'psubusw', 'DA': 'pminub', 'DB': 'pand',
  'DC': 'paddusb', 'DD': 'paddusw', 'DE': 'pmaxub', 'DF': 'pandn', 'E0': 'pavgb', 'E1': 'psraw', 'E2': 'psrad', 'E3': 'pavgw', 'E4': 'pmulhuw',
  'E5': 'pmulhw', 'E8': 'psubsb', 'E9': 'psubsw', 'EA': 'pminsw', 'EB': 'por', 'EC': 'paddsb', 'ED': 'paddsw', 'EE': 'pmaxsw', 'EF': 'pxor',
  'F1': 'psllw', 'F2': 'pslld', 'F3': 'psllq', 'F4': 'pmuludq', 'F5': 'pmaddwd', 'F6': 'psadbw', 'F8': 'psubb', 'F9': 'psubw', 'FA': 'psubd',
  'FB': 'psubq', 'FC': 'paddb', 'FD': 'paddw', 'FE': 'paddd',
  '38 00': 'pshufb', '38 01': 'phaddw', '38 02': 'phaddd', '38 03': 'phaddsw', '38 04': 'pmaddubsw', '38 05': 'phsubw', '38 06': 'phsubd',
  '38 07': 'phsubsw', '38 08': 'psignb', '38 09': 'psignw', '38 0A': 'psignd', '38 0B': 'pmulhrsw',
};
/** On MMX registers these read 32 bits of memory. */
const HALF = new Set(['60', '61', '62']);
/** Shifts by a register: the count is always 128 bits. */
const COUNTED = new Set(['D1', 'D2', 'D3', 'E1', 'E2', 'F1', 'F2', 'F3']);
/** MMX forms that came with SSE or SSE2. */
const LATER: Readonly<Record<string, string>> = { 'D4': 'sse2', 'FB': 'sse2', 'F4': 'sse2', 'DA': 'sse', 'DE': 'sse', 'E0': 'sse', 'E3': 'sse', 'E4': 'sse', 'EA': 'sse', 'EE': 'sse', 'F6': 'sse' };

const twins = Object.entries(mmx).map(([opcode, name]) => {
  const feature = opcode.startsWith('38') ? 'ssse3' : undefined;
  return `
np 0F ${opcode} ${name} Pq,${HALF.has(opcode) ? 'Qd' : 'Qq'} mmx ${feature ?? LATER[opcode] ?? ''}
66 0F ${opcode} ${name} Vx,${COUNTED.has(opcode) ? 'Wdq' : 'Wx'} ${feature ?? 'sse2'} a3`;
}).join('\n');

/** Packed and scalar, single and double. */
const four = (opcode: string, name: string): string => `
np 0F ${opcode} ${name}ps Vx,Wx sse a3
66 0F ${opcode} ${name}pd Vx,Wx sse2 a3
F3 0F ${opcode} ${name}ss Vdq,Wd sse a3
F2 0F ${opcode} ${name}sd Vdq,Wq sse2 a3`;
const two = (opcode: string, name: string): string => `
np 0F ${opcode} ${name}ps Vx,Wx sse a3
66 0F ${opcode} ${name}pd Vx,Wx sse2 a3`;
const extend = ['bw', 'bd', 'bq', 'wd', 'wq', 'dq'].flatMap((pair, i) => {
  const source = ['h', 'f', 'e', 'h', 'f', 'h'][i] as string;
  return [`66 0F 38 2${i} pmovsx${pair} Vx,W${source} sse41 a2`, `66 0F 38 3${i} pmovzx${pair} Vx,W${source} sse41 a2`];
}).join('\n');
const minmax = ['minsb', 'minsd', 'minuw', 'minud', 'maxsb', 'maxsd', 'maxuw', 'maxud'].map((name, i) => `66 0F 38 3${(8 + i).toString(16).toUpperCase()} p${name} Vx,Wx sse41 a3`).join('\n');
const shiftImmediate = (['w 71', 'd 72', 'q 73'] as const).flatMap((entry) => {
  const [size, opcode] = entry.split(' ') as [string, string];
  return [['2', 'psrl'], ...(size === 'q' ? [] : [['4', 'psra']]), ['6', 'psll']].map(([n, name]) => `
np 0F ${opcode}/${n as string}:r ${name as string}${size} Nq,Ib mmx
66 0F ${opcode}/${n as string}:r ${name as string}${size} Ux,Ib sse2 ah`);
}).join('\n');

export const SIMD_ROWS: string = `
${twins}
${extend}
${minmax}
${shiftImmediate}
66 0F 73/3:r psrldq Ux,Ib sse2 ah
66 0F 73/7:r pslldq Ux,Ib sse2 ah
np 0F 10 movups Vx,Wx sse a2
66 0F 10 movupd Vx,Wx sse2 a2
F3 0F 10:m movss Vdq,Md sse a2
F3 0F 10:r movss Vdq,Ud sse a3
F2 0F 10:m movsd Vdq,Mq sse2 a2
F2 0F 10:r movsd Vdq,Uq sse2 a3
np 0F 11 movups Wx,Vx sse a2
66 0F 11 movupd Wx,Vx sse2 a2
F3 0F 11:m movss Md,Vdq sse a2
F3 0F 11:r movss Ud,Vdq sse a3r
F2 0F 11:m movsd Mq,Vdq sse2 a2
F2 0F 11:r movsd Uq,Vdq sse2 a3r
np 0F 12:m movlps Vdq,Mq sse a3 x0
np 0F 12:r movhlps Vdq,Uq sse a3 x0
66 0F 12:m movlpd Vdq,Mq sse2 a3 x0
F3 0F 12 movsldup Vx,Wx sse3 a2
F2 0F 12 movddup Vx,Wdup sse3 a2
np 0F 13:m movlps Mq,Vdq sse a2 x0
66 0F 13:m movlpd Mq,Vdq sse2 a2 x0
${two('14', 'unpckl')}
${two('15', 'unpckh')}
np 0F 16:m movhps Vdq,Mq sse a3 x0
np 0F 16:r movlhps Vdq,Uq sse a3 x0
66 0F 16:m movhpd Vdq,Mq sse2 a3 x0
F3 0F 16 movshdup Vx,Wx sse3 a2
np 0F 17:m movhps Mq,Vdq sse a2 x0
66 0F 17:m movhpd Mq,Vdq sse2 a2 x0
np 0F 28 movaps Vx,Wx sse a2
66 0F 28 movapd Vx,Wx sse2 a2
np 0F 29 movaps Wx,Vx sse a2
66 0F 29 movapd Wx,Vx sse2 a2
np 0F 2A cvtpi2ps Vdq,Qq sse
66 0F 2A cvtpi2pd Vdq,Qq sse2
F3 0F 2A cvtsi2ss Vdq,Ey sse a3
F2 0F 2A cvtsi2sd Vdq,Ey sse2 a3
np 0F 2B:m movntps Mx,Vx sse a2
66 0F 2B:m movntpd Mx,Vx sse2 a2
np 0F 2C cvttps2pi Pq,Wq sse
66 0F 2C cvttpd2pi Pq,Wdq sse2
F3 0F 2C cvttss2si Gy,Wd sse a2
F2 0F 2C cvttsd2si Gy,Wq sse2 a2
np 0F 2D cvtps2pi Pq,Wq sse
66 0F 2D cvtpd2pi Pq,Wdq sse2
F3 0F 2D cvtss2si Gy,Wd sse a2
F2 0F 2D cvtsd2si Gy,Wq sse2 a2
np 0F 2E ucomiss Vdq,Wd sse a2
66 0F 2E ucomisd Vdq,Wq sse2 a2
np 0F 2F comiss Vdq,Wd sse a2
66 0F 2F comisd Vdq,Wq sse2 a2
np 0F 50:r movmskps Gd,Ux sse a2
66 0F 50:r movmskpd Gd,Ux sse2 a2
np 0F 51 sqrtps Vx,Wx sse a2
66 0F 51 sqrtpd Vx,Wx sse2 a2
F3 0F 51 sqrtss Vdq,Wd sse a3
F2 0F 51 sqrtsd Vdq,Wq sse2 a3
np 0F 52 rsqrtps Vx,Wx sse a2
F3 0F 52 rsqrtss Vdq,Wd sse a3
np 0F 53 rcpps Vx,Wx sse a2
F3 0F 53 rcpss Vdq,Wd sse a3
${two('54', 'and')}
${two('55', 'andn')}
${two('56', 'or')}
${two('57', 'xor')}
${four('58', 'add')}
${four('59', 'mul')}
np 0F 5A cvtps2pd Vx,Wh sse2 a2
66 0F 5A cvtpd2ps Vdq,Wx sse2 a2
F3 0F 5A cvtss2sd Vdq,Wd sse2 a3
F2 0F 5A cvtsd2ss Vdq,Wq sse2 a3
np 0F 5B cvtdq2ps Vx,Wx sse2 a2
66 0F 5B cvtps2dq Vx,Wx sse2 a2
F3 0F 5B cvttps2dq Vx,Wx sse2 a2
${four('5C', 'sub')}
${four('5D', 'min')}
${four('5E', 'div')}
${four('5F', 'max')}
66 0F 6C punpcklqdq Vx,Wx sse2 a3
66 0F 6D punpckhqdq Vx,Wx sse2 a3
np 0F 6E movd Pq,Ey mmx
66 0F 6E movd Vdq,Ey sse2 a2 x0
np 0F 6F movq Pq,Qq mmx
66 0F 6F movdqa Vx,Wx sse2 a2
F3 0F 6F movdqu Vx,Wx sse2 a2
np 0F 70 pshufw Pq,Qq,Ib mmx sse
66 0F 70 pshufd Vx,Wx,Ib sse2 a2
F3 0F 70 pshufhw Vx,Wx,Ib sse2 a2
F2 0F 70 pshuflw Vx,Wx,Ib sse2 a2
np 0F 77 emms - mmx
66 0F 7C haddpd Vx,Wx sse3 a3
F2 0F 7C haddps Vx,Wx sse3 a3
66 0F 7D hsubpd Vx,Wx sse3 a3
F2 0F 7D hsubps Vx,Wx sse3 a3
np 0F 7E movd Ey,Pq mmx
66 0F 7E movd Ey,Vdq sse2 a2 x0
F3 0F 7E movq Vdq,Wq sse2 a2 x0
np 0F 7F movq Qq,Pq mmx
66 0F 7F movdqa Wx,Vx sse2 a2
F3 0F 7F movdqu Wx,Vx sse2 a2
np 0F C2 cmpps Vx,Wx,Ib sse a3
66 0F C2 cmppd Vx,Wx,Ib sse2 a3
F3 0F C2 cmpss Vdq,Wd,Ib sse a3
F2 0F C2 cmpsd Vdq,Wq,Ib sse2 a3
np 0F C4 pinsrw Pq,Edw,Ib mmx sse
66 0F C4 pinsrw Vdq,Edw,Ib sse2 a3 x0
np 0F C5:r pextrw Gd,Nq,Ib mmx sse
66 0F C5:r pextrw Gd,Udq,Ib sse2 a2 x0
np 0F C6 shufps Vx,Wx,Ib sse a3
66 0F C6 shufpd Vx,Wx,Ib sse2 a3
66 0F D0 addsubpd Vx,Wx sse3 a3
F2 0F D0 addsubps Vx,Wx sse3 a3
66 0F D6 movq Wq,Vdq sse2 a2 x0
F3 0F D6:r movq2dq Vdq,Nq sse2
F2 0F D6:r movdq2q Pq,Uq sse2
np 0F D7:r pmovmskb Gd,Nq mmx sse
66 0F D7:r pmovmskb Gd,Ux sse2 a2
66 0F E6 cvttpd2dq Vdq,Wx sse2 a2
F3 0F E6 cvtdq2pd Vx,Wh sse2 a2
F2 0F E6 cvtpd2dq Vdq,Wx sse2 a2
np 0F E7:m movntq Mq,Pq mmx sse
66 0F E7:m movntdq Mx,Vx sse2 a2
F2 0F F0:m lddqu Vx,Mx sse3 a2
np 0F F7:r maskmovq Pq,Nq mmx sse
66 0F F7:r maskmovdqu Vdq,Udq sse2 a2 x0
66 0F 38 10 pblendvb Vdq,Wdq,X0 sse41
66 0F 38 14 blendvps Vdq,Wdq,X0 sse41
66 0F 38 15 blendvpd Vdq,Wdq,X0 sse41
66 0F 38 17 ptest Vx,Wx sse41 a2
np 0F 38 1C pabsb Pq,Qq mmx ssse3
66 0F 38 1C pabsb Vx,Wx ssse3 a2
np 0F 38 1D pabsw Pq,Qq mmx ssse3
66 0F 38 1D pabsw Vx,Wx ssse3 a2
np 0F 38 1E pabsd Pq,Qq mmx ssse3
66 0F 38 1E pabsd Vx,Wx ssse3 a2
66 0F 38 28 pmuldq Vx,Wx sse41 a3
66 0F 38 29 pcmpeqq Vx,Wx sse41 a3
66 0F 38 2A:m movntdqa Vx,Mx sse41 a2
66 0F 38 2B packusdw Vx,Wx sse41 a3
66 0F 38 37 pcmpgtq Vx,Wx sse42 a3
66 0F 38 40 pmulld Vx,Wx sse41 a3
66 0F 38 41 phminposuw Vdq,Wdq sse41 a2 x0
np 0F 38 C8 sha1nexte Vdq,Wdq sha
np 0F 38 C9 sha1msg1 Vdq,Wdq sha
np 0F 38 CA sha1msg2 Vdq,Wdq sha
np 0F 38 CB sha256rnds2 Vdq,Wdq,X0 sha
np 0F 38 CC sha256msg1 Vdq,Wdq sha
np 0F 38 CD sha256msg2 Vdq,Wdq sha
66 0F 38 DB aesimc Vdq,Wdq aes a2 x0
66 0F 38 DC aesenc Vdq,Wdq aes a3 x0
66 0F 38 DD aesenclast Vdq,Wdq aes a3 x0
66 0F 38 DE aesdec Vdq,Wdq aes a3 x0
66 0F 38 DF aesdeclast Vdq,Wdq aes a3 x0
66 0F 3A 08 roundps Vx,Wx,Ib sse41 a2
66 0F 3A 09 roundpd Vx,Wx,Ib sse41 a2
66 0F 3A 0A roundss Vdq,Wd,Ib sse41 a3
66 0F 3A 0B roundsd Vdq,Wq,Ib sse41 a3
66 0F 3A 0C blendps Vx,Wx,Ib sse41 a3
66 0F 3A 0D blendpd Vx,Wx,Ib sse41 a3
66 0F 3A 0E pblendw Vx,Wx,Ib sse41 a3
np 0F 3A 0F palignr Pq,Qq,Ib mmx ssse3
66 0F 3A 0F palignr Vx,Wx,Ib ssse3 a3
66 0F 3A 14 pextrb Edb,Vdq,Ib sse41 a2 x0
66 0F 3A 15 pextrw Edw,Vdq,Ib sse41 a2 x0
66 0F 3A 16 pextrd Ey,Vdq,Ib sse41 a2 x0
66 0F 3A 17 extractps Edd,Vdq,Ib sse41 a2 x0
66 0F 3A 20 pinsrb Vdq,Edb,Ib sse41 a3 x0
66 0F 3A 21 insertps Vdq,Wd,Ib sse41 a3 x0
66 0F 3A 22 pinsrd Vdq,Ey,Ib sse41 a3 x0
66 0F 3A 40 dpps Vx,Wx,Ib sse41 a3
66 0F 3A 41 dppd Vdq,Wdq,Ib sse41 a3 x0
66 0F 3A 42 mpsadbw Vx,Wx,Ib sse41 a3
66 0F 3A 44 pclmulqdq Vdq,Wdq,Ib pclmul a3 x0
66 0F 3A 60 pcmpestrm Vdq,Wdq,Ib sse42 a2 x0
66 0F 3A 61 pcmpestri Vdq,Wdq,Ib sse42 a2 x0
66 0F 3A 62 pcmpistrm Vdq,Wdq,Ib sse42 a2 x0
66 0F 3A 63 pcmpistri Vdq,Wdq,Ib sse42 a2 x0
np 0F 3A CC sha1rnds4 Vdq,Wdq,Ib sha
66 0F 3A DF aeskeygenassist Vdq,Wdq,Ib aes a2 x0
`;

/** FMA: of packed and scalar operands by opcode, of products and sums in three orders by its upper half. */
const fused = ['132', '213', '231'].flatMap((order, i) =>
  [['6', 'addsub', 'p'], ['7', 'subadd', 'p'], ['8', 'add', 'p'], ['9', 'add', 's'], ['A', 'sub', 'p'], ['B', 'sub', 's'], ['C', 'nadd', 'p'], ['D', 'nadd', 's'], ['E', 'nsub', 'p'], ['F', 'nsub', 's']].flatMap(
    ([digit, operation, shape]) => {
      const stem = operation?.startsWith('n') === true ? `vfnm${operation.slice(1)}` : `vfm${operation as string}`;
      const row = (type: 's' | 'd', w: number): string => {
        const operands = shape === 'p' ? 'Vx,Hx,Wx' : `Vdq,Hdq,W${type === 's' ? 'd' : 'q'}`;
        return `v66 0F 38 ${'9AB'[i] as string}${digit as string} ${stem}${order}${shape as string}${type} ${operands} fma W${w}`;
      };
      return [row('s', 0), row('d', 1)];
    },
  )).join('\n');

/** What AVX and AVX2 have beyond the twins of SSE, F16C and FMA. */
export const AVX_ROWS: string = `
${fused}
v.0 0F 77 vzeroupper - avx
v.1 0F 77 vzeroall - avx
v.0 0F AE/2:m vldmxcsr Md avx
v.0 0F AE/3:m vstmxcsr Md avx
v66 0F 38 0C vpermilps Vx,Hx,Wx avx W0
v66 0F 38 0D vpermilpd Vx,Hx,Wx avx W0
v66 0F 38 0E vtestps Vx,Wx avx W0
v66 0F 38 0F vtestpd Vx,Wx avx W0
v66.1 0F 38 16 vpermps Vx,Hx,Wx avx W0
v66 0F 38 18 vbroadcastss Vx,Wd avx W0
v66.1 0F 38 19 vbroadcastsd Vx,Wq avx W0
v66.1 0F 38 1A:m vbroadcastf128 Vx,Mdq avx W0
v66 0F 38 2C:m vmaskmovps Vx,Hx,Mx avx W0
v66 0F 38 2D:m vmaskmovpd Vx,Hx,Mx avx W0
v66 0F 38 2E:m vmaskmovps Mx,Hx,Vx avx W0
v66 0F 38 2F:m vmaskmovpd Mx,Hx,Vx avx W0
v66.1 0F 38 36 vpermd Vx,Hx,Wx avx W0
v66 0F 38 45 vpsrlvd Vx,Hx,Wx avx W0
v66 0F 38 45 vpsrlvq Vx,Hx,Wx avx W1
v66 0F 38 46 vpsravd Vx,Hx,Wx avx W0
v66 0F 38 47 vpsllvd Vx,Hx,Wx avx W0
v66 0F 38 47 vpsllvq Vx,Hx,Wx avx W1
v66 0F 38 58 vpbroadcastd Vx,Wd avx W0
v66 0F 38 59 vpbroadcastq Vx,Wq avx W0
v66.1 0F 38 5A:m vbroadcasti128 Vx,Mdq avx W0
v66 0F 38 78 vpbroadcastb Vx,Wb avx W0
v66 0F 38 79 vpbroadcastw Vx,Ww avx W0
v66 0F 38 8C:m vpmaskmovd Vx,Hx,Mx avx W0
v66 0F 38 8C:m vpmaskmovq Vx,Hx,Mx avx W1
v66 0F 38 8E:m vpmaskmovd Mx,Hx,Vx avx W0
v66 0F 38 8E:m vpmaskmovq Mx,Hx,Vx avx W1
v66 0F 38 90:m vpgatherdd Vx,MXd,Hx avx W0
v66 0F 38 90:m vpgatherdq Vx,MHq,Hx avx W1
v66 0F 38 91:m vpgatherqd Vdq,MXd,Hdq avx W0
v66 0F 38 91:m vpgatherqq Vx,MXq,Hx avx W1
v66 0F 38 92:m vgatherdps Vx,MXd,Hx avx W0
v66 0F 38 92:m vgatherdpd Vx,MHq,Hx avx W1
v66 0F 38 93:m vgatherqps Vdq,MXd,Hdq avx W0
v66 0F 38 93:m vgatherqpd Vx,MXq,Hx avx W1
v66 0F 38 13 vcvtph2ps Vx,Wh f16c W0
v66 0F 3A 1D vcvtps2ph Wh,Vx,Ib f16c W0
v66.1 0F 3A 00 vpermq Vx,Wx,Ib avx W1
v66.1 0F 3A 01 vpermpd Vx,Wx,Ib avx W1
v66 0F 3A 02 vpblendd Vx,Hx,Wx,Ib avx W0
v66 0F 3A 04 vpermilps Vx,Wx,Ib avx W0
v66 0F 3A 05 vpermilpd Vx,Wx,Ib avx W0
v66.1 0F 3A 06 vperm2f128 Vx,Hx,Wx,Ib avx W0
v66.1 0F 3A 18 vinsertf128 Vx,Hx,Wdq,Ib avx W0
v66.1 0F 3A 19 vextractf128 Wdq,Vx,Ib avx W0
v66.1 0F 3A 38 vinserti128 Vx,Hx,Wdq,Ib avx W0
v66.1 0F 3A 39 vextracti128 Wdq,Vx,Ib avx W0
v66.1 0F 3A 46 vperm2i128 Vx,Hx,Wx,Ib avx W0
v66 0F 3A 4A vblendvps Vx,Hx,Wx,Lx avx W0
v66 0F 3A 4B vblendvpd Vx,Hx,Wx,Lx avx W0
v66 0F 3A 4C vpblendvb Vx,Hx,Wx,Lx avx W0
`;
