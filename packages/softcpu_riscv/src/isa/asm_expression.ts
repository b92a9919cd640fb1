/** Expressions of the assembler: 64-bit integers with the operators and the precedence of GNU as, and the relocation functions of the RISC-V ABI. */

/** What went wrong in a line of assembly source. */
export class AssemblyError extends Error {
  override readonly name: string = 'AssemblyError';
  /** 1-based; 0 while the error has not reached the statement's line. */
  readonly line: number;

  constructor(message: string, line: number = 0) {
    super(line === 0 ? message : `line ${line}: ${message}`);
    this.line = line;
  }
}

/** What an expression may refer to, at the statement it stands in. */
export interface Scope {
  /** Address of the statement. */
  readonly pc: bigint;
  /** Whether the statement's values rest on a symbol without a value, so that they need not be in range yet. */
  readonly guessed: boolean;
  /** The value of a symbol, or undefined if it has none (yet). */
  lookup(name: string): bigint | undefined;
  /** The address of the nearest numeric label before (b) or after (f) the statement. */
  local(label: string, direction: 'b' | 'f'): bigint | undefined;
  /** What to take for a symbol without a value; throws in the last pass. */
  undefinedSymbol(name: string): bigint;
  /** Notes that the statement is the `auipc` that carries the upper part of `offset`. */
  notePcrelHi(offset: bigint): void;
  /** The offset noted at the `auipc` at an address. */
  pcrelHiAt(address: bigint): bigint | undefined;
}

const TOKEN = /\s*(?:(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+[bf](?![\w.$])|\d+)|([A-Za-z_.$][\w.$]*)|'(\\?.)'|(%[a-z_]+)|(<<|>>|[-+*/%&|^~()]))/y;

/** The characters that a backslash escapes. */
export const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '0': '\0', '\\': '\\', "'": "'", '"': '"' };

type Token = { readonly kind: 'number' | 'symbol' | 'character' | 'function' | 'operator'; readonly text: string };

const kinds = ['number', 'symbol', 'character', 'function', 'operator'] as const;

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  let end = 0;
  while (source.slice(end).trim() !== '') {
    const match = TOKEN.exec(source);
    if (match === null) throw new AssemblyError(`cannot read "${source.slice(end).trim()}" in an expression`);
    const index = match.slice(1).findIndex((group) => group !== undefined);
    tokens.push({ kind: kinds[index]!, text: match[index + 1]! });
    end = TOKEN.lastIndex;
  }
  return tokens;
}

// GNU as, "Infix Operators": multiplicative and shifts bind tightest, then the bitwise ones, then addition.
const precedence: Readonly<Record<string, number>> = { '+': 1, '-': 1, '|': 2, '&': 2, '^': 2, '*': 3, '/': 3, '%': 3, '<<': 3, '>>': 3 };

function apply(operator: string, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '<<':
    case '>>':
      if (b < 0n || b > 63n) throw new AssemblyError(`shift by ${b} in an expression`);
      return operator === '<<' ? a << b : BigInt.asUintN(64, a) >> b;
    default:
      if (b === 0n) throw new AssemblyError('division by zero in an expression');
      return operator === '/' ? a / b : a % b;
  }
}

const signed12 = (value: bigint): bigint => BigInt.asIntN(12, value);
const upper20 = (value: bigint): bigint => BigInt.asUintN(20, (value + 0x800n) >> 12n);

function relocation(name: string, value: bigint, scope: Scope): bigint {
  switch (name) {
    case '%hi':
      return upper20(value);
    case '%lo':
      return signed12(value);
    case '%pcrel_hi': {
      const offset = BigInt.asIntN(64, value - scope.pc);
      if (BigInt.asIntN(32, offset + 0x800n) !== offset + 0x800n) throw new AssemblyError(`target is ${offset} bytes away, beyond the reach of auipc`);
      scope.notePcrelHi(offset);
      return upper20(offset);
    }
    case '%pcrel_lo': {
      const offset = scope.pcrelHiAt(BigInt.asUintN(64, value));
      if (offset === undefined) throw new AssemblyError('%pcrel_lo must name the label of an earlier instruction with %pcrel_hi');
      return signed12(offset);
    }
    default:
      throw new AssemblyError(`unknown function ${name}`);
  }
}

/**
 * Evaluates an expression.
 *
 * @returns the value modulo 2^64, as a signed number
 * @throws {AssemblyError} syntax, division by zero, undefined symbols (as the scope decides)
 */
export function evaluate(source: string, scope: Scope): bigint {
  const tokens = tokenize(source);
  let position = 0;
  const peek = (): Token | undefined => tokens[position];
  const expect = (text: string): void => {
    if (peek()?.text !== text) throw new AssemblyError(`"${text}" expected in "${source.trim()}"`);
    position++;
  };

  function primary(): bigint {
    const token = tokens[position++];
    switch (token?.kind) {
      case 'number': {
        if (!/^\d+[bf]$/.test(token.text)) return BigInt(/^0[0-7]+$/.test(token.text) ? `0o${token.text.slice(1)}` : token.text);
        return scope.local(token.text.slice(0, -1), token.text.endsWith('b') ? 'b' : 'f') ?? scope.undefinedSymbol(token.text);
      }
      case 'symbol':
        return token.text === '.' ? scope.pc : (scope.lookup(token.text) ?? scope.undefinedSymbol(token.text));
      case 'character':
        return BigInt((token.text.startsWith('\\') ? (escapes[token.text.slice(1)] ?? token.text.slice(1)) : token.text).codePointAt(0)!);
      case 'function': {
        expect('(');
        const argument = sum(1);
        expect(')');
        return relocation(token.text, BigInt.asIntN(64, argument), scope);
      }
      case 'operator':
        if (token.text === '(') {
          const value = sum(1);
          expect(')');
          return value;
        }
        if (token.text === '-') return -primary();
        if (token.text === '+') return primary();
        if (token.text === '~') return ~primary();
    }
    throw new AssemblyError(`operand expected in "${source.trim()}"`);
  }

  function sum(lowest: number): bigint {
    let left = primary();
    for (;;) {
      const operator = peek()?.text ?? '';
      const rank = peek()?.kind === 'operator' ? precedence[operator] : undefined;
      if (rank === undefined || rank < lowest) return left;
      position++;
      left = BigInt.asIntN(64, apply(operator, left, sum(rank + 1)));
    }
  }

  const value = sum(1);
  if (position !== tokens.length) throw new AssemblyError(`cannot read "${tokens[position]!.text}" in "${source.trim()}"`);
  return BigInt.asIntN(64, value);
}
