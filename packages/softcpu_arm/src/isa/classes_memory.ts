/** Loads and stores of general-purpose and scalar SIMD registers (Arm ARM, C4.1.88). */
import type { EncodingClass, Row } from './class.ts';

/** Instructions by size, V and opc of the classes that load or store one register: mnemonic (with `%` for the class's infix), fields, register. */
const single: readonly (readonly [mnemonic: string, fixed: string, register: string, scale: number])[] = [
  ['str%b', 'size=00 V=0 opc=00', '<Wt>', 1],
  ['ldr%b', 'size=00 V=0 opc=01', '<Wt>', 1],
  ['ldr%sb_x', 'size=00 V=0 opc=10', '<Xt>', 1],
  ['ldr%sb_w', 'size=00 V=0 opc=11', '<Wt>', 1],
  ['str%h', 'size=01 V=0 opc=00', '<Wt>', 2],
  ['ldr%h', 'size=01 V=0 opc=01', '<Wt>', 2],
  ['ldr%sh_x', 'size=01 V=0 opc=10', '<Xt>', 2],
  ['ldr%sh_w', 'size=01 V=0 opc=11', '<Wt>', 2],
  ['str%_w', 'size=10 V=0 opc=00', '<Wt>', 4],
  ['ldr%_w', 'size=10 V=0 opc=01', '<Wt>', 4],
  ['ldr%sw', 'size=10 V=0 opc=10', '<Xt>', 4],
  ['str%_x', 'size=11 V=0 opc=00', '<Xt>', 8],
  ['ldr%_x', 'size=11 V=0 opc=01', '<Xt>', 8],
  ['str%_b', 'size=00 V=1 opc=00', '<Bt>', 1],
  ['ldr%_b', 'size=00 V=1 opc=01', '<Bt>', 1],
  ['str%_q', 'size=00 V=1 opc=10', '<Qt>', 16],
  ['ldr%_q', 'size=00 V=1 opc=11', '<Qt>', 16],
  ['str%_h', 'size=01 V=1 opc=00', '<Ht>', 2],
  ['ldr%_h', 'size=01 V=1 opc=01', '<Ht>', 2],
  ['str%_s', 'size=10 V=1 opc=00', '<St>', 4],
  ['ldr%_s', 'size=10 V=1 opc=01', '<St>', 4],
  ['str%_d', 'size=11 V=1 opc=00', '<Dt>', 8],
  ['ldr%_d', 'size=11 V=1 opc=01', '<Dt>', 8],
];

/** Rows of {@link single} for one class: names get `suffix`, `address` may speak of the scale as `%`. */
function rows(infix: 'r' | 'ur' | 'tr', suffix: string, address: string, where: (row: (typeof single)[number]) => boolean = () => true, extra = ''): Record<string, Row> {
  return Object.fromEntries(
    single.filter(where).map(([mnemonic, fixed, register, scale]): [string, Row] => {
      const [stem, kind] = mnemonic.split('_') as [string, string?];
      const name = stem.replace(/^(ld|st)r%/, `$1${infix}`);
      return [[name, kind, suffix].filter(Boolean).join('_'), [`${fixed} ${extra}`, `${register}, ${address.replace('%', String(scale))}`]];
    }),
  );
}

const atomics = {
  ldadd: 'o3=0 imm3=000', ldclr: 'o3=0 imm3=001', ldeor: 'o3=0 imm3=010', ldset: 'o3=0 imm3=011',
  ldsmax: 'o3=0 imm3=100', ldsmin: 'o3=0 imm3=101', ldumax: 'o3=0 imm3=110', ldumin: 'o3=0 imm3=111', swp: 'o3=1 imm3=000',
};
const orders = { '': 'A=0 R=0', a: 'A=1 R=0', l: 'A=0 R=1', al: 'A=1 R=1' };
const widths = { b: ['size=00', '<Ws>, <Wt>'], h: ['size=01', '<Ws>, <Wt>'], '': ['size=1x', '<zs>, <zt>'] } as const;

/** Rows for every width: bytes, halfwords, and words or doublewords told by size<0>. */
function sized(mnemonic: string, fixed: string, operands: (register: 'W' | 'z') => string): [string, Row][] {
  return (['b', 'h', ''] as const).map((width) => [mnemonic + width, [`${widths[width][0]} ${fixed}`, operands(width === '' ? 'z' : 'W')]]);
}
const collect = (...lists: [string, Row][][]): Record<string, Row> => Object.fromEntries(lists.flat());

const pair = (suffix: string, address: (scale: number) => string, loadSigned: boolean): Record<string, Row> => ({
  [`stp_w${suffix}`]: ['opc=00 V=0 L=0', `<Wt>, <Wt2>, ${address(4)}`],
  [`ldp_w${suffix}`]: ['opc=00 V=0 L=1', `<Wt>, <Wt2>, ${address(4)}`],
  ...(loadSigned ? { [`ldpsw${suffix}`]: ['opc=01 V=0 L=1', `<Xt>, <Xt2>, ${address(4)}`] as const } : {}),
  [`stp_x${suffix}`]: ['opc=10 V=0 L=0', `<Xt>, <Xt2>, ${address(8)}`],
  [`ldp_x${suffix}`]: ['opc=10 V=0 L=1', `<Xt>, <Xt2>, ${address(8)}`],
  [`stp_s${suffix}`]: ['opc=00 V=1 L=0', `<St>, <St2>, ${address(4)}`],
  [`ldp_s${suffix}`]: ['opc=00 V=1 L=1', `<St>, <St2>, ${address(4)}`],
  [`stp_d${suffix}`]: ['opc=01 V=1 L=0', `<Dt>, <Dt2>, ${address(8)}`],
  [`ldp_d${suffix}`]: ['opc=01 V=1 L=1', `<Dt>, <Dt2>, ${address(8)}`],
  [`stp_q${suffix}`]: ['opc=10 V=1 L=0', `<Qt>, <Qt2>, ${address(16)}`],
  [`ldp_q${suffix}`]: ['opc=10 V=1 L=1', `<Qt>, <Qt2>, ${address(16)}`],
});
const nonTemporal = Object.fromEntries(
  Object.entries(pair('', (scale) => `[<Xn^><,s:imm7*${scale}>]`, false)).map(([name, row]) => [name.replace(/^(..)p/, '$1np'), row]),
);

/** Loads and stores. */
export const memoryClasses: readonly EncodingClass[] = [
  {
    name: 'Load/store exclusive register',
    pattern: 'size 001000 o2 L o1 Rs o0 Rt2 Rn Rt',
    rows: collect(
      sized('stxr', 'o2=0 L=0 o1=0 o0=0', (r) => `<Ws>, <${r}t>, [<Xn^>]`),
      sized('stlxr', 'o2=0 L=0 o1=0 o0=1', (r) => `<Ws>, <${r}t>, [<Xn^>]`),
      sized('ldxr', 'o2=0 L=1 o1=0 o0=0', (r) => `<${r}t>, [<Xn^>]`),
      sized('ldaxr', 'o2=0 L=1 o1=0 o0=1', (r) => `<${r}t>, [<Xn^>]`),
      sized('stlr', 'o2=1 L=0 o1=0 o0=1', (r) => `<${r}t>, [<Xn^>]`),
      sized('ldar', 'o2=1 L=1 o1=0 o0=1', (r) => `<${r}t>, [<Xn^>]`),
      [
        ['stxp', ['size=1x o2=0 L=0 o1=1 o0=0', '<Ws>, <zt>, <zt2>, [<Xn^>]']],
        ['stlxp', ['size=1x o2=0 L=0 o1=1 o0=1', '<Ws>, <zt>, <zt2>, [<Xn^>]']],
        ['ldxp', ['size=1x o2=0 L=1 o1=1 o0=0', '<zt>, <zt2>, [<Xn^>]']],
        ['ldaxp', ['size=1x o2=0 L=1 o1=1 o0=1', '<zt>, <zt2>, [<Xn^>]']],
      ],
      ...Object.entries({ '': 'L=0 o0=0', a: 'L=1 o0=0', l: 'L=0 o0=1', al: 'L=1 o0=1' }).flatMap(([order, fixed]): [string, Row][][] => [
        sized(`cas${order}`, `o2=1 o1=1 Rt2=11111 ${fixed}`, (r) => `<${r}s>, <${r}t>, [<Xn^>]`),
        [[`casp${order}`, [`size=0x o2=0 o1=1 Rt2=11111 Rs=xxxx0 Rt=xxxx0 ${fixed}`, '<zs>, <zs+1>, <zt>, <zt+1>, [<Xn^>]']]],
      ]),
    ),
  },
  {
    name: 'Load-acquire RCpc',
    pattern: 'size 111000101 Rs 110000 Rn Rt',
    rows: collect(sized('ldapr', '', (r) => `<${r}t>, [<Xn^>]`)),
  },
  {
    name: 'Load register (literal)',
    pattern: 'opc 011 V 00 imm19 Rt',
    rows: {
      ldr_w_lit: ['V=0 opc=00', '<Wt>, <b19>'],
      ldr_x_lit: ['V=0 opc=01', '<Xt>, <b19>'],
      ldrsw_lit: ['V=0 opc=10', '<Xt>, <b19>'],
      prfm_lit: ['V=0 opc=11', '<prfop>, <b19>'],
      ldr_s_lit: ['V=1 opc=00', '<St>, <b19>'],
      ldr_d_lit: ['V=1 opc=01', '<Dt>, <b19>'],
      ldr_q_lit: ['V=1 opc=10', '<Qt>, <b19>'],
    },
  },
  { name: 'Load/store no-allocate pair (offset)', pattern: 'opc 101 V 000 L imm7 Rt2 Rn Rt', rows: nonTemporal },
  { name: 'Load/store register pair (post-indexed)', pattern: 'opc 101 V 001 L imm7 Rt2 Rn Rt', rows: pair('_post', (scale) => `[<Xn^>], <s:imm7*${scale}>`, true) },
  { name: 'Load/store register pair (offset)', pattern: 'opc 101 V 010 L imm7 Rt2 Rn Rt', rows: pair('', (scale) => `[<Xn^><,s:imm7*${scale}>]`, true) },
  { name: 'Load/store register pair (pre-indexed)', pattern: 'opc 101 V 011 L imm7 Rt2 Rn Rt', rows: pair('_pre', (scale) => `[<Xn^>, <s:imm7*${scale}>]!`, true) },
  {
    name: 'Load/store register (unscaled immediate)',
    pattern: 'size 111 V 00 opc 0 imm9 00 Rn Rt',
    rows: { ...rows('ur', '', '[<Xn^><,s:imm9*1>]'), prfum: ['size=11 V=0 opc=10', '<prfop>, [<Xn^><,s:imm9*1>]'] },
  },
  { name: 'Load/store register (immediate post-indexed)', pattern: 'size 111 V 00 opc 0 imm9 01 Rn Rt', rows: rows('r', 'post', '[<Xn^>], <s:imm9*1>') },
  { name: 'Load/store register (unprivileged)', pattern: 'size 111 V 00 opc 0 imm9 10 Rn Rt', rows: rows('tr', '', '[<Xn^><,s:imm9*1>]', ([, fixed]) => fixed.includes('V=0')) },
  { name: 'Load/store register (immediate pre-indexed)', pattern: 'size 111 V 00 opc 0 imm9 11 Rn Rt', rows: rows('r', 'pre', '[<Xn^>, <s:imm9*1>]!') },
  {
    name: 'Atomic memory operations',
    pattern: 'size 111000 A R 1 Rs o3 imm3 00 Rn Rt',
    rows: collect(
      ...Object.entries(atomics).flatMap(([mnemonic, operation]) =>
        Object.entries(orders).map(([order, fixed]) => sized(mnemonic + order, `${operation} ${fixed}`, (r) => `<${r}s>, <${r}t>, [<Xn^>]`)),
      ),
    ),
  },
  {
    name: 'Load/store register (register offset)',
    pattern: 'size 111 V 00 opc 1 Rm option S 10 Rn Rt',
    rows: { ...rows('r', 'reg', '[<Xn^>, <offset:%>]', undefined, 'option=x1x'), prfm_reg: ['size=11 V=0 opc=10 option=x1x', '<prfop>, [<Xn^>, <offset:8>]'] },
  },
  {
    name: 'Load/store register (unsigned immediate)',
    pattern: 'size 111 V 01 opc imm12 Rn Rt',
    rows: { ...rows('r', 'off', '[<Xn^><,u:imm12*%>]'), prfm_off: ['size=11 V=0 opc=10', '<prfop>, [<Xn^><,u:imm12*8>]'] },
  },
];

const lists = { ld4: ['0000', 4], 'ld1_4': ['0010', 4], ld3: ['0100', 3], 'ld1_3': ['0110', 3], 'ld1_1': ['0111', 1], ld2: ['1000', 2], 'ld1_2': ['1010', 2] } as const;
/** Opcode and size of the single structures; `T` is the element. */
const elements = { b: ['00', 'x', 'xx'], h: ['01', 'x', 'x0'], s: ['10', 'x', '00'], d: ['10', '0', '01'] } as const;

const multiple = (post: boolean): Record<string, Row> =>
  Object.fromEntries(
    Object.entries(lists).flatMap(([stem, [opcode, count]]) =>
      ([['0', 'st'], ['1', 'ld']] as const).map(([load, prefix]): [string, Row] => {
        const name = stem.replace('ld', prefix) + (post ? '_post' : stem.includes('_') ? '' : '_m');
        const reserved = stem.includes('_') ? '' : ' Q=1|size<3';
        return [name, [`L=${load} imm4=${opcode}${reserved}`, `<list${count}.T>, [<Xn^>]${post ? '<postlist>' : ''}`]];
      }),
    ),
  );

const one = (post: boolean): Record<string, Row> =>
  Object.fromEntries(
    [1, 2, 3, 4].flatMap((count) => {
      const high = count > 2 ? '1' : '0';
      const r = count % 2 === 0 ? '1' : '0';
      const tail = post ? '<postone>' : '';
      const rows = Object.entries(elements).flatMap(([element, [op, s, size]]) =>
        ([['0', 'st'], ['1', 'ld']] as const).map(([load, prefix]): [string, Row] => [
          `${prefix}${count}_${element}${post ? '_post' : ''}`,
          [`L=${load} R=${r} imm3=${op}${high} S=${s} size=${size}`, `<list${count}.${element}[i]>, [<Xn^>]${tail}`],
        ]),
      );
      return [...rows, [`ld${count}r${post ? '_post' : ''}`, [`L=1 R=${r} imm3=11${high} S=0`, `<list${count}.T>, [<Xn^>]${tail}`]] as [string, Row]];
    }),
  );

/** Loads and stores of structures. */
export const structureClasses: readonly EncodingClass[] = [
  { name: 'Advanced SIMD load/store multiple structures', pattern: '0 Q 0011000 L 000000 imm4 size Rn Rt', rows: multiple(false) },
  { name: 'Advanced SIMD load/store multiple structures (post-indexed)', pattern: '0 Q 0011001 L 0 Rm imm4 size Rn Rt', rows: multiple(true) },
  { name: 'Advanced SIMD load/store single structure', pattern: '0 Q 0011010 L R 00000 imm3 S size Rn Rt', rows: one(false) },
  { name: 'Advanced SIMD load/store single structure (post-indexed)', pattern: '0 Q 0011011 L R Rm imm3 S size Rn Rt', rows: one(true) },
];
