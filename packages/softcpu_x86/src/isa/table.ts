/**
 * The opcode table: every instruction of x86-64 this package knows, as data (SDM vol. 2, appendix A and the instruction pages).
 *
 * A row is `[prefix] [0F [38|3A]] opcode[/reg][:modrm] name operands attributes`.
 * - prefix: `np` none of 66, F2, F3; `nr` neither F2 nor F3; `66`, `F3`, `F2` mandatory; absent: any. `v`, `v66`, `vF3`, `vF2`: VEX with that
 *   prefix, followed by `.0` or `.1` where VEX.L must be that.
 * - `/n`: ModRM.reg. `:m`, `:r`: ModRM says memory, or register. `:C1`: the whole ModRM byte.
 * - operands, as in the SDM's appendix A: E, M, R, G, S, C, D, I, J, A, O, X, Y; V, W, U, H, L, P, Q, N; B (general register by VEX.vvvv), Z
 *   (register by the opcode), T (x87 stack), K (second immediate). Sizes: b w d q (8 … 64), v (16, 32, 64 by operand size), z (16, 32), y (32, 64),
 *   x (128, 256 by VEX.L), dq (128), h, f, e (a half, fourth, eighth of x) and those in `operandBits`.
 * - attributes: `i64` not in 64-bit mode, `o64` only there; `d64` 64 bits by default there, `f64` always; `w16` … operand size; `lk` may be
 *   locked; `rep` may be repeated; `prot` not in real mode; `nob` REX.B = 0; `W0`, `W1`; `a2`, `a3` … see `rows_simd.ts`; else a CPUID feature.
 */
import { INTEGER_ROWS } from './rows_integer.ts';
import { AVX_ROWS, SIMD_ROWS } from './rows_simd.ts';
import { SYSTEM_ROWS } from './rows_system.ts';
import { X87_ROWS } from './rows_x87.ts';

/** What prefixes a row wants. */
export type PrefixRule = 'any' | 'np' | 'nr' | '66' | 'F3' | 'F2';

/** An operand as the table writes it. */
export interface Operand {
  /** One of the letters above, or `fixed` for a register or number that the opcode implies. */
  readonly kind: string;
  /** Size code; for `fixed` the operand itself. */
  readonly size: string;
}

/** One row. */
export interface Row {
  /** Number of the row, the `op` of decoded instructions. */
  readonly op: number;
  readonly name: string;
  readonly operands: readonly Operand[];
  readonly map: number;
  readonly opcode: number;
  readonly prefix: PrefixRule;
  readonly vex: boolean;
  readonly l: number | undefined;
  readonly w: number | undefined;
  readonly reg: number | undefined;
  readonly modrm: number | undefined;
  readonly memory: boolean | undefined;
  readonly hasModrm: boolean;
  /** Operand size it is restricted to, in bits. */
  readonly size: number | undefined;
  readonly not64: boolean;
  readonly only64: boolean;
  readonly default64: boolean;
  readonly force64: boolean;
  readonly lock: boolean;
  readonly rep: boolean;
  readonly protectedOnly: boolean;
  readonly withoutRexB: boolean;
  /** Another encoding of what assemblers write otherwise. */
  readonly alias: boolean;
  /** CPUID features, in the words of this table; empty for what every 64-bit processor has. */
  readonly features: readonly string[];
}

const FIXED = new Set(['AL', 'AX', 'CL', 'DX', 'rAX', 'zAX', '1', 'ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'X0', 'T0']);
const ATTRIBUTES = new Set(['i64', 'o64', 'd64', 'f64', 'w16', 'w32', 'w64', 'lk', 'rep', 'prot', 'nob', 'W0', 'W1', 'a2', 'a3', 'a3r', 'ah', 'x0', 'alias', '512', 'never']);
const MODRM_KINDS = new Set(['E', 'M', 'R', 'G', 'S', 'C', 'D', 'V', 'W', 'U', 'P', 'Q', 'N', 'T', 'MX', 'MH']);

function operand(text: string): Operand {
  if (FIXED.has(text)) return { kind: 'fixed', size: text };
  const kind = text.startsWith('MX') || text.startsWith('MH') ? text.slice(0, 2) : (text[0] as string);
  return { kind, size: text.slice(kind.length) };
}

const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number.parseInt(text, 16));

function parse(line: string, op: number): Row {
  const words = line.split(/\s+/);
  let prefix: PrefixRule = 'any';
  let l: number | undefined;
  const vex = /^v(66|F3|F2)?(\.[01])?$/.exec(words[0] as string);
  const mandatory = (words[0] === '66' || words[0] === 'F3' || words[0] === 'F2') && (words[1] === '0F' || words[1] === '90');
  if (vex !== null) {
    prefix = (vex[1] ?? 'np') as PrefixRule;
    l = number(vex[2]?.slice(1));
    words.shift();
  } else if (words[0] === 'np' || words[0] === 'nr' || mandatory) {
    prefix = words.shift() as PrefixRule;
  }
  let map = 0;
  if (words[0] === '0F') {
    words.shift();
    map = 1;
    const escape = words[0] as string;
    if (escape === '38' || escape === '3A') {
      words.shift();
      map = escape === '38' ? 2 : 3;
    }
  }
  const [, opcode, reg, constraint] = /^([0-9A-F]{2})(?:\/(\d))?(?::(\w+))?$/.exec(words.shift() as string) as unknown as [string, string, string?, string?];
  const name = words.shift() as string;
  const list = words.shift() ?? '-';
  const operands = list === '-' ? [] : list.split(',').map(operand);
  const has = (attribute: string): boolean => words.includes(attribute);
  const modrm = constraint !== undefined && constraint !== 'm' && constraint !== 'r' ? number(constraint) : undefined;
  const only = (kinds: readonly string[]): boolean => operands.some(({ kind, size }) => kinds.includes(kind) && size !== 'r');
  const memory = constraint === 'm' || only(['M', 'MX', 'MH']) ? true : constraint === 'r' || only(['R', 'U', 'N']) ? false : undefined;
  return {
    op,
    name,
    operands,
    map,
    opcode: number(opcode) as number,
    prefix,
    vex: vex !== null,
    l,
    w: has('W0') ? 0 : has('W1') ? 1 : undefined,
    reg: reg === undefined ? undefined : Number(reg),
    modrm,
    memory,
    hasModrm: reg !== undefined || constraint !== undefined || operands.some(({ kind }) => MODRM_KINDS.has(kind)),
    size: has('w16') ? 16 : has('w32') ? 32 : has('w64') ? 64 : undefined,
    not64: has('i64'),
    only64: has('o64'),
    default64: has('d64'),
    force64: has('f64'),
    lock: has('lk'),
    rep: has('rep'),
    protectedOnly: has('prot'),
    withoutRexB: has('nob'),
    alias: has('alias'),
    features: words.filter((word) => !ATTRIBUTES.has(word)),
  };
}

/** Opcodes of 0F 38 and 0F whose VEX form has operands by W. */
function twin(line: string): string[] {
  const words = line.split(' ');
  const form = words.find((word) => /^(a2|a3|a3r|ah)$/.test(word));
  if (form === undefined) return [];
  const prefix = words[0] === 'np' ? '' : (words[0] as string);
  const nameAt = words[2] === '38' || words[2] === '3A' ? 4 : 3;
  const operands = (words[nameAt + 1] as string).split(',');
  const [first, ...rest] = operands as [string, ...string[]];
  const h = first === 'Vdq' || first.startsWith('U') && first !== 'Ux' || first.startsWith('M') ? 'Hdq' : 'Hx';
  const list =
    form === 'a2' ? operands : form === 'ah' ? ['Hx', ...operands] : [first, h, ...rest];
  return [`v${prefix}${words.includes('x0') ? '.0' : ''} ${words.slice(1, nameAt).join(' ')} v${words[nameAt] as string} ${list.join(',')} avx`];
}

const lines = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
const simd = lines(SIMD_ROWS);

/** All rows, by number. */
export const rows: readonly Row[] = [...lines(INTEGER_ROWS), ...lines(SYSTEM_ROWS), ...lines(X87_ROWS), ...simd, ...simd.flatMap(twin), ...lines(AVX_ROWS)].map(parse);
